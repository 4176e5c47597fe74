"""Peak memory of the curvature measurement against the chunk size, or of a spectrum.

    memory.py [--samples 20000] [--binary target/release/sharpscope]
    memory.py --spectrum [--binary target/release/sharpscope]

With --spectrum, measures the density of the digits' loss for networks of several sizes and numbers
of Lanczos steps, and prints the memory beyond that of a spectrum of one step, beside the size of the
bases (steps x parameters x 8 bytes for each probe that is multiplied at once).

Otherwise writes a CSV of random samples, measures curvature once for several `--chunk`, each in a process of
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


def peak_mebibytes(command: list[str], threads: int | None = 1) -> float:
    """Runs a command and returns the peak resident memory of it, in MiB."""
    environment = dict(os.environ)
    if threads is not None:
        environment["RAYON_NUM_THREADS"] = str(threads)
    child = os.posix_spawnp(command[0], command, environment)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 1024


# How many probes are multiplied at once, and the bytes that their bases may take together.
AT_ONCE, MOST_BYTES = 4, 1 << 30


def spectrum(binary: str, folder: Path) -> None:
    """Prints the memory of spectra of growing bases."""
    print("parameters    steps   peak memory (MiB)   beyond 1 step   bases (MiB)")
    for width in (64, 256, 512):
        model, run = folder / "model.json", folder / f"run-{width}"
        hidden = f'{{"kind": "mlp", "hidden": [{width}, {width}]}}'
        model.write_text(hidden, encoding="ascii")
        peak_mebibytes(
            [binary, "run", "--backend", "cpu", "--quiet", "--model", str(model)]
            + ["--steps", "1", "--max-iterations", "2", "--out", str(run)]
        )
        parameters = 64 * width + width + width * width + width + 10 * width + 10
        least = 0.0
        for steps in (1, 40, 80):
            peak = peak_mebibytes(
                [binary, "spectrum", str(run), "--step", "0", "--probes", "4", "--force"]
                + ["--quiet", "--iterations", str(steps)]
            )
            least = least or peak
            basis = parameters * steps * 8
            bases = basis * max(1, min(AT_ONCE, MOST_BYTES // basis)) / 2**20
            print(
                f"{parameters:10} {steps:8} {peak:19.0f} {peak - least:15.0f} {bases:13.0f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--binary", default="target/release/sharpscope")
    parser.add_argument("--spectrum", action="store_true")
    arguments = parser.parse_args()
    if arguments.spectrum:
        with tempfile.TemporaryDirectory() as folder:
            spectrum(arguments.binary, Path(folder))
        return
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
