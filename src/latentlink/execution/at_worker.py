"""What runs in the process of a Dask worker: functions that were sent to it once, and are called with one item after another.

Nothing here needs more than this package and Dask, so that the scheduler, which passes tasks on, need not import PyTorch.
"""

import asyncio
import hashlib
import pickle
import platform
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_MOST = 2  # functions that a worker keeps: a third one takes the place of the one that was used longest ago
_lock = threading.Lock()
_parts: dict[str, list[bytes]] = {}
_functions: dict[str, Callable[[Any], Any]] = {}  # in the order of their last use


class NotReceived(LookupError):  # noqa: N818 (a state that the client mends)
    """This worker does not have the function: it has come since, or has freed it for others."""


class NotLoaded(RuntimeError):  # noqa: N818 (named for what is missing)
    """What the client sent cannot be loaded here, for instance since a package is not installed; the message names the worker."""


def describe() -> dict[str, str]:
    """Return what results depend on: the versions here, and a digest of this package's source."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in ("latentlink", "torch", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found | {"latentlink's source": _source_digest()[:12]}


def machine() -> str:
    """Return what identifies this machine since it was started, also from within containers."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return boot.read_text() if boot.is_file() else f"{uuid.getnode()}"


@cache
def _source_digest() -> str:
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def dask_setup(worker: Any) -> None:
    """Leave an interruption, which a terminal sends to all processes, to the one that started the workers; Dask calls this as a preload."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def receive(token: str, part: bytes) -> None:
    """Keep a part of a pickled function until the last one is there."""
    with _lock:
        _parts.setdefault(token, []).append(part)


async def unpack(token: str) -> None:
    """Load a function of which all parts are there; what it needs is imported in a thread, and the worker answers meanwhile."""
    with _lock:
        content = b"".join(_parts.pop(token, ()))
    function = await asyncio.to_thread(_load, content)
    with _lock:
        _functions[token] = function
        for oldest in list(_functions)[:-_MOST]:
            del _functions[oldest]


def call(token: str, item: bytes) -> Any:
    """Call a function that this worker has received with one item.

    Raises:
        NotReceived: it has not.
        NotLoaded: the item cannot be loaded here.
        Exception: that the function raises.
    """
    with _lock:
        function = _functions.pop(token, None)
        if function is None:
            raise NotReceived(token)
        _functions[token] = function
    return function(_load(item))


def forget(token: str) -> None:
    """Free a function and what it keeps."""
    with _lock:
        _functions.pop(token, None)
        _parts.pop(token, None)


def worker_here() -> str:
    """Return the address and host of the worker that computes this item; "" in a process that is none."""
    task = _task_here()
    return f"{task[0].address} ({socket.gethostname()})" if task else ""


def is_given_up() -> bool:
    """Return True where a worker computes an item that its client does not wait for any more."""
    task = _task_here()
    if task is None:
        return False
    state = task[0].state.tasks.get(task[1])
    return state is None or state.state == "cancelled"


def _task_here() -> tuple[Any, str] | None:
    """The worker of this thread and the key of its task."""
    distributed = sys.modules.get("distributed")
    try:
        worker = distributed.get_worker() if distributed is not None else None
        return None if worker is None else (worker, worker.get_current_task())
    except ValueError:
        return None


def _load(content: bytes) -> Any:
    try:
        return pickle.loads(content)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        where = worker_here() or socket.gethostname()
        raise NotLoaded(f"the worker at {where} cannot load what it shall compute ({reason}): install there what is missing") from error
