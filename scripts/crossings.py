"""How often the sharpness over its threshold, and the realized ratio, cross 1, beside how often the loss rises.

    crossings.py --out runs/crossings [--binary target/release/sharpscope] [--seeds 10] [--jobs 1]

Trains small networks past the edge (full-batch gradient descent with cross-entropy, full-batch Adam, and
minibatches), each with several seeds, into OUT/NAME-seed-S; runs that are there are kept. Prints a table in
Markdown. Needs Python's standard library only.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SHARED = "--train-size 200 --validation-size 0 --backend cpu --quiet"
NOISY = "--model mlp-relu --loss ce --label-noise 0.25 --steps 300"

SETTINGS = {
    "gradient descent, cross-entropy": f"{NOISY} --lr 0.5",
    "minibatches, cross-entropy": f"{NOISY} --lr 0.4 --batch-size 50 --eval-every 1 --sharpness-batches 0",
    "adam": "--optimizer adam --lr 0.003 --steps 400",
    "adam, minibatches, cross-entropy": (
        f"{NOISY} --optimizer adam --lr 0.01 --batch-size 50 --eval-every 1 --sharpness-batches 0"
    ),
}

# Steps before the first of a spike in which a crossing counts as one before it.
WINDOW = 5


def folder_of(out: Path, name: str, seed: int) -> Path:
    return out / f"{name.replace(',', '').replace(' ', '-')}-seed-{seed}"


def train(name: str, seed: int, arguments: argparse.Namespace) -> None:
    """Makes one run unless it is there."""
    folder = folder_of(arguments.out, name, seed)
    if (folder / "summary.json").exists():
        return
    command = [arguments.binary, "run", *SHARED.split(), *SETTINGS[name].split(), "--force"]
    command += ["--seed", str(seed), "--out", str(folder)]
    if subprocess.run(command, check=False).returncode not in (0, 3):
        raise SystemExit(f"{' '.join(command)} failed")


def number(cell: str) -> float | None:
    return float(cell) if cell else None


def count(folder: Path) -> dict[str, int]:
    """Of one run: rows, rises of the loss, crossings of 1, and what the ratios said of each step."""
    with (folder / "steps.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    loss = [number(row["train_loss"]) for row in rows]
    ratios = {
        "edge": [number(row["edge_ratio"]) for row in rows],
        "realized": [number(row["realized_ratio"]) for row in rows],
    }
    steps = range(len(rows) - 1)
    rises = {step for step in steps if loss[step + 1] > loss[step]}
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    spikes = [event["start"] for event in events if event["kind"] == "loss_spike"]
    counts = {"steps": len(steps), "rises": len(rises), "spikes": len(spikes)}
    for name, ratio in ratios.items():
        above = {step for step in steps if ratio[step] is not None and ratio[step] >= 1.0}
        crossings = {step for step in above if step == 0 or step - 1 not in above}
        counts |= {
            f"{name} above": len(above),
            f"{name} crossings": len(crossings),
            f"{name} rises foretold": len(above & rises),
            f"{name} spikes foretold": sum(
                any(start - WINDOW <= step < start for step in crossings) for start in spikes
            ),
        }
    return counts


def share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, default=Path("runs/crossings"))
    parser.add_argument("--binary", default="target/release/sharpscope")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    arguments = parser.parse_args()
    tasks = [(name, seed) for name in SETTINGS for seed in range(arguments.seeds)]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(lambda task: train(*task, arguments), tasks))
    print(
        "| setting | ratio | steps at 1 or more | of them the loss rises | of all steps it rises |"
        " rises at 1 or more | crossings of 1 | spikes | spikes with a crossing within 5 steps before |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in SETTINGS:
        total: dict[str, int] = {}
        for seed in range(arguments.seeds):
            for key, value in count(folder_of(arguments.out, name, seed)).items():
                total[key] = total.get(key, 0) + value
        for ratio, shown in (("edge", "sharpness over threshold"), ("realized", "realized")):
            above, foretold = total[f"{ratio} above"], total[f"{ratio} rises foretold"]
            cells = [name, shown, f"{above} of {total['steps']}", share(foretold, above)]
            cells += [share(total["rises"], total["steps"]), share(foretold, total["rises"])]
            cells += [total[f"{ratio} crossings"], total["spikes"], total[f"{ratio} spikes foretold"]]
            print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
