"""How many loss spikes acting on the warnings avoids, and what that costs.

    spikes_avoided.py PLAIN ACTING [ACTING ...]

All folders were made by `runs_for_warnings.py --part test`, PLAIN without and each ACTING with an `--on-warning`. For
each of these, run by run: loss spikes (events `loss_spike`) and divergences of both, the final losses, and the steps
that acting lost. Those are the steps by which the plain run was earlier at the loss that the acting one ended with: counted from its
first step at or below that loss to the acting run's planned end, less than 0 where the plain run
never came there and acting gained. Runs of the parts `tune` and `choose` do not count: warnings were made with
them. Needs Python's standard library only.
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Run:
    """What counts of a run."""

    kind: str
    planned: int
    spikes: int
    diverged: bool
    actions: int
    losses: list[tuple[int, float]]

    def final(self) -> float:
        return self.losses[-1][1]

    def reached(self, loss: float) -> int | None:
        """The first step whose loss is no more than that."""
        return next((step for step, own in self.losses if own <= loss), None)


def is_done(folder: Path) -> bool:
    return (folder / "summary.json").exists()


def read(folder: Path) -> Run:
    with (folder / "events.jsonl").open(encoding="utf-8") as lines:
        kinds = [json.loads(line)["kind"] for line in lines]
    with (folder / "steps.csv").open(encoding="utf-8", newline="") as table:
        rows = [(int(row["step"]), row["train_loss"]) for row in csv.DictReader(table)]
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return Run(
        kind=folder.name.split("-", 1)[1].rsplit("-", 3)[0],
        planned=manifest["config"]["steps"],
        spikes=kinds.count("loss_spike"),
        diverged=summary["status"] == "diverged",
        actions=kinds.count("action_taken"),
        losses=[(step, float(loss)) for step, loss in rows if loss],
    )


def steps_lost(plain: Run, acting: Run) -> int:
    """Steps from where the plain run was at the acting one's final loss to the planned end."""
    there = plain.reached(acting.final())
    if there is not None:
        return acting.planned - 1 - there
    # It never came there: acting is ahead since it was first below the plain run's final loss.
    ahead = acting.reached(plain.final())
    return 0 if ahead is None else ahead - (plain.planned - 1)


def quartiles(values: list[float], digits: int) -> str:
    if len(values) < 2:
        return "too few"
    low, middle, high = statistics.quantiles(values, n=4)
    return f"median {middle:.{digits}f}, quartiles {low:.{digits}f} to {high:.{digits}f}"


Pair = tuple[str, Run, Run]


def print_runs(pairs: list[Pair]) -> None:
    """Those in which something happened."""
    print(f"{'run':36} {'spikes':>9} {'diverged':>9} {'actions':>8} {'final loss':>22} {'steps lost':>11}")
    for name, plain, acting in pairs:
        if plain.spikes or acting.spikes or acting.actions:
            lost = str(steps_lost(plain, acting)) if compares(plain, acting) else "-"
            print(
                f"{name:36} {f'{plain.spikes} -> {acting.spikes}':>9} "
                f"{f'{plain.diverged:d} -> {acting.diverged:d}':>9} {acting.actions:8} "
                f"{f'{plain.final():.3g} -> {acting.final():.3g}':>22} {lost:>11}"
            )


def print_kinds(pairs: list[Pair]) -> None:
    for kind in sorted({plain.kind for _, plain, _ in pairs}):
        own = [(plain, acting) for _, plain, acting in pairs if plain.kind == kind]
        before, after = (sum(run.spikes for run in runs) for runs in zip(*own, strict=True))
        print(f"  {kind:16} {len(own):3} runs, spikes {before} -> {after}")


def compares(plain: Run, acting: Run) -> bool:
    """Whether final losses say what acting costs."""
    return acting.actions > 0 and not plain.diverged and not acting.diverged


def compare(folder: Path, acting: Path) -> None:
    names = sorted(run.name for run in acting.iterdir() if run.name.startswith("test-") and is_done(run))
    if not names:
        raise SystemExit(f"{acting} holds no run of the part 'test' that has ended")
    pairs = [(name, read(folder / name), read(acting / name)) for name in names]
    config = json.loads((acting / names[0] / "manifest.json").read_text(encoding="utf-8"))["config"]
    print(f"{config['on_warning']}: {len(pairs)} runs")
    print_runs(pairs)
    print_kinds(pairs)
    spikes = [sum(pair[side].spikes for pair in pairs) for side in (1, 2)]
    diverged = [sum(pair[side].diverged for pair in pairs) for side in (1, 2)]
    acted = sum(pair[2].actions > 0 for pair in pairs)
    both = [pair[1:] for pair in pairs if compares(*pair[1:])]
    ratios = [after.final() / before.final() for before, after in both if before.final() > 0]
    lost = [float(steps_lost(before, after)) for before, after in both]
    print(f"spikes {spikes[0]} -> {spikes[1]}: {1 - spikes[1] / max(spikes[0], 1):.0%} avoided")
    print(f"divergences {diverged[0]} -> {diverged[1]}")
    print(f"{acted} runs acted; of {len(both)} that diverged neither way:")
    print(f"  final loss, acting over plain: {quartiles(ratios, 2)}")
    print(f"  steps lost: {quartiles(lost, 0)}")


def main() -> None:
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    plain, *acting = [Path(argument) for argument in sys.argv[1:]]
    for folder in acting:
        compare(plain, folder)
        print()


if __name__ == "__main__":
    main()
