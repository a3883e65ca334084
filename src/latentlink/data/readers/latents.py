"""Latents of files, shards, frames and data sets: one real, finite vector a row."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.data.readers.content import Array, FileContentError, check_kind, check_values, narrowed
from latentlink.data.readers.opening import Source, open_source, read_array
from latentlink.data.readers.pooling import Pooling, pool_latents
from latentlink.data.readers.strays import check_bits, check_columns
from latentlink.data.readers.tables import Table
from latentlink.numerics.validation import validate_call


@validate_call
def read_latents(
    path: Source,
    *,
    key: str | None = None,
    columns: str | Sequence[str] | None = None,
    pool: Pooling | None = None,
) -> Float[Tensor, "n d"]:
    """Read latents, one a row.

    Args:
        path: a file (.npy, .npz, .safetensors, .pt, .parquet, .arrow, .feather, .csv, .h5, .hdf5 or .mat), `FILE::KEY`, a pattern such as
            "part-*.parquet" or a folder of shards, which are read in the order of their names, a list of files, a frame of pandas or
            polars, or a Hugging Face data set or its `hf://` path.
        key: which array or column, if there are several.
        columns: names or patterns, such as "f*", of the columns of a table that are features. Without it they are found by type and
            name, and a table in which ids, labels or row numbers stand beside them is refused.
        pool: how token latents (n, T, d) and feature maps (n, C, H, W) become vectors: "cls", "mean", "max" or "flatten".

    Returns:
        Latents (n, d), float64 if they are stored in double precision, else float32. A large .npy file is mapped, not copied.

    Raises:
        FileNotFoundError: the file is absent.
        OSError: the system refuses to open it (PermissionError where the right to read it is lacking), or the Hugging Face Hub cannot be
            reached or has no such file.
        ValueError: an unknown suffix, a damaged file, several arrays and no key, columns that are no features, or numbers that are not
            real, finite and (n, d).
        ImportError: the package that reads the format is not installed.

    Example:
        >>> import numpy as np, latentlink as ll
        >>> np.savez("tx.npz", vit=np.zeros((10, 8)), labels=np.zeros(10, int))
        >>> ll.read_latents("tx.npz::vit").shape
        torch.Size([10, 8])
    """
    return torch.from_numpy(join_shards(list(latent_shards(path, key=key, columns=columns, pool=pool))))


@validate_call
def latent_shards(
    path: Source, *, key: str | None = None, columns: str | Sequence[str] | None = None, pool: Pooling | None = None
) -> Iterator[tuple[str, Array]]:
    """Read latents shard by shard, so that no more than one is in memory; the arguments are those of `read_latents`.

    Yields:
        The name of a shard and its latents (k, d) in float32 or float64; k may be 0.

    Raises:
        ValueError: as `read_latents`.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> for part in range(2):
        ...     ll.data.write_array(f"vit-{part}.npy", x[part::2])
        >>> [(name, len(latents)) for name, latents in ll.data.latent_shards("vit-*.npy")]
        [('vit-0.npy', 250), ('vit-1.npy', 250)]
    """
    opened = open_source(path, key)
    for table in opened.tables:
        yield table.origin, latents_of_table(table, opened.key, columns, pool)
    for file in opened.files:
        if columns is not None:
            raise FileContentError(f"{file}: columns are those of a table, and this file has none: drop them, or give a key")
        yield str(file), latents_of_array(str(file), read_array(file, opened.key), pool)


def latents_of_table(table: Table, key: str | None, columns: str | Sequence[str] | None, pool: Pooling | None) -> Array:
    """Read the latents of one table (k, d); the arguments and errors are those of `read_latents`."""
    if key is not None and columns is not None:
        raise FileContentError(f"{table.origin}: got key {key!r} and columns {columns!r}, expected one of them")
    return latents_of_array(table.origin, table.features(columns) if key is None else table.column(key), pool, named=columns is not None)


def join_shards(shards: Sequence[tuple[str, Array]]) -> Array:
    """Join the latents of shards (n, d), and check them.

    Raises:
        FileContentError: shards of different dimensions, no latents at all, or values that are not finite.
    """
    origin, first = shards[0]
    for name, shard in shards:
        if shard.shape[1] != first.shape[1]:
            raise FileContentError(f"{name}: has {shard.shape[1]} dimensions, expected {first.shape[1]} as in {origin}")
        if shard.size or len(shards) == 1:
            check_values(name, shard)
    return np.require(first if len(shards) == 1 else np.concatenate([shard for _, shard in shards]), requirements=["C", "W"])


def latents_of_array(origin: str, array: Array, pool: Pooling | None, named: bool = False) -> Array:
    """Check the kind of numbers, pool, and bring integers and half precision to float32; raises as `read_latents`.

    Args:
        origin: where the array comes from, for messages.
        array: (n, d), tokens or feature maps.
        pool: as for `read_latents`.
        named: True where the columns were named as features, and are taken as such.
    """
    check_kind(origin, array, "real numbers", "fiu")
    check_bits(origin, array)
    if not named:
        check_columns(origin, array)
    pooled = pool_latents(origin, array, pool)
    double = array.dtype.kind == "f" and array.dtype.itemsize >= 8
    return narrowed(origin, pooled, np.float64 if double else np.float32)
