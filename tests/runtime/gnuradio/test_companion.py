"""The flow graph for GNU Radio Companion compiles, and is the air that it says it is."""

import ast
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

from runtime.gnuradio import airs, semantics
from runtime.radio.air import Air

FILE = Path(__file__).parents[3] / "examples" / "gnuradio" / "air.grc"


def described() -> Air:
    """The air of the file's own taps and of the values that it gives its parameters."""
    blocks = yaml.safe_load(FILE.read_text(encoding="utf-8"))["blocks"]
    values = {block["name"]: block["parameters"]["value"] for block in blocks if block["id"] in ("variable", "parameter")}
    taps = np.array([[ast.literal_eval(values[f"taps_{rx}_{tx}"]) for tx in (1, 2)] for rx in (1, 2)])
    noise, frequency, ppm = (float(values[name]) for name in ("noise_variance", "frequency", "clock_ppm"))
    return Air(np.moveaxis(taps, -1, 0), noise, frequency=frequency, clock=1e-6 * ppm)


def test_the_file_for_companion_compiles_and_carries_a_link(tmp_path: Path) -> None:
    airs.skip_without_gnuradio()
    compiler = Path("/usr/bin/grcc")
    if not compiler.exists():
        pytest.skip("GNU Radio is installed without its compiler of flow graphs, grcc, which this test runs.")
    subprocess.run([compiler, "-o", tmp_path, FILE], check=True, capture_output=True, timeout=2 * airs.PATIENCE_S)
    words = ["setpriv", "--pdeathsig", "KILL", airs.PYTHON, "-I", str(tmp_path / "air_2x2.py")]
    with airs.flow_graph([*words, f"--source=ipc://{tmp_path}/tx", f"--sink=ipc://{tmp_path}/rx"], described(), tmp_path) as (_, through):
        outcome = semantics.over(through, described(), "pair", 4)
    assert len(outcome.frames) == outcome.sent
    assert not any(frame.lost.any() for frame in outcome.frames)
    assert outcome.loop.nmse == pytest.approx(outcome.simulation.nmse, abs=0.005)
    assert outcome.noise_ratio == pytest.approx(1, abs=0.1)
    assert outcome.frames[-1].clock.offset == pytest.approx(described().clock, abs=15e-6)
