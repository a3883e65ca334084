"""Who knows what of the channel, and the link that is then used.

Each case turns the true channels and what the transmitter knows of them into the transceiver of both ends as it is used on the true
channels. A receiver that measures does so through the precoder: it sees H F from pilots sent on the beams, of power P_p each. For beams at
right angles that is the same in law as measuring H itself up to an error CN(0, σ²/P_p) in every entry, of which F excites only its part:
(H V + N) Vᴴ = H V Vᴴ + N Vᴴ, and N Vᴴ is white on the beams. What the measurement leaves open is noise to the decoder (`matched_to`).
"""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Complex
from numpy.typing import NDArray
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.fading import rayleigh
from latentlink.linear.closed_form import ClosedForm
from latentlink.linear.modes import SemanticModes
from latentlink.linear.robust.both_ends import EstimateAtBothEnds, EstimateAtTransmitter
from latentlink.linear.robust.pre_equalised import pre_equalised
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.numerics.doors import as_tensor


def taken_for_true(known: Channel) -> Channel:
    """The naive view of an estimate: it is the channel."""
    return replace(known, error_variance=torch.zeros_like(known.error_variance))


@runtime_checkable
class CsiCase(Protocol):
    """What the two ends know."""

    def link(self, modes: SemanticModes, known: Channel, truth: Channel, generator: torch.Generator | None = None) -> LinearTransceiver:
        """The link that is used on the channels `truth` when the transmitter knows `known`; the generator draws what is measured."""


@dataclass(frozen=True)
class Measurement:
    """The receiver's measurement of H F.

    Attributes:
        pilot_noise: σ²/P_p of the pilots sent through the precoder; 0: H F is known exactly.
        gain: E|h|², what the receiver knows beforehand.

    Raises:
        ValueError: pilot_noise is negative or not finite, or gain is not positive and finite.
    """

    pilot_noise: float = 0.0
    gain: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.pilot_noise < float("inf"):
            raise ValueError(f"pilot_noise must be finite and not negative, got {self.pilot_noise}")
        _check_positive("gain", self.gain)

    def of(self, truth: Channel, generator: torch.Generator | None) -> Channel:
        """What the receiver knows of the channels for its decoder."""
        exact = taken_for_true(truth)
        return exact.estimated(self.pilot_noise, self.gain, generator) if self.pilot_noise > 0 else exact


@dataclass(frozen=True)
class Perfect:
    """Both ends know the true channel."""

    def link(self, modes: SemanticModes, known: Channel, truth: Channel, generator: torch.Generator | None = None) -> LinearTransceiver:
        """The exact design on the truth."""
        return _designed(modes, taken_for_true(truth))


@dataclass(frozen=True)
class BothEnds:
    """Both ends know the same estimate, and no more.

    Attributes:
        robust: whether the design takes the estimate's error into account, at both ends.
    """

    robust: bool = True

    def link(self, modes: SemanticModes, known: Channel, truth: Channel, generator: torch.Generator | None = None) -> LinearTransceiver:
        """The design on the estimate, precoder and decoder."""
        return _designed(modes, known if self.robust else taken_for_true(known))


@dataclass(frozen=True)
class Transmitter:
    """The transmitter knows an estimate, the receiver what it receives.

    Attributes:
        robust: whether the precoder takes the estimate's error into account. csi: how it does.
        measured: how the receiver knows H F.
    """

    robust: bool = True
    csi: EstimateAtTransmitter = field(default_factory=EstimateAtTransmitter)
    measured: Measurement = field(default_factory=Measurement)

    def link(self, modes: SemanticModes, known: Channel, truth: Channel, generator: torch.Generator | None = None) -> LinearTransceiver:
        """The precoder for the estimate, the decoder matched to what is received."""
        sent = _designed(modes, known, self.csi) if self.robust else _designed(modes, taken_for_true(known))
        return sent.matched_to(self.measured.of(truth, generator))


@dataclass(frozen=True, eq=False)
class ReceiverOnly:
    """The transmitter knows statistics only: mean zero, E[HᴴH] = n_rx · gain · R_tx. The receiver knows what it receives.

    Attributes:
        gain: E|h|². correlation: R_tx (n_tx, n_tx) with unit diagonal, as for `kronecker`; None is I, and the precoder is isotropic.
        measured: how the receiver knows H F.

    Raises:
        ValueError: gain is not positive and finite.
    """

    gain: float = 1.0
    correlation: Tensor | NDArray[Any] | None = None
    measured: Measurement = field(default_factory=Measurement)

    def __post_init__(self) -> None:
        _check_positive("gain", self.gain)

    def link(self, modes: SemanticModes, known: Channel, truth: Channel, generator: torch.Generator | None = None) -> LinearTransceiver:
        """The precoder for a square root of E[HᴴH], the same for all channels of equal noise; the decoder matched to what is received.

        Raises:
            ValueError: the correlation is not a Hermitian matrix of the transmit antennas.
        """
        root = _root(self.gain * truth.n_rx, self.correlation, truth)
        sent = _designed(modes, Channel(root.expand(*truth.h.shape[:-2], -1, -1), truth.noise_variance, truth.power))
        return sent.matched_to(self.measured.of(truth, generator))


@dataclass(frozen=True)
class TransmitterOnly:
    """The receiver knows statistics only: its decoder is made for the channel a·I, a known beforehand, and the transmitter equalises.

    Ψ and G̃ are those of the exact design on a·I; the precoder is the best for this decoder (see `pre_equalised`): it makes the channel look
    like a·I as far as its power reaches. a² is the multiple of gain that is best in the mean over Rayleigh fading of this gain.

    Attributes:
        gain: E|h|². multiples: of it, to choose from. draws, seed: of channels, for the choice.

    Raises:
        ValueError: gain or a multiple is not positive and finite, there is no multiple, or draws is below 1.
    """

    gain: float = 1.0
    multiples: tuple[float, ...] = (0.03, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.5, 4.0, 6.0, 10.0)
    draws: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        _check_positive("gain", self.gain)
        _check_positive("multiples", *self.multiples)
        if not self.multiples or self.draws < 1:
            raise ValueError(f"multiples and draws must be at least one each, got {self.multiples} and {self.draws}")

    def link(self, modes: SemanticModes, known: Channel, truth: Channel, generator: torch.Generator | None = None) -> LinearTransceiver:
        """The precoder that equalises what the transmitter knows, for the decoder that was fixed beforehand."""
        fixed = _designed(modes, _like_identity(self.level(modes, known), known))
        return replace(fixed, precoder=pre_equalised(modes, fixed, known).to(fixed.precoder).contiguous())

    def level(self, modes: SemanticModes, channel: Channel) -> Tensor:
        """a² (…), from the sizes, noise and power of the channels alone."""
        facts = torch.stack([channel.noise_variance, channel.power], -1).reshape(-1, 2)
        kinds, kind = facts.unique(dim=0, return_inverse=True)
        generator = torch.Generator(device=facts.device).manual_seed(self.seed)
        draws = max(2, -(-self.draws // channel.uses))
        h = rayleigh(channel.n_rx, channel.n_tx, self.gain, batch=(draws, 1, channel.uses), generator=generator)
        drawn = Channel(h.to(channel.h), kinds[:, 0], kinds[:, 1])  # (draws, kinds)
        errors = torch.stack([self._error(modes, self.gain * multiple, drawn) for multiple in self.multiples])
        best = torch.tensor(self.multiples, dtype=facts.dtype, device=facts.device)[errors.mean(1).argmin(0)]
        return self.gain * best[kind].reshape(channel.batch)

    def _error(self, modes: SemanticModes, level: float, drawn: Channel) -> Tensor:
        fixed = _designed(modes, _like_identity(torch.full_like(drawn.power, level), drawn))
        T, noise = replace(fixed, precoder=pre_equalised(modes, fixed, drawn)).response(drawn)
        b = modes.strength[: T.shape[-1]].square()
        return ((1 - 2 * T + T @ T.mT + noise).diagonal(dim1=-2, dim2=-1) * b).sum(-1)


@dataclass(frozen=True)
class Unaware:
    """Neither end knows the channel: the design for H = I without noise [pandolfo2025latent], used as it is."""

    def link(self, modes: SemanticModes, known: Channel, truth: Channel, generator: torch.Generator | None = None) -> LinearTransceiver:
        """The unaware design."""
        return _designed(modes, taken_for_true(truth).unaware())


def _check_positive(name: str, *values: float) -> None:
    for value in values:
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be positive and finite, got {value}")


def _designed(modes: SemanticModes, channel: Channel, csi: EstimateAtBothEnds | EstimateAtTransmitter | None = None) -> LinearTransceiver:
    link: LinearTransceiver = ClosedForm(csi=csi or EstimateAtBothEnds()).design(modes, channel).transceiver
    return link


def _like_identity(level: Tensor, like: Channel) -> Channel:
    """a I on every use, a² = level (…), at the noise and power of other channels."""
    eye = torch.eye(like.n_rx, like.n_tx, dtype=like.h.dtype, device=like.h.device)
    return Channel(level.sqrt()[..., None, None, None] * eye.expand(like.h.shape[-3:]), like.noise_variance, like.power)


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
    root: Tensor = scale**0.5 * (vectors * values.clamp(min=0).sqrt()) @ vectors.mH
    return root
