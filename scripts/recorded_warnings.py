"""Stored runs, cut down to what warnings are read off, for the test of how good they are.

    recorded_warnings.py RUNS [--out tests/data/warnings] [NAME ...]

RUNS was made by `runs_for_warnings.py`; NAME are runs of its part `test`, by default those that are recorded already.
Of `steps.csv` the columns below are kept, with seven digits (the learning rate with all), packed; of the manifest what a
monitor asks for. Needs Python's standard library only.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
from pathlib import Path

# Those that warnings, or the simpler scores beside them, are computed from; numbered ones by their stems.
COLUMNS = [
    "step",
    "lr",
    "train_loss",
    "grad_norm",
    "update_norm",
    "sharpness",
    "preconditioned_sharpness",
    "batch_sharpness",
    "batch_sharpness_ratio_of_means",
    "batch_edge_small",
    "batch_edge_large",
    "batch_grad_norm",
    "noise_scale",
    "threshold",
    "edge_ratio",
    "gradient_alignment",
    "realized_ratio",
    "step_is_ascent",
    "step_curvature",
    "clip_factor",
    "lambda",
    "gradient_component",
    "step_component",
]
EXACT = {"step", "lr"}
MANIFEST = ["schema_version", "version", "exit_code", "config", "precision", "zero_output_loss"]


def is_kept(name: str) -> bool:
    stem, _, number = name.rpartition("_")
    return name in COLUMNS or (number.isdigit() and stem in COLUMNS)


def shortened(name: str, cell: str) -> str:
    """A number with seven digits; what is none as it is."""
    if name in EXACT:
        return cell
    try:
        return f"{float(cell):.7g}"
    except ValueError:
        return cell


def record(run: Path, out: Path) -> int:
    """Writes a run's columns and manifest; their bytes."""
    with (run / "steps.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if is_kept(name) and any(row[name] for row in rows)]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names)
    table.writerows([shortened(name, row[name]) for name in names] for row in rows)
    folder = out / run.name
    folder.mkdir(parents=True, exist_ok=True)
    # Without a time, so that the same run makes the same bytes.
    packed = gzip.compress(text.getvalue().encode(), 9, mtime=0)
    (folder / "steps.csv.gz").write_bytes(packed)
    whole = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    kept = {key: whole[key] for key in MANIFEST if key in whole}
    manifest = json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(manifest, encoding="utf-8")
    return len(packed) + len(manifest.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("tests/data/warnings"))
    arguments = parser.parse_args()
    names = arguments.names or sorted(folder.name for folder in arguments.out.iterdir() if folder.is_dir())
    total = 0
    for name in names:
        size = record(arguments.runs / name, arguments.out)
        total += size
        print(f"{name}: {size} bytes")
    print(f"{len(names)} runs, {total} bytes")


if __name__ == "__main__":
    main()
