"""The runtime refuses what is not a whole, unchanged file of the library, as the library does."""

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis.strategies import booleans, data, dictionaries, floats, integers, lists, none, sampled_from, text

import latentlink as ll
import latentlink_runtime as lr
from latentlink_runtime.artifacts import artifact_file

FOLDER = Path(__file__).parents[2] / "runtime" / "conformance"
FILES = ("head", "pair", "link-mean-4x4-2", "codec-mean", "codec-link-on", "pair.device", "codec-mean.device")
FORGED = (*FILES, "link-per-message-4x4-2", "codec-peak")
NOT_READ = ("gram", "variance", "weighted_variance", "covariance", "calibration.projected")  # of pairs and codecs, by the runtime


def test_both_distributions_raise_the_same_error():
    assert lr.ArtifactError is ll.ArtifactError


@pytest.mark.parametrize("name", FILES)
def test_a_changed_or_cut_file_is_refused(name, tmp_path):
    content, path = (FOLDER / f"{name}.safetensors").read_bytes(), tmp_path / "changed.safetensors"
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


def sealed(tensors, manifest, path):
    """Write arrays with the right digest, as one who forges a file can."""
    text = json.dumps({**manifest, "sha256": artifact_file.BLANK}, sort_keys=True)
    path.write_bytes(artifact_file.seal(safetensors.numpy.save(tensors, {"manifest": text})))


def others(value):
    """Arrays of other sizes or types, or none at all."""
    for axis, size in enumerate(value.shape):
        yield np.take(value, range(size + 1), axis, mode="clip")
        if size > 1:
            yield np.take(value, range(size - 1), axis)
    yield value[None]
    yield np.zeros(value.shape, np.int8)
    yield np.zeros(value.shape, np.float16)
    yield None


@pytest.mark.parametrize("name", FORGED)
def test_sealed_files_whose_arrays_do_not_fit_together_are_refused(name, tmp_path):
    """For every array that the runtime reads; calibration may have any number of rows, a link no moments."""
    tensors, manifest = artifact_file.read(FOLDER / f"{name}.safetensors")
    path, tried = tmp_path / "forged.safetensors", 0
    sealed(tensors, manifest, path)
    lr.load(path)
    for key, value in tensors.items():
        if key.removeprefix("modes.") in NOT_READ and ".device" not in name and key != "modes.covariance":
            continue
        for number, other in enumerate(others(value)):
            if (key == "calibration.z" and number < 2) or (other is None and key.startswith("moments_")):
                continue
            sealed({**tensors, key: other} if other is not None else {k: v for k, v in tensors.items() if k != key}, manifest, path)
            with pytest.raises(lr.ArtifactError, match=r"forged\.safetensors: not what a"):
                lr.load(path)
            tried += 1
    assert tried >= 14


@given(data())
def test_sealed_files_with_other_manifests_are_refused_or_read(chosen):
    """Whatever a manifest says, a file is read or refused, and nothing else happens."""
    tensors, manifest = artifact_file.read(FOLDER / f"{chosen.draw(sampled_from(FORGED))}.safetensors")
    key = chosen.draw(sampled_from(sorted(manifest)))
    plain = none() | booleans() | integers(-2, 2**70) | floats() | text(max_size=8)
    manifest[key] = chosen.draw(plain | lists(plain, max_size=3) | dictionaries(text(max_size=8), plain, max_size=2))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "forged.safetensors"
        sealed(tensors, manifest, path)
        with suppress(lr.ArtifactError):
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
