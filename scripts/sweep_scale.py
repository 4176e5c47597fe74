#!/usr/bin/env python3
"""How long a comparison of very many cells takes to list, to shard and to collect, and in how much memory.

    scripts/sweep_scale.py target/release/sharpscope FOLDER [CELLS] [STEPS]

One cell is run; the directories of all others are copies of its, with their own rates and seeds in their manifests.
Linux: the largest memory in use is what the system tells of the process that has ended.
"""

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path


def measured(words, **more):
    """Wall-clock seconds and the largest resident memory, in MiB, of a command."""
    began = time.monotonic()
    pid = os.posix_spawn(words[0], words, os.environ, **more)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(words)[-80:]}: exit code {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, usage.ru_maxrss / 1024


def main():
    program, folder = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
    cells = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
    steps = sys.argv[4] if len(sys.argv) > 4 else "200"
    side = max(1, round((cells / 4) ** 0.5))
    out = folder / "sweep"
    folder.mkdir(parents=True, exist_ok=True)
    values = lambda first: ",".join(f"{first + i / 1e4:.4f}" for i in range(side))
    words = [program, "compare", "--backend", "cpu", "--model", "linear", "--train-size", "50",
             "--validation-size", "40", "--steps", steps, "--every", "5", "--optimizer", "momentum",
             "--lr", values(0.01), "--momentum", values(0.5), "--seeds", "4", "--out", str(out)]
    to_file = [(os.POSIX_SPAWN_OPEN, 1, folder / "list.txt", os.O_WRONLY | os.O_CREAT, 0o644)]
    report = {"list": measured([*words, "--list"], file_actions=to_file)}
    count = len((folder / "list.txt").read_text().splitlines())
    quiet = [*words, "--quiet"]
    report["one cell"] = measured([*quiet, "--cell", "1"])
    members = json.loads((out / "comparison.json").read_text())["members"]
    first = out / members[0]["folder"]
    manifest = json.loads((first / "manifest.json").read_text())
    for member in members[1:]:
        rate, momentum = re.fullmatch(r"momentum η=(\S+) β=(\S+)", member["setting"]).groups()
        run = out / member["folder"]
        run.mkdir(parents=True)
        for name in ["steps.csv", "events.jsonl", "summary.json"]:
            shutil.copyfile(first / name, run / name)
        config = {**manifest["config"], "lr": float(rate), "momentum": float(momentum), "seed": member["seed"]}
        (run / "manifest.json").write_text(json.dumps({**manifest, "config": config}))
    report["a shard of 1000, all done"] = measured([*quiet, "--shard", "1/10"])
    report["collect"] = measured([*quiet, "--collect"])
    print(f"{count} cells of {steps} steps on {os.cpu_count()} cores")
    for what, (seconds, memory) in report.items():
        print(f"{what:28} {seconds:8.2f} s {memory:8.0f} MiB")
    rows = sum(1 for _ in open(out / "compare.csv", "rb")) - 1
    size = (out / "compare.csv").stat().st_size / 2**20
    print(f"compare.csv has {rows} rows, {size:.0f} MiB")


if __name__ == "__main__":
    main()
