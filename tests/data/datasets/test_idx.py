import gzip
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlink.data.datasets.images import read_idx


def idx_bytes(values, kind=8):
    return struct.pack(f">HBB{values.ndim}I", 0, kind, values.ndim, *values.shape) + values.numpy().tobytes()


IMAGES = torch.randint(0, 256, (5, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.booleans(), st.integers(0, 2**31))
def test_what_was_written_is_read(tmp_path_factory, shape, zipped, seed):
    values = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    path = tmp_path_factory.mktemp("idx") / ("values.gz" if zipped else "values")
    path.write_bytes(gzip.compress(idx_bytes(values), mtime=0) if zipped else idx_bytes(values))
    torch.testing.assert_close(read_idx(path, ndim=len(shape)), values)


WHOLE = idx_bytes(IMAGES)
ZIPPED = gzip.compress(WHOLE, mtime=0)
FLIPPED = ZIPPED[:-8] + bytes([ZIPPED[-8] ^ 1]) + ZIPPED[-7:]  # the stored CRC
DAMAGE = {
    "no bytes": (b"", "truncated"),
    "half a header": (WHOLE[:7], "truncated"),
    "values missing": (WHOLE[:-1], "truncated"),
    "values too many": (WHOLE + b"x", "too long"),
    "other magic": (b"PNG!" + WHOLE[4:], "first bytes are"),
    "floats": (idx_bytes(IMAGES, kind=13), "first bytes are"),
    "other axes": (idx_bytes(IMAGES.reshape(5, 12)), "first bytes are"),
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("zipped", [False, True])
def test_damage_is_told_with_the_files_name(tmp_path, name, zipped):
    content, message = DAMAGE[name]
    path = tmp_path / ("images.gz" if zipped else "images")
    path.write_bytes(gzip.compress(content, mtime=0) if zipped else content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path, ndim=3)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [ZIPPED[:-10], ZIPPED[:30], FLIPPED, ZIPPED[:20] + b"\xff" * 20 + ZIPPED[40:]])
def test_damaged_gzip(tmp_path, content):
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged or truncated gzip") as caught:
        read_idx(path, ndim=3)
    assert str(path) in str(caught.value)


def test_a_name_in_gz_must_keep_its_word_and_an_absent_file_is_absent(tmp_path):
    (tmp_path / "images.gz").write_bytes(WHOLE)
    with pytest.raises(ValueError, match="not a gzip file"):
        read_idx(tmp_path / "images.gz", ndim=3)
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "absent", ndim=3)
