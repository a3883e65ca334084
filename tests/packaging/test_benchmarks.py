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
