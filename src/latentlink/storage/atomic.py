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
    target = _resolved(Path(path))  # a link is followed, not replaced
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


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a whole file, or leave what was there; raises as `atomic_path` does."""
    with atomic_path(path) as draft:
        draft.write_bytes(content)


def check_folder(name: str, folder: Path) -> None:
    """Check that files can be written into a folder, which need not be there yet, before the work that they are of.

    Raises:
        OSError: it is a file, or lies in one, or cannot be written; the message has the name of the argument.
    """
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists() or each.is_symlink())
    if not there.is_dir():
        raise NotADirectoryError(f"{name} must be a folder or the name of a new one, got {folder}, and {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"{name} must be a folder that can be written, got {folder}, and {there} cannot be written")


def _resolved(path: Path) -> Path:
    """The path that links lead to."""
    try:
        return path.resolve()
    except RuntimeError as error:  # what Python before 3.13 says of links that lead to themselves
        raise OSError(errno.ELOOP, f"could not write {path}: its links lead to themselves") from error
