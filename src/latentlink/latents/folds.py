"""Folds of rows without regard to their order, known from a row's number alone.

Rows are numbered from 0 and taken in groups of 131,072. Within a group they are shuffled by a permutation of its own and cut into equal
parts, of which the larger ones go to other folds in each group: all folds are equally large to one row, however many rows there are, and
no more than a group has to be held. Files that are sorted by class leave no trace in them, and it does not matter how rows are
distributed over files or when they are read.
"""

from functools import lru_cache

import torch
from jaxtyping import Int
from torch import Tensor

from latentlink.numerics.seeds import stream

_GROUP = 2**17  # rows that are shuffled together
_SEED = 0


def fold_numbers(start: int, stop: int, count: int, folds: int) -> Int[Tensor, "rows"]:
    """The fold (stop − start,) of each of the rows `start` to `stop` of `count` rows in all, from 0 to folds − 1."""
    groups = range(start // _GROUP, (stop - 1) // _GROUP + 1)
    numbers = torch.cat([_of_group(group, min(_GROUP, count - group * _GROUP), folds) for group in groups])
    return numbers[start - groups.start * _GROUP :][: stop - start]


@lru_cache(maxsize=4)
def _of_group(group: int, rows: int, folds: int) -> Int[Tensor, "rows"]:
    generator = torch.Generator().manual_seed(stream(_SEED, "folds", group) if group else _SEED)
    larger = group * (_GROUP % folds) % folds  # the first fold that is larger by a row, if any is
    numbers = torch.empty(rows, dtype=torch.int32, device="cpu")
    for part, chosen in enumerate(torch.randperm(rows, generator=generator, device="cpu").tensor_split(folds)):
        numbers[chosen] = (larger + part) % folds
    return numbers
