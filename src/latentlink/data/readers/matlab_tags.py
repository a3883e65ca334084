"""The tags of a MATLAB file of version 5, checked before its content is read.

An element is a tag, of its type and its number of bytes, and these bytes. A matrix is an element that holds elements: flags, dimensions, a
name and data, or the matrices of its cells and fields. Compressed elements hold one matrix. SciPy looks types up without asking whether
there is such a one, and makes room for as many cells as are declared: a damaged tag would end the process.

Source: MathWorks, "MAT-File Level 5 File Format".
"""

import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from latentlink.data.readers.content import FileContentError

_NUMBERS = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18}  # types of numbers and characters
_MATRIX, _COMPRESSED, _INT32 = 14, 15, 5
_HOLDERS = {1, 2, 3}  # classes of matrices that hold matrices: cells, structs and objects
_DEEPEST, _CHUNK = 32, 2**20


@runtime_checkable
class _Stream(Protocol):
    def read(self, count: int, /) -> bytes: ...


class _Inflated:
    """The bytes that a compressed element holds, in order and without holding them."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left, self._inflate = file, size, zlib.decompressobj()

    def read(self, count: int, /) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            packed = self._inflate.unconsumed_tail
            if not packed:
                packed = self._file.read(min(self._left, _CHUNK))
                self._left -= len(packed)
            if not (part := self._inflate.decompress(packed, count - len(parts))) and not packed:
                break
            parts += part
        return bytes(parts)


class _Tags:
    """The tags of one file.

    Args:
        path: of the file, for messages.
        order: of the bytes, "<" or ">".
    """

    def __init__(self, path: Path, order: str) -> None:
        self.path, self.order = path, order

    def damaged(self, what: str) -> FileContentError:
        return FileContentError(f"{self.path}: the MATLAB file is damaged: {what}")

    def words(self, stream: _Stream) -> tuple[int, int]:
        """The two numbers of a tag."""
        content = stream.read(8)
        if len(content) < 8:
            raise self.damaged("it ends within a tag")
        first, second = struct.unpack(self.order + "II", content)
        return first, second

    def skip(self, stream: _Stream, count: int) -> None:
        """Pass over the bytes of an element."""
        while count > 0:
            passed = len(stream.read(min(count, _CHUNK)))
            if passed == 0:
                raise self.damaged("it ends before its data do")
            count -= passed

    def element(self, stream: _Stream, left: int, depth: int = 0) -> int:
        """Check one element of at most so many bytes, and return how many it has."""
        kind, size = self.words(stream)
        if kind >> 16:  # a tag and up to four bytes in eight
            kind, size = kind & 0xFFFF, kind >> 16
            if kind not in _NUMBERS or size > 4:
                raise self.damaged(f"a short element of type {kind} and {size} bytes")
            return 8
        if kind not in _NUMBERS | {_MATRIX} or size > left - 8:
            raise self.damaged(f"an element of type {kind} and {size} bytes, where {left} are left")
        if kind == _MATRIX:
            self.matrix(stream, size, depth + 1)
        else:
            size = min(-(-size // 8) * 8, left - 8)  # filled up to eight
            self.skip(stream, size)
        return 8 + size

    def matrix(self, stream: _Stream, size: int, depth: int) -> None:
        """Check the elements of a matrix of so many bytes."""
        if depth > _DEEPEST:
            raise self.damaged(f"matrices within matrices, more than {_DEEPEST} deep")
        left = size
        if left >= 16:
            kind = self.flags(stream)
            left -= 16
            if kind in _HOLDERS:
                left -= self.dimensions(stream, left)
        while left > 0:
            left -= self.element(stream, left, depth)

    def flags(self, stream: _Stream) -> int:
        """The class of a matrix."""
        kind, size = self.words(stream)
        if (kind, size) != (6, 8):
            raise self.damaged(f"a matrix that begins with an element of type {kind} and {size} bytes, instead of its flags")
        return self.words(stream)[0] & 0xFF

    def dimensions(self, stream: _Stream, left: int) -> int:
        """Check that there is a tag for each cell or field that is declared; return the bytes of the element."""
        kind, size = self.words(stream)
        padded = -(-size // 8) * 8
        if kind != _INT32 or size % 4 or padded > left - 8:
            raise self.damaged(f"dimensions of type {kind} and {size} bytes, where {left} are left")
        sizes = struct.unpack(f"{self.order}{size // 4}i", stream.read(padded)[:size])
        if min(sizes, default=0) < 0 or math.prod(sizes) > max(1, left // 8):
            raise self.damaged(f"a cell array or struct of {' x '.join(map(str, sizes))} elements in {left} bytes")
        return 8 + padded


def check_tags(path: Path) -> None:
    """Check that all elements of a file are of known types and within their bounds.

    Raises:
        FileContentError: the file is damaged.
    """
    size = path.stat().st_size - 128
    with path.open("rb") as file:
        tags = _Tags(path, "<" if file.read(128)[126:] == b"IM" else ">")
        try:
            while size > 0:
                place = file.tell()
                kind, inner = tags.words(file)
                if kind != _COMPRESSED:
                    file.seek(place)
                    size -= tags.element(file, size)
                    continue
                if inner > size - 8:
                    raise tags.damaged(f"{inner} compressed bytes, where {size - 8} are left")
                tags.element(_Inflated(file, inner), 2**62)
                file.seek(place + 8 + inner)
                size -= 8 + inner
        except zlib.error as error:
            raise tags.damaged(str(error)) from error
