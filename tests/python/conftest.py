"""Runs that the tests read, made by the program that SHARPSCOPE names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
GOLDENS = TOP / "tests" / "goldens"
sys.path.insert(0, str(TOP / "python"))

SMALL = "--model linear --train-size 60 --validation-size 20 --backend cpu".split()


def sharpscope(*arguments, code=0):
    """What the program prints; it must end with that code."""
    program = os.environ.get("SHARPSCOPE", TOP / "target" / "release" / "sharpscope")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run with gaps, spectra, layers and event files for TensorBoard, gone on with once."""
    path = tmp_path_factory.mktemp("runs") / "small"
    spectra = "--spectrum-every 6 --probes 2 --iterations 8 --every 2 --top 2".split()
    sharpscope("run", *SMALL, *spectra, "--lr", 0.05, "--steps", 8, "--checkpoint-every", 5, "--tensorboard", "--out", path)
    # Steps 5 to 7 are taken again.
    sharpscope("run", "--resume", f"{path}@5", "--steps", 12, "--force")
    sharpscope("spectrum", path, "--layers", "--probes", 2, "--iterations", 8)
    return path


@pytest.fixture(scope="session")
def diverged(tmp_path_factory):
    """A run with a loss that is not finite."""
    path = tmp_path_factory.mktemp("runs") / "diverged"
    sharpscope("run", *SMALL, *"--lr 1e30 --steps 9".split(), "--out", path, code=3)
    return path
