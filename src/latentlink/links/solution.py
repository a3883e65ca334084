"""What a design returns: a feasible transceiver, how the design ended, and what to expect of it."""

import zlib
from dataclasses import dataclass, field
from typing import ClassVar, Generic

from jaxtyping import Float, Int
from torch import Tensor
from typing_extensions import TypeVar

from latentlink.links.transceiver import Transceiver
from latentlink.numerics.reprs import Summarised, spread

_STATUSES: dict[int, "Status"] = {}


@dataclass(frozen=True)
class Status(Summarised):
    """How a design ended for one channel.

    A room above this one declares the statuses of its own designs as module constants, `CONVERGED = Status("converged", "…")`, and so may
    anybody else. The code in `Solution.status` is a hash of the name: it depends neither on the order nor on the place of declarations.
    Files keep names, not codes.

    Attributes:
        name: a short name, unique in the process; result files keep it.
        message: one sentence that says what is known of the pair and what to try.

    Raises:
        ValueError: another status of this name, or of the same hash, exists already.
    """

    OPTIMAL: ClassVar["Status"]
    NOTHING_TO_SEND: ClassVar["Status"]
    BASELINE: ClassVar["Status"]

    name: str
    message: str

    def __post_init__(self) -> None:
        if _STATUSES.setdefault(self.code, self) != self:
            raise ValueError(f"name must differ from that of {_STATUSES[self.code]!r}, got {self.name!r}")

    @property
    def code(self) -> int:
        """The number that stands for it in `Solution.status`."""
        return zlib.crc32(self.name.encode())

    @classmethod
    def of(cls, code: int) -> "Status":
        """The status of a code.

        Raises:
            ValueError: no status of this code was declared in this process.
        """
        if code not in _STATUSES:
            raise ValueError(f"code must be that of a declared Status, got {code}: import the room whose design gave it")
        return _STATUSES[code]


Status.OPTIMAL = Status("optimal", "optimal: no pair of its kind does better under these moments and this power")
Status.NOTHING_TO_SEND = Status(
    "nothing to send",
    ("nothing was sent: the channel or power is zero, no modes, limits or weights are left; look at h, power, modes, pruning"),
)
Status.BASELINE = Status("baseline", "feasible: a baseline by construction, nothing was optimised jointly")


Link = TypeVar("Link", bound=Transceiver, covariant=True, default=Transceiver)


@dataclass(frozen=True, eq=False, repr=False)
class Solution(Summarised, Generic[Link]):
    """What a design returns.

    Attributes:
        transceiver: a feasible one, whatever the status.
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
        """The distinct names of the statuses of the batch: what files keep."""
        return [status.name for status in self.statuses()]

    @property
    def known_mse(self) -> Float[Tensor, "*batch"]:
        """`expected_mse` of a design that knows it.

        Raises:
            ValueError: it is None: what the design knows does not tell it.
        """
        if self.expected_mse is None:
            raise ValueError("expected_mse must be known, got None: the design's csi case tells it by at_reception(solution, modes, truth)")
        return self.expected_mse

    def messages(self) -> list[str]:
        """The distinct messages of the statuses of the batch, which say what is known of the pairs and what to try."""
        return sorted(status.message for status in self.statuses())

    def _facts(self) -> dict[str, str]:
        return {
            **self.transceiver.channel.sizes,
            "transceiver": type(self.transceiver).__name__,
            "status": ", ".join(self.status_names()),
            "expected error": "not known" if self.expected_mse is None else spread(self.expected_mse),
            "expected power": spread(self.expected_power),
            "trace": ", ".join(self.trace),
        }

    def _line(self) -> list[str]:
        return [*self.transceiver.channel.sizes.values(), *self.status_names()]
