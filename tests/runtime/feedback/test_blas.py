"""The law that no test in one process can see: other kernels of BLAS and other loops of NumPy make the same beams of the same bytes."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from latentlink_runtime.feedback.report import Report
from runtime.feedback.designs import channels

SCRIPT = """
import json, sys
import numpy as np
from runtime.feedback.designs import codec_design, linear_design, strengths
from latentlink_runtime.codec.streams import place_streams
from latentlink_runtime.feedback.links import beams_digest, link_from_feedback
from latentlink_runtime.feedback.streams import modes_of_carriers

said = {"kernels": np.linalg.svd(np.random.default_rng(1).standard_normal((60, 60)))[0].tobytes().hex()}
for bits, contents in json.loads(sys.argv[1]).items():
    ours, svd = [], []
    for content in contents:
        for design in (linear_design(), codec_design()):
            made = link_from_feedback(design, bytes.fromhex(content), 12)
            ours.append(made.digest.hex())
        _, channel = modes_of_carriers(made.report, 12)
        streams, beams = place_streams(strengths(), channel, 8)
        sent = np.repeat(beams.transmit, 2, -1) * np.sqrt(streams.share)[..., None, :]
        svd += [beams_digest(one, made.active[:1]).hex() for one in sent]
    said[bits] = [ours, svd]
print(json.dumps(said))
"""
KINDS: list[dict[str, str]] = [
    {},
    {"OPENBLAS_CORETYPE": "Prescott"},
    {"OPENBLAS_CORETYPE": "Haswell"},
    {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"},
]


def said_by(kind: dict[str, str], contents: dict[str, list[str]]) -> Any:
    environment = {**os.environ, **kind, "PYTHONWARNINGS": "ignore", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SCRIPT, json.dumps(contents)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="kernels are chosen by names of x86-64 processors")
def test_other_kernels_make_the_same_beams() -> None:
    contents = {
        bits: [Report.measure(channels(12, 4, 4, seed), 0.05, bits=int(bits)).to_bytes().hex() for seed in range(10)] for bits in "236"
    }
    first, *others = (said_by(kind, contents) for kind in KINDS)
    for bits in contents:
        assert all(other[bits][0] == first[bits][0] for other in others)
    if all(other["kernels"] == first["kernels"] for other in others):
        pytest.skip("this NumPy has one kind of kernels only")
    assert any(other["2"][1] != first["2"][1] for other in others)  # beams by the SVD do differ
