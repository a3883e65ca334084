"""ONNX graphs of codecs: they conform as PyTorch and NumPy do, serve every channel, and refuse what belongs to another codec."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import latentlink as ll
import latentlink_runtime as lr
from latentlink.deploy.onnx import export_onnx
from latentlink_runtime.conformance import Case, cases, difference, differences
from latentlink_runtime.onnx_link import load_onnx, real_matrix

REASON = "onnx or onnxruntime is not installed: the ONNX graphs were not tested"
pytest.importorskip("onnx", reason=REASON)
pytest.importorskip("onnxruntime", reason=REASON)

FOLDER = Path(__file__).parents[2] / "runtime" / "conformance"
CASES = [case for case in cases(FOLDER) if case.link.name.startswith("codec")]
HEAD_FILE = FOLDER / "head.safetensors"
HEAD = lr.load(HEAD_FILE)
TOLERANCE = 2e-6


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """Gives the folder of a codec's graphs, made once, of the full file where there is one for devices."""

    @cache
    def made(path):
        return export_onnx(path.with_name(path.name.replace(".device", "")), tmp_path_factory.mktemp("onnx"), HEAD_FILE)[0].parent

    return made


@pytest.fixture
def read(graphs):
    return lambda path: load_onnx(path, graphs(path))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_onnx_conforms(case: Case, read):
    found = differences(case, read, HEAD)
    link = read(case.link)
    link = link.design(case.channel()) if case.kind == "design" else link
    found["outputs of the graph"] = difference(link.outputs(case.expected["r"]), case.expected["outputs"])
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


def test_a_device_needs_the_graphs_of_its_end_alone(tmp_path, graphs):
    """A receiver that decides has no Ψ, neither in a file nor in memory."""
    path = FOLDER / "codec-link-on.safetensors"
    case = next(case for case in CASES if case.link == path)
    x, r = case.expected["x"], case.expected["r"]
    sizes = {file.name: file.stat().st_size for file in graphs(path).iterdir()}
    synthesis = 4 * lr.load(path).synthesis.size
    assert sizes["receiver.onnx"] - synthesis < sizes["coefficients.onnx"] < sizes["receiver.onnx"]
    for name, works, refused in (
        ("transmitter.onnx", {"encode": x}, {"receive": r, "decode": r, "outputs": r}),
        ("receiver.onnx", {"receive": r, "decode": r}, {"encode": x, "outputs": r}),
        ("coefficients.onnx", {"receive": r, "outputs": r}, {"encode": x, "decode": r}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(graphs(path) / name, folder)
        link = load_onnx(path, folder)
        for method, given in works.items():
            assert len(getattr(link, method)(given)) == len(x)
        for method, given in refused.items():
            with pytest.raises(ValueError, match=r"cannot be computed: \w+\.onnx is not there; export it again, and copy it"):
                getattr(link, method)(given)


def test_outputs_need_a_head_of_the_same_latents(tmp_path):
    path, other = FOLDER / "codec-link-on.safetensors", tmp_path / "head.safetensors"
    export_onnx(path, tmp_path)
    with pytest.raises(ValueError, match=r"outputs cannot be computed: coefficients\.onnx was exported without a head"):
        load_onnx(path, tmp_path).outputs(np.zeros((3, 1, 4), np.complex64))
    y = np.random.default_rng(0).normal(size=(50, 6))
    ll.fit_head(y, (y[:, 0] > 0).astype(int)).save(other)
    for head, found in ((other, "one of 6"), (path, "a CodecLink")):
        with pytest.raises(ValueError, match=f"head must be the file of a head on latents of 18 dimensions, got .*{found}"):
            export_onnx(path, tmp_path, head)


def test_results_are_the_callers_own(read):
    """A link keeps the memory of a message for the next one; neither the next call nor another thread changes what was given back."""
    link, numpy_link = read(FOLDER / "codec-link-on.safetensors"), lr.load(FOLDER / "codec-link-on.safetensors")
    messages = np.random.default_rng(2).normal(size=(60, 4, 24))
    expected = numpy_link.encode(messages)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(link.encode, messages))
    np.testing.assert_allclose(found, expected, atol=2e-6)
    np.testing.assert_allclose(link.encode(messages.reshape(3, 20, 4, 24)).reshape(expected.shape), expected, atol=2e-6)
    assert link.encode(messages[0, :0]).shape == (0, 1, 4)
    assert link.decode(np.zeros((0, 1, 4), np.complex64)).shape == (0, 18)


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
    with pytest.raises(FileNotFoundError, match=r"has none of transmitter\.onnx, receiver\.onnx, coefficients\.onnx"):
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
    for name, again in zip(sorted(graphs(path).iterdir()), sorted(export_onnx(path, tmp_path, HEAD_FILE)), strict=True):
        assert name.read_bytes() == again.read_bytes()


def test_a_complex_matrix_as_a_real_one():
    generator = np.random.default_rng(1)
    M, r = (generator.normal(size=size) + 1j * generator.normal(size=size) for size in ((3, 2), (5, 3)))
    np.testing.assert_allclose((r.view(float) @ real_matrix(M)).view(complex), r @ M, atol=1e-12)
