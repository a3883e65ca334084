"""ONNX graphs of codecs: they conform as PyTorch and NumPy do, serve every channel, and refuse what belongs to another codec."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import latentlink_runtime as lr
from latentlink.deploy.onnx import export_onnx
from latentlink_runtime.conformance import Case, cases, differences
from latentlink_runtime.onnx_link import load_onnx, real_matrix

REASON = "onnx or onnxruntime is not installed: the ONNX graphs were not tested"
pytest.importorskip("onnx", reason=REASON)
pytest.importorskip("onnxruntime", reason=REASON)

FOLDER = Path(__file__).parents[2] / "runtime" / "conformance"
CASES = [case for case in cases(FOLDER) if case.link.name.startswith("codec")]
HEAD = lr.load(FOLDER / "head.safetensors")
TOLERANCE = 2e-6


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """Gives the folder of a codec's graphs, made once."""

    @cache
    def made(path):
        return export_onnx(path, tmp_path_factory.mktemp("onnx"))[0].parent

    return made


@pytest.fixture
def read(graphs):
    return lambda path: load_onnx(path, graphs(path))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_onnx_conforms(case: Case, read):
    found = differences(case, read, HEAD)
    assert max(found.values()) <= TOLERANCE, found


def test_one_pair_of_graphs_serves_every_channel_messages_and_batches(read):
    """One session has any number of messages, streams, antennas and channels, one after the other."""
    codec, onnx = lr.load(FOLDER / "codec-mean.safetensors"), read(FOLDER / "codec-mean.safetensors")
    generator = np.random.default_rng(0)
    x = CASES[0].expected["x"]
    for batch, uses, n_rx, n_tx in ((), 1, 4, 4), ((), 2, 1, 4), ((5,), 1, 3, 2), ((3,), 1, 2, 2):
        h = (generator.normal(size=(*batch, uses, n_rx, n_tx)) + 1j * generator.normal(size=(*batch, uses, n_rx, n_tx))) / 2**0.5
        here, there = codec.design(lr.Channel(h, 0.1)), onnx.design(lr.Channel(h, 0.1))
        for messages in x[:1], x[:7], np.broadcast_to(x, (*(batch or (1,)), *x.shape)):
            s = here.encode(messages)
            np.testing.assert_allclose(there.encode(messages), s, atol=2e-6)
            r = np.repeat(s, 2, -1)[..., :n_rx]  # of the right size, which is all that counts here
            np.testing.assert_allclose(there.decode(r), here.decode(r), atol=2e-5)


def test_graphs_of_another_codec_are_refused(tmp_path, graphs):
    path = FOLDER / "codec-mean.safetensors"
    with pytest.raises(lr.ArtifactError, match=r"another codec.*export it again"):
        load_onnx(FOLDER / "codec-peak.safetensors", graphs(path))
    with pytest.raises(lr.ArtifactError, match="a LinearDesign, expected a codec"):
        load_onnx(FOLDER / "pair.safetensors", graphs(path))
    with pytest.raises(ValueError, match="path must be the file of a codec"):
        export_onnx(FOLDER / "pair.safetensors", tmp_path)
    (tmp_path / "transmitter.onnx").write_bytes(b"no graph")
    with pytest.raises(lr.ArtifactError, match="no ONNX graph"):
        load_onnx(path, tmp_path)
    with pytest.raises(FileNotFoundError):
        load_onnx(path, tmp_path / "nowhere")


def test_what_is_wrong_with_messages_is_said_as_numpy_says_it(read):
    link = read(FOLDER / "codec-link-on.safetensors")
    with pytest.raises(ValueError, match="x must be real latents"):
        link.encode(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="r must be complex symbols"):
        link.decode(np.zeros((3, 1, 4)))
    with pytest.raises(ValueError, match="r has NaN"):
        link.receive(np.full((3, 1, 4), np.nan, np.complex64))


def test_the_same_file_makes_the_same_graphs(tmp_path, graphs):
    path = FOLDER / "codec-link-on.safetensors"
    for name, again in zip(sorted(graphs(path).iterdir()), sorted(export_onnx(path, tmp_path)), strict=True):
        assert name.read_bytes() == again.read_bytes()


def test_a_complex_matrix_as_a_real_one():
    generator = np.random.default_rng(1)
    M, r = (generator.normal(size=size) + 1j * generator.normal(size=size) for size in ((3, 2), (5, 3)))
    np.testing.assert_allclose((r.view(float) @ real_matrix(M)).view(complex), r @ M, atol=1e-12)
