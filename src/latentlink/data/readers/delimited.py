"""Delimited text: how a file is separated and headed, told by its first lines, and the columns of it.

Numbers are no header, unless they count 0, 1, 2, … as pandas writes, which is told. Lines before the first row that begin with # are
comments, as NumPy writes its headers. polars is imported only when a file is read.
"""

import csv
import io
import itertools
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from latentlink.data.readers.content import FileContentError
from latentlink.data.readers.frames import EXTRA, InMemory, guarded
from latentlink.latents.labels import MISSING
from latentlink.numerics.extras import import_extra

_LOOKED_AT = 100  # lines
_LONGEST = 1 << 20  # characters of a line that are looked at
_MISSING = sorted(MISSING - {""})
_INTEGER_PAIR = re.compile(r"[-+]?\d+,\d+")


@dataclass(frozen=True)
class Parsed:
    """A text file, which can be read only whole, and is read again for each use.

    Attributes:
        path: of the file.
        separator: one character; a blank stands for any number of blanks.
        has_header: whether the first row names the columns.
        decimal_comma: whether 1,5 is a number.
        skipped: lines of comments before the first row.
        names: of the columns, where a comment tells them.
    """

    path: Path
    separator: str = ","
    has_header: bool = True
    decimal_comma: bool = False
    skipped: int = 0
    names: tuple[str, ...] = field(default=())

    def held(self) -> InMemory:
        frame = guarded(self.path, self._read)
        return InMemory(frame.with_columns(column for old in frame.get_columns() if (column := self._numbers(old)) is not None))

    def count(self) -> int:
        return self.held().count()

    def read(self, names: Any, rows: range | None) -> Any:
        return self.held().read(names, rows)

    def _read(self) -> Any:
        options: dict[str, Any] = {"separator": self.separator, "has_header": self.has_header, "decimal_comma": self.decimal_comma}
        read = partial(import_extra("polars", EXTRA).read_csv, infer_schema_length=None, null_values=_MISSING, **options)
        if self.separator == " ":
            with self.path.open(encoding="utf-8-sig") as file:
                rows = (" ".join(line.split()) for line in itertools.islice(file, self.skipped, None))
                frame = read(io.BytesIO("\n".join(row for row in rows if row).encode()))
        else:
            frame = read(self.path, skip_lines=self.skipped)
        if len(self.names) == frame.width:
            frame.columns = list(self.names)
        return frame

    def _numbers(self, column: Any) -> Any:
        """The numbers of a column that polars takes for words, since some are NaN, infinite or padded; None where it holds words."""
        polars = import_extra("polars", EXTRA)
        if column.dtype != polars.String or column.null_count() == len(column):
            return None
        words = column.str.strip_chars()
        numbers = (words.str.replace(",", ".", literal=True) if self.decimal_comma else words).cast(polars.Float64, strict=False)
        return numbers if numbers.null_count() == column.null_count() else None


def delimited(path: Path) -> Parsed:
    """How a text file is to be read, told by its first lines.

    Raises:
        FileContentError: the file is encoded as UTF-16, or has more fields in its rows than in its header.

    Warns:
        UserWarning: a first row of numbers was taken for a header, or commas may be decimal ones.
    """
    check_encoding(path)
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        lines = [line.strip("\r\n") for line in itertools.islice(iter(lambda: file.readline(_LONGEST), ""), _LOOKED_AT)]
    with naming_csv_errors(path):
        return described(path, lines)


@contextmanager
def naming_csv_errors(name: str | Path) -> Iterator[None]:
    """Turn what the csv module refuses of a line, such as a field without an end, into a FileContentError that names the source."""
    try:
        yield
    except csv.Error as error:
        raise FileContentError(f"{name}: has a line that cannot be divided into fields ({error}): is it one message a line?") from error


def described(path: Path, lines: list[str]) -> Parsed:
    """How a text is to be read whose first lines, without their ends, these are; `path` is its name. Raises and warns as `delimited`."""
    skipped = next((number for number, line in enumerate(lines) if not line.lstrip().startswith("#")), len(lines))
    rows = [line.strip(" ") for line in lines[skipped:] if line.strip()]
    if not rows:
        return Parsed(path, skipped=skipped)
    separator = next((mark for mark in (";", "\t", ",", " ") if mark in rows[0]), ",")
    first = _fields(rows[0], separator)
    decimal = separator in ";\t" and any("," in row for row in (rows if _are_numbers(first, True) else rows[1:]))
    numbers = _are_numbers(first, decimal)
    width = len(first)
    names = _names(lines[skipped - 1], separator, width) if skipped and numbers else ()
    counting = width > 1 and not names and _count(first)
    if not numbers and (twice := [word for word in first if word and first.count(word) > 1]):
        raise FileContentError(f"{path}: {first.count(twice[0])} columns are named {twice[0]!r}, expected one: rename or drop the others")
    if counting and first[0]:
        warnings.warn(
            f"{path}: the first row, {', '.join(first[:4])}{', …' if width > 4 else ''}, was taken for the numbers of the columns, as "
            "pandas writes them; if it is an observation, write a header of names above it",
            UserWarning,
            stacklevel=6,
        )
    if not counting:
        _check_commas(path, separator, rows)
    return Parsed(path, separator, counting or not numbers, decimal, skipped, names)


def check_encoding(path: Path) -> None:
    """Refuse text of two bytes a character; raises FileContentError."""
    with path.open("rb") as file:
        start = file.read(64)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in start:
        raise FileContentError(f"{path}: is encoded as UTF-16, or is no text: save it as UTF-8, such as by encoding='utf-8'")


def _fields(row: str, separator: str) -> list[str]:
    words = row.split() if separator == " " else next(csv.reader([row], delimiter=separator), [])
    return [word.strip().strip('"') for word in words]


def _count(words: list[str]) -> bool:
    """Tell whether words are the numbers of columns, from 0 or 1 on, after a column without a name or not."""
    named = words[not words[0] :]
    return any(named == [str(first + number) for number in range(len(named))] for first in (0, 1))


def _are_numbers(words: list[str], decimal: bool) -> bool:
    """Tell whether all words are numbers, or stand for missing ones."""
    return all(is_number(word.replace(",", ".") if decimal else word) or word in MISSING for word in words) and any(words)


def is_number(text: str) -> bool:
    """Tell whether a word is a number; Python's underscores make none."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _names(comment: str, separator: str, width: int) -> tuple[str, ...]:
    """The names of the columns in a comment above the first row; none where it tells something else."""
    words = _fields(comment.lstrip(" #"), separator)
    return tuple(words) if len(words) == len(set(words)) == width and not any(is_number(word) for word in words) else ()


def _check_commas(path: Path, separator: str, rows: list[str]) -> None:
    """Refuse or tell commas that are rather decimal ones than separators; raises FileContentError."""
    remedy = "if commas are decimal ones, write points, or separate the columns by semicolons"
    if not any(mark in rows[0] for mark in ",;\t ") and len(rows) > 1 and "," in rows[1] and '"' not in rows[1]:
        raise FileContentError(f"{path}: the first row is {rows[0][:40]!r}, and the next {rows[1][:40]!r} has more columns: {remedy}")
    if separator == "," and all(_INTEGER_PAIR.fullmatch(row) for row in rows):
        warnings.warn(f"{path}: was read as two columns of integers; {remedy}", UserWarning, stacklevel=7)
