"""Files that are either whole or not there: write beside the target, flush to the disk, rename."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it takes the target's place, on any error it is removed.

    Args:
        path: where the file shall stand; its folder is made if it is absent.

    Yields:
        A path in the same folder with the same suffix, to be written by the caller.

    Raises:
        OSError: the folder cannot be made or written, or the disk is full; `path` is then as it was before.
    """
    target = _resolved(path)
    draft = None
    try:
        if target.exists() and not target.is_file():
            raise OSError(errno.EINVAL, "it is there already and not a regular file")
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        draft = Path(name)
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        draft.chmod(0o666 & ~umask)
        draft.replace(target)
    except OSError as error:
        raise type(error)(error.errno, f"could not write {target}: {error.strerror or error}; nothing was changed there") from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse early, before the work, a place at which `atomic_path` would fail; nothing is made there yet.

    Raises:
        OSError: links lead in a circle, a folder or another special file is there, or what should be a folder is a file or read-only.
    """
    target = _resolved(path)
    try:
        if target.exists() and not target.is_file():
            raise IsADirectoryError(f"could not write {target}: it is there already and not a regular file: name another place")
        above = next((folder for folder in target.parents if folder.exists() or folder.is_symlink()), target.parent)
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(f"could not write {path}: {error.strerror}: name another place") from error
    if not above.is_dir():
        raise NotADirectoryError(f"could not write {target}: {above} is not a folder: name another place")
    if not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(f"could not write {target}: {above} is read-only: name another place")


def _resolved(path: str | os.PathLike[str]) -> Path:
    """The target of a path: a link is followed, not replaced."""
    try:
        return Path(path).resolve()
    except (RuntimeError, OSError) as error:  # a RuntimeError for circles before Python 3.13
        reason = getattr(error, "strerror", None) or "links lead in a circle"
        raise OSError(f"could not write {path}: {reason}: name another place") from error


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a whole file, or leave what was there; raises as `atomic_path` does."""
    with atomic_path(path) as draft:
        draft.write_bytes(content)
