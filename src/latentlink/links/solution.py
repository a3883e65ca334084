"""The result of a design: a feasible transceiver, its status, and its expected error and power."""

from dataclasses import dataclass, field
from typing import Generic

from jaxtyping import Float, Int
from torch import Tensor
from typing_extensions import TypeVar

from latentlink.channels.channel import Channel
from latentlink.links.status import Status, name_of
from latentlink.links.transceiver import Codes, Transceiver
from latentlink.numerics.reprs import Summarised, counted, spread

Link = TypeVar("Link", bound=Codes, covariant=True, default=Transceiver)


@dataclass(frozen=True, eq=False, repr=False)
class Solution(Summarised, Generic[Link]):
    """The result of a design.

    Attributes:
        transceiver: a feasible one, whatever the status; an own one may have `encode` and `decode` alone.
        status: (…) codes, one for each channel; `status_names()` and `messages()` spell them out.
        expected_mse: (…) total, unweighted E||y − ŷ||² under the pilots' moments; None where the design does not know it. Where it is
            sampled, `trace["expected_mse_error"]` (…) is its standard error.
        expected_power: (…) mean power per channel use under the pilots' moments; at most the budget, which holds under the design
            covariance.
        trace: further tensors of the design, by name; the docstring of each `design` says what they mean.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> solution = ll.ClosedForm().design(modes, channel)
        >>> solution
        Solution(1 channel, 2×2, 1 use, optimal)
        >>> solution.status_names(), round(float(solution.expected_power), 2)
        (['optimal'], 1.0)
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
        return sorted(name_of(int(code)) for code in self.status.unique())

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
