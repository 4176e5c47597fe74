"""`pip install .`: the program on the path, the module beside it."""

import json
import os
import subprocess
import sys
import tarfile

import pytest

from conftest import SMALL, TOP

ENVIRONMENT = {
    **os.environ,
    # What the tests have compiled is not compiled again.
    "CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", str(TOP / "target")),
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    # Where maturin is.
    "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],
}


def call(*words, **more):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, env=ENVIRONMENT, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """A virtual environment with the package alone, which sees what is installed here."""
    path = tmp_path_factory.mktemp("venv")
    call(sys.executable, "-m", "venv", "--without-pip", path)
    bin = path / ("Scripts" if os.name == "nt" else "bin")
    packages = call(bin / "python", "-c", "import site; print(site.getsitepackages()[0])").strip()
    here = call(sys.executable, "-c", "import site; print(site.getsitepackages()[0])").strip()
    with open(os.path.join(packages, "here.pth"), "w") as file:
        file.write(here + "\n")
    quiet = ["--quiet", "--no-deps", "--no-build-isolation"]
    call(sys.executable, "-m", "pip", "--python", bin / "python", "install", *quiet, TOP)
    return bin


def test_the_program_and_the_module(prefix, tmp_path):
    program = prefix / "sharpscope"
    told = call(program, "--version").split()[1]
    call(program, "run", *SMALL, "--steps", 3, "--out", tmp_path / "r")
    code = (
        "import sharpscope, importlib.metadata as m; r = sharpscope.read('r');"
        "print(sharpscope.__file__, len(r.steps), m.version('sharpscope'), m.requires('sharpscope')[0])"
    )
    file, rows, version, needs = call(prefix / "python", "-c", code, cwd=tmp_path).split(maxsplit=3)
    assert file.startswith(str(prefix.parent)) and rows == "3" and version == told
    assert needs.startswith("pandas")


def test_the_source_distribution_is_whole(tmp_path):
    call(sys.executable, "-m", "maturin", "sdist", "--out", tmp_path, cwd=TOP)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    for name in ("pyproject.toml", "python/sharpscope/__init__.py", "src/main.rs", "LICENSE", "Cargo.lock"):
        assert (folder / name).is_file(), name
    said = call("cargo", "metadata", "--offline", "--locked", "--no-deps", "--format-version", 1, cwd=folder)
    packages = {package["name"]: package for package in json.loads(said)["packages"]}
    paths = [TOP / "datasets", TOP / "models", TOP / "crates"]
    for path in (file for top in paths for file in top.rglob("*") if file.suffix in (".gz", ".rs", ".json", ".toml")):
        inside = path.relative_to(TOP)
        if not {"tests", "benches", "examples", "target"} & set(inside.parts):
            assert (folder / inside).is_file(), inside
    assert "sharpscope" in packages
