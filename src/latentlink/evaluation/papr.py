"""Peaks of the transmitted signal: how far amplifiers must reach above the mean power, and what clipping does where they do not.

The peak-to-average power ratio of an antenna is the power that it exceeds with probability `exceeded`, over its mean power,

    Pr( |s|² > PAPR · E|s|² ) = exceeded,

of channel symbols, or of the OFDM waveform that they make when messages fill the band: symbols on neighbouring subcarriers, inverse FFT
with oversampling. A Gaussian signal has −ln(exceeded): 8.4 dB at 10⁻³.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.evaluation.amplifier import Amplifier
from latentlink.links.own import AnyLink, encoded
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import AnyArray, real
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call

_OVERSAMPLING = 4  # samples of the waveform per symbol: its peaks are then known to about 0.1 dB
_SILENT = 1e-12  # of the strongest antenna's power: rounding


@dataclass(frozen=True, eq=False)
class Peaks(Summarised):
    """Peak-to-average power ratios in dB, for each channel of a batch `...`.

    Attributes:
        antenna_papr_db: ratio of each transmit antenna (…, n_tx), −inf where it is silent.
        papr_db: highest ratio of any antenna (…).

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> link = ll.ClosedForm().design(modes, channel).transceiver
        >>> found = ll.metrics.peaks(link, x, exceeded=0.01)
        >>> found.antenna_papr_db.shape, bool(found.papr_db == found.antenna_papr_db.max())
        (torch.Size([2]), True)
    """

    antenna_papr_db: Float[Tensor, "*batch t"]
    papr_db: Float[Tensor, "*batch"]


@validate_call
def peaks(
    transceiver: AnyLink,
    x: AnyArray,
    *,
    exceeded: float = 1e-3,
    subcarriers: int | None = None,
    amplifier: Amplifier | None = None,
    entries: int = 2**24,
) -> Peaks:
    """Measure the peak-to-average power ratios of what is sent, Pr(|s|² > PAPR · E|s|²) = `exceeded`.

    Args:
        transceiver: the link for a batch `...` of channels, of any kind (see `transmit`).
        x: latents (n, d); with n · u symbols per antenna, exceedance probabilities down to about 10 / (n u) can be estimated.
        exceeded: probability with which the peak may be exceeded; 0 takes the highest of all.
        subcarriers: number of subcarriers of the OFDM waveform that messages fill one after another; None looks at the symbols themselves.
        amplifier: the amplifier that the symbols pass, or None.
        entries: numbers in the largest intermediate tensor, which bound the memory that this takes.

    Returns:
        Ratios in dB of each antenna (…, n_tx), and the highest (…).

    Raises:
        ValueError: exceeded is not in 0 … 1, or there are fewer symbols than subcarriers.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> link = ll.ClosedForm().design(modes, channel).transceiver
        >>> round(float(ll.metrics.peaks(link, x, exceeded=0.01).papr_db))  # a Gaussian signal has 6.6 dB
        7
    """
    exceeded = real("exceeded", exceeded, least=0, below=1)
    s = encoded(transceiver, x)
    s = (s if amplifier is None else amplifier(s)).flatten(-3, -2).mT  # (…, n_tx, n u)
    if subcarriers is not None and not 1 <= subcarriers <= s.shape[-1]:
        raise ValueError(f"subcarriers must be from 1 to the {s.shape[-1]} symbols that an antenna sends, got {subcarriers}")
    rows = s.reshape(-1, s.shape[-1])
    parts = [_papr(some, exceeded, subcarriers) for some in rows.split(max(1, entries // (_OVERSAMPLING * rows.shape[-1])))]
    papr = (10 * torch.cat(parts).log10()).reshape(s.shape[:-1])
    mean = s.abs().square().mean(-1)
    papr = papr.masked_fill(mean <= _SILENT * mean.amax(-1, keepdim=True), -torch.inf)
    return Peaks(papr, papr.amax(-1))


def _papr(s: Complex[Tensor, "a n"], exceeded: float, subcarriers: int | None) -> Float[Tensor, "a"]:
    """The peak-to-average power ratio of each row of symbols."""
    if subcarriers is not None:
        blocks = s[:, : s.shape[-1] // subcarriers * subcarriers].unflatten(-1, (-1, subcarriers))
        s = torch.fft.ifft(blocks, _OVERSAMPLING * subcarriers).flatten(-2)  # zeros beyond the band: the waveform between its samples
    power = s.abs().square()
    above = max(1, round(exceeded * power.shape[-1]))
    return ratio(power.topk(above).values[:, -1], power.mean(-1))
