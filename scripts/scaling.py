"""How time and memory of a profiled step grow with parameters, samples and eigenvalues.

    scaling.py [--binary target/release/sharpscope] [--steps 40]

Trains tanh networks on random samples by gradient descent on the CPU, each in a process of its own,
with the sharpness followed at every step and once more without. Prints, as CSV, the medians over the
steps after the tenth: milliseconds of a plain step and of a profiled one, products a step; and the
peak resident memory of both processes. One thing is varied at a time. Needs Python's standard library
only.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
from pathlib import Path

from memory import peak_mebibytes, write_samples

SAMPLES, WIDTH, TOP = 1000, 64, 1
WIDTHS = (9, 64, 256, 940)
SAMPLE_COUNTS = (100, 1000, 10_000)
TOPS = (1, 3, 10)
UNTIMED = 10


def measure(arguments: argparse.Namespace, folder: Path, width: int, samples: int, top: int) -> list:
    model, data, run = folder / "model.json", folder / f"{samples}.csv", folder / "run"
    model.write_text(json.dumps({"kind": "mlp", "hidden": [width, width]}), encoding="ascii")
    if not data.exists():
        write_samples(data, samples)
    command = [arguments.binary, "run", "--backend", "cpu", "--quiet", "--force", "--lr", "0.05"]
    command += ["--model", str(model), "--dataset", str(data), "--train-size", str(samples)]
    command += ["--validation-size", "0", "--steps", str(arguments.steps), "--out", str(run)]

    def steps(more: list[str]) -> tuple[float, list[dict[str, str]]]:
        peak = peak_mebibytes(command + more, threads=None)
        with (run / "steps.csv").open(encoding="utf-8") as file:
            return peak, list(csv.DictReader(file))[UNTIMED:]

    plain_peak, plain = steps(["--every", "1000000"])
    peak, profiled = steps(["--top", str(top)])
    parameters = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["parameters"]

    def median(rows: list[dict[str, str]], *names: str) -> float:
        return statistics.median(sum(float(row[name] or 0) for name in names) for row in rows)

    plain_ms = median(plain, "step_ms")
    profiled_ms = median(profiled, "step_ms", "curvature_ms")
    products = median(profiled, "hvps")
    return [
        parameters, samples, top, f"{plain_ms:.2f}", f"{profiled_ms:.2f}",
        f"{profiled_ms / plain_ms:.1f}", f"{products:g}", f"{plain_peak:.0f}", f"{peak:.0f}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--binary", default="target/release/sharpscope")
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    print("parameters,samples,eigenvalues,plain_ms,profiled_ms,ratio,products,plain_mib,profiled_mib")
    cases = [(width, SAMPLES, TOP) for width in WIDTHS]
    cases += [(WIDTH, samples, TOP) for samples in SAMPLE_COUNTS if samples != SAMPLES]
    cases += [(WIDTH, SAMPLES, top) for top in TOPS if top != TOP]
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            print(*measure(arguments, Path(folder), *case), sep=",", flush=True)


if __name__ == "__main__":
    main()
