"""IDX, the format of the MNIST family: two zero bytes, a type, a number of axes, their big-endian lengths, then the values.

Only unsigned bytes (type 8) occur in image sets. Gzip is told by its content, and a name ending in .gz must keep its word.
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
        ndim: how many axes are expected: 3 for grey images (n, H, W), 1 for labels (n,).

    Raises:
        ValueError: it is not gzip though named .gz, not IDX, of another type or number of axes, truncated or too long.
        FileNotFoundError: it is absent.
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
    held, promised = len(content) - start, math.prod(shape)
    if held != promised:
        what = "truncated" if held < promised else "too long"
        raise ValueError(f"{path}: {what}: {held} values for the {shape} = {promised} that its header promises")
    if promised == 0:
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
