"""What a process of the link has beside its work: it dies with its parent, ends cleanly when it is told to, and has one BLAS thread."""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType

_SET_PDEATHSIG = 1  # prctl's
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def die_with_parent() -> None:
    """Ask Linux for a SIGTERM when the parent ends: an orphan would go on to serve those who come later at its address."""
    parent = os.getppid()
    if not sys.platform.startswith("linux"):
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed; start with --outlive-parent and end the process yourself")
    if os.getppid() != parent:  # it ended before the kernel knew that we ask
        sys.exit(1)


def environment_of_one_thread(environment: Mapping[str, str]) -> dict[str, str] | None:
    """The environment for a process whose BLAS has one thread, or None if it says how many already: two made frames 150 times slower."""
    missing = {name: "1" for name in _ONE_THREAD if name not in environment}
    return {**environment, **missing} if missing else None


class Stop:
    """True, when called, once SIGTERM or SIGINT came."""

    def __init__(self) -> None:
        self._came = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._heard)

    def __call__(self) -> bool:
        """True if it is time to stop."""
        return self._came

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self._came = True
