"""The runs on which warnings are tuned, chosen and scored.

    runs_for_warnings.py --out runs/warnings [--binary target/release/sharpscope] [--part tune,choose,test]
                         [--only WORD] [--jobs 2] [--list] [--on-warning ACTION] [--top 3]

Trains small networks that are quiet, that settle at the edge of stability, that spike and recover, and that diverge,
in twelve kinds. Each setting belongs to one of three parts: `tune` fits the models, `choose` sets their bars, `test`
scores them. The parts share no setting and no seed, and the test's networks, activations and numbers of samples are
mostly ones that the others do not have. Each setting is run once for each of its part's seeds, into
OUT/PART-KIND-NAME-seed-S; runs that are there are kept. `evaluate_warnings` reads that folder; `spikes_avoided.py`
compares two of them, of which one was made with `--on-warning`. Needs Python's standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SEEDS = {"tune": (0, 2), "choose": (4, 5), "test": (1, 3)}

DIGITS = "--train-size 300 --validation-size 0"
FEW = "--train-size 120 --validation-size 0"
MORE = "--train-size 500 --validation-size 0"
WINDOWS = "--model transformer-tiny --dataset shakespeare --validation-size 0"
TEXT = f"{WINDOWS} --train-size 16"
FEW_WINDOWS = f"{WINDOWS} --train-size 12"
LONGER = f"{WINDOWS} --train-size 24"
IMAGES = "--model cnn-relu --train-size 100 --validation-size 0"
SMOOTH = "--model @cnn-silu --train-size 60 --validation-size 0"
POINTS = "--points 200 --train-size 150 --validation-size 0"
DIABETES = "--dataset diabetes --train-size 200 --validation-size 0"
NOISE = "--loss ce --label-noise 0.25"
LITTLE_NOISE = "--loss ce --label-noise 0.1"

MLPS = {
    "deep": ([32, 32, 32, 32], "tanh"),
    "deep-relu": ([40, 40, 40], "relu"),
    "narrow": ([24, 24, 24], "tanh"),
    "narrow-gelu": ([24, 24], "gelu"),
    "one": ([100], "tanh"),
    "one-relu": ([80], "relu"),
    "wide": ([128], "tanh"),
    "wide-silu": ([128, 32], "silu"),
}
NETWORKS = {
    name: {"kind": "mlp", "hidden": hidden, "activation": activation}
    for name, (hidden, activation) in MLPS.items()
}
NETWORKS["cnn-silu"] = {
    "kind": "cnn",
    "channels": [16, 16],
    "activation": "silu",
    "pooling": "average",
}


def jump(lr: float, factor: float, every: int) -> str:
    """A rate that rises by `factor` after so many steps, and again after as many."""
    return f"--lr {lr} --schedule step --decay-factor {factor} --decay-every {every}"


def settings() -> Iterator[tuple[str, str, str]]:
    """Part, kind and flags of each setting."""
    kinds = {
        "gd-mse": gd_mse,
        "gd-ce": gd_ce,
        "momentum": momentum,
        "adaptive": adaptive,
        "sam": sam,
        "minibatch": minibatch,
        "text": text,
        "cnn": cnn,
        "muon": muon,
        "schedule-free": schedule_free,
        "clip": clip,
        "decay": decay,
    }
    for kind, of_kind in kinds.items():
        for part, of_part in zip(SEEDS, of_kind(), strict=True):
            for flags in of_part:
                yield part, kind, flags


Parts = tuple[list[str], list[str], list[str]]


def gd_mse() -> Parts:
    tune = [
        f"{DIGITS} --lr 0.03 --steps 400",
        f"{DIGITS} --lr 0.2 --steps 400",
        f"{DIGITS} --lr 0.5 --steps 300",
        f"{DIGITS} --lr 0.8 --steps 300",
        f"{DIGITS} --model mlp-relu --lr 0.4 --steps 300",
        f"{DIGITS} --model mlp-relu --lr 1 --warmup 20 --steps 300",
        f"{DIGITS} --model @deep --lr 0.3 --steps 300",
        f"{DIGITS} --lr 0.6 --warmup 60 --steps 300",
        f"{DIGITS} --lr 1.2 --warmup 200 --steps 300",
        f"{DIGITS} {jump(0.1, 4, 100)} --steps 250",
        f"{DIGITS} --model mlp-relu {jump(0.1, 15, 60)} --steps 150",
        f"{DIGITS} --model deep-linear {jump(0.05, 3, 50)} --steps 200",
        f"{DIGITS} --lr 0.4 --schedule cosine --warmup 20 --steps 300",
        f"{DIGITS} --lr 0.3 --every 3 --steps 400",
    ]
    choose = [
        f"{DIGITS} --model mlp-elu --lr 0.35 --steps 300",
        f"{DIGITS} --model mlp-elu --lr 0.9 --warmup 30 --steps 300",
        f"{DIGITS} --model mlp-softplus --lr 0.5 --steps 300",
        f"{DIGITS} --model mlp-elu {jump(0.08, 5, 90)} --steps 200",
        f"{DIGITS} --model @one-relu --lr 0.5 --steps 300",
        f"{DIGITS} --model @one-relu {jump(0.1, 3, 60)} --steps 250",
    ]
    test = [
        f"{FEW} --model mlp-gelu --lr 0.04 --steps 400",
        f"{FEW} --model mlp-gelu --lr 0.35 --steps 300",
        f"{FEW} --model mlp-gelu --lr 0.7 --steps 300",
        f"{MORE} --model mlp-silu --lr 0.5 --warmup 40 --steps 300",
        f"{MORE} --model mlp-silu --lr 1.1 --warmup 120 --steps 250",
        f"{MORE} --model mlp-silu {jump(0.12, 5, 80)} --steps 200",
        f"{FEW} --model @narrow --lr 0.4 --steps 300",
        f"{FEW} --model @narrow {jump(0.06, 2, 60)} --steps 350",
        f"{MORE} --model @one --lr 0.45 --steps 300",
        f"{FEW} --model @wide --lr 0.3 --steps 300",
        f"{FEW} --model mlp-gelu {jump(0.1, 12, 70)} --steps 150",
        f"--dataset moons {POINTS} --model mlp-gelu --lr 1.2 --steps 500",
        f"{DIABETES} --model mlp-gelu --lr 0.3 --steps 300",
        f"{FEW} --model mlp-gelu --lr 0.3 --every 2 --steps 400",
    ]
    return tune, choose, test


def gd_ce() -> Parts:
    tune = [
        f"{DIGITS} --model mlp-relu {NOISE} --lr 0.3 --steps 400",
        f"{DIGITS} --model mlp-relu {NOISE} --lr 0.8 --steps 300",
        f"{DIGITS} --model mlp-relu {NOISE} --lr 1.5 --warmup 40 --steps 300",
        f"{DIGITS} --model mlp-relu --loss ce --lr 0.7 --warmup 20 --steps 300",
        f"{DIGITS} --model mlp-relu {NOISE} --lr 1.2 --warmup 15 --steps 250",
        f"{DIGITS} --model mlp-relu {NOISE} {jump(0.15, 3, 120)} --steps 240",
        f"{DIGITS} --model mlp-relu {NOISE} {jump(0.05, 2, 60)} --steps 350",
        f"{DIGITS} --loss ce --lr 0.6 --steps 500",
        f"{DIGITS} --loss ce --lr 1.5 --steps 600",
        f"{DIGITS} --model @deep {NOISE} --lr 0.5 --steps 300",
    ]
    choose = [
        f"{DIGITS} --model mlp-elu {NOISE} --lr 0.6 --steps 300",
        f"{DIGITS} --model mlp-elu --loss ce --lr 1 --warmup 50 --steps 400",
        f"{DIGITS} --model @one-relu {LITTLE_NOISE} --lr 0.9 --steps 300",
        f"{DIGITS} --model @one-relu --loss ce {jump(0.2, 3, 100)} --steps 300",
    ]
    test = [
        f"{FEW} --model mlp-gelu {LITTLE_NOISE} --lr 0.5 --steps 300",
        f"{FEW} --model mlp-gelu {LITTLE_NOISE} --lr 1 --steps 300",
        f"{MORE} --model mlp-silu {LITTLE_NOISE} --lr 1.2 --warmup 30 --steps 300",
        f"{FEW} --model @deep-relu {LITTLE_NOISE} --lr 0.3 --steps 300",
        f"{FEW} --model @deep-relu --loss ce --lr 0.5 --warmup 100 --steps 300",
        f"{MORE} --model mlp-silu --loss ce --lr 1.5 --steps 500",
        f"{FEW} --model @narrow-gelu --loss ce --lr 0.8 --steps 600",
        f"{FEW} --model @deep-relu {LITTLE_NOISE} {jump(0.06, 2, 70)} --steps 350",
        f"--dataset spirals {POINTS} --loss ce --lr 1.2 --steps 600",
        f"{FEW} --model mlp-gelu --loss ce {jump(0.2, 4, 100)} --steps 250",
    ]
    return tune, choose, test


def momentum() -> Parts:
    heavy, nesterov = "--optimizer momentum", "--optimizer nesterov"
    tune = [
        f"{DIGITS} {heavy} --lr 0.003 --steps 300",
        f"{DIGITS} {heavy} --lr 0.1 --steps 300",
        f"{DIGITS} {heavy} --lr 0.3 --steps 300",
        f"{DIGITS} --model mlp-relu {NOISE} {heavy} --lr 0.1 --steps 300",
        f"{DIGITS} --model mlp-relu {NOISE} {heavy} --lr 0.2 --warmup 30 --steps 300",
        f"{DIGITS} {heavy} {jump(0.02, 5, 100)} --steps 200",
        f"{DIGITS} --model mlp-relu {NOISE} {heavy} --lr 0.3 --warmup 60 --steps 250",
        f"{DIGITS} {nesterov} --lr 0.08 --steps 300",
    ]
    choose = [
        f"{DIGITS} --model mlp-elu {heavy} --lr 0.2 --steps 300",
        f"{DIGITS} --model @one-relu {NOISE} {heavy} --lr 0.25 --steps 300",
        f"{DIGITS} --model mlp-elu {nesterov} {jump(0.02, 4, 80)} --steps 200",
    ]
    test = [
        f"{FEW} --model mlp-gelu {heavy} --momentum 0.8 --lr 0.3 --steps 300",
        f"{FEW} --model mlp-gelu {heavy} --lr 0.25 --warmup 50 --steps 300",
        f"{MORE} --model mlp-silu {LITTLE_NOISE} {heavy} --lr 0.3 --steps 300",
        f"{FEW} --model @deep-relu {LITTLE_NOISE} {heavy} --lr 0.1 --steps 300",
        f"{FEW} --model @narrow {heavy} --momentum 0.7 {jump(0.05, 4, 80)} --steps 200",
        f"{MORE} --model mlp-silu {nesterov} --lr 0.15 --steps 300",
        f"{FEW} --model @narrow-gelu --loss ce {nesterov} --momentum 0.95 --lr 0.1 --steps 300",
        f"{FEW} --model mlp-gelu --loss ce {heavy} --lr 0.4 --warmup 100 --steps 250",
    ]
    return tune, choose, test


def adaptive() -> Parts:
    adam, rmsprop = "--optimizer adam", "--optimizer rmsprop"
    tune = [
        f"{DIGITS} {adam} --lr 0.0005 --steps 250",
        f"{DIGITS} {adam} --lr 0.003 --steps 300",
        f"{DIGITS} {adam} --lr 0.02 --steps 300",
        f"{DIGITS} --model mlp-relu {NOISE} {adam} --lr 0.01 --steps 300",
        f"{DIGITS} --model mlp-relu {NOISE} {adam} --lr 0.03 --steps 300",
        f"{DIGITS} {adam} --lr 0.01 --beta2 0.95 --steps 300",
        f"{DIGITS} {rmsprop} --lr 0.003 --steps 250",
        f"{DIGITS} --model mlp-relu {adam} --lr 0.05 --warmup 80 --steps 300",
        f"{DIGITS} --model mlp-relu --loss ce --optimizer adamw --lr 0.02 --steps 400",
    ]
    choose = [
        f"{DIGITS} --model mlp-elu {adam} --lr 0.015 --steps 300",
        f"{DIGITS} --model @one-relu {NOISE} {adam} --lr 0.04 --steps 300",
        f"{DIGITS} --model mlp-elu --optimizer nadam --lr 0.01 --steps 300",
        f"{DIGITS} --model mlp-elu --optimizer adagrad --lr 0.05 --steps 250",
    ]
    test = [
        f"{FEW} --model mlp-gelu {adam} --lr 0.001 --steps 300",
        f"{FEW} --model mlp-gelu {adam} --lr 0.02 --steps 300",
        f"{FEW} --model @deep-relu {LITTLE_NOISE} {adam} --lr 0.015 --steps 300",
        f"{FEW} --model @deep-relu {LITTLE_NOISE} {adam} --beta1 0.8 --lr 0.03 --steps 300",
        f"{MORE} --model mlp-silu {adam} --beta2 0.98 --lr 0.02 --steps 300",
        f"{MORE} --model mlp-silu --loss ce {adam} --lr 0.04 --warmup 60 --steps 300",
        f"{FEW} --model @narrow {rmsprop} --lr 0.005 --steps 250",
        f"{FEW} --model @narrow-gelu {LITTLE_NOISE} {rmsprop} --lr 0.01 --steps 250",
        f"{FEW} --model mlp-gelu --optimizer adamw {jump(0.002, 5, 100)} --steps 250",
    ]
    return tune, choose, test


def sam() -> Parts:
    tune = [
        f"{DIGITS} --optimizer sam --lr 0.3 --rho 0.05 --steps 300",
        f"{DIGITS} --model mlp-relu {NOISE} --optimizer sam --lr 0.4 --rho 0.1 --steps 250",
        f"{DIGITS} --optimizer sam --base momentum --lr 0.05 --rho 0.05 --steps 250",
        f"{DIGITS} --optimizer sam {jump(0.1, 4, 80)} --rho 0.05 --steps 200",
    ]
    choose = [
        f"{DIGITS} --model mlp-elu --optimizer sam --lr 0.5 --rho 0.03 --steps 250",
        f"{DIGITS} --model @one-relu {NOISE} --optimizer sam --lr 0.6 --rho 0.05 --steps 250",
    ]
    test = [
        f"{FEW} --model mlp-gelu --optimizer sam --lr 0.5 --rho 0.02 --steps 300",
        f"{FEW} --model @deep-relu {LITTLE_NOISE} --optimizer sam --lr 0.4 --rho 0.03 --steps 300",
        f"{MORE} --model mlp-silu --optimizer sam --lr 0.8 --warmup 60 --rho 0.05 --steps 250",
        f"{FEW} --model @narrow --optimizer sam {jump(0.1, 4, 80)} --rho 0.03 --steps 200",
    ]
    return tune, choose, test


def minibatch() -> Parts:
    often = "--every 2 --eval-every 1"
    tune = [
        f"{DIGITS} --batch-size 32 --lr 0.1 {often} --steps 300",
        f"{DIGITS} --model mlp-relu {NOISE} --batch-size 50 --lr 0.4 {often} --steps 300",
        f"{DIGITS} --batch-size 32 --lr 0.3 --every 5 --steps 300",
        f"{DIGITS} --model mlp-relu {NOISE} --batch-size 50 {jump(0.1, 4, 120)} {often} --steps 240",
        f"{DIGITS} --batch-size 50 --optimizer adam --lr 0.01 --every 3 --eval-every 1 --steps 240",
        f"{DIGITS} --batch-size 100 --optimizer momentum --lr 0.1 {often} --steps 240",
    ]
    choose = [
        f"{DIGITS} --model mlp-elu --batch-size 64 --lr 0.4 {often} --steps 240",
        f"{DIGITS} --model @one-relu {NOISE} --batch-size 75 --lr 0.8 {often} --steps 240",
    ]
    test = [
        f"{FEW} --model mlp-gelu --batch-size 40 --lr 0.3 {often} --steps 300",
        f"{FEW} --model mlp-gelu --batch-size 60 --lr 0.6 {often} --steps 300",
        f"{FEW} --model @deep-relu {LITTLE_NOISE} --batch-size 40 --lr 0.3 {often} --steps 300",
        f"{MORE} --model mlp-silu --batch-size 125 {jump(0.1, 6, 100)} {often} --steps 200",
        f"{FEW} --model @narrow --batch-size 30 --optimizer adam --lr 0.02 --every 3 --eval-every 1 --steps 240",
        f"{FEW} --model @narrow-gelu {LITTLE_NOISE} --batch-size 60 --optimizer momentum --lr 0.2 {often} --steps 240",
    ]
    return tune, choose, test


def text() -> Parts:
    tune = [
        f"{TEXT} --lr 0.5 --every 2 --steps 200",
        f"{TEXT} --lr 1.5 --steps 200",
        f"{TEXT} {jump(0.4, 5, 80)} --every 2 --steps 160",
        f"{TEXT} --optimizer momentum --lr 0.2 --every 2 --steps 200",
        f"{TEXT} --optimizer adam --lr 0.01 --every 2 --steps 200",
        f"{TEXT} --optimizer adam --lr 0.04 --every 2 --steps 200",
    ]
    choose = [
        f"{FEW_WINDOWS} --lr 2 --warmup 60 --steps 200",
        f"{FEW_WINDOWS} --optimizer adam --lr 0.03 --beta2 0.95 --every 2 --steps 200",
    ]
    test = [
        f"{LONGER} --lr 1 --steps 200",
        f"{LONGER} --lr 2.5 --warmup 50 --steps 200",
        f"{LONGER} {jump(0.3, 6, 70)} --every 2 --steps 140",
        f"{LONGER} --optimizer momentum --momentum 0.8 --lr 0.4 --steps 200",
        f"{LONGER} --optimizer adam --lr 0.02 --warmup 30 --steps 200",
        f"{LONGER} --optimizer adam --beta1 0.8 --lr 0.05 --every 2 --steps 200",
    ]
    return tune, choose, test


def cnn() -> Parts:
    tune = [
        f"{IMAGES} --lr 0.1 --steps 200",
        f"{IMAGES} --lr 0.3 --warmup 40 --steps 200",
        f"{IMAGES} --loss ce --lr 0.3 --steps 200",
        f"{IMAGES} --optimizer adam --lr 0.01 --steps 150",
        f"{IMAGES} {jump(0.05, 4, 60)} --steps 150",
    ]
    choose = [
        f"{IMAGES} --loss ce --optimizer momentum --lr 0.1 --steps 150",
        f"{IMAGES} --lr 0.25 --steps 150",
    ]
    test = [
        f"{SMOOTH} --lr 0.2 --steps 200",
        f"{SMOOTH} --loss ce --lr 0.4 --steps 200",
        f"{SMOOTH} --loss ce --lr 1 --warmup 60 --steps 200",
        f"{SMOOTH} --optimizer adam --lr 0.02 --steps 150",
        f"{SMOOTH} {jump(0.06, 5, 60)} --steps 150",
        f"{SMOOTH} --optimizer momentum --lr 0.1 --steps 150",
    ]
    return tune, choose, test


def muon() -> Parts:
    own = "--optimizer muon"
    tune = [
        f"{DIGITS} {own} --lr 0.01 --steps 250",
        f"{DIGITS} {own} --lr 0.05 --steps 250",
        f"{DIGITS} --model mlp-relu --loss ce {own} --lr 0.05 --steps 250",
    ]
    choose = [f"{DIGITS} --model mlp-elu {own} --lr 0.03 --steps 250"]
    test = [
        f"{FEW} --model mlp-gelu {own} --lr 0.02 --steps 250",
        f"{FEW} --model @deep-relu {LITTLE_NOISE} {own} --lr 0.06 --steps 250",
        f"{MORE} --model mlp-silu {own} {jump(0.01, 5, 80)} --steps 200",
    ]
    return tune, choose, test


def schedule_free() -> Parts:
    own, adaptive_too = "--optimizer schedule-free", "--optimizer schedule-free-adamw"
    tune = [
        f"{DIGITS} {own} --lr 0.5 --steps 300",
        f"{DIGITS} {own} --lr 2 --warmup 30 --steps 300",
        f"{DIGITS} --model mlp-relu {NOISE} {own} --lr 2 --warmup 50 --steps 300",
        f"{DIGITS} {adaptive_too} --lr 0.02 --steps 250",
    ]
    choose = [
        f"{DIGITS} --model mlp-elu {own} --lr 1.5 --warmup 20 --steps 250",
        f"{DIGITS} --model mlp-elu --loss ce {adaptive_too} --lr 0.05 --steps 250",
    ]
    test = [
        f"{FEW} --model mlp-gelu {own} --lr 1.5 --warmup 40 --steps 300",
        f"{FEW} --model @deep-relu {LITTLE_NOISE} {own} --lr 3 --warmup 80 --steps 300",
        f"{MORE} --model mlp-silu --loss ce {own} --lr 3 --warmup 20 --steps 300",
        f"{FEW} --model @narrow {adaptive_too} --lr 0.04 --steps 250",
    ]
    return tune, choose, test


def clip() -> Parts:
    tune = [
        f"{DIGITS} --lr 0.5 --clip-norm 0.5 --steps 300",
        f"{DIGITS} --model mlp-relu {NOISE} --lr 1 --clip-norm 1 --steps 300",
        f"{DIGITS} --model mlp-relu {NOISE} --optimizer adam --lr 0.02 --clip-norm 1 --steps 250",
    ]
    choose = [f"{DIGITS} --model mlp-elu --loss ce --lr 1 --clip-norm 0.5 --steps 300"]
    test = [
        f"{FEW} --model mlp-gelu --lr 0.8 --clip-norm 0.4 --steps 300",
        f"{FEW} --model @deep-relu {LITTLE_NOISE} --lr 0.6 --clip-norm 2 --steps 300",
        f"{MORE} --model mlp-silu {LITTLE_NOISE} --optimizer momentum --lr 0.3 --clip-norm 1 --steps 300",
    ]
    return tune, choose, test


def decay() -> Parts:
    tune = [
        f"{DIGITS} --lr 0.4 --weight-decay 0.01 --steps 300",
        f"{DIGITS} --model mlp-relu --loss ce --lr 0.8 --weight-decay 0.003 --steps 400",
        f"{DIGITS} --model mlp-relu --optimizer adamw --lr 0.02 --weight-decay 0.1 --steps 250",
    ]
    choose = [f"{DIGITS} --model mlp-elu --loss ce --lr 1 --weight-decay 0.005 --steps 300"]
    test = [
        f"{FEW} --model mlp-gelu --lr 0.5 --weight-decay 0.005 --steps 300",
        f"{FEW} --model @deep-relu --loss ce --lr 0.5 --weight-decay 0.01 --steps 400",
        f"{MORE} --model mlp-silu --optimizer momentum --lr 0.2 --weight-decay 0.003 --steps 300",
    ]
    return tune, choose, test


# 0: done, 3: diverged, which is one of the things wanted.
FINE = (0, 3)


def is_done(folder: Path) -> bool:
    """Whether a run has ended here."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return manifest.get("exit_code") in FINE


def runs(parts: list[str]) -> list[tuple[str, str, int]]:
    """Name, flags and seed of each run of these parts: those with the first seeds, then the others."""
    numbers: dict[tuple[str, str], int] = {}
    found: list[list[tuple[str, str, int]]] = [[], []]
    for part, kind, flags in settings():
        number = numbers[part, kind] = numbers.get((part, kind), 0) + 1
        if part in parts:
            name = f"{part}-{kind}-{number:02}"
            for some, seed in zip(found, SEEDS[part], strict=True):
                some.append((f"{name}-seed-{seed}", flags, seed))
    return [run for some in found for run in some]


def train(run: tuple[str, str, int], arguments: argparse.Namespace) -> str:
    """Makes one run unless it is there, and says how it went."""
    name, flags, seed = run
    folder = arguments.out / name
    if is_done(folder):
        return f"{name}: there already"
    command = [arguments.binary, "run", "--backend", "cpu", "--quiet", "--force"]
    if arguments.on_warning:
        command += ["--on-warning", arguments.on_warning]
    for word in flags.split():
        command.append(str(arguments.out / f"{word[1:]}.json") if word[0] == "@" else word)
    command += ["--top", str(arguments.top), "--seed", str(seed), "--out", str(folder)]
    # One thread each: networks this small do not fill two.
    environment = {**os.environ, "RAYON_NUM_THREADS": "1"}
    clock = time.monotonic()
    code = subprocess.run(command, check=False, env=environment).returncode
    seconds = time.monotonic() - clock
    if code not in FINE:
        raise SystemExit(f"{' '.join(command)} failed")
    return f"{name}: exit code {code}, {seconds:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, default=Path("runs/warnings"))
    parser.add_argument("--binary", default="target/release/sharpscope")
    parser.add_argument("--part", default=",".join(SEEDS), help="which parts")
    parser.add_argument("--only", default="", help="runs whose name contains this")
    parser.add_argument("--top", type=int, default=3, help="eigenvalues that are followed")
    parser.add_argument("--on-warning", help="what each run does where a spike is warned of")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--list", action="store_true", help="name the runs and do nothing")
    arguments = parser.parse_args()

    wanted = [run for run in runs(arguments.part.split(",")) if arguments.only in run[0]]
    if arguments.list:
        print("\n".join(f"{name}: {flags}" for name, flags, _ in wanted))
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, spec in NETWORKS.items():
        (arguments.out / f"{name}.json").write_text(json.dumps(spec), encoding="utf-8")
    started = time.monotonic()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for number, line in enumerate(pool.map(lambda run: train(run, arguments), wanted), start=1):
            print(f"{number}/{len(wanted)} {line}", flush=True)
    print(f"{len(wanted)} runs, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
