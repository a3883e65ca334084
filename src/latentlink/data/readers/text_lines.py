"""Numbers in lines of text, one message a line, which are handed out as complete lines come.

How the lines are separated and headed is told by the first of them, as for any table (`delimited`), and which columns are features by their
names. NumPy parses the numbers.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from latentlink.data.readers.content import Array, FileContentError
from latentlink.data.readers.delimited import described, is_number, naming_csv_errors
from latentlink.data.readers.frames import EXTRA, InMemory
from latentlink.data.readers.tables import Table
from latentlink.numerics.extras import import_extra

_LONGEST = 1 << 24  # bytes of a line, beyond which it is none
_Line = tuple[int, str]  # its number and its text


def lines_of(
    name: str, pieces: Iterator[bytes], columns: Sequence[str] | None, time: str | None
) -> Iterator[tuple[Array, list[str] | None]]:
    """Hand out the messages (k, m) of complete lines, and when each came where a column tells it.

    Args:
        name: of the source, for messages.
        pieces: its bytes.
        columns: names or patterns of the columns that are features; all but the times if None.
        time: the column that says when a message came; None where none does.

    Raises:
        FileContentError: no text in UTF-8, a line that is no message, or columns that are not there or no features.
    """
    form: _Form | None = None
    waiting: list[_Line] = []  # a header has no message below it yet
    for lines in _complete(name, pieces):
        waiting += lines
        with naming_csv_errors(name):
            form = form or _Form.of(name, waiting, columns, time)
        if form is not None:
            messages = [(number, line) for number, line in waiting if number > form.before and line.strip()]
            waiting = []
            if messages:
                with naming_csv_errors(name):
                    read = form.read(messages)
                yield read
    if form is None:
        raise FileContentError(f"{name}: holds no messages")


def _complete(name: str, pieces: Iterator[bytes]) -> Iterator[list[_Line]]:
    """Yield complete lines with their numbers, as they come; the last one may lack its end."""
    rest, number = b"", 1

    def numbered(content: bytes) -> list[_Line]:
        try:
            text = content.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise FileContentError(f"{name}: cannot be read as text, it is damaged or something else ({error})") from error
        if "\0" in text:
            raise FileContentError(f"{name}: is encoded as UTF-16, or is no text: save it as UTF-8, such as by encoding='utf-8'")
        lines = [(place, line.strip("\r")) for place, line in enumerate(text.split("\n"), number)]
        if wrong := next((place for place, line in lines if "\r" in line), None):
            raise FileContentError(f"{name}: line {wrong} has carriage returns within it: save it with line feeds, one message a line")
        return lines

    for piece in pieces:
        head, end, tail = piece.rpartition(b"\n")
        if end:
            lines = numbered(rest + head)
            number += len(lines)
            yield lines
        rest = tail if end else rest + tail
        if len(rest) > _LONGEST:
            raise FileContentError(f"{name}: line {number} has more than {_LONGEST} bytes: is it text, with one message a line?")
    if rest.strip():
        yield numbered(rest)


@dataclass(frozen=True)
class _Form:
    """How messages are read from lines.

    Attributes:
        name: of the source.
        before: lines before the first message.
        separator: one character; None stands for any number of blanks.
        decimal_comma: whether 1,5 is a number.
        names: of the columns.
        features: places of the columns that are read.
        time: place of the column of times, if any.
    """

    name: str
    before: int
    separator: str | None
    decimal_comma: bool
    names: tuple[str, ...]
    features: tuple[int, ...]
    time: int | None

    @classmethod
    def of(cls, name: str, lines: list[_Line], columns: Sequence[str] | None, time: str | None) -> "_Form | None":
        """The form that the first lines tell; None where there is no message among them."""
        told = described(Path(name), [line for _, line in lines[:100]])
        separator = None if told.separator == " " else told.separator
        rows = [(number, _fields(line, separator)) for number, line in lines[told.skipped :] if line.strip()][:2]
        if len(rows) <= told.has_header:
            return None
        (first, fields), header = rows[told.has_header], rows[0][1] if told.has_header else list(told.names)
        names = tuple(header if len(header) == len(fields) else (f"column_{place + 1}" for place in range(len(fields))))
        if told.has_header and len(header) != len(fields):
            raise FileContentError(f"{name}: line {first} has {len(fields)} fields, expected {len(header)} as in its header")
        if time is not None and time not in names:
            raise FileContentError(f"{name}: has no column {time!r} of times; its columns are: {', '.join(names)}")
        polars = import_extra("polars", EXTRA)
        numbers = [is_number(word.replace(",", ".") if told.decimal_comma else word) for word in fields]
        kinds = {column: polars.Float64() if numeric else polars.String() for column, numeric in zip(names, numbers, strict=True)}
        table = Table(name, {column: kind for column, kind in kinds.items() if column != time}, InMemory(None))
        chosen = tuple(names.index(column) for column in table.feature_names(columns))
        return cls(name, first - 1, separator, told.decimal_comma, names, chosen, None if time is None else names.index(time))

    def read(self, lines: list[_Line]) -> tuple[Array, list[str] | None]:
        """The messages of lines that are not empty, and when they came."""
        texts = [line.replace(",", ".") if self.decimal_comma else line for _, line in lines]
        whole = self.separator is None or all('"' in text or text.count(self.separator) == len(self.names) - 1 for text in texts)
        try:
            parse = partial(np.loadtxt, delimiter=self.separator, usecols=self.features, quotechar='"', comments=None, ndmin=2)
            values = parse(texts) if whole else None
        except ValueError:
            values = None
        if values is None:
            raise FileContentError(f"{self.name}: {self._fault(lines)}")
        return values, None if self.time is None else [_fields(line, self.separator)[self.time] for _, line in lines]

    def _fault(self, lines: list[_Line]) -> str:
        """What is wrong with the first line that is no message."""
        for number, line in lines:
            words = _fields(line, self.separator)
            if len(words) != len(self.names):
                return f"line {number} has {len(words)} fields, expected {len(self.names)} as in those before"
            for place in self.features:
                word = words[place]
                if not is_number(word.replace(",", ".") if self.decimal_comma else word):
                    return f"line {number} holds {word[:40]!r} in column {self.names[place]}, expected a number"
        return f"lines {lines[0][0]} to {lines[-1][0]} cannot be read as numbers"


def _fields(line: str, separator: str | None) -> list[str]:
    words = line.split() if separator is None else next(csv.reader([line.strip(" ")], delimiter=separator), [])
    return [word.strip().strip('"') for word in words]
