"""How many loss spikes acting on the warnings avoids.

    spikes_avoided.py PLAIN ACTING

Both folders were made by `runs_for_warnings.py` with the same seeds, the second with
`--on-warning halve-lr`. Counts the loss spikes (events `loss_spike`) and divergences of each pair of
runs, and how the final losses compare. Only odd seeds count: the warnings were tuned on the even
ones. Needs Python's standard library only.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path


def read(run: Path) -> tuple[int, bool, float | None, int]:
    """Spikes, whether it diverged, the final loss, and actions of a run."""
    with (run / "events.jsonl").open(encoding="utf-8") as lines:
        kinds = [json.loads(line)["kind"] for line in lines]
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    diverged = summary["status"] == "diverged"
    return kinds.count("loss_spike"), diverged, summary["final_train_loss"], kinds.count("action_taken")


def main() -> None:
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    plain, acting = Path(sys.argv[1]), Path(sys.argv[2])
    before = after = diverged_before = diverged_after = acted = runs = 0
    ratios: list[float] = []
    for run in sorted(acting.iterdir()):
        if int(run.name.rsplit("-", maxsplit=1)[1]) % 2 == 0:
            continue
        spikes, diverged, loss, _ = read(plain / run.name)
        spikes_left, still_diverged, loss_left, actions = read(run)
        runs += 1
        before, after = before + spikes, after + spikes_left
        diverged_before, diverged_after = diverged_before + diverged, diverged_after + still_diverged
        acted += actions > 0
        if actions > 0 and not diverged and not still_diverged and loss and loss_left:
            ratios.append(loss_left / loss)
        if spikes or spikes_left or actions:
            print(f"{run.name:28} spikes {spikes:2} -> {spikes_left:2}, {actions} halvings")
    print(f"{runs} runs, of which {acted} acted on a warning")
    print(f"spikes {before} -> {after}: {1 - after / max(before, 1):.0%} avoided")
    print(f"divergences {diverged_before} -> {diverged_after}")
    if ratios:
        low, median, high = statistics.quantiles(ratios, n=4)
        print(f"final loss, acting over plain: median {median:.2f}, quartiles {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
