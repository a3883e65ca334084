"""What the system refuses to do with a file, told in one sentence with the file and the remedy."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

_REMEDIES = {
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EACCES: "get the right to read it, such as by chmod u+r, or take a copy",
    errno.EPERM: "get the right to read it, such as by chmod u+r, or take a copy",
    errno.ENOTDIR: "a part of its path is a file, name a folder there",
}


@contextmanager
def naming_refusals(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name the file and the remedy in errors of the system; files that are absent, and errors that name theirs, pass.

    Raises:
        OSError: of the class that the system raised, such as PermissionError.
    """
    try:
        yield
    except (FileNotFoundError, IsADirectoryError):
        raise
    except OSError as error:
        if error.errno is None:
            raise
        name, remedy = os.fspath(path), _REMEDIES.get(error.errno, "check the path and the disk")
        raise type(error)(f"{name if len(name) <= 120 else f'{name[:117]}…'}: cannot be opened ({error.strerror}): {remedy}") from error
