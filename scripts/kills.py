#!/usr/bin/env python3
"""Kills a short run at system calls that touch files, goes on with it, and compares with the whole run.

    scripts/kills.py target/release/sharpscope [--sample N] [--flags "..."] [--optimizers a,b] [--solvers x,y]

Each run is killed (SIGKILL, by strace) at one call of its main thread, from the first that names its folder
on; without --sample at every one. What is there then is gone on with as a user would: `run --resume`, or, where
the run was killed before it had a manifest, the same command again; where rows were written but no checkpoint
yet, from the start, as the message says. Times aside, every file must then be that of the whole run. Prints a line for
each way of running and each failure; exits 1 if there was one, 77 where strace is missing.
"""

import argparse
import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CALLS = (
    "openat,write,writev,pwrite64,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,rmdir,"
    "ftruncate,lseek,fchmod,flock,close"
)
TIMES = {"step_ms", "curvature_ms"}
ENDS = ("training_seconds", "curvature_seconds", "total_seconds")
# Nothing of the machine's graphics drivers matters.
ENVIRONMENT = {**os.environ, "VK_ICD_FILENAMES": "/nonexistent", "VK_DRIVER_FILES": "/nonexistent"}


def call(command, folder):
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def content(run):
    """What a run has written, by file, without times, paths and what pictures look like."""
    found = {}
    for path in sorted(p for p in run.rglob("*") if p.is_file()):
        name = str(path.relative_to(run))
        if name == "steps.csv":
            with open(path, newline="") as file:
                rows = [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]
            found[name] = rows
        elif name == "summary.json":
            summary = json.loads(path.read_text())
            found[name] = {k: v for k, v in summary.items() if k not in ENDS}
        elif name == "manifest.json":
            manifest = json.loads(path.read_text())
            found[name] = [manifest["exit_code"], manifest["init_sha256"], manifest["train_indices"]]
        elif name.startswith("spectra/") and name.endswith(".json"):
            numbers = json.loads(path.read_text())
            found[name] = {k: v for k, v in numbers.items() if k != "seconds"}
        elif path.suffix in (".png", ".svg"):
            found[name] = None
        else:
            found[name] = path.read_bytes()
    return found


def go_on(program, command, folder):
    """Does what a user would; returns what was done and how it ended."""
    if not (folder / "r/manifest.json").is_file():
        return "begun anew", call(command, folder)
    done = call([program, "run", "--resume", "r", "--quiet"], folder)
    if done.returncode == 2 and "steps already" in done.stderr:
        return "had ended", None
    if done.returncode == 2 and "no checkpoint there" in done.stderr:
        return "from its start", call([program, "run", "--resume", "r@0", "--force", "--quiet"], folder)
    return "gone on with", done


def calls_of(command, folder):
    """Each call from the first that names the run's folder on: its name, and which of that name it is."""
    log = folder / "log"
    call(["strace", "-o", str(log), "-e", f"trace={CALLS}"] + command, folder)
    calls, counts, begun = [], {}, False
    for line in log.read_text(errors="replace").splitlines():
        match = re.match(r"([a-z]\w*)\(", line)
        if match is None:
            continue
        name = match.group(1)
        counts[name] = counts.get(name, 0) + 1
        begun = begun or '"r' in line
        if begun:
            calls.append((name, counts[name]))
    return calls


def campaign(program, flags, sample):
    command = [program, "run", "--backend", "cpu", "--out", "r", "--quiet"] + flags.split()
    failures, ways, exit_code = [], {}, None
    with tempfile.TemporaryDirectory() as name:
        whole = pathlib.Path(name)
        exit_code = call(command, whole).returncode
        expected = content(whole / "r")
        shutil.rmtree(whole / "r")
        places = calls_of(command, whole)
    if sample and sample < len(places):
        places = [places[i * (len(places) - 1) // (sample - 1)] for i in range(sample)]
    for call_name, number in places:
        place = f"{call_name} {number}"
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            # (Of a list of calls each would be counted by itself.)
            inject = f"inject={call_name}:signal=SIGKILL:when={number}"
            call(["strace", "-o", "/dev/null", "-e", f"trace={call_name}", "-e", inject] + command, folder)
            way, done = go_on(program, command, folder)
            ways[way] = ways.get(way, 0) + 1
            found = content(folder / "r") if (folder / "r").is_dir() else {}
            wrong = sorted(n for n in found.keys() | expected.keys() if found.get(n, 0) != expected.get(n, 0))
            if done is not None and done.returncode != exit_code:
                failures.append(f"{place}, {way}: exit {done.returncode}: {done.stderr.strip()}")
            elif wrong:
                failures.append(f"{place}, {way}: {', '.join(wrong)} differ")
    counted = ", ".join(f"{count} {way}" for way, count in sorted(ways.items()))
    print(f"{flags}: {len(places)} kills ({counted}), {len(failures)} failures", flush=True)
    for failure in failures:
        print(f"  {failure}", flush=True)
    return len(failures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--sample", type=int, help="kills of each way of running, evenly spread [default: all]")
    parser.add_argument("--optimizers", default="sgd,momentum,nesterov,ema-momentum,adam,adamw,nadam,rmsprop,"
                        "adagrad,sam,asam")
    parser.add_argument("--solvers", default="davidson,lanczos")
    parser.add_argument(
        "--flags",
        default="--model linear --train-size 20 --validation-size 5 --steps 5 --checkpoint-every 2",
    )
    given = parser.parse_args()
    if shutil.which("strace") is None:
        print("strace was not found: nothing was killed", file=sys.stderr)
        return 77
    program = str(pathlib.Path(given.program).resolve())
    failures = 0
    for optimizer in given.optimizers.split(","):
        for solver in given.solvers.split(","):
            flags = f"{given.flags} --optimizer {optimizer} --solver {solver}"
            failures += campaign(program, flags, given.sample)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
