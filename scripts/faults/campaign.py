#!/usr/bin/env python3
"""Tries faults on the built program, over and over, and counts what was lost.

    scripts/faults/campaign.py target/release/sharpscope [--only NAME ...] [--kills 100] [--seed 0]

Each kind of fault is a function below that yields one `Try` after the other. Prints a table for docs/reliability.md, and
every failure with what it takes to see it again. Needs Python 3.9 and a Unix; nothing else.
"""
import argparse
import csv
import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

LINEAR = ["--model", "linear", "--dataset", "blobs", "--points", "60", "--backend", "cpu", "--quiet"]


@dataclass
class Try:
    """What was tried, what was wrong with what came of it, and rows that were told and are gone."""

    what: str
    wrong: list = field(default_factory=list)
    lost: int = 0


class Program:
    def __init__(self, path, folder):
        self.path, self.folder = Path(path).resolve(), folder

    def start(self, *args, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": self.folder, **options}
        env = {**os.environ, "RUST_BACKTRACE": "0", **options.pop("env", {})}
        return subprocess.Popen([self.path, *map(str, args)], env=env, **options)

    def run(self, *args, timeout=120, **options):
        child = self.start(*args, **options)
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            return None, "", "took too long"
        text = lambda stream: (stream or b"").decode(errors="replace")
        return child.returncode, text(out), text(err)


def rows(run):
    """Complete rows of a run's table; what is torn, missing, doubled or out of order is an error."""
    path = run / "steps.csv"
    if not path.is_file():
        return []
    text = path.read_text()
    table = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
    if not table:
        return []
    for number, row in enumerate(table[1:]):
        if len(row) != len(table[0]) or row[0] != str(number):
            raise ValueError(f"row {number} of {path}: {row}")
    return table[1:]


# Degenerate problems.

DATA = {
    "one sample": "1,2,0\n",
    "one sample of zeros": "0,0,0\n",
    "one class": "".join(f"{i % 7},{i % 3},0\n" for i in range(20)),
    "zero features": "".join(f"0,0,{i % 2}\n" for i in range(20)),
    "a constant column": "".join(f"{0.1 * i},5,{i % 2}\n" for i in range(20)),
    "columns that are multiples": "".join(f"{i % 5},{2 * (i % 5)},{-(i % 5)},{i % 2}\n" for i in range(20)),
    "the same sample": "0.5,-0.25,1\n" * 20,
    "the same sample, both classes": "0.5,-0.25,1\n0.5,-0.25,0\n" * 10,
    "denormal numbers": "".join(f"{i}e-42,{i % 3}e-44,{i % 2}\n" for i in range(20)),
    "tiny numbers": "".join(f"{i}e-20,{i % 3}e-21,{i % 2}\n" for i in range(20)),
    "huge numbers": "".join(f"{i}e15,{i % 3}e15,{i % 2}\n" for i in range(20)),
    "numbers whose squares overflow": "".join(f"{i}e30,{i % 3}e30,{i % 2}\n" for i in range(20)),
    "scales far apart": "".join(f"{i}e-18,{i % 3}e6,{i % 2}\n" for i in range(20)),
}
WAYS = {
    "linear": ["--model", "linear", "--lr", "0.1"],
    "linear, ce": ["--model", "linear", "--loss", "ce", "--lr", "0.1"],
    "relu": ["--model", "relu.json", "--lr", "0.1"],
    "relu, ce, adam": ["--model", "relu.json", "--loss", "ce", "--optimizer", "adam", "--top", "3"],
    "tanh, lanczos": ["--model", "tanh.json", "--solver", "lanczos", "--smallest", "--top", "3"],
    "linear, f64, spectra": ["--model", "linear", "--precision", "f64", "--top", "3", "--spectrum-every", "50"],
    "relu, sam, minibatches": ["--model", "relu.json", "--optimizer", "sam", "--batch-size", "1"],
    "relu, asam, no bias": ["--model", "plain.json", "--optimizer", "asam", "--weight-decay", "0.1"],
}


def degenerate(program, options):
    models = {
        "relu": {"kind": "mlp", "hidden": [4], "activation": "relu", "bias": True, "init": "pytorch"},
        "tanh": {"kind": "mlp", "hidden": [3, 3], "activation": "tanh", "bias": True, "init": "xavier"},
        "plain": {"kind": "mlp", "hidden": [4], "activation": "relu", "bias": False, "init": "pytorch"},
    }
    for name, model in models.items():
        (program.folder / f"{name}.json").write_text(json.dumps(model))
    for number, (data, way) in enumerate(itertools.product(DATA, WAYS)):
        (program.folder / f"d{number}.csv").write_text(DATA[data])
        steps = 600 if data == "one sample" else 120
        args = ["run", "--backend", "cpu", "--dataset", f"d{number}.csv", "--steps", steps, "--out", f"d{number}", "--quiet"]
        code, _, err = program.run(*args, *WAYS[way])
        tried = Try(f"{data}, {way}")
        if code not in (0, 3):
            tried.wrong.append(f"exit {code}: {err.strip()}")
        elif code == 0 and len(rows(program.folder / f"d{number}")) != steps:
            tried.wrong.append("rows are missing")
        else:
            tried.wrong += told(program, f"d{number}", ("doctor", "events"))
        yield tried


def divergences(program, options):
    """Rates at which training blows up, of each optimizer, with all that is measured meanwhile."""
    draw = options.random.choice
    optimizers = "sgd momentum nesterov ema-momentum adam adamw nadam rmsprop adagrad sam asam".split()
    for number in range(options.kills):
        words = ["--optimizer", optimizers[number % len(optimizers)], "--lr", draw(["30", "1e4", "1e9", "1e20", "1e37", "1e150"])]
        words += draw([[], ["--batch-size", "7"]]) + draw([[], ["--loss", "ce"]]) + draw([[], ["--precision", "f64"]])
        words += draw([[], ["--solver", "lanczos"], ["--smallest"], ["--top", "3"]])
        words += draw([[], ["--spectrum-every", "2", "--probes", "2", "--iterations", "8"]])
        words += draw([[], ["--measure", "update_sharpness,directional_sharpness"], ["--weight-decay", "1"], ["--every", "3"]])
        words += draw([[], ["--checkpoint-every", "3"], ["--on-warning", "halve-lr"], ["--samples", "20"]])
        words += draw([["--model", "linear"], ["--model", "mlp-relu"]])
        args = ["run", *LINEAR[2:], "--steps", "40", "--out", f"v{number}", *words]
        code, _, err = program.run(*args)
        tried = Try(" ".join(args))
        if code not in (0, 3) and "needs --precision f64" not in err:
            tried.wrong.append(f"exit {code}: {err.strip()}")
        elif code == 3:
            tried.wrong += told(program, f"v{number}", ("doctor", "events"))
        yield tried


def told(program, run, commands):
    """What is wrong where commands read a run that has ended."""
    ended = [(command, *program.run(command, run)) for command in commands]
    return [f"{command}: exit {code}: {err.strip()}" for command, code, _, err in ended if code != 0]


# Kills, and what is left.

RUN = ["run", *LINEAR, "--steps", "400", "--every", "2", "--checkpoint-every", "20"]
WAYS_TO_RUN = [
    [],
    ["--optimizer", "adam", "--batch-size", "16"],
    ["--optimizer", "momentum", "--lr", "0.02", "--spectrum-every", "100", "--probes", "1", "--iterations", "4"],
    ["--solver", "lanczos", "--smallest", "--top", "2"],
]


def after_a_stop(program, name, seen, words, whole, tried):
    """What is wrong with a run that was stopped after `seen` rows were flushed: rows lost, rows misread, or no way on."""
    folder = program.folder / name
    try:
        kept = rows(folder)
    except ValueError as error:
        tried.wrong.append(str(error))
        return
    tried.lost += max(0, seen - len(kept))
    if tried.lost:
        tried.wrong.append(f"{tried.lost} rows lost")
    ended = json.loads((folder / "manifest.json").read_text()).get("exit_code") == 0 if (folder / "manifest.json").is_file() else False
    if ended:
        return
    code, _, err = program.run("run", "--resume", name, "--quiet")
    if code != 0:
        # Without a checkpoint there is nothing to go on from; another run may take its place.
        if (folder / "checkpoints").is_dir() and list((folder / "checkpoints").glob("step-*.json")):
            tried.wrong.append(f"no way on, exit {code}: {err.strip()}")
        code, _, err = program.run(*words, "--out", name, "--force")
        if code != 0:
            tried.wrong.append(f"not replaced, exit {code}: {err.strip()}")
    try:
        again = rows(folder)
    except ValueError as error:
        tried.wrong.append(str(error))
        return
    if len(again) != len(whole):
        tried.wrong.append(f"{len(again)} rows of {len(whole)} after going on")


def kills(program, options, how=(signal.SIGKILL,)):
    """A signal at a moment drawn by chance, then --resume."""
    wholes = []
    for number, way in enumerate(WAYS_TO_RUN):
        clock = time.time()
        program.run(*RUN, *way, "--out", f"whole{number}")
        wholes.append((time.time() - clock, rows(program.folder / f"whole{number}")))
    for number in range(options.kills):
        at = number % len(WAYS_TO_RUN)
        (seconds, whole), words = wholes[at], [*RUN, *WAYS_TO_RUN[at]]
        wait, sent, name = options.random.random() * seconds, options.random.choice(how), f"k{number}"
        child = program.start(*words, "--out", name)
        time.sleep(wait)
        try:
            seen = len(rows(program.folder / name))
        except ValueError:
            # A row that is being written now.
            seen = 0
        child.send_signal(sent)
        child.communicate()
        tried = Try(f"{sent.name} after {wait:.3f} s of {' '.join(words)}")
        expected = {-sent, 0} if sent == signal.SIGKILL else {130, 0, -sent}
        if child.returncode not in expected:
            tried.wrong.append(f"exit {child.returncode}")
        after_a_stop(program, name, seen, words, whole, tried)
        yield tried


def signals(program, options):
    yield from kills(program, options, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    for number in range(10):
        # As nohup does it.
        name = f"n{number}"
        child = program.start(*RUN, "--out", name, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN), restore_signals=False)
        time.sleep(options.random.random() * 0.2)
        child.send_signal(signal.SIGHUP)
        child.communicate()
        tried = Try(f"SIGHUP to a run that ignores it, {name}")
        if child.returncode != 0 or len(rows(program.folder / name)) != 400:
            tried.wrong.append(f"exit {child.returncode}")
        yield tried


def full_disks(program, options):
    """Files that may grow to so many bytes only, then room again and --resume."""
    program.run(*RUN, "--out", "whole")
    whole = rows(program.folder / "whole")
    most = (program.folder / "whole" / "steps.csv").stat().st_size
    for number in range(max(options.kills // 2, 1)):
        limit, name = options.random.randrange(600, most), f"f{number}"

        def limited():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        code, _, err = program.run(*RUN, "--out", name, preexec_fn=limited, restore_signals=False)
        tried = Try(f"files of at most {limit} bytes")
        if code != 1 or err.count("File too large") != 1:
            tried.wrong.append(f"exit {code}: {err.strip()}")
        after_a_stop(program, name, 0, RUN, whole, tried)
        yield tried


def lost_folders(program, options):
    """The folder, or a table in it, removed, moved or replaced while a run goes on."""
    harms = {
        "table removed": lambda run: (run / "steps.csv").unlink(),
        "folder moved": lambda run: run.rename(run.with_name(run.name + "-moved")),
        "folder removed": lambda run: shutil.rmtree(run, ignore_errors=True),
        "table replaced": lambda run: ((run / "x").write_text("step"), (run / "x").rename(run / "steps.csv")),
        "table cut": lambda run: os.truncate(run / "steps.csv", 0),
    }
    for number, (what, harm) in zip(range(options.kills // 2), itertools.cycle(harms.items())):
        run = program.folder / f"l{number}"
        child = program.start(*[word if word != "400" else "1000000" for word in RUN], "--out", run.name)
        while not (run / "steps.csv").is_file() or (run / "steps.csv").stat().st_size < 2000:
            time.sleep(0.002)
        time.sleep(options.random.random() * 0.05)
        harm(run)
        try:
            _, err = child.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()
            _, err = child.communicate()
        tried = Try(what)
        if child.returncode != 1 or b"while the run went on" not in err:
            tried.wrong.append(f"exit {child.returncode}: {err.decode().strip()}")
        yield tried
        shutil.rmtree(run, ignore_errors=True)


KINDS = {
    "degenerate problems": degenerate,
    "divergences": divergences,
    "kills": kills,
    "signals": signals,
    "full disks": full_disks,
    "records that go": lost_folders,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--only", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--kills", type=int, default=100, help="of each kind that is drawn by chance")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{'fault':34}{'tries':>7}{'failures':>10}{'rows lost':>11}{'seconds':>9}")
    failed = False
    for kind in options.only:
        clock = time.time()
        with tempfile.TemporaryDirectory() as folder:
            options.random = random.Random(options.seed)
            tries = list(KINDS[kind](Program(options.program, Path(folder)), options))
        wrong = [tried for tried in tries if tried.wrong]
        lost = sum(tried.lost for tried in tries)
        print(f"{kind:34}{len(tries):7}{len(wrong):10}{lost:11}{time.time() - clock:9.1f}", flush=True)
        for tried in wrong:
            print(f"    {tried.what}: {'; '.join(tried.wrong)}")
        failed |= bool(wrong)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
