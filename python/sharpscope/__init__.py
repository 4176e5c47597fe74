"""Runs of sharpscope as pandas frames.

>>> import sharpscope
>>> run = sharpscope.read("runs/mine")
>>> run.steps[["step", "sharpness", "threshold"]]

A run may be under way, killed or finished. Names of files, columns and keys are those of the program's
documentation (docs/formats.md).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["Run", "read"]

_SCHEMA_VERSION = 2
_WORDS = {"NaN": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


def read(run: str | Path) -> Run:
    """The run in a directory; ``RUN@STEP`` is the run as it stood at a checkpoint.

    Raises FileNotFoundError where there is no run, ValueError for a layout of a later version.
    """
    return Run(run)


class Run:
    """A run directory. Each table is read when it is first asked for."""

    def __init__(self, run: str | Path) -> None:
        path, step = Path(run), None
        named = re.fullmatch(r"(.+)@(\d+)", str(run))
        if named and not path.exists():
            path, step = Path(named[1]), int(named[2])
        if not (path / "steps.csv").is_file():
            raise FileNotFoundError(f"{path / 'steps.csv'}: there is none; name the directory of a run")
        self.path = path
        self.step = step
        version = self.manifest.get("schema_version", 1)
        if version > _SCHEMA_VERSION:
            raise ValueError(f"{path}: schema_version = {version} is later than {_SCHEMA_VERSION}")

    def __repr__(self) -> str:
        return f"sharpscope.read({str(self.path)!r})"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """``manifest.json``: settings (``config``), versions, samples; empty where there is none."""
        path = self.path / "manifest.json"
        return json.loads(path.read_text("utf-8")) if path.is_file() else {}

    @cached_property
    def summary(self) -> dict[str, Any] | None:
        """``summary.json``; None where the run has not ended, or is looked at before its end."""
        path = self.path / "summary.json"
        return json.loads(path.read_text("utf-8")) if self.step is None and path.is_file() else None

    @cached_property
    def steps(self) -> pd.DataFrame:
        """``steps.csv``: a row for each step; what was not measured is NaN."""
        frame = _table(_whole_lines(self.path / "steps.csv"))
        if self.manifest.get("schema_version", _SCHEMA_VERSION) < 2:
            # What version 1 called so is the ratio of means.
            names = [name for name in ("batch_sharpness", "batch_sharpness_se") if name in frame]
            new = {name: name.replace("sharpness", "sharpness_ratio_of_means") for name in names}
            frame = frame.rename(columns={old: new[old] for old in names if frame[old].notna().any()})
        return frame if self.step is None else frame[frame["step"] < self.step]

    @cached_property
    def events(self) -> pd.DataFrame:
        """``events.jsonl``: a row for each event, a column for each number that one of them has."""
        path = self.path / "events.jsonl"
        text = _whole_lines(path) if path.is_file() else ""
        frame = _frame([json.loads(line) for line in text.splitlines()], ["step", "kind", "assumes"])
        return frame if self.step is None else frame[frame["step"] < self.step]

    @cached_property
    def spectra(self) -> pd.DataFrame:
        """A row for each spectrum: trace, ends, masses, with standard errors; no rows where there are none."""
        return _frame([_numbers(numbers) for numbers in self._spectra], _KEY)

    @cached_property
    def densities(self) -> pd.DataFrame:
        """Each spectrum's smoothed density, and below it the nodes of its probes with their weights."""
        tables = []
        for numbers in self._spectra:
            table = _table(numbers["table"].decode("utf-8"))
            for at, key in enumerate(_KEY):
                table.insert(at, key, numbers.get(key))
            tables.append(table)
        columns = [*_KEY, "eigenvalue", "density", "probe", "weight"]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """The layers of each spectrum for which they were measured: largest eigenvalue, trace."""
        rows = []
        for numbers in self._spectra:
            for layer in numbers.get("layers") or []:
                row = _key(numbers)
                for name, value in layer.items():
                    _put(row, name, value)
                rows.append(row)
        return _frame(rows, _KEY)

    @cached_property
    def flows(self) -> pd.DataFrame:
        """A row for each flow beside the run: where it departs, what it predicts; no rows where there are none."""
        return _frame([_findings(numbers) for numbers, _ in self._flows], ["kind", "first_step", "steps"])

    @cached_property
    def flow_steps(self) -> pd.DataFrame:
        """The steps of each flow, with its ``kind``."""
        tables = []
        for numbers, table in self._flows:
            table = table.copy()
            table.insert(0, "kind", numbers["kind"])
            tables.append(table)
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["kind", "step"])

    @cached_property
    def _flows(self) -> list[tuple[dict[str, Any], pd.DataFrame]]:
        found = []
        for path in sorted((self.path / "flows").glob("*.json")):
            numbers = json.loads(path.read_text("utf-8"))
            if not isinstance(numbers, dict) or numbers.get("kind") != path.stem or "findings" not in numbers:
                continue
            table = _table(path.with_suffix(".csv").read_text("utf-8"))
            if self.step is None or not (table["step"] > self.step).any():
                found.append((numbers, table))
        return found

    @cached_property
    def _spectra(self) -> list[dict[str, Any]]:
        found = []
        for path in (self.path / "spectra").glob("step-*.json"):
            numbers = json.loads(path.read_text("utf-8"))
            table = path.with_name(path.name[: -len(".json")] + ".csv").read_bytes()
            told = numbers.get("table_sha256")
            if told is not None and told != hashlib.sha256(table).hexdigest():
                raise ValueError(f"{path}: its table is not what was written, by its checksum")
            if self.step is None or numbers["step"] <= self.step:
                found.append({**numbers, "table": table})
        return sorted(found, key=lambda one: (_name(one), one["step"]))


_KEY = ["step", "matrix", "preconditioned", "group"]


def _key(numbers: dict[str, Any]) -> dict[str, Any]:
    return {key: numbers.get(key) for key in _KEY}


def _name(numbers: dict[str, Any]) -> str:
    name = numbers.get("matrix") or "hessian"
    name += ", preconditioned" if numbers.get("preconditioned") else ""
    return name + (f" of {numbers['group']}" if numbers.get("group") else "")


def _numbers(numbers: dict[str, Any]) -> dict[str, Any]:
    """A spectrum as a row: an estimate is two columns, nested names are joined."""
    row = _key(numbers)
    for name, value in numbers.items():
        if name not in ("table", "table_sha256", "layers", "flatness", "rescaled"):
            _put(row, name, value)
    for name in ("flatness", "rescaled"):
        for inner, value in (numbers.get(name) or {}).items():
            _put(row, f"{name}_{inner}", value)
    return row


def _findings(numbers: dict[str, Any]) -> dict[str, Any]:
    """A flow as a row: findings under their own names, nested names joined."""
    row: dict[str, Any] = {}
    for name, value in numbers.items():
        for inner, part in value.items() if name == "findings" else [(name, value)]:
            if inner != "edge" or part is not None:
                _put(row, inner, part)
    return row


def _put(row: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, dict):
        for part, inner in value.items():
            if part in ("value", "estimate"):
                _put(row, name, inner)
            elif part == "largest":
                _put(row, "lambda", inner)
            elif part == "smallest":
                _put(row, "lambda_min", inner)
            else:
                _put(row, part if name == "ends" else f"{name}_{part}", inner)
    elif isinstance(value, list):
        for at, inner in enumerate(value, 1):
            _put(row, f"{name}_{at}", inner)
    else:
        row[name] = value


def _whole_lines(path: Path) -> str:
    """A file without a last line that a killed run has left half written."""
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1].decode("utf-8")


def _table(text: str) -> pd.DataFrame:
    """A table in CSV; a last row with less cells than it should have is left out."""
    rows = list(csv.reader(io.StringIO(text)))
    if rows and len(rows[-1]) != len(rows[0]):
        rows.pop()
    header, rows = (rows[0], rows[1:]) if rows else ([], [])
    return pd.DataFrame({name: _column([row[at] for row in rows]) for at, name in enumerate(header)})


def _column(cells: list[str]) -> pd.Series:
    """Cells of a table: numbers, truths or words, whichever all of them are."""
    there = [cell for cell in cells if cell]
    if there and all(cell in ("true", "false") for cell in there):
        return _truths([cell == "true" if cell else None for cell in cells])
    try:
        if there and len(there) == len(cells) and all(re.fullmatch(r"-?\d+", cell) for cell in cells):
            return pd.Series([int(cell) for cell in cells], dtype="int64")
        return pd.Series([float(cell) if cell else float("nan") for cell in cells], dtype="float64")
    except ValueError:
        return pd.Series([cell or None for cell in cells], dtype="object")


def _truths(values: list[bool | None]) -> pd.Series:
    return pd.Series(values, dtype="boolean" if None in values else "bool")


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    """Objects of JSON as a frame; the words for what is not finite are numbers where only numbers are beside them."""
    names = list(dict.fromkeys(name for row in rows for name in row)) if rows else columns
    return pd.DataFrame({name: _values([row.get(name) for row in rows]) for name in names})


def _values(values: list[Any]) -> pd.Series:
    def number(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool)

    there = [value for value in values if value is not None]
    if there and all(isinstance(value, bool) for value in there):
        return _truths(values)
    if there and len(there) == len(values) and all(isinstance(value, int) for value in there):
        return pd.Series(values, dtype="int64")
    if all(number(value) or (isinstance(value, str) and value in _WORDS) for value in there):
        numbers = (_WORDS.get(value, value) if isinstance(value, str) else value for value in values)
        return pd.Series([float("nan") if value is None else float(value) for value in numbers], dtype="float64")
    return pd.Series(values, dtype="object")
