"""The result of a design: a feasible transceiver, a status, and its expected error and power."""

import sys
import zlib
from dataclasses import dataclass, field
from typing import ClassVar, Generic

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from typing_extensions import TypeVar

from latentlink.channels.channel import Channel
from latentlink.links.transceiver import Codes, Transceiver
from latentlink.numerics.doors import integer
from latentlink.numerics.reprs import Summarised, counted, spread

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
        code = integer("code", code, 0)
        if code not in _STATUSES:
            raise ValueError(f"code must be that of a declared Status, got {code}: import the room whose design gave it")
        return _STATUSES[code]


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


Link = TypeVar("Link", bound=Codes, covariant=True, default=Transceiver)


@dataclass(frozen=True, eq=False, repr=False)
class Solution(Summarised, Generic[Link]):
    """The result of a design.

    Attributes:
        transceiver: a feasible one, whatever the status; an own one may have `encode` and `decode` alone.
        status: (…) codes, one for each channel; `status_names()` and `messages()` spell them out.
        expected_mse: (…) total, unweighted E||y − ŷ||² under the pilots' moments; None where the design does not know it.
        expected_power: (…) mean power per channel use under the pilots' moments; at most the budget, which holds under the design
            covariance.
        trace: further tensors of the design, by name; the docstring of each `design` says what they mean.

    Example:
        >>> ClosedForm().design(modes, channel)  # doctest: +SKIP
        Solution(100 channels, 2×2, 1 use, optimal)
    """

    transceiver: Link
    status: Int[Tensor, "*batch"]
    expected_mse: Float[Tensor, "*batch"] | None
    expected_power: Float[Tensor, "*batch"]
    trace: dict[str, Tensor] = field(default_factory=dict)

    def statuses(self) -> list[Status]:
        """The distinct statuses of the batch, in the order of their names."""
        return sorted((Status.of(int(code)) for code in self.status.unique()), key=lambda status: status.name)

    def status_names(self) -> list[str]:
        """The distinct names of the statuses of the batch, which files store."""
        return [status.name for status in self.statuses()]

    @property
    def known_mse(self) -> Float[Tensor, "*batch"]:
        """`expected_mse` of a design that knows it.

        Raises:
            ValueError: it is None.
        """
        if self.expected_mse is None:
            raise ValueError("expected_mse must be known, got None: the csi case computes it by at_reception(solution, modes, truth)")
        return self.expected_mse

    def messages(self) -> list[str]:
        """The distinct messages of the statuses of the batch, which say what is known of the pairs and what to try."""
        return sorted(status.message for status in self.statuses())

    def _sizes(self) -> dict[str, str]:
        """The sizes of the transceiver's channel, or the number of channels where an own transceiver names none."""
        channel = getattr(self.transceiver, "channel", None)
        return channel.sizes if isinstance(channel, Channel) else {"channels": counted(self.status.numel(), "channel")}

    def _shown_statuses(self) -> list[str]:
        """The names of the statuses, and the codes of those that nobody declared in this process."""
        codes = [int(code) for code in self.status.unique()]
        return sorted(_STATUSES[code].name if code in _STATUSES else f"unknown status {code}" for code in codes)

    def _facts(self) -> dict[str, str]:
        return {
            **self._sizes(),
            "transceiver": type(self.transceiver).__name__,
            "status": ", ".join(self._shown_statuses()),
            "expected error": "not known" if self.expected_mse is None else spread(self.expected_mse),
            "expected power": spread(self.expected_power),
            "trace": ", ".join(self.trace),
        }

    def _line(self) -> list[str]:
        return [*self._sizes().values(), *self._shown_statuses()]
