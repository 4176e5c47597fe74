"""The runs on which spike warnings are tuned and scored.

    runs_for_warnings.py --out runs/warnings [--binary target/release/sharpscope] [--seeds 0,1]
                         [--only WORD] [--jobs 2] [--list] [--on-warning halve-lr]

Trains small networks that are quiet, that settle at the edge of stability, that spike and recover,
and that diverge: gradient descent, momentum, Adam, SAM and minibatches on digits and text, with
constant rates, warm-ups that are too fast and rates that jump (`--schedule step` with a factor above
1). Each setting is run once for each seed, into OUT/NAME-seed-S; runs that are there are kept.
`evaluate_warnings` reads that folder; `spikes_avoided.py` compares two of them, of which one was made
with `--on-warning halve-lr`. Needs Python's standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DIGITS = "--train-size 300 --validation-size 50"
TEXT = "--model transformer-tiny --dataset shakespeare --train-size 16 --validation-size 4"
NOISY = f"{DIGITS} --model mlp-relu --loss ce --label-noise 0.25"

SETTINGS = {
    # Gradient descent on digits: quiet, edge, beyond it.
    "gd-quiet": f"{DIGITS} --lr 0.03 --every 2 --steps 400",
    "gd-edge": f"{DIGITS} --lr 0.2 --steps 400",
    "gd-fast": f"{DIGITS} --lr 0.5 --steps 300",
    "gd-relu-ce": f"{NOISY} --lr 0.3 --steps 400",
    "gd-relu-ce-fast": f"{NOISY} --lr 0.8 --steps 300",
    "gd-relu-ce-faster": f"{NOISY} --lr 1.5 --warmup 40 --steps 300",
    "gd-clean-ce": f"{DIGITS} --model mlp-relu --loss ce --lr 0.7 --warmup 20 --steps 300",
    "gd-smallest": f"{DIGITS} --lr 0.08 --smallest --every 10 --steps 300",
    "gd-softplus": f"{DIGITS} --model mlp-softplus --lr 0.4 --steps 300",
    "gd-warmup": f"{DIGITS} --lr 0.6 --warmup 60 --steps 250",
    "gd-warmup-fast": f"{NOISY} --lr 1.2 --warmup 15 --steps 250",
    "gd-jump": f"{DIGITS} --lr 0.1 --schedule step --decay-factor 4 --decay-every 100 --steps 200",
    "gd-jump-ce": f"{NOISY} --lr 0.15 --schedule step --decay-factor 3 --decay-every 120 --steps 240",
    "gd-jumps": f"{NOISY} --lr 0.05 --schedule step --decay-factor 2 --decay-every 60 --steps 350",
    "gd-cosine": f"{DIGITS} --lr 0.4 --schedule cosine --warmup 20 --steps 300",
    "gd-diverges": f"{DIGITS} --model mlp-relu --lr 0.1 --schedule step --decay-factor 15 --decay-every 60 --steps 150",
    "gd-linear-diverges": f"{DIGITS} --model deep-linear --lr 0.05 --schedule step --decay-factor 3 --decay-every 50 --steps 200",
    # Momentum.
    "momentum-quiet": f"{DIGITS} --optimizer momentum --lr 0.003 --steps 300",
    "momentum-edge": f"{DIGITS} --optimizer momentum --lr 0.1 --steps 300",
    "momentum-ce": f"{NOISY} --optimizer momentum --lr 0.1 --steps 300",
    "momentum-ce-fast": f"{NOISY} --optimizer momentum --lr 0.2 --warmup 30 --steps 300",
    "momentum-jump": f"{DIGITS} --optimizer momentum --lr 0.02 --schedule step --decay-factor 5 --decay-every 100 --steps 200",
    "momentum-warmup": f"{NOISY} --optimizer momentum --lr 0.3 --warmup 60 --steps 250",
    # Adam and RMSProp.
    "adam-quiet": f"{DIGITS} --optimizer adam --lr 0.0005 --steps 250",
    "adam-edge": f"{DIGITS} --optimizer adam --lr 0.003 --steps 300",
    "adam-fast": f"{DIGITS} --optimizer adam --lr 0.02 --steps 300",
    "adam-ce": f"{NOISY} --optimizer adam --lr 0.01 --steps 300",
    "adam-ce-fast": f"{NOISY} --optimizer adam --lr 0.03 --steps 300",
    "adam-beta2": f"{DIGITS} --optimizer adam --lr 0.01 --beta2 0.95 --steps 300",
    "rmsprop": f"{DIGITS} --optimizer rmsprop --lr 0.003 --steps 250",
    # SAM.
    "sam": f"{DIGITS} --optimizer sam --lr 0.3 --rho 0.05 --steps 300",
    "sam-ce": f"{NOISY} --optimizer sam --lr 0.4 --rho 0.1 --steps 250",
    "sam-momentum": f"{DIGITS} --optimizer sam --base momentum --lr 0.05 --rho 0.05 --steps 250",
    # Minibatches: the loss at each step, and at some.
    "minibatch": f"{DIGITS} --batch-size 32 --lr 0.1 --every 2 --eval-every 1 --steps 300",
    "minibatch-fast": f"{NOISY} --batch-size 50 --lr 0.4 --every 2 --eval-every 1 --steps 300",
    "minibatch-seldom": f"{DIGITS} --batch-size 32 --lr 0.3 --every 5 --steps 300",
    "minibatch-jump": f"{NOISY} --batch-size 50 --lr 0.1 --schedule step --decay-factor 4 --decay-every 120 --every 2 --eval-every 1 --steps 240",
    "minibatch-adam": f"{DIGITS} --batch-size 50 --optimizer adam --lr 0.01 --every 3 --eval-every 1 --steps 240",
    # Text.
    "text-gd": f"{TEXT} --lr 0.5 --every 2 --steps 200",
    "text-gd-fast": f"{TEXT} --lr 1.5 --every 2 --steps 200",
    "text-gd-jump": f"{TEXT} --lr 0.4 --schedule step --decay-factor 5 --decay-every 80 --every 2 --steps 160",
    "text-momentum": f"{TEXT} --optimizer momentum --lr 0.2 --every 2 --steps 200",
    "text-adam": f"{TEXT} --optimizer adam --lr 0.01 --every 2 --steps 200",
    "text-adam-fast": f"{TEXT} --optimizer adam --lr 0.04 --every 2 --steps 200",
}

# 0: done, 3: diverged, which is one of the things wanted.
FINE = (0, 3)


def is_done(folder: Path) -> bool:
    """Whether a run has ended here."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return manifest.get("exit_code") in FINE


def train(name: str, seed: int, arguments: argparse.Namespace) -> str:
    """Makes one run unless it is there, and says how it went."""
    folder = arguments.out / f"{name}-seed-{seed}"
    if is_done(folder):
        return f"{folder.name}: there already"
    command = [arguments.binary, "run", "--backend", "cpu", "--quiet", "--force"]
    if arguments.on_warning:
        command += ["--on-warning", arguments.on_warning]
    command += SETTINGS[name].split() + ["--seed", str(seed), "--out", str(folder)]
    # One thread each: networks this small do not fill two.
    environment = {**os.environ, "RAYON_NUM_THREADS": "1"}
    clock = time.monotonic()
    code = subprocess.run(command, check=False, env=environment).returncode
    seconds = time.monotonic() - clock
    if code not in FINE:
        raise SystemExit(f"{' '.join(command)} failed")
    return f"{folder.name}: exit code {code}, {seconds:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, default=Path("runs/warnings"))
    parser.add_argument("--binary", default="target/release/sharpscope")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--only", default="", help="settings whose name contains this")
    parser.add_argument("--on-warning", help="what each run does where a spike is warned of")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--list", action="store_true", help="name the runs and do nothing")
    arguments = parser.parse_args()

    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    names = [name for name in SETTINGS if arguments.only in name]
    runs = [(name, seed) for seed in seeds for name in names]
    if arguments.list:
        print("\n".join(f"{name}-seed-{seed}: {SETTINGS[name]}" for name, seed in runs))
        return
    started = time.monotonic()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for number, line in enumerate(pool.map(lambda run: train(*run, arguments), runs), start=1):
            print(f"{number}/{len(runs)} {line}", flush=True)
    print(f"{len(runs)} runs, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
