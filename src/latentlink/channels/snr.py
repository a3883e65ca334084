"""Signal-to-noise ratio: the one place where decibels become noise variance, and where other papers' definitions are translated.

Here, as in [pandolfo2025latent], the SNR is the power of one transmit antenna over the noise of one receive antenna,

    SNR = P / (N_T σ²)      ⇔      σ² = P / (N_T · 10^(snr_db / 10)).
"""

import math
import warnings
from enum import Enum

import torch
from jaxtyping import Complex, Float, Float64
from torch import Tensor

from latentlink.numerics.doors import integer, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.validation import validate_call

_USUAL_GAIN = (1e-2, 1e2)  # mean |h|², within which snr_db is what is unusual
_FAR = 1e4  # ratio of mean |h|² to its prior, beyond which the prior is of other channels; a deep fade is rarer than one in so many
_USUAL_SNR_DB = (-60.0, 130.0)  # mean SNR at a receive antenna, beyond which a path loss or another scale was left in


@made_by("SnrDefinition.TOTAL_POWER")
class SnrDefinition(Enum):
    """The quantity that a paper divides by the noise variance σ² of one receive antenna; P is its total transmit power per channel use.

    Attributes:
        PER_TRANSMIT_ANTENNA: P / n_tx, the definition of this package.
        TOTAL_POWER: P.
        PER_RECEIVE_ANTENNA: gain · P, what one receive antenna gets in the mean of power that is spread evenly, E|h|² = gain.
        POST_EQUALISATION: gain · (n_rx − n_tx + 1) · P / n_tx, that of a stream after zero forcing, in the mean over Rayleigh fading,
            n_rx ≥ n_tx.

    Example:
        >>> import latentlink as ll
        >>> [definition.name for definition in ll.channels.SnrDefinition]
        ['PER_TRANSMIT_ANTENNA', 'TOTAL_POWER', 'PER_RECEIVE_ANTENNA', 'POST_EQUALISATION']
    """

    PER_TRANSMIT_ANTENNA = "P / N_T"  # ours
    TOTAL_POWER = "P"
    PER_RECEIVE_ANTENNA = "gain · P"  # what one receive antenna gets on average, E|h|² = gain, of power spread evenly
    POST_EQUALISATION = "gain · (N_R − N_T + 1) · P / N_T"  # of a stream after zero forcing, mean over Rayleigh fading, N_R ≥ N_T


def noise_variance_from_snr(snr_db: Float[Tensor, "*a"], power: Float[Tensor, "*b"], n_tx: int) -> Float[Tensor, "*c"]:
    """Compute σ² of the complex noise at one receive antenna, for P and the SNR per transmit antenna in dB (+inf: no noise)."""
    return power / (n_tx * 10.0 ** (snr_db / 10.0))


def snr_db_from_noise_variance(noise_variance: Float[Tensor, "*a"], power: Float[Tensor, "*b"], n_tx: int) -> Float[Tensor, "*c"]:
    """Compute the SNR per transmit antenna in dB, +inf without noise: the inverse of `noise_variance_from_snr`."""
    silent = noise_variance == 0
    ratio = power / (n_tx * torch.where(silent, 1.0, noise_variance))
    return torch.where(silent, torch.inf, 10.0 * torch.log10(ratio))


@validate_call
def convert_snr(
    snr_db: float, source: SnrDefinition, target: SnrDefinition, *, n_tx: int, gain: float = 1.0, n_rx: int | None = None
) -> float:
    """Express the SNR of a link under another definition, in dB.

    Args:
        snr_db: SNR as `source` defines it.
        source: definition that `snr_db` follows.
        target: definition to express it in.
        n_tx: transmit antennas.
        gain: E|h|² of a channel entry (1/2 for the code of [pandolfo2025latent]); matters at the receiver only.
        n_rx: receive antennas, n_tx if not given; they matter for POST_EQUALISATION only (see `equalised_snr_db` for one channel).

    Returns:
        The SNR as `target` defines it, in dB.

    Raises:
        ValueError: a definition is not one of SnrDefinition, n_tx is below 1, gain not positive, or n_rx below n_tx, where nothing can be
            zero-forced.

    Example:
        >>> import latentlink as ll
        >>> ours, total = ll.channels.SnrDefinition.PER_TRANSMIT_ANTENNA, ll.channels.SnrDefinition.TOTAL_POWER
        >>> round(ll.channels.convert_snr(20.0, ours, total, n_tx=8), 2)
        29.03
    """
    n_tx, gain = integer("n_tx", n_tx), real("gain", gain, above=0.0)
    n_rx = n_tx if n_rx is None else integer("n_rx", n_rx)
    if n_rx < n_tx and SnrDefinition.POST_EQUALISATION in (source, target):
        raise ValueError(f"n_rx must be at least n_tx = {n_tx} for an SNR after zero forcing, got {n_rx}")
    above_ours = {
        SnrDefinition.PER_TRANSMIT_ANTENNA: 0.0,
        SnrDefinition.TOTAL_POWER: 10 * math.log10(n_tx),
        SnrDefinition.PER_RECEIVE_ANTENNA: 10 * math.log10(n_tx * gain),
        SnrDefinition.POST_EQUALISATION: 10 * math.log10(gain * max(n_rx - n_tx + 1, 1)),
    }
    return snr_db - above_ours[source] + above_ours[target]


def mean_square(h: Complex[Tensor, "*batch u r t"]) -> Float64[Tensor, "*batch"]:
    """Compute the mean |h|² (…) of each channel, from its parts: absolute values of complex numbers take several times as long."""
    return torch.view_as_real(h.detach().resolve_conj()).double().square().sum(-1).mean((-3, -2, -1))


def warn_of_prior(found: float, expected: float, gain: float) -> None:
    """Tell where the variance that is assumed of channels is not theirs by far, such as where a path loss was left in.

    Args:
        found: mean square of the channels, or of their estimates.
        expected: what it is under the prior.
        gain: the prior, for the message.
    """
    if found > 0 and not 1 / _FAR < found / expected < _FAR:
        warnings.warn(
            f"gain is {gain:.3g}, the prior of each coefficient, and mean |h|² of the channels is {found:.1e}: give "
            "gain=mean |h|², or normalise the channels before, h / sqrt(mean |h|²)",
            UserWarning,
            stacklevel=4,
        )


def warn_of_gain(grid: Complex[Tensor, "*#batch u r t"], snr_db: Float[Tensor, "*#batch"]) -> None:
    """Tell where the SNR that arrives is not one of any radio, for all channels."""
    gain = mean_square(grid)
    received = (snr_db + 10 * (grid.shape[-1] * gain).log10())[(gain > 0) & snr_db.isfinite()]
    if received.numel() and not bool(((received > _USUAL_SNR_DB[0]) & (received < _USUAL_SNR_DB[1])).any()):
        mean_gain = float(gain.mean())
        cause = (
            f"snr_db is {float(snr_db[snr_db.isfinite()].mean()):.0f} and mean |h|² {mean_gain:.1e}: give snr_db in dB, as a radio hears it"
            if _USUAL_GAIN[0] <= mean_gain <= _USUAL_GAIN[1]
            else f"mean |h|² is {mean_gain:.1e}: normalise the channels, h / sqrt(mean |h|²), or give snr_db by a link budget that counts "
            "the path loss"
        )
        warnings.warn(f"the mean SNR at a receive antenna is {float(received.mean()):.0f} dB, since {cause}", UserWarning, stacklevel=4)


def warn_of_phases(grid: Complex[Tensor, "*batch u r t"]) -> None:
    """Tell of several different channels without a single phase, which are magnitudes; identities and diagonals are none."""
    h = grid.detach().flatten(0, -3)
    if len(h) < 2 or bool(h.imag.any()) or bool((h == h[:1]).all()):
        return
    if h[0].numel() == 1 or bool((h.real.flatten(1).count_nonzero(1) > min(h.shape[-2:])).any()):
        warnings.warn(
            "the imaginary parts of all channels are zero: h must be complex baseband coefficients, amplitudes with phases",
            UserWarning,
            stacklevel=4,
        )
