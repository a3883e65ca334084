"""The closed form: the exact linear design, for any power limit and any knowledge of the channel."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from latentlink.channels.channel import Channel
from latentlink.linear.closed_form import LinearSolution, in_precision_of
from latentlink.linear.csi_cases import BothEnds, CsiCase
from latentlink.linear.leakage import design_with_leakage
from latentlink.linear.modes import SemanticModes
from latentlink.numerics.reprs import Summarised
from latentlink.power import Leakage, Mean, PowerLimit


@dataclass(frozen=True, kw_only=True)
class ClosedForm(Summarised):
    """The exact design of a linear pair; `design` takes modes and a whole batch of channels (theory: `linear/closed_form.py`).

    Attributes:
        power: power limit: Mean() over uses, PerUse() or PerMessage(x=x, y=y); Equal() and OneUseAtATime() for comparison. For
            PerAntenna() see Admm.
        csi: knowledge of the channel: BothEnds() share what is known; Perfect(), Transmitter(), ReceiverOnly(), TransmitterOnly() or
            Unaware().
        leakage: limits of what primary users receive (cognitive radio), each a `power.Leakage`; with Mean() and BothEnds() only.

    Raises:
        ValueError: power is not a power limit, or csi is not a CSI case.

    References:
        [palomar2003joint]; [pandolfo2025latent] for the problem.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(100,), generator=0), snr_db=20.0)
        >>> ll.ClosedForm(power=ll.power.PerUse()).design(modes, channel)
        Solution(100 channels, 2×2, 1 use, optimal)
    """

    power: PowerLimit = field(default_factory=Mean)
    csi: CsiCase = field(default_factory=BothEnds)
    leakage: Sequence[Leakage] = ()

    def design(self, modes: SemanticModes, known: Channel) -> LinearSolution:
        """Design precoder and decoder for every channel of the batch at once.

        Differentiable in h, noise and power, but for PerUse on uses that differ; where singular values of h coincide only the expected
        values have a derivative, the singular vectors having none.

        Args:
            modes: semantic modes of the pair of devices, on the channel's device; the design has their precision.
            known: batch of channels (…, u, n_rx, n_tx), or of estimates.

        Returns:
            Solution with `trace` holding

            - `stream_power` (…, s): power of each mode;
            - `gap` (…), for PerUse on uses that differ: distance of the weighted error to a lower bound, relative to it;
            - `leakage` (…, L) of each primary, `bound` and `error` (…) of the weighted error and their relative `gap`, where leakage is
              limited;
            - `candidate` (…), where the channel is uncertain: number of the `robust.both_ends.Candidate` that was taken.

        Raises:
            ValueError: modes or known are of another type or on different devices, or power, csi and interference do not go together:
                interference is served with Mean() power by BothEnds(), Perfect() and Unaware(), and by Transmitter() of exact channels.
        """
        known = in_precision_of(modes, known, coloured=True)
        if len(self.leakage) > 0:
            return design_with_leakage(modes, known, self.leakage, self.power, self.csi)
        return self.csi.design(modes, known, self.power)
