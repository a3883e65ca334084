"""Every array of a file has to fit the others: a right digest over wrong shapes is refused when the file is read, and never at use."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import latentlink_runtime as lr
from latentlink_runtime.artifacts.artifact_file import BLANK, read, seal

KIT = Path(__file__).parents[2] / "runtime" / "conformance"
NAMES = (
    "pair",
    "head",
    "link-mean-2x4-4",
    "link-per-message-4x2-3",
    "link-equal-4x4-2",
    "codec-mean",
    "codec-per-message",
    "codec-link-on",
)
FILES = [KIT / f"{name}.safetensors" for name in NAMES]

UNREAD = {"gram", "covariance", "variance", "weighted_variance", "calibration.projected"}  # by the runtime


def write(path: Path, tensors: dict[str, Any], manifest: dict[str, Any]) -> Path:
    """A file with its digest."""
    header, body = {"__metadata__": {"manifest": json.dumps({**manifest, "sha256": BLANK})}}, b""
    names = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "bool": "BOOL"}
    for name, value in tensors.items():
        content = np.ascontiguousarray(value).tobytes()
        header[name] = {"dtype": names[value.dtype.name], "shape": value.shape, "data_offsets": [len(body), len(body) + len(content)]}  # type: ignore[dict-item]
        body += content
    text = json.dumps(header).encode()
    path.write_bytes(seal(len(text).to_bytes(8, "little") + text + body))
    return path


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_other_shapes_and_types_are_refused_by_name(file: Path, tmp_path: Path) -> None:
    tensors, manifest = read(file)
    lr.load(write(tmp_path / "same.safetensors", tensors, manifest))
    for name, value in tensors.items():
        if name.removeprefix("modes.") in UNREAD:
            continue
        others = [value.astype(np.float16)]
        others += [value[None, None, None]] if name != "channel.h" else []  # a batch of one channel
        others += [value[..., :-1]] if value.ndim else []
        others += [value[:-1], np.concatenate([value, value])] if value.ndim and name != "calibration.z" else []  # of any number
        others += [value.T] if value.ndim == 2 and value.shape[0] != value.shape[1] else []
        for other in others:
            with pytest.raises(lr.ArtifactError, match="must"):
                lr.load(write(tmp_path / "changed.safetensors", {**tensors, name: other}, manifest))


@pytest.mark.parametrize("size", [0, -1, 3, 10**30, 2.0, True, "4", None, float("inf")])
def test_a_manifest_that_tells_other_sizes_is_refused(size: Any, tmp_path: Path) -> None:
    for name, fields in (
        ("pair", ("tx_dim", "rx_dim", "modes")),
        ("codec-mean", ("max_symbols",)),
        ("link-mean-4x4-2", ("channel_uses", "n_tx")),
    ):
        tensors, manifest = read(KIT / f"{name}.safetensors")
        for field in fields:
            with pytest.raises(lr.ArtifactError):
                lr.load(write(tmp_path / "changed.safetensors", tensors, {**manifest, field: size}))


def test_numbers_of_modes_that_are_not_there_are_refused(tmp_path: Path) -> None:
    tensors, manifest = read(KIT / "codec-mean.safetensors")
    for name in ("inputs", "outputs"):
        for number in (-1, 18, 2**62):
            other = tensors[name].copy()
            other[3] = number
            with pytest.raises(lr.ArtifactError, match=name):
                lr.load(write(tmp_path / "changed.safetensors", {**tensors, name: other}, manifest))


def test_a_batch_of_channels_is_read(tmp_path: Path) -> None:
    """What stands for the batch broadcasts to it, and only that."""
    tensors, manifest = read(KIT / "link-mean-4x4-2.safetensors")
    batch = {
        name: np.broadcast_to(value, (3, *value.shape))
        for name, value in tensors.items()
        if name not in ("analysis", "synthesis", "mean_x", "mean_y")
    }
    manifest = {**manifest, "channels": [3]}
    assert lr.load(write(tmp_path / "batch.safetensors", {**tensors, **batch}, manifest)).encode(np.zeros((1, 24))).shape == (3, 1, 2, 4)
    with pytest.raises(lr.ArtifactError, match="precoder must"):
        lr.load(write(tmp_path / "batch.safetensors", {**tensors, **batch, "precoder": batch["precoder"][:2]}, manifest))
    with pytest.raises(lr.ArtifactError, match="analysis must"):
        lr.load(write(tmp_path / "batch.safetensors", {**tensors, **batch, "analysis": tensors["analysis"][None]}, manifest))


def test_reading_takes_at_most_twice_the_file(tmp_path: Path) -> None:
    manifest = {**read(KIT / "head.safetensors")[1], "latent_dim": 2000, "classes": 500}
    path = write(tmp_path / "large.safetensors", {"weight": np.zeros((500, 2000)), "bias": np.zeros(500)}, manifest)
    tracemalloc.start()
    try:
        lr.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.05 * path.stat().st_size


def test_a_digest_that_is_none_is_refused(tmp_path: Path) -> None:
    for digest in ("\ud800", "0" * 63, "G" * 64, "ä" * 64, ""):
        path = tmp_path / "changed.safetensors"
        header = json.dumps({"__metadata__": {"manifest": json.dumps({"sha256": digest, "kind": "pair", "format_version": 1})}}).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        with pytest.raises(lr.ArtifactError, match="manifest"):
            lr.load(path)


def test_what_has_no_end_is_not_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(lr.ArtifactError, match="expected at most 1000"):
        read("/dev/zero", 1000)
