"""Latents and labels to files."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from latentlink.data.readers.frames import EXTRA
from latentlink.numerics.extras import import_extra
from latentlink.numerics.validation import validate_call
from latentlink.storage.atomic import write_atomically


@validate_call
def write_array(path: str | os.PathLike[str], values: Tensor) -> None:
    """Write latents (n, d) or labels (n,) so that `read_latents` and `read_labels` read them back; atomic.

    Raises:
        ValueError: the suffix is not .npy, .safetensors, .parquet or .pt.
        OSError: the file cannot be written.

    Example:
        >>> import torch, latentlink as ll
        >>> ll.data.write_array("x.parquet", torch.zeros(10, 4))
        >>> ll.read_latents("x.parquet").shape
        torch.Size([10, 4])
    """
    writer = _writer(path)
    buffer = io.BytesIO()
    writer(values.detach().cpu().contiguous(), buffer)
    write_atomically(path, buffer.getvalue())


def check_writable_suffix(path: str | os.PathLike[str]) -> None:
    """Refuse early what `write_array` would refuse after the work is done.

    Raises:
        ValueError: the suffix is not .npy, .safetensors, .parquet or .pt.
    """
    _writer(path)


def _writer(path: str | os.PathLike[str]) -> Callable[[Tensor, io.BytesIO], object]:
    writers: dict[str, Callable[[Tensor, io.BytesIO], object]] = {
        ".npy": lambda values, buffer: np.save(buffer, values.numpy()),
        ".safetensors": lambda values, buffer: buffer.write(save({"values": values})),
        ".parquet": lambda values, buffer: import_extra("polars", EXTRA).DataFrame({"values": values.numpy()}).write_parquet(buffer),
        ".pt": torch.save,
    }
    suffix = Path(path).suffix
    if suffix not in writers:
        raise ValueError(f"{path}: cannot write {suffix or 'a file without a suffix'}, expected {', '.join(writers)}")
    return writers[suffix]
