"""Who knows what of the channel, and the link that the two ends then use.

A case designs for what the transmitter knows (`design`), and says what the receiver does when the message comes (`at_reception`). A
receiver that measures does so through the precoder: it sees H F from pilots sent on the beams, of power P_p each. For beams at right angles
that is the same in law as measuring H itself up to an error CN(0, σ²/P_p) in every entry, of which F excites only its part:
(H V + N) Vᴴ = H V Vᴴ + N Vᴴ, and N Vᴴ is white on the beams. So `truth.estimated(σ²/P_p, gain)` is what such a receiver knows; what it
leaves open is noise to the decoder (`matched_to`).

    case               the transmitter knows        the receiver knows
    Perfect            H                            H
    BothEnds           an estimate of H             the same estimate
    Transmitter        an estimate of H             H F, from pilots of the message
    ReceiverOnly       statistics                   H F, from pilots of the message
    TransmitterOnly    an estimate of H             statistics
    Unaware            nothing                      nothing
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Complex
from numpy.typing import NDArray
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.exact import ROBUST, LinearSolution, design_exactly, expected_on, sent_or_nothing
from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import total_mse
from latentlink.linear.robust.at_transmitter import Draws, choose_for_transmitter
from latentlink.linear.robust.both_ends import choose_for_both_ends, decoder_channel
from latentlink.linear.robust.choice import Choice
from latentlink.linear.robust.pre_equalised import agreed_level, design_for_identity, pre_equalise
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.solution import Solution, Status
from latentlink.numerics.doors import as_tensor, integer, real
from latentlink.power import PowerLimit


class CsiCase(ABC):
    """What the two ends know of the channel.

    Attributes:
        receiver_measures: True where the receiver matches its decoder to what it measures when the message comes.
    """

    receiver_measures: ClassVar[bool] = False

    @abstractmethod
    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """The link for what is known of the channels before the message is sent.

        Args:
            modes: of the pair of devices.
            known: what the transmitter knows: the channels, or an estimate with its error variance.
            limit: what the power budget limits.

        Returns:
            Solution whose expected MSE is None where what the ends know does not tell it.

        Raises:
            ValueError: the case has no design within the limit.
        """

    def at_reception(
        self, solution: LinearSolution, modes: SemanticModes, truth: Channel, received: Channel | None = None
    ) -> LinearSolution:
        """The same link as the receiver uses it on the channels that the message really passes, and what is to be expected there.

        Args:
            solution: of `design`.
            modes: of the pair of devices.
            truth: the channels that the message passes; their error variance is ignored.
            received: what a receiver that measures knows of them, such as `truth.estimated(pilot_noise)`; H F exactly if not given.

        Returns:
            Solution with the decoder of the receiver, and the expected MSE on `truth` under the pilots' covariance; None for messages
            that are scaled one by one, whose error second moments do not tell.
        """
        truth, link = truth.without_error(), solution.transceiver
        if self.receiver_measures:
            link = link.matched_to(truth if received is None else received)
        s = link.streams.shape[-1]
        scaled = link.power_limit.limits_messages
        mse = None if scaled else total_mse(modes, *link.response(truth, covariance=modes.covariance[:s, :s]))
        batch = torch.broadcast_shapes(truth.batch, link.batch)
        status, power = solution.status.expand(batch), solution.expected_power.expand(batch)
        return replace(solution, transceiver=link, status=status, expected_mse=mse, expected_power=power)


@dataclass(frozen=True)
class Perfect(CsiCase):
    """Both ends know the channel: what is known is taken for the truth."""

    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """The exact design."""
        return design_exactly(modes, known.without_error(), limit)


@dataclass(frozen=True, kw_only=True)
class BothEnds(CsiCase):
    """Both ends know the same estimate, and no more; where it has no error this is the exact design.

    Attributes:
        robust: whether precoder and decoder take the estimate's error into account; it acts as noise.
    """

    robust: bool = True

    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """The best of several precoders within a mean power limit (`robust.both_ends`); within others the error is white noise."""
        if not known.uncertain:
            return design_exactly(modes, known, limit)
        if not self.robust:
            naive = design_exactly(modes, known.without_error(), limit)
            return _baseline(modes, naive.transceiver, naive.trace, known)
        if not limit.is_pooled:
            return design_exactly(modes, known, limit)
        best = choose_for_both_ends(modes, known)
        solution = _chosen(modes, decoder_channel(known, best.trusting), best)
        uncertain = known.error_variance > 0
        if known.uses == 1 and best.trusting is not None:
            uncertain = uncertain & best.trusting  # the others are optimal
        return replace(solution, status=_mark(solution.status, uncertain, ROBUST))


@dataclass(frozen=True, kw_only=True)
class Transmitter(CsiCase):
    """The transmitter knows an estimate; the receiver knows H F and matches its decoder at reception.

    The naive precoder is kept wherever no other is surely better, by three standard errors of the paired draws.

    Attributes:
        robust: whether the precoder takes the estimate's error into account.
        draws: Monte Carlo draws of an error matrix for each channel, shared out over its uses; two for each use at least.
        seed: of those draws.

    Raises:
        ValueError: draws is no integer >= 1.
    """

    receiver_measures: ClassVar[bool] = True
    robust: bool = True
    draws: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "draws", integer("draws", self.draws))

    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """The precoder for the estimate; its expected MSE is that of a receiver that knows H F exactly, by Monte Carlo.

        Until reception the decoder is that for the estimate.
        """
        if not known.uncertain:
            return design_exactly(modes, known, limit)
        _require_pooled(limit, self)
        best = choose_for_transmitter(modes, known, Draws(self.draws, self.seed), robust=self.robust)
        solution = _chosen(modes, known.without_error(), best)
        return replace(solution, status=_mark(solution.status, known.error_variance > 0, ROBUST if self.robust else Status.BASELINE))


@dataclass(frozen=True, eq=False, kw_only=True)
class ReceiverOnly(CsiCase):
    """The transmitter knows statistics only: mean zero, E[HᴴH] = n_rx · gain · R_tx. The receiver knows what it receives.

    Attributes:
        gain: E|h|².
        correlation: R_tx (n_tx, n_tx) with unit diagonal, as for `kronecker`; None is I, and the precoder is isotropic.

    Raises:
        ValueError: gain is not positive and finite.
    """

    receiver_measures: ClassVar[bool] = True
    gain: float = 1.0
    correlation: Tensor | NDArray[Any] | None = None

    def __post_init__(self) -> None:
        real("gain", self.gain, above=0.0)

    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """The precoder for a square root of E[HᴴH], the same for all channels of equal noise; the expected MSE is known at reception.

        Of `known` only the sizes, the noise and the power matter.

        Raises:
            ValueError: the correlation is not a Hermitian matrix of the transmit antennas.
        """
        root = _root(self.gain * known.n_rx, self.correlation, known)
        there = Channel(root.expand(*known.h.shape[:-2], -1, -1), known.noise_variance, known.power)
        solution = design_exactly(modes, there, limit)
        return _baseline(modes, solution.transceiver, solution.trace)


@dataclass(frozen=True, kw_only=True)
class TransmitterOnly(CsiCase):
    """The receiver knows statistics only: its decoder is made for the channel a·I, a known beforehand, and the transmitter equalises.

    Ψ and G̃ are those of the exact design on a·I; the precoder is the best for this decoder (see `robust.pre_equalised`): it makes the
    channel look like a·I as far as its power reaches. a² is the multiple of the gain that is best in the mean over Rayleigh fading.

    Attributes:
        gain: E|h|².
        multiples: of the gain, to choose from.
        draws: number of channels, for the choice.
        seed: of the channels.

    Raises:
        ValueError: gain or a multiple is not positive and finite, there is no multiple, or draws is no integer >= 1.
    """

    gain: float = 1.0
    multiples: tuple[float, ...] = (0.03, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.5, 4.0, 6.0, 10.0)
    draws: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        real("gain", self.gain, above=0.0)
        for multiple in self.multiples:
            real("multiples", multiple, above=0.0)
        integer("number of multiples", len(self.multiples))
        integer("draws", self.draws)

    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """The precoder that equalises what the transmitter knows, for the decoder that was fixed beforehand."""
        _require_pooled(limit, self)
        level = agreed_level(modes, known, self.gain, self.multiples, Draws(self.draws, self.seed))
        fixed = design_for_identity(modes, level, known)
        link = replace(fixed, precoder=pre_equalise(modes, fixed, known).to(fixed.precoder).contiguous())
        return _baseline(modes, link, {"stream_power": link.stream_gram().diagonal(dim1=-2, dim2=-1)}, known)


@dataclass(frozen=True)
class Unaware(CsiCase):
    """Neither end knows the channel: the design for H = I without noise [pandolfo2025latent], used as it is."""

    def design(self, modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
        """The exact design for the identity; the expected MSE is known at reception. Of `known` the sizes and the power matter."""
        solution = design_exactly(modes, known.unaware(), limit)
        return _baseline(modes, solution.transceiver, solution.trace)


def _chosen(modes: SemanticModes, decoded: Channel, best: Choice) -> LinearSolution:
    """The solution of a chosen precoder, with the decoder for a channel."""
    link = modes.transceiver(decoded, best.streams, best.precoder)
    p = best.stream_power  # of beams at right angles within each use
    power = p @ modes.covariance.diagonal()[: p.shape[-1]] / decoded.uses
    trace = {"stream_power": p, "candidate": best.candidate}
    return Solution(link, sent_or_nothing(p, Status.OPTIMAL), best.mse, power, trace)


def _baseline(modes: SemanticModes, link: LinearTransceiver, trace: dict[str, Tensor], known: Channel | None = None) -> LinearSolution:
    """A link that is not optimised for its channels, with the MSE expected on what is known of them, None where nothing is."""
    status = sent_or_nothing(link.stream_gram().diagonal(dim1=-2, dim2=-1), Status.BASELINE)
    if known is None or link.power_limit.limits_messages:
        return Solution(link, status, None, link.expected_power(modes.covariance), trace)
    return expected_on(modes, link, status, trace, known)


def _mark(status: Tensor, where: Tensor, by: Status) -> Tensor:
    """The statuses with those of the channels in question replaced, but for channels over which nothing is sent."""
    return status.masked_fill(where & (status != Status.NOTHING_TO_SEND.code), by.code)


def _require_pooled(limit: PowerLimit, case: CsiCase) -> None:
    """Raise ValueError where a case has no design within a limit."""
    if not limit.is_pooled:
        raise ValueError(f"power must be Mean() with {type(case).__name__}, got {limit!r}: use csi=BothEnds() for other limits")


def _root(scale: float, correlation: Any, like: Channel) -> Complex[Tensor, "t t"]:
    """√scale R^{1/2} on its min(n_rx, n_tx) strongest directions: more symbols than the receiver has antennas would disturb one another.

    Raises:
        ValueError: the correlation is not a Hermitian matrix of the transmit antennas.
    """
    eye = torch.eye(like.n_tx, dtype=like.h.dtype, device=like.h.device)
    R = eye if correlation is None else as_tensor("correlation", correlation).to(eye)
    if R.shape != eye.shape or not torch.allclose(R, R.mH, atol=1e-6):
        raise ValueError(f"correlation must be Hermitian of shape {tuple(eye.shape)}, got {tuple(R.shape)}")
    values, vectors = torch.linalg.eigh(R)
    values[: like.n_tx - min(like.n_rx, like.n_tx)] = 0.0
    return scale**0.5 * (vectors * values.clamp(min=0).sqrt()) @ vectors.mH
