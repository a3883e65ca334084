"""Targets of a regression: real numbers for each observation, of any file that latents are read of."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.data.readers.content import check_kind, narrowed
from latentlink.data.readers.latents import join_shards
from latentlink.data.readers.opening import Source, open_source, read_array


def read_targets(path: Source, *, key: str | None = None) -> Float[Tensor, "n q"]:
    """Read the values (n, q) that a regression should give; one column or axis is one output.

    Raises:
        FileNotFoundError: the file is absent.
        OSError: the system refuses to open it; PermissionError where the right to read it is lacking.
        ValueError: as `read_latents`, for numbers that are not real, finite and (n, q) or (n,).
    """
    opened = open_source(path, key)
    parts = [(table.origin, table.features(None) if opened.key is None else table.column(opened.key)) for table in opened.tables]
    parts += [(str(file), read_array(file, opened.key)) for file in opened.files]
    for origin, array in parts:
        check_kind(origin, array, "real numbers", "fiu")
    return torch.from_numpy(join_shards([(origin, narrowed(origin, array, np.float64).reshape(len(array), -1)) for origin, array in parts]))
