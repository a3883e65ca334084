"""The wheel: what is in it, and what type checkers see of it once it is installed."""

import subprocess
import sys
import sysconfig
import venv
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


def test_a_users_script_passes_mypy_strict_against_the_installed_package(wheel, tmp_path):
    """The environment holds the unpacked wheel; torch and the like are those of this one."""
    venv.create(tmp_path / "environment", symlinks=True)
    python = tmp_path / "environment" / "bin" / "python"
    (packages,) = (tmp_path / "environment" / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(packages)
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    script = tmp_path / "user_script.py"
    script.write_text((Path(__file__).parent / "user_script.py").read_text(encoding="utf-8"))
    cache = ROOT / ".mypy_cache" / "user_script"
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python), "--cache-dir", str(cache), str(script)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=240)
    assert run.returncode == 0, run.stdout + run.stderr
