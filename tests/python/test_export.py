"""What `export` writes, read by the programs that it is for."""

import csv
import json
import math

import numpy
import pandas as pd
import pyarrow.parquet as pq
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

import sharpscope as module
from conftest import GOLDENS, sharpscope

TEXTS = {"phase"}


def cells(run):
    """steps.csv by column, as text."""
    with open(run / "steps.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    manifest = json.loads((run / "manifest.json").read_text())
    names = {name: name for name in rows[0]}
    if manifest["schema_version"] == 1:
        # As the program and the module read it, where it is measured.
        new = {"batch_sharpness": "batch_sharpness_ratio_of_means", "batch_sharpness_se": "batch_sharpness_ratio_of_means_se"}
        names.update((old, name) for old, name in new.items() if any(row.get(old) for row in rows))
    return {names[name]: [row[name] for row in rows] for name in rows[0]}


def number(cell):
    return {"true": 1.0, "false": 0.0}[cell] if cell in ("true", "false") else float(cell)


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def points(folder):
    """TensorBoard's points of each tag, step and number, in the order in which they are in its files."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    scalars = events.summary_metadata
    found = {}
    for tag in events.Tags()["tensors"]:
        if scalars[tag].plugin_data.plugin_name == "scalars":
            tensors = [(event.step, event.tensor_proto) for event in events.Tensors(tag)]
            found[tag] = [(step, tensor.double_val[0]) for step, tensor in tensors]
            for _, tensor in tensors:
                # What is shown.
                shown = tensor_util.make_ndarray(tensor)
                assert shown.dtype == "float32" and shown.shape == ()
                with numpy.errstate(over="ignore"):
                    assert same(shown.item(), numpy.float32(tensor.double_val[0]).item())
    return events, found


def check_points(run, folder):
    _, found = points(folder)
    table = cells(run)
    for name in table.keys() - TEXTS - {"step"}:
        expected = [(int(s), number(c)) for s, c in zip(table["step"], table[name]) if c]
        got = found.get(f"steps/{name}", [])
        assert [step for step, _ in got] == [step for step, _ in expected], name
        close = name in ("step_ms", "curvature_ms")
        for (_, a), (_, b) in zip(got, expected):
            assert same(a, b) or (close and abs(a - b) < 1e-3), name


def test_tensorboard_of_a_stored_run(run, diverged, tmp_path):
    for at, source in enumerate([run, diverged, GOLDENS / "gd", GOLDENS / "adam"]):
        sharpscope("export", source, "--to", "tensorboard", "--out", tmp_path / str(at))
        check_points(source, tmp_path / str(at))


def test_tensorboard_while_running(run):
    """Also where it was gone on with: no step twice, none missing."""
    check_points(run, run)
    events, found = points(run)
    assert [step for step, _ in found["spectra/trace"]] == [0, 6]
    histogram = tensor_util.make_ndarray(events.Tensors("spectra/eigenvalues")[0].tensor_proto)
    parameters = json.loads((run / "manifest.json").read_text())["parameters"]
    assert histogram[:, 2].sum() == pytest.approx(parameters)
    times = [event.wall_time for event in events.Tensors("steps/train_loss")]
    assert times == sorted(times)


def test_tensorboard_knows_the_settings(run):
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    events, _ = points(run)
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    hparams = HParamsPluginData.FromString(content).session_start_info.hparams
    assert hparams["lr"].number_value == 0.05
    assert hparams["optimizer"].string_value == "sgd"
    assert hparams["model.kind"].string_value == "mlp"
    assert hparams["smallest"].bool_value is False
    settings = tensor_util.make_ndarray(events.Tensors("settings")[0].tensor_proto).item()
    assert "| lr | 0.05 |" in settings.decode()
    end = events.summary_metadata["_hparams_/session_end_info"].plugin_data.content
    assert HParamsPluginData.FromString(end).session_end_info.status == 1


def check_frame(run, frame):
    """Equal to steps.csv, to the last bit; empty cells are null."""
    table = cells(run)
    assert list(frame.columns) == list(table)
    for name, column in table.items():
        for cell, value in zip(column, frame[name]):
            if cell == "":
                assert pd.isna(value), name
            elif name in TEXTS:
                assert value == cell
            else:
                assert same(float(value), number(cell)), name


def test_parquet(run, diverged, tmp_path):
    for at, source in enumerate([run, diverged]):
        sharpscope("export", source, "--to", "parquet", "--out", tmp_path / str(at))
        steps = tmp_path / str(at) / "steps.parquet"
        check_frame(source, pd.read_parquet(steps))
        table = pq.read_table(steps)
        empty = {name: sum(cell == "" for cell in column) for name, column in cells(source).items()}
        assert {name: table[name].null_count for name in table.column_names} == empty
        told = json.loads(table.schema.metadata[b"sharpscope"])
        manifest = json.loads((source / "manifest.json").read_text())
        assert told["settings"] == manifest["config"] and told["manifest"] == manifest
        assert told["units"]["sharpness"] == "L/w²"
        assert pd.read_parquet(steps).attrs["units"] == told["units"]
    assert str(table.schema.field("step").type) == "int64"
    assert str(table.schema.field("train_loss").type) == "double"
    assert str(table.schema.field("converged").type) == "bool"


def test_numbers_that_are_not_finite_survive(diverged, tmp_path):
    def odd(values):
        return [str(float(x)) for x in values if not pd.isna(x) and not math.isfinite(float(x))]

    expected = odd(c for c in cells(diverged)["train_loss"] if c not in ("", "NaN"))
    nans = cells(diverged)["train_loss"].count("NaN")
    assert expected or nans
    for to in ("json", "csv"):
        sharpscope("export", diverged, "--to", to, "--out", tmp_path / to)
    document = json.loads((tmp_path / "json").read_text())
    losses = [row["train_loss"] for row in document["tables"]["steps"]["data"]]
    assert losses.count("NaN") == nans
    assert odd(x for x in losses if x != "NaN") == expected
    assert (tmp_path / "csv" / "steps.csv").read_text().count("NaN") >= nans


def test_json_and_csv(run, tmp_path):
    sharpscope("export", run, "--to", "json", "--out", tmp_path / "small.json")
    sharpscope("export", run, "--to", "csv", "--out", tmp_path / "csv")
    document = json.loads((tmp_path / "small.json").read_text())
    steps = document["tables"]["steps"]
    check_frame(run, pd.DataFrame(steps["data"])[list(cells(run))])
    fields = {field["name"]: field for field in steps["schema"]["fields"]}
    assert fields["sharpness"]["type"] == "number" and fields["sharpness"]["unit"] == "L/w²"
    assert fields["step"]["type"] == "integer" and fields["phase"]["type"] == "string"
    assert json.loads(sharpscope("export", run, "--to", "json", "--out", "-")) == document
    manifest = json.loads((tmp_path / "csv" / "manifest.json").read_text())
    assert manifest["settings"] == document["settings"]
    for name, table in document["tables"].items():
        frame = pd.read_csv(tmp_path / "csv" / f"{name}.csv")
        assert list(frame.columns) == [field["name"] for field in table["schema"]["fields"]]
        assert len(frame) == len(table["data"]) == manifest["tables"][name]["rows"]


def test_the_module_reads_what_is_exported(run, tmp_path):
    """Two ways to the same frames."""
    sharpscope("export", run, "--to", "parquet", "--out", tmp_path / "p")
    read = module.read(run)
    for name in ("steps", "events", "spectra", "densities", "layers"):
        exported, frame = pd.read_parquet(tmp_path / "p" / f"{name}.parquet"), getattr(read, name)
        assert list(exported.columns) == list(frame.columns), name
        assert len(exported) == len(frame), name
        for column in frame:
            for a, b in zip(exported[column], frame[column]):
                assert a == b or (pd.isna(a) and pd.isna(b)), (name, column)


def test_flows(tmp_path):
    run = tmp_path / "run"
    sharpscope("run", *"--objective quartic --lr 0.25 --steps 40 --precision f64 --backend cpu --out".split(), run)
    for kind in ("central", "gradient"):
        sharpscope("flow", run, "--kind", kind)
    sharpscope("export", run, "--to", "parquet", "--out", tmp_path / "p")
    sharpscope("export", run, "--to", "tensorboard", "--out", tmp_path / "t")
    read = module.read(run)
    for name, rows in (("flows", 2), ("flow_steps", 80)):
        exported, frame = pd.read_parquet(tmp_path / "p" / f"{name}.parquet"), getattr(read, name)
        assert len(exported) == len(frame) == rows and sorted(exported.columns) == sorted(frame.columns)
        for column in frame:
            for a, b in zip(exported[column], frame[column]):
                assert a == b or (pd.isna(a) and pd.isna(b)), (name, column)
    events, found = points(tmp_path / "t")
    central = read.flow_steps[read.flow_steps["kind"] == "central"]
    assert found["flows/central/distance"] == list(zip(central["step"], central["distance"]))
    assert events.summary_metadata["flows/central/distance"].summary_description.endswith(", in w")


def test_a_comparison(tmp_path):
    folder = GOLDENS / "comparison"
    sharpscope("export", folder, "--to", "parquet", "--out", tmp_path / "p")
    exported = pd.read_parquet(tmp_path / "p" / "compare.parquet")
    with open(folder / "compare.csv", newline="") as file:
        compared = list(csv.DictReader(file))
    assert list(exported.columns) == list(compared[0])
    assert list(exported["train_loss"]) == [float(row["train_loss"]) for row in compared]
    sharpscope("export", folder, "--to", "tensorboard", "--out", tmp_path / "t")
    members = [path for path in folder.glob("*/seed-*") if path.is_dir()]
    for member in members:
        check_points(member, tmp_path / "t" / member.relative_to(folder))
    assert members
