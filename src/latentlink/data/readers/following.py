"""Bytes as they come: from a pipe, or from a file that another program is still writing to."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from latentlink.data.readers.content import FileContentError
from latentlink.storage.refusals import naming_refusals

STDIN = "-"
_PIECE = 1 << 20  # bytes of a read
_WAIT_S = 0.2  # until a file is looked at again


def name_of(source: str) -> str:
    """What messages call a source."""
    return "standard input" if source == STDIN else source


def pieces_of(source: str, follow: bool = False) -> Iterator[bytes]:
    """Read a file, or standard input for "-", piece by piece.

    Args:
        source: the file.
        follow: True to wait for more at its end, for ever; standard input is read until whoever writes it ends in any case.

    Yields:
        What has come, at most 1 MiB; nothing is waited for while something is there.

    Raises:
        FileNotFoundError: the file is absent.
        OSError: the system refuses to open it.
        FileContentError: standard input is closed, or the file that is followed was cut short or replaced by another.
    """
    if source == STDIN:
        if sys.stdin is None or sys.stdin.closed:
            raise FileContentError("standard input: is closed; pipe messages into it, or name a file")
        yield from iter(lambda: os.read(sys.stdin.fileno(), _PIECE), b"")
        return
    with naming_refusals(source):
        file = Path(source).open("rb")  # noqa: SIM115 (the block below closes it)
    with file:
        while True:
            piece = file.read(_PIECE)
            if piece:
                yield piece
            elif not follow:
                return
            else:
                _check_same(source, file.fileno(), file.tell())
                time.sleep(_WAIT_S)


def _check_same(source: str, descriptor: int, position: int) -> None:
    """Refuse a file that is no longer the one that was opened, of which nothing more will come."""
    try:
        here, there = os.fstat(descriptor), os.stat(source)  # noqa: PTH116 (as for the descriptor)
    except FileNotFoundError as error:
        raise FileContentError(f"{source}: was removed while it was followed; start again when there is a new one") from error
    if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino) or there.st_size < position:
        raise FileContentError(f"{source}: was replaced or cut short while it was followed; start again to read it from its beginning")
