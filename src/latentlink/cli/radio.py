"""`latentlink radio`: a link between processes that only share a file of its design.

The processes are those of the runtime, which need no PyTorch: a command takes the place of this process, with the options that
`python -m latentlink_runtime COMMAND --help` tells.
"""

import os
import sys
from typing import Annotated, NoReturn

from cyclopts import Parameter

Words = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def keys(*words: Words) -> None:
    """Make the keys of a device, NAME.secret and NAME.public: the transmitter and the receiver know each other by them."""
    _become("keys", words)


def tx(*words: Words) -> None:
    """Send latents of a file: sound the channel, take the receiver's report, precode, and go on until told to end."""
    _become("tx", words)


def rx(*words: Words) -> None:
    """Receive latents, or a head's decisions: measure the channel, report it, decode, count, and show it live with --view PORT."""
    _become("rx", words)


def air(*words: Words) -> None:
    """Carry samples between both as an air does, with taps, noise and offsets; by GNU Radio's flow graph with --gnuradio."""
    _become("air", words)


def replay(*words: Words) -> None:
    """Send a SigMF recording at its own rate."""
    _become("replay", words)


def view(*words: Words) -> None:
    """Open the live page of a process that was started with --view."""
    _become("view", words)


def _become(command: str, words: tuple[str, ...]) -> NoReturn:
    """Let the runtime's command take the place of this process, which keeps its number and its parent."""
    sys.stdout.flush()
    sys.stderr.flush()
    environment = {**os.environ, "LATENTLINK_PROGRAM": "latentlink radio"}
    os.execve(sys.executable, [sys.executable, "-m", "latentlink_runtime", command, *words], environment)
