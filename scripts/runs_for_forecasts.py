"""How often the intervals of edge_forecast hold, on runs that they were tuned on and on others.

    runs_for_forecasts.py --out runs/forecasts [--binary target/release/sharpscope] [--half tune|test]
                          [--seeds 0,1] [--only WORD] [--list]

Trains small networks that come to the edge of stability, or near it: gradient descent, momentum, Adam, RMSProp, SAM
and minibatches, on digits, text and made-up points, in mse and cross-entropy, with constant rates and warm-ups.
The constants were tuned on one half; the settings of the other are others. Each is run once for each seed, into
OUT/HALF-NAME-seed-S, and runs that are there are kept. Then events are read off the rows anew and forecasts scored. A
forecast holds if the edge is entered within its interval; one of a run that never comes there fails
if its interval has passed, and is left out if the run ends before. Needs Python's standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

DIGITS = "--train-size 200 --validation-size 0"
TEXT = "--model transformer-tiny --dataset shakespeare --train-size 16 --validation-size 0"
FEW = "--train-size 120 --validation-size 0"
MORE = "--train-size 300 --validation-size 0"
NETWORKS = {
    "deep": [32, 32, 32, 32],
    "wide32": [32],
    "wide128": [128],
    "one": [100],
    "narrow": [24, 24, 24],
}
Several = Callable[[str, list[float], str], None]


def settings(half: str) -> dict[str, str]:
    """The flags of each setting, by its name."""
    all_of = {}

    def several(name: str, rates: list[float], flags: str) -> None:
        for rate in rates:
            suffix = f"-{rate}" if len(rates) > 1 else ""
            all_of[f"{name}{suffix}"] = f"{flags} --lr {rate} --realized off"

    (for_tuning if half == "tune" else for_the_test)(several)
    return all_of


def for_tuning(several: Several) -> None:
    """Those that the constants were tuned on."""

    squared = {
        "mlp": [0.1, 0.14, 0.17, 0.21, 0.25],
        "mlp-gelu": [0.11, 0.14, 0.2, 0.27],
        "mlp-silu": [0.16, 0.2, 0.26],
        "mlp-elu": [0.12, 0.15, 0.19],
        "mlp-relu": [0.12, 0.15, 0.2, 0.25],
    }
    entropy = {
        "mlp": [0.4, 0.48],
        "mlp-gelu": [0.2, 0.3, 0.45],
        "mlp-relu": [0.14, 0.2, 0.3],
        "mlp-silu": [0.25, 0.35, 0.5],
    }
    for model, rates in squared.items():
        several(f"gd-{model}", rates, f"{DIGITS} --model {model} --steps 300")
    for model, rates in entropy.items():
        several(f"ce-{model}", rates, f"{DIGITS} --model {model} --loss ce --steps 300")
    noisy = f"{DIGITS} --loss ce --label-noise 0.25 --steps 300"
    for model, rate in [("mlp", 0.2), ("mlp-relu", 0.2), ("mlp-gelu", 0.4)]:
        several(f"ce-noise-{model}", [rate], f"{noisy} --model {model}")
    heavy = f"{DIGITS} --optimizer momentum --steps 250"
    several("hb-mlp", [0.12, 0.2], f"{heavy} --model mlp")
    several("hb-mlp-gelu-0.15", [0.15], f"{heavy} --model mlp-gelu")
    several("hb-mlp-relu-0.12", [0.12], f"{heavy} --model mlp-relu")
    for model, rate in [("mlp", 0.07), ("mlp-gelu", 0.08), ("mlp-relu", 0.06)]:
        flags = f"{DIGITS} --optimizer nesterov --steps 250 --model {model}"
        several(f"nag-{model}-{rate}", [rate], flags)
    several("hbce", [0.05, 0.1], f"{heavy} --model mlp-relu --loss ce")
    adam = f"{DIGITS} --optimizer adam --steps 250"
    several("adam", [0.0005, 0.001, 0.002, 0.004], adam)
    several("adamce", [0.001, 0.003], f"{adam} --model mlp-relu --loss ce")
    several("rms", [0.0005, 0.001], f"{DIGITS} --optimizer rmsprop --steps 200")
    several("sam", [0.05, 0.12], f"{DIGITS} --optimizer sam --rho 0.05 --steps 250")
    batches = f"{DIGITS} --sharpness-batches 0 --steps 300"
    several("sgd32", [0.04, 0.1], f"{batches} --batch-size 32")
    several("sgdce", [0.3], f"{batches} --batch-size 50 --model mlp-relu --loss ce")
    several("every2", [0.05, 0.1], f"{DIGITS} --every 2 --steps 400")
    several("every4", [0.1], f"{DIGITS} --model mlp-gelu --every 4 --steps 600")
    several("warm", [0.2, 0.4], f"{DIGITS} --warmup 80 --steps 200")
    several("warm-ce", [0.8], f"{DIGITS} --model mlp-relu --loss ce --warmup 60 --steps 200")
    several("cosine", [0.15], f"{DIGITS} --schedule cosine --warmup 20 --steps 300")
    several("wide32", [0.1], f"{DIGITS} --model @wide32 --steps 300")
    several("wide128", [0.05], f"{DIGITS} --model @wide128 --steps 300")
    several("deep", [0.1], f"{DIGITS} --model @deep --steps 400")
    several("deeplin", [0.02], f"{DIGITS} --model deep-linear --steps 200")
    several("text", [0.3, 0.6], f"{TEXT} --steps 200")
    several("text-adam", [0.004], f"{TEXT} --optimizer adam --steps 150")
    points = "--validation-size 0"
    several("diab", [0.05], f"--dataset diabetes --train-size 200 {points} --steps 300")
    several("cheb", [0.3], f"--dataset chebyshev {points} --model mlp --steps 600")
    made_up = f"--points 200 --train-size 150 {points} --steps 500"
    several("spirals", [0.5], f"--dataset spirals --loss ce {made_up}")
    several("moons", [0.4], f"--dataset moons {made_up}")


def for_the_test(several: Several) -> None:
    """Those that they were scored on."""
    points = "--points 200 --train-size 150 --validation-size 0"
    diabetes = "--dataset diabetes --train-size 200 --validation-size 0"
    several("one", [0.15, 0.2], f"{FEW} --model @one --steps 250")
    several("narrow", [0.16, 0.22], f"{MORE} --model @narrow --steps 300")
    several("gd-mlp", [0.16, 0.19], f"{FEW} --steps 250")
    several("gd-gelu", [0.17, 0.23], f"{FEW} --model mlp-gelu --steps 250")
    several("gd-silu", [0.18, 0.23], f"{MORE} --model mlp-silu --steps 300")
    several("gd-elu", [0.17], f"{MORE} --model mlp-elu --steps 300")
    several("gd-relu", [0.17, 0.22], f"{MORE} --model mlp-relu --steps 250")
    several("ce-tanh", [0.44], f"{MORE} --loss ce --steps 250")
    several("ce-gelu", [0.25, 0.37], f"{FEW} --model mlp-gelu --loss ce --steps 200")
    several("ce-relu", [0.17, 0.25], f"{MORE} --model mlp-relu --loss ce --steps 250")
    several("ce-silu", [0.3, 0.42], f"{MORE} --model mlp-silu --loss ce --steps 200")
    several("noise-gelu", [0.3], f"{FEW} --model mlp-gelu --loss ce --label-noise 0.15 --steps 200")
    several("noise-relu", [0.2], f"{FEW} --model mlp-relu --loss ce --label-noise 0.15 --steps 250")
    several("hb-0.8", [0.25], f"{FEW} --optimizer momentum --momentum 0.8 --steps 200")
    several("hb-0.5", [0.19], f"{MORE} --optimizer momentum --momentum 0.5 --model mlp-gelu --steps 250")
    several("nag-0.5", [0.11], f"{FEW} --optimizer nesterov --momentum 0.5 --steps 250")
    several("adam", [0.0025], f"{MORE} --optimizer adam --steps 250")
    several("adam-0.8", [0.003], f"{FEW} --optimizer adam --beta1 0.8 --steps 250")
    several("rms", [0.0007], f"{FEW} --optimizer rmsprop --model mlp-gelu --steps 200")
    several("sam", [0.14], f"{FEW} --optimizer sam --rho 0.02 --steps 250")
    several("sgd64", [0.15], f"{MORE} --batch-size 64 --sharpness-batches 0 --steps 250")
    several("every3", [0.17], f"{FEW} --every 3 --steps 300")
    several("warm", [0.3], f"{FEW} --warmup 60 --steps 200")
    several("warm-ce", [0.6], f"{FEW} --model mlp-gelu --loss ce --warmup 50 --steps 200")
    several("linear", [0.22], f"{FEW} --model mlp-gelu --schedule linear --steps 250")
    several("moons", [0.6], f"--dataset moons {points} --model mlp-gelu --steps 400")
    several("spirals", [0.35], f"--dataset spirals {points} --loss ce --steps 500")
    several("diab", [0.08], f"{diabetes} --model mlp-gelu --steps 300")


def call(binary: str, words: list[str]) -> str:
    """What the program prints; it may end with divergence."""
    environment = {**os.environ, "RAYON_NUM_THREADS": "1"}
    done = subprocess.run(
        [binary, *words], check=False, env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join([binary, *words])} failed")
    return done.stdout


def make(folder: Path, flags: str, seed: int, arguments: argparse.Namespace) -> None:
    """One run, unless it is there."""
    if (folder / "summary.json").exists():
        return
    words = flags.split()
    for name, hidden in NETWORKS.items():
        file = arguments.out / f"{name}.json"
        spec = {"kind": "mlp", "hidden": hidden, "activation": "tanh"}
        file.write_text(json.dumps(spec), encoding="utf-8")
        words = [str(file) if word == f"@{name}" else word for word in words]
    common = ["--backend", "cpu", "--quiet", "--force", "--seed", str(seed), "--out", str(folder)]
    call(arguments.binary, ["run", *words, *common])


def forecasts(folder: Path, binary: str) -> tuple[bool, list[dict]]:
    """Whether the edge was entered, and the forecasts before with whether each held."""
    lines = call(binary, ["events", str(folder)]).splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    last = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["steps"] - 1
    entry = next((e["step"] for e in events if e["kind"] == "edge_entered"), None)
    told = []
    for event in events:
        if event["kind"] != "edge_forecast" or (entry is not None and event["step"] >= entry):
            continue
        latest = event["latest"] if event["latest"] is not None else float("inf")
        if entry is None and latest > last:
            continue
        held = entry is not None and event["earliest"] <= entry <= latest
        ahead = None if entry is None else entry - event["step"]
        told.append({"held": held, "ahead": ahead, "width": latest - event["earliest"]})
    return entry is not None, told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, default=Path("runs/forecasts"))
    parser.add_argument("--binary", default="target/release/sharpscope")
    parser.add_argument("--half", choices=["tune", "test"], default="test")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--only", default="", help="settings whose name contains this")
    parser.add_argument("--list", action="store_true", help="name the settings and do nothing")
    arguments = parser.parse_args()

    chosen = list(settings(arguments.half).items())
    chosen = [(name, flags) for name, flags in chosen if arguments.only in name]
    if arguments.list:
        print("\n".join(f"{name}: {flags}" for name, flags in chosen))
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    runs, entered, told = 0, 0, []
    for seed in map(int, arguments.seeds.split(",")):
        for name, flags in chosen:
            folder = arguments.out / f"{arguments.half}-{name}-seed-{seed}"
            make(folder, flags, seed, arguments)
            came, own = forecasts(folder, arguments.binary)
            runs, entered = runs + 1, entered + came
            told.append(own)
    every = [forecast for own in told for forecast in own]
    first = [own[0] for own in told if own]
    came = [forecast for forecast in every if forecast["ahead"]]
    print(f"{runs} runs, {entered} come to the edge, {len(first)} are forecast")
    for what, some in [("forecasts", every), ("first forecasts", first)]:
        held = sum(forecast["held"] for forecast in some)
        print(f"{what}: {held} of {len(some)} hold, {held / max(1, len(some)):.2f}")
    if came:
        ahead = statistics.median(forecast["ahead"] for forecast in came)
        width = statistics.median(forecast["width"] / forecast["ahead"] for forecast in came)
        print(f"median: {ahead:.0f} steps ahead, interval {width:.2f} of that")


if __name__ == "__main__":
    main()
