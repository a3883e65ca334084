"""What takes long to make is made once in a test run: by the worker of pytest-xdist that needs it first, and read by the others."""

import fcntl
import os
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")
folder: Path | None = None  # of all workers; conftest.py sets it, and without workers it stays None


def made_once(make: Callable[[], Made]) -> Callable[[], Made]:
    """A function without arguments whose result can be pickled, and is made once for all workers."""

    @cache
    def found() -> Made:
        if folder is None:
            return make()
        path = folder / f"{make.__module__}.{make.__name__}.pickle"
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                draft = path.with_suffix(f".{os.getpid()}")
                draft.write_bytes(pickle.dumps(make()))
                draft.replace(path)
        return pickle.loads(path.read_bytes())

    return found
