"""The runtime refuses what is not a whole, unchanged file of the library, as the library does."""

from pathlib import Path

import numpy as np
import pytest

import latentlink as ll
import latentlink_runtime as lr
from latentlink_runtime.artifacts import artifact_file

FOLDER = Path(__file__).parents[2] / "runtime" / "conformance"
FILES = ("head.safetensors", "pair.safetensors", "link-mean-4x4-2.safetensors", "codec-mean.safetensors", "codec-link-on.safetensors")


def test_both_distributions_raise_the_same_error():
    assert lr.ArtifactError is ll.ArtifactError


@pytest.mark.parametrize("name", FILES)
def test_a_changed_or_cut_file_is_refused(name, tmp_path):
    content, path = (FOLDER / name).read_bytes(), tmp_path / "changed.safetensors"
    generator = np.random.default_rng(0)
    for place in [0, 7, 8, *generator.integers(0, len(content), 40), len(content) - 1]:
        changed = bytearray(content)
        changed[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(changed)
        with pytest.raises(lr.ArtifactError, match="changed"):
            lr.load(path)
    for length in (0, 4, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(lr.ArtifactError, match=r"changed\.safetensors"):
            lr.load(path)


def test_what_is_no_artifact_is_refused_by_name(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError):
        lr.load(tmp_path / "missing.safetensors")
    with pytest.raises(lr.ArtifactError, match="a folder, not a file"):
        lr.load(tmp_path)
    monkeypatch.setattr(artifact_file.read, "__defaults__", (1000,))
    with pytest.raises(lr.ArtifactError, match="expected at most 1000"):
        lr.load(FOLDER / "codec-mean.safetensors")


def test_kinds_that_need_the_library_are_refused_with_the_remedy(tmp_path):
    moments = ll.Moments.from_pairs(np.eye(8), np.eye(8)[:, :4])
    moments.save(tmp_path / "moments.safetensors")
    with pytest.raises(lr.ArtifactError, match=r"a moments, which the runtime does not read.*latentlink\.load may"):
        lr.load(tmp_path / "moments.safetensors")


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((3, 25)), r"\(\.\.\., n, 24\), got float64 \(3, 25\)"),
        (np.zeros(24), r"\(\.\.\., n, 24\)"),
        (np.zeros((3, 24), complex), "must be real"),
        (np.full((3, 24), np.nan), "NaN or infinite"),
        (np.full((3, 24), 1e300), "beyond the precision"),
    ],
)
def test_latents_that_do_not_fit_are_refused(x, message):
    for name in ("link-mean-4x4-2.safetensors", "codec-link-on.safetensors"):
        with pytest.raises(ValueError, match=message), np.errstate(over="ignore"):
            lr.load(FOLDER / name).encode(x)


def test_symbols_that_do_not_fit_are_refused():
    link = lr.load(FOLDER / "link-mean-4x4-2.safetensors")
    for r in (np.zeros((3, 2, 4)), np.zeros((3, 1, 4), complex), np.zeros((2, 4), complex)):
        with pytest.raises(ValueError, match=r"r must be complex symbols of shape \(\.\.\., n, 2, 4\)"):
            link.decode(r)
    with pytest.raises(ValueError, match="2 uses of 4 transmit antennas, got 1 of 4"):
        link.matched_to(lr.Channel(np.ones((1, 4, 4), complex)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"h": np.ones((1, 2, 2))}, "h must be complex"),
        ({"h": np.ones((2, 2), complex)}, "h must be complex of shape"),
        ({"h": np.full((1, 2, 2), np.nan + 0j)}, "NaN or infinite"),
        ({"h": np.ones((1, 2, 2), complex), "noise_variance": -1.0}, "noise_variance must be finite and not negative"),
    ],
)
def test_channels_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        lr.Channel(**arguments)
