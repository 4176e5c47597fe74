"""`sharpscope.read`, on runs as they come."""

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

import sharpscope
from conftest import GOLDENS, TOP


def test_types(run):
    read = sharpscope.read(run)
    assert read.steps["step"].dtype == "int64" and list(read.steps["step"]) == list(range(12))
    assert read.steps["train_loss"].dtype == "float64"
    assert pd.isna(read.steps["sharpness"][1]) and read.steps["sharpness"][2] > 0
    assert read.steps["converged"].dtype == "boolean" and pd.isna(read.steps["converged"][1])
    assert read.manifest["config"]["lr"] == 0.05 and read.summary["status"] == "completed"
    assert list(read.spectra["step"]) == [0, 6, 12] and read.spectra["trace"].dtype == "float64"
    assert set(read.layers["group"]) and (read.layers["parameters"] > 0).all()
    nodes = read.densities[read.densities["probe"].notna()]
    weights = nodes.groupby(["step", "probe"])["weight"].sum()
    assert weights.to_numpy() == pytest.approx(1.0)


def test_goldens():
    for name in ("gd", "adam", "sam", "diverged", "resumed", "spectra", "transformer"):
        read = sharpscope.read(GOLDENS / name)
        assert len(read.steps) == read.summary["steps"], name
        assert len(read.events) == sum(read.summary["events"].values()), name
    assert len(sharpscope.read(GOLDENS / "spectra").spectra) > 0
    # Version 1 had another name for it.
    for path in GOLDENS.iterdir():
        if (path / "steps.csv").is_file() and "batch_sharpness" in sharpscope.read(path).steps:
            assert sharpscope.read(path).steps["batch_sharpness"].isna().all(), path


def test_a_run_that_was_killed(run, tmp_path):
    torn = tmp_path / "torn"
    shutil.copytree(run, torn)
    (torn / "summary.json").unlink()
    whole = (torn / "steps.csv").read_bytes()
    (torn / "steps.csv").write_bytes(whole[:-9])
    with open(torn / "events.jsonl", "ab") as file:
        file.write(b'{"step": 11, "ki')
    read = sharpscope.read(torn)
    assert read.summary is None and len(read.steps) == 11
    assert len(read.events) == len(sharpscope.read(run).events)
    # A header, and nothing yet.
    (torn / "steps.csv").write_bytes(whole[: whole.index(b"\n") + 1])
    assert list(sharpscope.read(torn).steps.columns)[0] == "step" and len(sharpscope.read(torn).steps) == 0
    (torn / "steps.csv").write_bytes(b"step,lr,tr")
    assert len(sharpscope.read(torn).steps) == 0


def test_a_run_as_it_stood(run):
    read = sharpscope.read(f"{run}@5")
    assert list(read.steps["step"]) == list(range(5)) and read.summary is None
    assert list(read.spectra["step"]) == [0]


def test_what_is_no_run(tmp_path, run):
    with pytest.raises(FileNotFoundError, match="steps.csv"):
        sharpscope.read(tmp_path)
    shutil.copytree(run, tmp_path / "later")
    manifest = {**sharpscope.read(run).manifest, "schema_version": 99}
    (tmp_path / "later" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="schema_version = 99"):
        sharpscope.read(tmp_path / "later")


def test_the_notebook(tmp_path, monkeypatch):
    """Its cells run one after the other, in a folder of their own."""
    notebook = json.loads((TOP / "docs" / "notebook.ipynb").read_text("utf-8"))
    monkeypatch.chdir(tmp_path)
    program = Path(os.environ.get("SHARPSCOPE", TOP / "target" / "release" / "sharpscope"))
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    names = {"__name__": "__main__"}
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    for cell in code:
        if "plot" in cell["metadata"].get("tags", []) and find_spec("matplotlib") is None:
            continue
        exec("".join(cell["source"]), names)
    assert len(names["run"].steps) == 300
