"""IDX, the format of the MNIST family: two zero bytes, a type, a number of axes, their big-endian lengths, then the values.

Only unsigned bytes (type 8) occur in image sets. Gzip is recognised by its content, and a file named .gz must be gzipped.
"""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

UNSIGNED_BYTE = 8
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | os.PathLike[str], ndim: int) -> UInt8[Tensor, "..."]:
    """Read an IDX file of unsigned bytes.

    Args:
        path: the file, gzipped or raw.
        ndim: the expected number of axes: 3 for grey images (n, H, W), 1 for labels (n,).

    Raises:
        ValueError: the file is named .gz and is not gzipped, is not IDX, has another type or number of axes, is truncated or too long.
        FileNotFoundError: the file is absent.
    """
    path = Path(path)
    content = _content(path)
    start = 4 + 4 * ndim
    if len(content) < start:
        raise ValueError(f"{path}: truncated: {len(content)} bytes, the header alone has {start}")
    zero, kind, axes = struct.unpack(">HBB", content[:4])
    if zero != 0 or kind != UNSIGNED_BYTE or axes != ndim:
        expected = struct.pack(">HBB", 0, UNSIGNED_BYTE, ndim).hex()
        raise ValueError(f"{path}: its first bytes are {content[:4].hex()}, expected {expected} (IDX, unsigned bytes, {ndim} axes)")
    shape = struct.unpack(f">{ndim}I", content[4:start])
    found = len(content) - start
    expected_values = math.prod(shape)
    if found != expected_values:
        what = "truncated" if found < expected_values else "too long"
        raise ValueError(f"{path}: {what}: {found} values, its header announces {shape} = {expected_values}")
    if expected_values == 0:
        return torch.empty(shape, dtype=torch.uint8)
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).reshape(shape)


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    if raw[:2] != GZIP_MAGIC:
        if path.suffix == ".gz":
            raise ValueError(f"{path}: not a gzip file, though it is named .gz")
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: damaged or truncated gzip file ({error})") from error
