"""The wheel: what is in it. What an environment has of it once it is installed is tried by `.ci/package`."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import latentlink as ll

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
    source = ROOT / "src"
    expected = {path.relative_to(source).as_posix() for path in (source / "latentlink").rglob("*") if path.is_file()}
    expected = {name for name in expected if "__pycache__" not in name}
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert {"latentlink/py.typed", "latentlink/__init__.pyi", "latentlink/channels/__init__.pyi"} <= names


def test_the_version_is_one_everywhere(wheel):
    assert wheel.name.startswith(f"latentlink-{ll.__version__}-")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert f"version: {ll.__version__}" in citation
    assert f"## {ll.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
