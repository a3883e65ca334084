"""Statuses: what is known of a design's outcome for one channel, and what to try."""

import sys
import zlib
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from latentlink.numerics.doors import integer
from latentlink.numerics.reprs import Summarised

_STATUSES: dict[int, "Status"] = {}


_OF_THE_PACKAGE: set[int] = set()  # codes that nobody else may declare


_LARGEST_CODE = 2**31 - 1  # fits every integer tensor that is not smaller than int32


@dataclass(frozen=True)
class Status(Summarised):
    """The outcome of a design for one channel.

    A room above this one declares the statuses of its own designs as module constants, `CONVERGED = Status("converged", "…")`, and so may
    anybody else; a notebook's cell that is run again declares its own anew. The code in `Solution.status` is a hash of the name, which
    fits int32: it depends neither on the order nor on the place of declarations. Files store names, not codes.

    Attributes:
        name: a short name, unique in the process; result files store it.
        message: one sentence that says what is known of the pair and what to try.

    Raises:
        ValueError: the package has a status of this name with another message, or another name has the same hash.

    Example:
        >>> import latentlink as ll
        >>> ll.Status.OPTIMAL.message
        'optimal: no pair of its kind does better under these moments and this power'
        >>> ll.Status.of(ll.Status.BASELINE.code).name
        'baseline'
    """

    OPTIMAL: ClassVar["Status"]
    NOTHING_TO_SEND: ClassVar["Status"]
    BASELINE: ClassVar["Status"]

    name: str
    message: str

    def __post_init__(self) -> None:
        before = _STATUSES.get(self.code, self)
        by_the_package = _declaring_module().startswith("latentlink.")
        if before.name != self.name or (self.code in _OF_THE_PACKAGE and before != self and not by_the_package):
            raise ValueError(f"name must differ from that of {before!r}, got {self.name!r}")
        _STATUSES[self.code] = self
        if by_the_package:
            _OF_THE_PACKAGE.add(self.code)

    @property
    def code(self) -> int:
        """The number that stands for it in `Solution.status`, in int32's range."""
        return zlib.crc32(self.name.encode()) & _LARGEST_CODE

    def where(self, sent: Bool[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
        """The codes (…) of a batch: this status where anything is sent, NOTHING_TO_SEND elsewhere."""
        return torch.where(sent, self.code, Status.NOTHING_TO_SEND.code)

    @classmethod
    def of(cls, code: int | Tensor) -> "Status":
        """The status of a code.

        Raises:
            ValueError: no status of this code was declared in this process.
        """
        code = integer("code", code, 0, 2**63 - 1)
        if code not in _STATUSES:
            raise ValueError(f"code must be that of a declared Status, got {code}: import the room whose design gave it")
        return _STATUSES[code]


def name_of(code: int) -> str:
    """The name of the status of a code, which nobody may have declared in this process."""
    return _STATUSES[code].name if code in _STATUSES else f"unknown status {code}"


def _declaring_module() -> str:
    """The name of the module whose code is declaring a status."""
    frame = sys._getframe()
    while frame.f_code.co_name != "<module>" and frame.f_back is not None:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))


Status.OPTIMAL = Status("optimal", "optimal: no pair of its kind does better under these moments and this power")


Status.NOTHING_TO_SEND = Status(
    "nothing to send",
    ("nothing was sent: the channel or power is zero, no modes, limits or weights are left; look at h, power, modes, pruning"),
)


Status.BASELINE = Status("baseline", "feasible: a baseline by construction, nothing was optimised jointly")
