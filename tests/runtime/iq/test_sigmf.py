"""Laws of recordings: what is read is what was written, no byte changed, and the sigmf package agrees that they are SigMF."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentlink_runtime.iq.protocol import IQError
from latentlink_runtime.iq.sigmf import SigMFSink, SigMFSource
from latentlink_runtime.iq.sigmf_metadata import parse_metadata
from runtime.iq.helpers import numbered, read_all


def record(path: Path, samples: Any, datatype: str = "cf32_le") -> Path:
    sink = SigMFSink(path / "take.sigmf-meta", 1e6, samples.shape[1], datatype=datatype, frequency=2.4e9, fields={"pair": "ab" * 32})
    for number, part in enumerate(np.array_split(samples, 7)):
        sink.annotate(sink.written, len(part), "frame", sequence=number, epoch=3)
        sink.write(part)
    sink.close()
    sink.close()
    return path / "take"


@pytest.mark.parametrize(("datatype", "error"), [("cf32_le", 0.0), ("ci16_le", 1e-4)])
def test_what_is_read_is_what_was_written(tmp_path: Path, datatype: str, error: float) -> None:
    whole = numbered(5000, 4) / 5000
    source = SigMFSource(record(tmp_path, whole, datatype))
    samples, _ = read_all(source, 5000, 333)
    np.testing.assert_allclose(samples, whole, atol=error)
    assert (source.rate, source.antennas, source.samples, source.fields) == (1e6, 4, 5000, {"pair": "ab" * 32})
    assert [each["latentlink:sequence"] for each in source.annotations] == list(range(7))
    with pytest.raises(EOFError):
        source.read(1)
    source.close()


def test_the_package_agrees(tmp_path: Path) -> None:
    if find_spec("sigmf") is None:  # it is imported by the process that reads alone, since that takes seconds
        pytest.skip("the sigmf package is not installed")
    paths = []
    for datatype in ("cf32_le", "ci16_le"):
        (tmp_path / datatype).mkdir()
        paths.append(record(tmp_path / datatype, numbered(500, 4) / 500, datatype))
    script = """
import sys, warnings
import numpy as np
warnings.simplefilter("ignore")
import sigmf
for path in sys.argv[1:]:
    recording = sigmf.fromfile(path + ".sigmf-meta")
    recording.validate()
    samples = recording.read_samples()
    assert samples.shape == (500, 4), samples.shape
    assert np.abs(samples.real[:, 0] - np.arange(500) / 500).max() < 1e-4
    assert recording.get_annotations()[3]["latentlink:epoch"] == 3
    assert recording.get_global_info()["latentlink:pair"] == "ab" * 32
"""
    done = subprocess.run([sys.executable, "-c", script, *map(str, paths)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_changed_byte_is_refused(tmp_path: Path) -> None:
    path = record(tmp_path, numbered(50))
    rng = np.random.default_rng(1)
    data = path.with_suffix(".sigmf-data")
    whole = data.read_bytes()
    for _ in range(100):
        content = bytearray(whole)
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        data.write_bytes(content)
        with pytest.raises(IQError, match="SHA-512"):
            SigMFSource(path)
    data.write_bytes(whole[:-8])
    with pytest.raises(IQError, match="SHA-512"):
        SigMFSource(path)


def test_mutated_metadata_are_refused_or_say_the_same(tmp_path: Path) -> None:
    path = record(tmp_path, numbered(20))
    meta = path.with_suffix(".sigmf-meta")
    whole, rng, taken = meta.read_bytes(), np.random.default_rng(2), 0
    before = json.loads(whole)
    del before["global"]["latentlink:sha256"]
    for _ in range(10_000):
        content = bytearray(whole)
        match rng.integers(3):
            case 0:
                content[rng.integers(len(content))] = rng.integers(256)
            case 1:
                content[rng.integers(len(content)) :] = b""
            case _:
                start, count = rng.integers(len(content), size=2) % [len(content), 40]
                content[start : start + count] = content[: rng.integers(40)]
        try:
            described, annotations = parse_metadata(bytes(content), meta)
        except IQError:
            continue
        taken += 1
        assert annotations == before["annotations"]
        known = [name for name in before["global"] if name in described]
        assert len(known) >= len(before["global"]) - 1
        assert all(described[name] == before["global"][name] for name in known)
    assert taken < 2000


HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"core:datatype": "cf64_le"}, "datatype"),
    ({"core:datatype": ["cf32_le"]}, "datatype"),
    ({"core:sample_rate": 10**400}, "sample_rate"),
    ({"core:sample_rate": "1e6"}, "sample_rate"),
    ({"core:sample_rate": -1}, "rate"),
    ({"core:sample_rate": True}, "sample_rate"),
    ({"core:num_channels": 2**40}, "antennas"),
    ({"core:num_channels": 0}, "antennas"),
    ({"core:num_channels": 2.0}, "num_channels"),
    ({"core:num_channels": 3}, "whole samples"),
    ({"core:sha512": None}, "sha512"),
    ({"core:sha512": "0" * 128}, "SHA-512"),
    ({"core:dataset": "/etc/passwd"}, "dataset"),
    ({"core:trailing_bytes": 8}, "trailing_bytes"),
]


@pytest.mark.parametrize(("changed", "word"), HOSTILE, ids=lambda value: str(value)[:40])
def test_hostile_metadata(tmp_path: Path, changed: dict[str, Any], word: str) -> None:
    path = record(tmp_path, numbered(20))
    meta = path.with_suffix(".sigmf-meta")
    content = json.loads(meta.read_text())
    del content["global"]["latentlink:sha256"], content["global"]["core:recorder"]  # as of another's recording
    content["global"].update(changed)
    meta.write_text(json.dumps(content))
    with pytest.raises(IQError, match=word):
        SigMFSource(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "[" * 100_000, '{"global": 3}', '{"global": {}, "annotations": 3}', "\ufeff", '{"a":' * 10_000, "1" * 10_000]
)
def test_what_is_no_metadata(tmp_path: Path, text: str) -> None:
    path = record(tmp_path, numbered(20))
    path.with_suffix(".sigmf-meta").write_text(text)
    with pytest.raises(IQError):
        SigMFSource(path)


def test_a_recording_of_ours_needs_its_digest(tmp_path: Path) -> None:
    path = record(tmp_path, numbered(20))
    meta = path.with_suffix(".sigmf-meta")
    meta.write_text(meta.read_text().replace("latentlink:sha256", "latentlink:sha25G"))
    with pytest.raises(IQError, match="SHA-256"):
        SigMFSource(path)


@pytest.mark.parametrize("annotations", [3, [3], [{}], [{"core:sample_start": -1}], [{"core:sample_start": 1.5}]])
def test_hostile_annotations(tmp_path: Path, annotations: Any) -> None:
    path = record(tmp_path, numbered(20))
    meta = path.with_suffix(".sigmf-meta")
    content = json.loads(meta.read_text())
    del content["global"]["latentlink:sha256"], content["global"]["core:recorder"]
    meta.write_text(json.dumps({**content, "annotations": annotations}))
    with pytest.raises(IQError, match="annotations"):
        SigMFSource(path)


def test_a_recording_is_never_overwritten_nor_longer_than_it_may_be(tmp_path: Path) -> None:
    record(tmp_path, numbered(20))
    with pytest.raises(FileExistsError):
        record(tmp_path, numbered(20))
    sink = SigMFSink(tmp_path / "short", 1e6, 2, most=10)
    with pytest.raises(ValueError, match="at most 10"):
        sink.write(numbered(11))
    sink.close()
    with pytest.raises(ValueError, match="open"):
        sink.write(numbered(1))
    with pytest.raises(ValueError, match="datatype"):
        SigMFSink(tmp_path / "other", 1e6, 2, datatype="rf32")


def test_a_recording_without_its_end_is_none(tmp_path: Path) -> None:
    sink = SigMFSink(tmp_path / "take", 1e6, 2)
    sink.write(numbered(10))
    with pytest.raises(OSError, match="sigmf-meta"):
        SigMFSource(tmp_path / "take")
    sink.close()
    source = SigMFSource(tmp_path / "take.sigmf-data")
    assert source.samples == 10
    source.close()
