"""Files for devices: smaller, the same links as those of the full files, and one digest for both."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import latentlink as ll
import latentlink_runtime as lr
from latentlink.deploy.device import export_device
from latentlink_runtime.artifacts.artifact_file import BLANK, pair_digest, read, seal
from latentlink_runtime.conformance import TOLERANCE, cases, differences
from latentlink_runtime.feedback.links import link_from_feedback
from latentlink_runtime.feedback.report import Report

FOLDER = Path(__file__).parents[2] / "runtime" / "conformance"
CODECS = ("codec-mean", "codec-peak", "codec-per-message")


def channels(n_rx, n_tx, count=6, seed=0):
    """Rayleigh channels of one use, at noise from strong to weak."""
    generator = np.random.default_rng(seed)
    h = generator.normal(size=(count, 1, n_rx, n_tx)) + 1j * generator.normal(size=(count, 1, n_rx, n_tx))
    return lr.Channel(h / 2**0.5, np.logspace(-3, 0.5, count))


def both(name, folder, **settings):
    """A file of the kit and its file for devices."""
    full = FOLDER / f"{name}.safetensors"
    return full, export_device(full, folder / f"{name}.device.safetensors", **settings)


def pruned(folder):
    """A codec of which the networks read and give some modes only, in another order."""
    tensors, manifest = read(FOLDER / "codec-mean.safetensors")
    inputs, outputs = np.array([*range(16), 17]), np.array([3, *range(3), *range(5, 18)])
    tensors |= {"inputs": inputs, "outputs": outputs}
    tensors["encoder.layers.0.weight"] = tensors["encoder.layers.0.weight"][:, inputs]
    last = [*outputs, 18]
    for name, rows in (("out", outputs), ("last", last)):
        tensors |= {f"decoder.{name}.{part}": tensors[f"decoder.{name}.{part}"][rows] for part in ("weight", "bias")}
    manifest["networks"]["encoder"][0], manifest["networks"]["decoder"][-1] = len(inputs), len(outputs)
    text = json.dumps({**manifest, "sha256": BLANK}, sort_keys=True)
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    (folder / "pruned.safetensors").write_bytes(seal(safetensors.numpy.save(tensors, {"manifest": text})))
    return folder / "pruned.safetensors"


def assert_same(full, device, x, channel):
    """Two designs make the same link of a channel, bit for bit."""
    here, there = full.design(channel), device.design(channel)
    s = here.encode(x)
    np.testing.assert_array_equal(there.encode(x), s)
    r = np.einsum("curt,cnut->cnur", channel.h, s)
    np.testing.assert_array_equal(there.decode(r), here.decode(r))
    other = lr.Channel(0.9 * channel.h + 0.1, 1.3 * channel.noise_variance)
    np.testing.assert_array_equal(there.matched_to(other).decode(r), here.matched_to(other).decode(r))


@pytest.mark.parametrize("name", ["pair", *CODECS])
def test_the_kit_holds_files_for_devices_to_what_it_expects_of_full_ones(name, tmp_path):
    full, device = both(name, tmp_path)
    found = [max(differences(case, read=lambda path: lr.load(device)).values()) for case in cases(FOLDER) if case.link == full]
    assert len(found) >= 3
    assert max(found) <= TOLERANCE


@pytest.mark.parametrize("name", ["pair", *CODECS])
def test_links_are_bit_for_bit_those_of_the_full_file(name, tmp_path):
    full, device = map(lr.load, both(name, tmp_path))
    x = np.random.default_rng(1).normal(size=(7, 24))
    for n_rx, n_tx in ((1, 1), (2, 4), (4, 2), (8, 8)):
        assert_same(full, device, x, channels(n_rx, n_tx))


def test_modes_that_the_networks_do_not_use_are_left_out(tmp_path):
    full = pruned(tmp_path)
    device = export_device(full, tmp_path / "device.safetensors")
    assert [read(device)[0][f"modes.{name}"].shape for name in ("analysis", "synthesis")] == [(17, 24), (18, 17)]
    assert_same(lr.load(full), lr.load(device), np.random.default_rng(2).normal(size=(7, 24)), channels(4, 4))


@pytest.mark.parametrize("name", ["pair", "codec-mean"])
def test_both_ends_agree_whichever_file_they_have(name, tmp_path):
    """Digests of beams are rounded, but strengths of the modes in float32 would move some of so many across a step."""
    full, device = both(name, tmp_path)
    assert pair_digest(full) == pair_digest(device) == hashlib.sha256(full.read_bytes()).hexdigest()
    assert pair_digest(full) != pair_digest(FOLDER / "codec-peak.safetensors")
    assert pair_digest(full) == pair_digest(FOLDER / f"{name}.device.safetensors"), "the kit's own is of an older file"
    for seed in range(20):
        content = Report.measure(channels(4, 4, 48, seed).h[:, 0], 0.1, bits=6).to_bytes()
        made = [link_from_feedback(lr.load(path), content, 48).digest for path in (full, device)]
        assert made[0] == made[1]


def test_what_a_device_does_not_need_is_not_in_its_file(tmp_path):
    for name, smaller in (("pair", 0.6), ("codec-mean", 0.97)):
        full, device = both(name, tmp_path)
        tensors, manifest = read(device)
        assert device.stat().st_size < smaller * full.stat().st_size
        assert not {"provenance", "encoders", "shrinkage"} & set(manifest)
        wide = {key for key, value in tensors.items() if value.dtype == np.float64}
        assert {key.removeprefix("modes.") for key in wide} == {"strength"}


def test_a_pair_for_small_messages_has_their_modes_alone(tmp_path):
    full, device = both("pair", tmp_path, max_symbols=4)
    assert read(device)[0]["analysis"].shape == (8, 24)
    here, there = lr.load(full), lr.load(device)
    assert_same(here, there, np.random.default_rng(3).normal(size=(7, 24)), channels(4, 4))
    with pytest.raises(ValueError, match="at most 4 symbols for this file, got 5; export it for more"):
        there.design(channels(5, 5))
    _, all_modes = both("pair", tmp_path, max_symbols=9)
    assert lr.load(all_modes).design(channels(12, 12)).analysis.shape == (18, 24)


@pytest.mark.parametrize("kind", ["head", "regression head"])
def test_heads(kind, tmp_path):
    y = np.random.default_rng(4).normal(size=(200, 18))
    made = ll.fit_head(y, np.where(y[:, 0] > 0, "high", "low")) if kind == "head" else ll.nn.RegressionHead.fit(y, y[:, :3])
    made.save(tmp_path / "head.safetensors")
    head, device = lr.load(tmp_path / "head.safetensors"), lr.load(export_device(tmp_path / "head.safetensors", tmp_path / "device"))
    np.testing.assert_allclose(device(y), head(y), rtol=0, atol=1e-6 * np.abs(head(y)).max())
    assert device.classes == head.classes == (("high", "low") if kind == "head" else None)


def test_what_no_device_file_can_be_made_of_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"source must be the file of a pair, a codec.*a codec link"):
        export_device(FOLDER / "codec-link-on.safetensors", tmp_path / "no")
    with pytest.raises(ValueError, match="a device pair"):
        export_device(FOLDER / "pair.device.safetensors", tmp_path / "no")
    for name, most in (("codec-mean", 4), ("pair", 0)):
        with pytest.raises(ValueError, match=f"max_symbols must be at least 1, and is for pairs alone, got {most}"):
            export_device(FOLDER / f"{name}.safetensors", tmp_path / "no", max_symbols=most)
    with pytest.raises(FileNotFoundError):
        export_device(FOLDER / "missing.safetensors", tmp_path / "no")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ll.ArtifactError, match=r"a device pair, which latentlink_runtime\.load reads; latentlink needs the file"):
        ll.load(FOLDER / "pair.device.safetensors")


@pytest.mark.parametrize("digest", [None, 3, "abc", "G" * 64, "a" * 65])
def test_a_file_that_belongs_to_no_pair_is_refused(digest, tmp_path):
    tensors, manifest = read(FOLDER / "pair.device.safetensors")
    text = json.dumps({**manifest, "pair_sha256": digest, "sha256": BLANK}, sort_keys=True)
    path = tmp_path / "device.safetensors"
    path.write_bytes(seal(safetensors.numpy.save(tensors, {"manifest": text})))
    for read_it in (lr.load, pair_digest):
        with pytest.raises(lr.ArtifactError, match="pair_sha256 must be the 64 digits"):
            read_it(path)
