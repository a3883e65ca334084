"""Channel state information (CSI): the cases of who knows what of the channel, and the design for each.

A case designs for what the transmitter knows (`design`), and matches the decoder to what the receiver knows when the message is received
(`at_reception`). A receiver that measures the channel estimates H F from pilots on the beams, of power P_p each. For orthogonal beams this
has the same distribution as an estimate of H with an error CN(0, σ²/P_p) in every entry, of which only the part on the beams matters:
(H V + N) Vᴴ = H V Vᴴ + N Vᴴ, and N Vᴴ is white on the beams. So `truth.estimated(σ²/P_p, gain)` is what such a receiver knows; the decoder
takes the remaining error for noise (`matched_to`).

    case               the transmitter knows        the receiver knows
    Perfect            H                            H
    BothEnds           an estimate of H             the same estimate
    Transmitter        an estimate of H             H F, from pilots of the message
    ReceiverOnly       statistics                   H F, from pilots of the message
    TransmitterOnly    an estimate of H             statistics
    Unaware            nothing                      nothing
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from latentlink.channels.channel import Channel
from latentlink.linear.closed_form import ROBUST, LinearSolution, expected_on, mark_status
from latentlink.linear.coloured import design_in_any_noise
from latentlink.linear.csi_solutions import as_baseline, chosen, judged_by, require_pooled, statistical_root, trusting
from latentlink.linear.modes import SemanticModes
from latentlink.linear.robust.at_transmitter import choose_for_transmitter
from latentlink.linear.robust.both_ends import choose_for_both_ends
from latentlink.linear.robust.pre_equalised import agreed_level, design_for_identity, pre_equalise
from latentlink.links.status import Status
from latentlink.numerics.doors import AnyArray, check_instance, finite, flag, integer, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.power import Mean, PowerLimit


@made_by("csi.BothEnds() or csi.Transmitter()")
class CsiCase(Summarised, ABC):
    """The knowledge of the channel at the two ends; the base of all cases.

    Attributes:
        receiver_measures: True where the receiver estimates the channel from each message's pilots and matches its decoder to the estimate.
        takes_every_limit: False where there is a design for the mean power alone.

    Example:
        >>> import latentlink as ll
        >>> [(case, case.receiver_measures) for case in (ll.csi.Perfect(), ll.csi.Unaware(), ll.csi.ReceiverOnly())]
        [(Perfect(), False), (Unaware(), False), (ReceiverOnly(gain=1.0, correlation=None), True)]
    """

    receiver_measures: ClassVar[bool] = False
    takes_every_limit: ClassVar[bool] = True

    @abstractmethod
    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """Design the link for what is known of the channels before the message is sent.

        Args:
            modes: semantic modes of the pair of devices.
            known: what the transmitter knows: the channels, or an estimate with its error variance.
            limit: power limit of the transmitter.

        Returns:
            Solution; its expected MSE is None where it does not follow from what the ends know.

        Raises:
            ValueError: the case has no design within the limit.
        """

    def at_reception(
        self, solution: LinearSolution, modes: SemanticModes, truth: Channel, received: Channel | None = None
    ) -> LinearSolution:
        """Match the link to what the receiver knows at reception, and compute its MSE on the true channels.

        Args:
            solution: result of `design`.
            modes: semantic modes of the pair of devices.
            truth: true channels of the message; their error variance is ignored.
            received: estimate of a receiver that measures, such as `truth.estimated(pilot_noise)`; H F exactly if not given.

        Returns:
            Solution with the decoder of the receiver, and the expected MSE on `truth` under the pilots' covariance; None for messages
            that are scaled one by one, whose error does not follow from second moments.
        """
        truth, link = truth.without_error(), solution.transceiver
        if self.receiver_measures:
            link = link.matched_to(truth if received is None else received)
        return judged_by(truth, replace(solution, transceiver=link), modes)


@dataclass(frozen=True)
class Perfect(CsiCase):
    """Both ends know the channel; an estimate is used as if it were the channel, and what is expected of it says so.

    Example:
        >>> import latentlink as ll
        >>> ll.ClosedForm(csi=ll.csi.Perfect()).csi
        Perfect()
    """

    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """Design exactly for the channels; where these have an error, the pair is a baseline, whose expected MSE contains that error."""
        return trusting(modes, known, limit)


@dataclass(frozen=True, kw_only=True)
class BothEnds(CsiCase):
    """Both ends know the same estimate, and no more; where it has no error this is the exact design.

    Attributes:
        robust: True where precoder and decoder take the estimate's error into account, which acts as noise.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> cases = ll.csi.BothEnds(), ll.csi.BothEnds(robust=False)
        >>> designs = [ll.ClosedForm(csi=case).design(modes, channel.estimated(0.1, generator=0)) for case in cases]
        >>> [round(float(design.expected_mse), 2) for design in designs]
        [1.16, 1.35]
    """

    robust: bool = True

    def __post_init__(self) -> None:
        flag("robust", self.robust)

    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """Choose the best of several precoders under mean power (`robust.both_ends`); else τ P is white noise."""
        if not self.robust:
            return trusting(modes, known, limit)
        if not known.uncertain or known.coloured or limit != Mean():
            return design_in_any_noise(modes, known, limit)
        best = choose_for_both_ends(modes, known)
        solution = chosen(modes, best)
        optimal = best.decoded.error_variance if known.uses == 1 else 0.0  # of one use, unless the decoder trusts the estimate
        return replace(solution, status=mark_status(solution.status, known.error_variance > optimal, ROBUST))


@dataclass(frozen=True, kw_only=True)
class Transmitter(CsiCase):
    """The transmitter knows an estimate; the receiver knows H F and matches its decoder at reception.

    The naive precoder is taken unless another one is better by three standard errors of the paired draws.

    Attributes:
        robust: True where the precoder takes the estimate's error into account.
        draws: number of Monte Carlo draws of an error matrix for each channel, divided over its uses; at least two for each use.
        seed: seed of those draws.

    Raises:
        ValueError: draws is no integer >= 1.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> solution = ll.ClosedForm(csi=ll.csi.Transmitter(draws=8)).design(modes, channel.estimated(0.1, generator=0))
        >>> ll.csi.Transmitter().at_reception(solution, modes, truth=channel)
        Solution(1 channel, 2×2, 1 use, robust)
    """

    receiver_measures: ClassVar[bool] = True
    takes_every_limit: ClassVar[bool] = False
    robust: bool = True
    draws: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "draws", integer("draws", self.draws))
        flag("robust", self.robust)
        integer("seed", self.seed, 0, 2**63 - 1)

    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """Design for the estimate; the expected MSE is that of a receiver that knows H F exactly, by Monte Carlo.

        Its standard error is `trace["expected_mse_error"]` (…). The decoder is the one for the estimate until `at_reception`.
        """
        if not known.uncertain:
            return design_in_any_noise(modes, known, limit)
        require_pooled(limit, self, known)
        solution = chosen(modes, choose_for_transmitter(modes, known, draws=self.draws, seed=self.seed, robust=self.robust))
        return replace(solution, status=mark_status(solution.status, known.error_variance > 0, ROBUST if self.robust else Status.BASELINE))


@dataclass(frozen=True, eq=False, kw_only=True)
class ReceiverOnly(CsiCase):
    """The transmitter knows only statistics, mean zero and E[HᴴH] = n_rx · gain · R_tx; the receiver measures H F.

    Attributes:
        gain: E|h|² of every entry of H.
        correlation: R_tx (n_tx, n_tx) with unit diagonal, as for `kronecker`; None is I, and the precoder is isotropic.

    Raises:
        ValueError: gain is not positive and finite.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> solution = ll.ClosedForm(csi=ll.csi.ReceiverOnly()).design(modes, channel)
        >>> solution.expected_mse is None, ll.csi.ReceiverOnly().at_reception(solution, modes, truth=channel)
        (True, Solution(1 channel, 2×2, 1 use, baseline))
    """

    receiver_measures: ClassVar[bool] = True
    gain: float = 1.0
    correlation: AnyArray | None = None

    def __post_init__(self) -> None:
        real("gain", self.gain, above=0.0)
        if self.correlation is not None:
            finite("correlation", self.correlation)

    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """Design for a square root of E[HᴴH], the same for all channels of equal noise; the expected MSE is known at reception.

        The link refuses to receive until `at_reception` has matched its decoder. Of `known` only the sizes, the noise and the power matter.

        Raises:
            ValueError: the correlation is not a Hermitian matrix of the transmit antennas, or there is interference.
        """
        root = statistical_root(self.gain * known.n_rx, self.correlation, known)
        there = Channel(root.expand(*known.h.shape[:-2], -1, -1), known.noise_variance, known.power)
        solution = as_baseline(design_in_any_noise(modes, there, limit))
        unmatched = solution.transceiver.matched_to(Channel(torch.zeros_like(known.h), known.noise_variance))
        return replace(solution, transceiver=replace(unmatched, awaits_channel=True))


@dataclass(frozen=True, kw_only=True)
class TransmitterOnly(CsiCase):
    """The receiver knows only statistics: its decoder is made for a channel a·I agreed beforehand, and the transmitter equalises.

    Ψ and G̃ are those of the exact design on a·I; the precoder is the best for this decoder (see `robust.pre_equalised`): it makes the
    channel look like a·I as far as its power reaches. a² is the multiple of the gain that is best in the mean over Rayleigh fading.

    Attributes:
        gain: E|h|² of every entry of H.
        multiples: candidates for a², as multiples of the gain.
        draws: number of Rayleigh channels on which a² is chosen.
        seed: seed of those channels.

    Raises:
        ValueError: gain or a multiple is not positive and finite, there is no multiple, or draws is no integer >= 1.

    Example:
        >>> import latentlink as ll
        >>> ll.ClosedForm(csi=ll.csi.TransmitterOnly(gain=0.5)).csi.gain
        0.5
    """

    takes_every_limit: ClassVar[bool] = False
    gain: float = 1.0
    multiples: tuple[float, ...] = (0.03, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.5, 4.0, 6.0, 10.0)
    draws: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        real("gain", self.gain, above=0.0)
        check_instance("multiples", self.multiples, Sequence, "(0.5, 1.0, 2.0)")
        integer("number of multiples", len(self.multiples), 1, 1000)
        for multiple in self.multiples:
            real("multiples", multiple, above=0.0)
        integer("seed", self.seed, 0, 2**63 - 1)
        integer("draws", self.draws)

    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """Design the precoder that equalises the channel known to the transmitter, for the decoder agreed beforehand."""
        require_pooled(limit, self, known)
        level = agreed_level(modes, known, self.gain, self.multiples, draws=self.draws, seed=self.seed)
        fixed = design_for_identity(modes, level, known)
        link = replace(fixed, precoder=pre_equalise(modes, fixed, known).to(fixed.precoder).contiguous())
        stream_power = link.stream_gram().diagonal(dim1=-2, dim2=-1)
        return expected_on(modes, link, Status.BASELINE.where(stream_power.sum(-1) > 0), {"stream_power": stream_power}, known)


@dataclass(frozen=True)
class Unaware(CsiCase):
    """Neither end knows the channel: the design for H = I without noise [pandolfo2025latent], used as it is.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> unaware = ll.ClosedForm(csi=ll.csi.Unaware()).design(modes, channel)
        >>> aware, at_reception = ll.ClosedForm().design(modes, channel), ll.csi.Unaware().at_reception(unaware, modes, truth=channel)
        >>> round(float(aware.expected_mse), 1), round(float(at_reception.expected_mse), 1)
        (0.9, 5.3)
    """

    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """Design exactly for the identity; only the sizes and the power of `known` matter, and the expected MSE is known at reception."""
        return as_baseline(design_in_any_noise(modes, known.unaware(), limit))
