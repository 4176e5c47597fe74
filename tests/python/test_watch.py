"""`watch` and `run --watch` on a terminal."""

import csv
import json
import re
import shutil
import signal
import subprocess
import time

import pytest
from terminal import GOLDENS, PROGRAM, Seen

SMALL = ["run", "--backend", "cpu", "--model", "linear", "--train-size", "100", "--lr", "0.01"]
SIZES = [(80, 24), (200, 60)]


def stored(folder, golden, edit=None):
    """A golden run of one's own, its table edited."""
    run = folder / golden
    shutil.copytree(GOLDENS / golden, run)
    if edit is not None:
        table = run / "steps.csv"
        table.write_text(edit(table.read_text()))
    return run


def rows(run):
    with open(run / "steps.csv") as table:
        return list(csv.DictReader(table))


@pytest.mark.parametrize("size", SIZES)
def test_a_finished_run(tmp_path, size):
    run = stored(tmp_path, "gd")
    with Seen("watch", run, cwd=tmp_path, size=size) as seen:
        text = seen.wait_for("Loss, log axis", "Sharpness, •• 2/η", "Edge ratio, •• 1", "Events", "done", "? help")
        steps = len(rows(run))
        assert f"{steps}/{steps}" in text and "steps/s" in text and "ETA" not in text
        loss = float(rows(run)[-1]["train_loss"])
        shown = float(re.search(r"loss ([\d.e-]+)", text)[1])
        assert abs(shown - loss) < 1e-3 * loss
        # Curves in each of the charts, the keys on the last line, nothing broken at the right.
        assert sum(any("⠁" <= c <= "⣿" for c in line) for line in seen.screen.display) > size[1] // 3
        assert seen.screen.display[-1].startswith("l s axes")
        assert "•" in text.replace("••", "")
        seen.type("q")
        assert seen.end() == 0


@pytest.mark.parametrize("keys", ["q", "\x1b", "\x03"])
def test_keys_that_leave_restore_the_terminal(tmp_path, keys):
    run = stored(tmp_path, "gd")
    with Seen("watch", run, cwd=tmp_path) as seen:
        seen.wait_for("done")
        seen.type(keys)
        assert seen.end() == 0


def test_keys_change_axes_and_steps(tmp_path):
    run = stored(tmp_path, "gd")
    with Seen("watch", run, cwd=tmp_path) as seen:
        seen.wait_for("Loss, log axis")
        seen.type("l")
        seen.wait_until(lambda text: "Loss, log axis" not in text and "Loss" in text)
        seen.type("s")
        seen.wait_for("2/η, log axis", "1, log axis")
        axis = seen.text.splitlines()[13]
        seen.type("+")
        seen.wait_until(lambda text: text.splitlines()[13] != axis)
        seen.type("0")
        seen.wait_until(lambda text: text.splitlines()[13] == axis)
        seen.type("?")
        seen.wait_for("Keys", "fewer or more of the last steps")
        seen.type("\x1b")
        seen.wait_until(lambda text: "fewer or more" not in text)
        seen.type("q")
        assert seen.end() == 0


def test_other_sizes_while_it_goes_on(tmp_path):
    run = stored(tmp_path, "gd")
    with Seen("watch", run, cwd=tmp_path) as seen:
        seen.wait_for("Edge ratio")
        seen.resize((200, 60))
        seen.wait_until(lambda text: text.splitlines()[59].startswith("l s axes"), "the keys below")
        seen.resize((60, 20))
        seen.wait_for("This terminal is 60x20; 80x24 are needed.")
        seen.resize((80, 24))
        seen.wait_until(lambda text: text.splitlines()[23].startswith("l s axes"), "the keys below")
        seen.wait_for("Edge ratio")
        seen.type("q")
        assert seen.end() == 0


def test_a_run_that_grows(tmp_path):
    whole = (GOLDENS / "gd/steps.csv").read_text().splitlines(keepends=True)
    manifest = json.loads((GOLDENS / "gd/manifest.json").read_text())
    run = tmp_path / "r"
    run.mkdir()
    with Seen("watch", run, cwd=tmp_path) as seen:
        seen.wait_for("waiting for its first row", "nothing measured yet")
        manifest["exit_code"] = None
        (run / "manifest.json").write_text(json.dumps(manifest))
        steps = manifest["config"]["steps"]
        seen.wait_for(f"0/{steps}")
        with open(run / "steps.csv", "w") as table:
            table.writelines(whole[:6])
            table.flush()
            seen.wait_for(f"5/{steps}", "under way", "ETA")
            # Half a row is no row.
            table.write(whole[6][:30])
            table.flush()
            time.sleep(0.6)
            table.write(whole[6][30:])
            table.flush()
            seen.wait_for(f"6/{steps}")
        event = {"step": 5, "kind": "plateau", "train_loss": 1.0, "relative_change": 0.0, "rows": 3}
        (run / "events.jsonl").write_text(json.dumps(event) + "\n")
        seen.wait_for("5: the loss stands still", "Events: 1")
        manifest["exit_code"] = 3
        (run / "manifest.json").write_text(json.dumps(manifest) + " ")
        seen.wait_for("diverged")
        # Begun anew.
        (run / "steps.csv").unlink()
        (run / "steps.csv").write_text("".join(whole[:3]))
        seen.wait_for(f"2/{steps}")
        # Nonsense ends it with a message, on a terminal as it was.
        with open(run / "steps.csv", "a") as table:
            table.write("not,a,row\n" + whole[3])
        assert seen.end() == 2
        assert "error:" in seen.after and "steps.csv:4" in seen.after


def test_short_torn_diverged_and_unconverged_runs(tmp_path):
    cases = [
        ("sam", lambda text: "\n".join(text.split("\n")[:2]) + "\n", ["1/"]),
        ("adam", lambda text: text[:-20], ["under way", "Sharpness"]),
        ("diverged", None, ["diverged", "training diverged"]),
        ("gd", lambda text: text.replace(",true,", ",false,"), ["not converged)"]),
    ]
    for golden, edit, parts in cases:
        run = stored(tmp_path, golden, edit)
        if golden == "adam":
            manifest = json.loads((run / "manifest.json").read_text())
            manifest["exit_code"] = None
            (run / "manifest.json").write_text(json.dumps(manifest))
        with Seen("watch", run, cwd=tmp_path, size=(100, 30)) as seen:
            text = seen.wait_until(lambda text: all(part in text for part in parts) or "no row for" in text, parts)
            if golden == "adam":
                # Whoever looks later than ten seconds after the last row is told.
                assert "under way" in text or "no row for" in text
            seen.type("q")
            assert seen.end() == 0


def test_a_comparison_shows_its_runs(tmp_path):
    shutil.copytree(GOLDENS / "comparison", tmp_path / "c")
    members = json.loads((tmp_path / "c/comparison.json").read_text())["members"]
    with Seen("watch", "c", cwd=tmp_path) as seen:
        text = seen.wait_for(f"{len(members)} of {len(members)} runs ended")
        assert all(member["setting"] in text for member in members)
        seen.type("\x1b[B\r")
        seen.wait_for("Edge ratio", f"{members[1]['setting']}"[:4])
        seen.type("\x1b")
        seen.wait_for("runs ended")
        seen.type("q")
        assert seen.end() == 0


def test_without_colours(tmp_path):
    run = stored(tmp_path, "gd")
    color = re.compile(rb"\x1b\[[\d;]*3[0-7]m|\x1b\[[\d;]*38;")
    for env, wanted in [({}, True), ({"NO_COLOR": "1"}, False)]:
        with Seen("watch", run, cwd=tmp_path, env=env) as seen:
            seen.wait_for("done")
            seen.type("q")
            assert seen.end() == 0
            assert (color.search(seen.sent) is not None) == wanted


def test_no_terminal_is_said(tmp_path):
    run = stored(tmp_path, "gd")
    for arguments in (["watch", str(run)], [*SMALL, "--watch", "--out", str(tmp_path / "new")]):
        done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.startswith("error: ") and "no terminal" in done.stderr
    assert not (tmp_path / "new").exists()


def test_what_is_no_run_is_refused(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("x")
    for name in ("other", "nowhere"):
        with Seen("watch", name, cwd=tmp_path) as seen:
            assert seen.end() == 2
            assert name in seen.text and "error:" in seen.text


def test_run_watch_to_its_end(tmp_path):
    flags = ["--steps", "40"]
    with Seen(*SMALL, *flags, "--watch", "--out", "seen", cwd=tmp_path) as seen:
        assert seen.end() == 0
        assert "done" in seen.after and "written" in seen.after
        assert b"Sharpness" in seen.sent
    subprocess.run([PROGRAM, *SMALL, *flags, "--quiet", "--out", "plain"], cwd=tmp_path, check=True)
    timeless = lambda run: [{k: v for k, v in row.items() if not k.endswith("_ms")} for row in rows(run)]
    assert timeless(tmp_path / "seen") == timeless(tmp_path / "plain")


@pytest.mark.parametrize("by_key", [True, False])
def test_run_watch_is_interrupted(tmp_path, by_key):
    with Seen(*SMALL, "--steps", "1000000", "--watch", "--out", "r", cwd=tmp_path) as seen:
        seen.wait_for("Edge ratio", "ETA")
        if by_key:
            seen.type("\x03")
        else:
            seen.process.send_signal(signal.SIGTERM)
        assert seen.end() == 130
        assert "stopped" in seen.after
    summary = json.loads((tmp_path / "r/summary.json").read_text())
    assert summary["status"] == "interrupted" and summary["steps"] == len(rows(tmp_path / "r"))


def test_run_watch_left_to_the_bar(tmp_path):
    with Seen(*SMALL, "--steps", "1000000", "--watch", "--out", "r", cwd=tmp_path) as seen:
        seen.wait_for("Edge ratio", "ETA")
        seen.type("q")
        seen.wait_until(lambda _: b"\x1b[?1049l" in seen.sent and "━" in seen.after, "the bar")
        seen.type("\x03")
        assert seen.end() == 130
