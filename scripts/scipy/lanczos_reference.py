"""Extreme eigenvalues of one closed-form symmetric matrix, computed by SciPy (LAPACK).

    lanczos_reference.py OUT.json

The matrix is a_ij = cos(i j + i + j) / (1 + |i - j|) for i, j = 0, ..., 59. The Rust test builds
it from the same formula and compares its own eigensolver with the numbers written here. Each
eigenvalue is checked before it is written: LAPACK's QR iteration and its bisection must agree.

It needs numpy and scipy (scripts/pytorch/requirements.txt has the versions).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import scipy

SIZE = 60
LARGEST = 5
SMALLEST = 3
AGREEMENT = 1e-13


def matrix(size: int) -> np.ndarray:
    """The matrix of the formula above, of order `size`."""
    i = np.arange(size)[:, None]
    j = np.arange(size)[None, :]
    return np.cos((i * j + i + j).astype(np.float64)) / (1 + np.abs(i - j))


def eigenvalues(a: np.ndarray) -> np.ndarray:
    """All eigenvalues, ascending; refuses a matrix on which two of LAPACK's drivers differ."""
    values = scipy.linalg.eigh(a, eigvals_only=True, driver="ev")
    bisection = scipy.linalg.eigh(a, eigvals_only=True, driver="evx")
    worst = np.max(np.abs(values - bisection)) / np.max(np.abs(values))
    if worst > AGREEMENT:
        raise SystemExit(f"two drivers differ by {worst:.1e} of the largest eigenvalue")
    return values


def main() -> None:
    """Writes the reference file."""
    parser = argparse.ArgumentParser(description="Makes the eigensolver's reference numbers.")
    parser.add_argument("out", type=Path, help="the JSON file to write")
    out: Path = parser.parse_args().out
    values = eigenvalues(matrix(SIZE))
    reference = {
        "made_by": "scripts/scipy/lanczos_reference.py",
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "formula": "a_ij = cos(i j + i + j) / (1 + |i - j|), i and j from 0",
        "size": SIZE,
        "largest": values[::-1][:LARGEST].tolist(),
        "smallest": values[:SMALLEST].tolist(),
    }
    text = json.dumps(reference, indent=2, allow_nan=False)
    out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
