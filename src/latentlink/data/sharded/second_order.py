"""Moments and marginals of sources that are larger than memory: in one pass, block by block."""

import os
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.data.readers.opening import Source, check_source
from latentlink.data.readers.pooling import Pooling
from latentlink.data.readers.rows import LatentRows, describe_sources, open_rows
from latentlink.data.sharded.accumulate import accumulate
from latentlink.data.sharded.checkpoint import Checkpoint
from latentlink.data.sharded.paired_rows import PairedRows, blocks, check_labels, pair_rows
from latentlink.execution.executor import Executor
from latentlink.latents.marginal import Marginal
from latentlink.latents.moments import Moments
from latentlink.numerics.doors import integer
from latentlink.numerics.progress import CountProgress, on_terminal
from latentlink.numerics.validation import validate_call

__all__ = ["Marginal", "marginal_of_shards", "moments_of_shards"]


@validate_call
def moments_of_shards(
    tx: Source,
    rx: Source,
    *,
    folds: int = 1,
    on: str | None = None,
    columns: str | Sequence[str] | None = None,
    pool: Pooling | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: CountProgress | None = None,
    executor: Executor | None = None,
) -> Moments:
    """Compute the moments of pairs that may be larger than memory, of which a block of rows at a time is read.

    The files of the two ends may be cut differently. Blocks and folds are known from the numbers of the rows alone, so that the result is
    the same, to the last bit, however they are cut; it is that of `Moments.from_pairs` on all rows, to rounding, with the same folds.

    Args:
        tx: latents at the transmitter: whatever `read_latents` reads.
        rx: latents at the receiver, likewise.
        folds: as for `Moments.from_pairs`.
        on: the column of both tables that names the observation, `id` if both have it. Ids have to come in the same order at both ends;
            observations that one end lacks are left out. Without ids rows are paired by their order.
        columns: as for `read_latents`, for both ends.
        pool: as for `read_latents`, for both ends.
        checkpoint: a file that is written every few seconds and when the work is interrupted. The same call goes on from there, with a
            result that is equal to the bit; in the end it holds the moments, as `latentlink.load` reads them.
        progress: callback, called after each block with (rows done, rows in all). If None, a line is written to stderr where that is a
            terminal.
        executor: computes several blocks at a time (`latentlink.execution`); workers of a cluster read the files under the same paths.
            The result is the same to the bit.

    Raises:
        FileNotFoundError: a file is absent.
        ValueError: as for `read_pairs`; different numbers of rows, ids in another order at one end, or a checkpoint (`CheckpointError`)
            that is damaged, of another kind, or of other files or settings.

    Warns:
        UserWarning: observations that only one end has, which are left out.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> for part in range(2):
        ...     ll.data.write_array(f"vit-{part}.npy", x[part::2])
        ...     ll.data.write_array(f"resnet-{part}.npy", y[part::2])
        >>> ll.data.moments_of_shards("vit-*.npy", "resnet-*.npy", folds=5, checkpoint="moments.safetensors")
        Moments(500 pairs, 8 → 6, 5 folds)
    """
    shown = on_terminal("moments") if progress is None else progress
    pairs = pair_rows(tx, rx, on=on, columns=columns, pool=pool)
    check_labels(pairs)
    return moments_of_pairs(pairs, folds, checkpoint, shown, executor)


def moments_of_pairs(
    pairs: PairedRows,
    folds: int,
    checkpoint: str | os.PathLike[str] | None,
    progress: CountProgress,
    executor: Executor | None = None,
) -> Moments:
    """Compute the moments of pairs that are counted and not read yet; see `moments_of_shards`."""
    folds = integer("folds", folds, 1, len(pairs))
    return accumulate(
        Moments,
        pairs.read,
        partial(moments_of_rows, len(pairs), folds),
        pairs.blocks,
        len(pairs),
        Moments.of_parts,
        checkpoint=None if checkpoint is None else checkpoint_of(checkpoint, "moments", pairs, {"folds": folds}),
        progress=progress,
        executor=executor,
    )


def moments_of_rows(count: int, folds: int, rows: range, x: Float[Tensor, "k d"], y: Float[Tensor, "k m"]) -> list[Moments | None]:
    """Compute the moments of some of `count` pairs, fold by fold; a function of its arguments alone, which can be sent elsewhere."""
    return Moments.parts_of(x, y, rows.start, count, folds)


@validate_call
def marginal_of_shards(
    x: Source,
    *,
    key: str | None = None,
    columns: str | Sequence[str] | None = None,
    pool: Pooling | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: CountProgress | None = None,
    executor: Executor | None = None,
) -> Marginal:
    """Compute count, mean and covariance of latents that may be larger than memory, of which a block of rows at a time is read.

    Args:
        x: latents: whatever `read_latents` reads.
        key: as for `read_latents`.
        columns: likewise.
        pool: likewise.
        checkpoint: as for `moments_of_shards`.
        progress: likewise.
        executor: likewise.

    Raises:
        FileNotFoundError: a file is absent.
        ValueError: as for `read_latents`, or a checkpoint (`CheckpointError`) that cannot be taken up.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> for part in range(2):
        ...     ll.data.write_array(f"vit-{part}.npy", x[part::2])
        >>> ll.data.marginal_of_shards("vit-*.npy")
        Marginal(500 latents, 8 dimensions)
    """
    check_source("x", x)
    latents = open_rows(x, key=key, columns=columns, pool=pool)
    dimension = latents.dimension
    work = {"x": describe_sources(latents), **settings_of(latents)} if checkpoint is not None else {}
    return accumulate(
        Marginal,
        partial(_read_one, latents),
        marginal_of_rows,
        lambda start: blocks(len(latents), dimension, start),
        len(latents),
        lambda parts: next(part for part in parts if part is not None).checked(),
        checkpoint=None if checkpoint is None else Checkpoint(checkpoint, "marginal", work),
        progress=on_terminal("marginal") if progress is None else progress,
        executor=executor,
    )


def _read_one(latents: LatentRows, rows: range) -> tuple[Tensor]:
    return (torch.from_numpy(latents.read(rows)),)


def marginal_of_rows(rows: range, x: Float[Tensor, "k d"]) -> list[Marginal | None]:
    """Compute the marginal of some latents; a function of its arguments alone."""
    return [Marginal.from_latents(x)]


def checkpoint_of(path: str | os.PathLike[str], kind: str, pairs: PairedRows, settings: Mapping[str, object]) -> Checkpoint:
    """The checkpoint of a computation of pairs, which is one of their files and of how they are read, besides its settings."""
    sources = {"tx": describe_sources(pairs.tx), "rx": describe_sources(pairs.rx)}
    read = {"on": pairs.on, "pairs": len(pairs), **settings_of(pairs.tx), "key": [pairs.tx.key, pairs.rx.key]}
    return Checkpoint(path, kind, {**sources, **read, **settings})


def settings_of(latents: LatentRows) -> dict[str, object]:
    """How latents are read, as plain values."""
    columns = None if latents.columns is None else list(latents.columns)
    return {"rows": len(latents), "columns": columns, "key": latents.key, "pool": latents.pool}
