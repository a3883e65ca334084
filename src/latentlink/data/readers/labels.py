"""Class labels of files, shards, frames and data sets: integers, or names of classes that are numbered."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from latentlink.data.readers import tables
from latentlink.data.readers.columns import LABELS, role_of
from latentlink.data.readers.content import Array, FileContentError, check_kind, check_values
from latentlink.data.readers.hub import is_on_hub
from latentlink.data.readers.ids import are_words
from latentlink.data.readers.lines import read_lines
from latentlink.data.readers.opening import SUFFIXES, Source, open_source, read_array
from latentlink.data.readers.sources import locate
from latentlink.data.readers.tables import Table, table_of
from latentlink.latents.labels import AnyLabels, Labels, as_words, check_words, number_words
from latentlink.numerics.doors import as_tensor
from latentlink.numerics.validation import validate_call


@validate_call
def read_labels(path: Source, *, key: str | None = None, names: Sequence[str] | None = None) -> Int64[Tensor, "n"]:
    """Read class labels.

    Args:
        path: as for `read_latents`; or .csv or .txt with one label a line, whose first line may be a header.
        key: which array or column, if there are several; in a table without it the column named label, or as in `tables.LABELS`.
        names: names of the classes in the order of their numbers, as in training; without it names are numbered as they sort.

    Returns:
        Labels (n,), int64, all >= 0. A single column (n, 1) is flattened to (n,), and floats with integer values become integers.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: as for `read_latents`; several columns, negative or fractional numbers, or a name that `names` lacks.

    Example:
        >>> import numpy as np, latentlink as ll
        >>> np.save("classes.npy", np.array(["dog", "cat", "dog"]))
        >>> ll.data.read_labels("classes.npy", names=["cat", "dog"])
        tensor([1, 0, 1])
    """
    return read_named_labels(path, key=key, names=names).numbers


def read_named_labels(path: Source, *, key: str | None = None, names: Sequence[str] | None = None) -> Labels:
    """Read class labels together with the names of the classes; the arguments and errors are those of `read_labels`."""
    if isinstance(path, str | os.PathLike | list | tuple) and not is_on_hub(path):
        located = locate(path, key, SUFFIXES)
        if all(file.suffix.lower() in tables.DELIMITED and not is_table(file) for file in located.files):
            origin = str(located.files[0])
            return number_labels(origin, _joined(origin, [read_lines(file, located.key) for file in located.files]), names)
    opened = open_source(path, key)
    columns = [_label_column(table, opened.key) for table in opened.tables]
    parts = [table.column(name) for table, name in zip(opened.tables, columns, strict=True)]
    classes = opened.tables[0].classes.get(columns[0]) if columns else None
    parts += [_of_container(file, opened.key) for file in opened.files]
    return number_found(FoundLabels(opened.origin, _joined(opened.origin, parts), classes), names)


def read_or_take_labels(labels: Source | AnyLabels, names: Sequence[str] | None = None) -> Labels:
    """Read labels of a source, or take those of an array, a tensor, a column or a list; both are checked and numbered alike.

    A list of words is one of files where it names each of them once, by a path that exists or ends as files of labels do.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: as for `read_labels`; `labels` are neither a source nor labels.
    """
    if isinstance(labels, str | os.PathLike) or table_of(labels) is not None or _are_files(labels):
        return read_named_labels(labels, names=names)
    if (words := as_words(labels)) is not None:
        return number_labels("labels", words, names)
    try:
        array = np.asarray(as_tensor("labels", labels).detach().cpu() if isinstance(labels, Tensor) else labels)
    except (ValueError, TypeError) as error:  # rows of different lengths
        raise ValueError(f"labels must be a file, a frame, or an array or a list of class numbers or names ({error})") from error
    if array.ndim == 0:
        kind = type(labels).__name__
        raise ValueError(f"labels must be a file, a frame, or an array or a list of class numbers or names, got {kind}")
    return number_labels("labels", array, names)


def _are_files(labels: object) -> bool:
    if not isinstance(labels, list | tuple) or not all(isinstance(each, str | os.PathLike) for each in labels):
        return False
    paths = [Path(os.fspath(each).partition("::")[0]) for each in dict.fromkeys(labels)]
    return len(paths) == len(labels) > 0 and all(path.suffix.lower() in SUFFIXES or path.exists() for path in paths)


def _of_container(file: Path, key: str | None) -> Array:
    """An array; MATLAB knows no arrays of one axis, and writes a row where one was meant."""
    array = read_array(file, key)
    return array[0] if file.suffix.lower() == ".mat" and array.ndim == 2 and len(array) == 1 else array


def _joined(origin: str, parts: Sequence[Array]) -> Array:
    """Labels of all shards (n,), of which empty ones have no kind."""
    held = [part for part in parts if part.size] or list(parts[:1])
    if len({are_words(part) for part in held}) > 1:
        raise FileContentError(f"{origin} …: shards hold numbers and names of classes, expected one of them")
    return held[0] if len(held) == 1 else np.concatenate([part.reshape(len(part), -1).squeeze(1) for part in held])


def is_table(file: Path) -> bool:
    """Tell whether the first line of a text file names or holds several columns."""
    with file.open(encoding="utf-8-sig", errors="replace") as text:
        first = next((line for line in iter(lambda: text.readline(1 << 20), "") if not line.startswith("#")), "")
    return any(mark in first for mark in (",", ";", "\t"))


def _label_column(table: Table, key: str | None) -> str:
    found = role_of([table], LABELS) if key is None else key
    if found is not None:
        return found
    if len(table.schema) == 1:
        return next(iter(table.schema))
    keys = ", ".join(table.schema)
    raise FileContentError(f"{table.origin}: expected a column named label or a key that says which; its keys are: {keys}")


class FoundLabels(NamedTuple):
    """The labels of a source, as stored.

    Attributes:
        origin: the first file, or what the frame is.
        labels: numbers or names of classes (n,).
        classes: the names that numbers stand for, in their order; None where the source tells none.
    """

    origin: str
    labels: Array
    classes: tuple[str, ...] | None = None

    def words(self) -> Array:
        """The names of the classes, where they are known; else the labels as they are."""
        if self.classes is None or are_words(self.labels):
            return self.labels
        numbers = number_labels(self.origin, self.labels, None).numbers.numpy()
        if numbers.max() >= len(self.classes):
            raise FileContentError(f"{self.origin}: label {int(numbers.max())} has no name, which are those of {len(self.classes)} classes")
        return np.array(self.classes, object)[numbers]


def number_found(found: FoundLabels, names: Sequence[str] | None) -> Labels:
    """Number labels as `names` says, or else as the source itself does; raises as `number_labels`."""
    if found.classes is None:
        return number_labels(found.origin, found.labels, names)
    return number_labels(found.origin, found.words(), found.classes if names is None else names)


def number_labels(origin: str, array: Array, names: Sequence[str] | None) -> Labels:
    """Check labels, and number the names of classes.

    Raises:
        FileContentError: no labels, several columns, negative or fractional numbers, or a name that `names` lacks.
    """
    if array.size == 0:
        raise FileContentError(f"{origin}: holds no labels")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise FileContentError(
            f"{origin}: got shape {array.shape}, expected (n,) or (n, 1), one label an observation; save the argmax(1) of one-hot labels"
        )
    if array.dtype.kind in "USTbO" and (array.dtype.kind != "O" or any(isinstance(value, str) for value in array)):
        return _numbered(origin, array if array.dtype.kind == "O" else array.astype(str).astype(object), names)
    check_kind(origin, array, "integers or names of classes", "fiu")
    check_values(origin, array)
    wrong = (array < 0) | (array != np.trunc(array)) | (array >= 2**63)
    if wrong.any():
        row = int(np.argmax(wrong))
        remedy = f"; {int(wrong.sum())} such labels: if they mark unlabelled observations, drop those rows" if array[row] < 0 else ""
        raise FileContentError(f"{origin}: label {row} is {array[row]}, expected an integer ≥ 0{remedy}")
    return Labels(torch.from_numpy(np.require(array, np.int64, ["C", "W"])), None if names is None else tuple(names))


def _numbered(origin: str, words: Array, names: Sequence[str] | None) -> Labels:
    try:
        check_words(words, origin)
    except ValueError as error:
        raise FileContentError(str(error)) from error
    found = number_words(words, names)
    known = found.names or ()
    if names is not None and (unknown := known[len(names) :]):
        strange = set(unknown)
        count = sum(word in strange for word in words.tolist())
        raise FileContentError(
            f"{origin}: {count} of {len(words)} labels are classes that training did not have ({', '.join(unknown[:5])}); "
            f"it had {', '.join(known[: min(10, len(names))])}"
        )
    return found
