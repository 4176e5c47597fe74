"""Peak memory of the curvature measurement against the chunk size.

    memory.py [--samples 20000] [--binary target/release/sharpscope]

Writes a CSV of random samples, measures curvature once for several `--chunk`, each in a process of
its own on one thread, and prints the peak resident memory of each. Needs Python's standard library
only. Memory beyond the data should grow with the chunk and not with the number of samples.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from pathlib import Path


def write_samples(path: Path, samples: int) -> None:
    """Random features in [0, 1] and labels, as many columns as the digits."""
    draw = random.Random(0)
    with path.open("w", encoding="ascii") as file:
        for _ in range(samples):
            cells = [f"{draw.random():.3f}" for _ in range(64)]
            file.write(",".join([*cells, str(draw.randrange(10))]) + "\n")


def peak_mebibytes(command: list[str]) -> float:
    """Runs a command and returns the peak resident memory of it, in MiB."""
    child = os.posix_spawnp(command[0], command, {**os.environ, "RAYON_NUM_THREADS": "1"})
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--binary", default="target/release/sharpscope")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "samples.csv"
        model = Path(folder) / "model.json"
        model.write_text('{"kind": "mlp", "hidden": [512, 512]}', encoding="ascii")
        print("samples    chunk   peak memory (MiB)")
        for samples in (arguments.samples // 4, arguments.samples):
            write_samples(data, samples)
            for chunk in (256, 1024, 5000, samples):
                peak = peak_mebibytes(
                    [arguments.binary, "run", "--backend", "cpu", "--quiet", "--force"]
                    + ["--dataset", str(data), "--model", str(model), "--steps", "1"]
                    + ["--train-size", str(samples), "--max-iterations", "2"]
                    + ["--chunk", str(chunk), "--out", str(Path(folder) / "run")]
                )
                print(f"{samples:7} {chunk:8} {peak:12.0f}")


if __name__ == "__main__":
    main()
