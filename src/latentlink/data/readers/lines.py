"""Lines: the labels of a text file, one a line, whose first line may be a header."""

import warnings
from pathlib import Path

import numpy as np

from latentlink.data.readers.columns import LABELS
from latentlink.data.readers.containers import refuse_key
from latentlink.data.readers.content import Array, FileContentError
from latentlink.data.readers.delimited import check_encoding
from latentlink.latents.labels import MISSING

_Line = tuple[int, str]  # its number and its text


def read_lines(path: Path, key: str | None) -> Array:
    """Read one integer or one word a line; the first line may be a header, and comments before it do not count.

    The first line is a header where numbers follow it, or where it is a name of labels (`columns.LABELS`) that no other line holds.

    Raises:
        FileContentError: a label is missing, numbers and words are mixed, a line holds several values, or the file is no text.

    Warns:
        UserWarning: the first of several words occurs nowhere else, and may be a header.
    """
    refuse_key(path, key)
    check_encoding(path)
    try:
        text = path.read_text(encoding="utf-8-sig").rstrip()
    except UnicodeDecodeError as error:
        raise FileContentError(f"{path}: cannot be read as text, it is damaged or something else ({error})") from error
    lines = [(number, line.strip().strip('"')) for number, line in enumerate(text.split("\n"), 1)] if text else []
    while lines and lines[0][1].startswith("#"):
        del lines[0]
    lines = _without_header(path, lines)
    for number, line in lines:
        if line in MISSING:
            raise FileContentError(
                f"{path}: line {number} is {line!r}, expected a label in every line: drop the rows without one, at both ends, or give "
                "them a class of their own"
            )
    values = [_number(line) for _, line in lines]
    if values and all(value is None for value in values):
        return np.array([line for _, line in lines], object)
    if None in values:
        number, line = lines[values.index(None)]
        raise FileContentError(f"{path}: line {number} is {line[:40]!r}, expected one integer a line")
    return np.array(values)


def _without_header(path: Path, lines: list[_Line]) -> list[_Line]:
    if not lines or _number(lines[0][1]) is not None or lines[0][1] in MISSING:
        return lines
    first, rest = lines[0][1], [line for _, line in lines[1:]]
    numbers = [_number(line) is not None for line in rest]
    if first in rest or (not rest and first.lower() not in LABELS):
        return lines
    if all(numbers) or first.lower() in LABELS:
        return lines[1:]
    if not any(numbers):
        warnings.warn(
            f"{path}: the first line, {first[:40]!r}, occurs nowhere else and was taken for the label of the first row: if it is a header, "
            "write label instead",
            UserWarning,
            stacklevel=6,
        )
    return lines


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return None if "_" in text or text in MISSING else kind(text)
        except ValueError:
            continue
    return None
