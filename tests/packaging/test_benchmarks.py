"""The scripts of `benchmarks` stand in each other's way where one has the name of a package that PyTorch imports."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_pytorch_is_imported_beside_them():
    """A script called cuda.py was imported by PyTorch in place of NVIDIA's package, and no benchmark started."""
    code = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import torch"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_changed_files_are_refused_or_right(forge, tmp_path):
    """Some of the mutations that `benchmarks/fuzz.py` makes, of the formats whose libraries were ended by them, and of artifacts."""
    kinds = ("mat", "parquet", "artifact")
    script = f"import runpy, sys\nsys.path.insert(0, {str(FOLDER)!r})\nrunpy.run_path({str(FOLDER / 'fuzz.py')!r}, run_name='__main__')"
    done = forge.run(script, "--mutations", 300, "--processes", 1, "--kinds", *kinds, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if " accepted, " in line]
    assert len(lines) == len(kinds)
    assert all(line.endswith(" 0 wrong") for line in lines), done.stdout
    assert "300 mutations" in done.stdout
