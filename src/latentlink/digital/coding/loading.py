"""Bits and power on the parallel streams of a channel, and the probability that a block is lost.

The singular values of all uses of a message are pooled, strongest first, g_i = h_i² / σ². Two kinds of blocks are compared:

*Coded.* One codeword over all streams. For every power profile (equal over the a strongest streams, and water-filling) and every target r
of the code rate, stream i takes the largest QAM of 2b bits with I_b(γ_i) ≥ r b, none if none. With I and V the sums of information and
dispersion, a block of k bits, CRC included, is lost with probability

    ε = Q( ((1 − loss) I + gain √V − k) / (spread √V) ),

the normal approximation [polyanskiy2010channel] moved by what the code does. For LDPC (gain 0) maximum likelihood over 242 simulated blocks
of n = 24 … 2500 (200 messages each; Rayleigh channels up to 8×8, 1 to 32 uses, 0 to 30 dB, rates 0.2 … 0.92) gave a loss of 0.042 and a
spread of 1.02. With a loss of 0.045, the blocks that are picked for targets of 0.1, 0.03 and 0.01 on 158 channels of other seeds had mean
errors of 0.052, 0.015 and 0.008 (400 messages each), but above 0.11 on a tenth of the channels at 0.1, as the best of many predictions
flatters: hence 0.05. The code of at most 11 bits (loss 0, gain 1.3, spread 1.47) is better than the approximation, as it is decoded
exactly: fitted to the mean errors at five targets on 70 channels up to 4×4, 2000 messages each.

*Uncoded.* Payloads of up to 32 bits straight on pulse amplitudes of the 2 real dimensions of each stream, each next bit where it costs
the least power (4^b / g_i), all power then scaled to the budget: ε = 1 − Π (1 − symbol error), undetected.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.digital.coding.amplitudes import MOST_BITS, symbol_error, totals
from latentlink.digital.coding.block_code import FEWEST, HIGHEST_RATE, LOWEST_RATE, MOST, MOST_SHORT, shortest
from latentlink.numerics.parts import Parts
from latentlink.streams.waterfilling import capacity_waterfilling

LOSS, SPREAD = 0.05, 1.02
SHORT_GAIN, SHORT_SPREAD = 1.3, 1.47
MOST_UNCODED = 32
_RATES = (0.05, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.87)
_PROFILES = 24  # numbers of active streams tried, at most
_STRONGEST = 1e5  # SNR beyond which nothing is gained


@dataclass(frozen=True, eq=False)
class Loads(Parts):
    """Bits, power and SNR of each real dimension, for c candidates; q pooled streams.

    Attributes:
        bits: (…, q, 2) of each real dimension.
        power: (…, q, 2) of each real dimension.
        snr: (…, q, 2) of unit amplitudes there.
    """

    bits: Int[Tensor, "*a q 2"]
    power: Float[Tensor, "*a q 2"]
    snr: Float[Tensor, "*a q 2"]


@dataclass(frozen=True, eq=False)
class Coded:
    """Candidates (c, p, r) of channels, power profiles and rates.

    Attributes:
        power: (c, p, q) of each stream.
        snr: (c, p, q) of each stream.
        bits: (c, p, r, q) of each real dimension.
        information: I (c, p, r).
        deviation: √V (c, p, r).
        length: n (c, p, r).
    """

    power: Float[Tensor, "c p q"]
    snr: Float[Tensor, "c p q"]
    bits: Int[Tensor, "c p r q"]
    information: Float[Tensor, "c p r"]
    deviation: Float[Tensor, "c p r"]
    length: Int[Tensor, "c p r"]

    @classmethod
    def of(cls, gain: Float[Tensor, "c q"], power: Float[Tensor, "c"]) -> "Coded":
        """Compare all candidates for gains g (c, q), decreasing, and budgets (c,) of a message."""
        profiles = _profiles(gain, power)
        snr = (profiles * gain.unsqueeze(-2)).clamp(max=_STRONGEST)
        informs, varies = totals(snr)  # I_b, V_b (c, p, q, b)
        count = torch.arange(1, MOST_BITS + 1, device=gain.device)
        aims = torch.tensor(_RATES, dtype=gain.dtype, device=gain.device).reshape(-1, 1, 1)
        bits = ((informs / count).unsqueeze(-3) >= aims).long().cumprod(-1).sum(-1)  # (c, p, r, q)

        def of_chosen(value: Tensor) -> Tensor:  # (c, p, q, b) → (c, p, r, q), 0 for no bits
            padded = torch.nn.functional.pad(value, (1, 0)).unsqueeze(-3).expand(*bits.shape, -1)
            return padded.gather(-1, bits.unsqueeze(-1)).squeeze(-1)

        information = 2 * of_chosen(informs).sum(-1)
        deviation = (2 * of_chosen(varies).sum(-1)).sqrt().clamp(min=1e-3)
        return cls(profiles, snr, bits, information, deviation, 2 * bits.sum(-1))

    def largest(self, error: float) -> Int[Tensor, "c p r"]:
        """The most bits k, CRC included, of a block lost with at most this probability; 0 where no code is."""
        margin = SPREAD * _margin(error).to(self.deviation)
        k = ((1 - LOSS) * self.information - margin * self.deviation).floor()
        k = k.minimum((HIGHEST_RATE * self.length).floor()).clamp(max=MOST).long()
        return torch.where((k >= FEWEST) & (k >= LOWEST_RATE * self.length), k, 0)

    def largest_short(self, error: float) -> Int[Tensor, "c p r"]:
        """The same without a CRC for the code of at most 11 bits."""
        margin = SHORT_SPREAD * _margin(error).to(self.deviation) - SHORT_GAIN
        k = (self.information - margin * self.deviation).floor().clamp(0, MOST_SHORT).long()
        least = torch.tensor([shortest(bits) if bits else 0 for bits in range(MOST_SHORT + 1)], device=k.device)
        return torch.where(least[k] <= self.length, k, 0)

    def error(self, bits: int, short: bool) -> Float[Tensor, "c p r"]:
        """The probability ε (c, p, r) of losing blocks of `bits` bits, CRC included."""
        loss, gain, spread = (0.0, SHORT_GAIN, SHORT_SPREAD) if short else (LOSS, 0.0, SPREAD)
        spare = (1 - loss) * self.information - bits + gain * self.deviation
        return 0.5 * torch.erfc(spare / (2**0.5 * spread * self.deviation))

    def loads(self, channel: int, profile: int, rate: int) -> Loads:
        """The load of one candidate (q, 2)."""
        bits = self.bits[channel, profile, rate]
        power = torch.where(bits > 0, self.power[channel, profile], 0.0)
        power = power * (self.power[channel, profile].sum() / power.sum())  # the others get the power of silent streams
        snr = self.snr[channel, profile] * torch.where(bits > 0, power / self.power[channel, profile].clamp(min=1e-30), 1.0)
        bits, power, snr = (value.unsqueeze(-1).expand(-1, 2) for value in (bits, power / 2, snr))
        return Loads(bits, power, snr)


@dataclass(frozen=True, eq=False)
class Uncoded:
    """Candidates of 1 to 32 bits for c channels.

    Attributes:
        loads: (c, payload, q, 2).
        error: their probability of error (c, payload).
    """

    loads: Loads
    error: Float[Tensor, "c b"]

    @classmethod
    def of(cls, gain: Float[Tensor, "c q"], power: Float[Tensor, "c"]) -> "Uncoded":
        """Load each next bit where it costs the least power, for gains g (c, q) and budgets (c,) of a message."""
        gain = torch.stack([gain, gain], -1).flatten(-2)  # (c, 2q)
        silent = gain <= 0
        unit = torch.where(silent, torch.inf, 1 / torch.where(silent, 1.0, gain))
        bits, steps = torch.zeros_like(gain, dtype=torch.long), []
        for _ in range(MOST_UNCODED):
            cost = torch.where(bits < MOST_BITS, unit * 4.0**bits, torch.inf)
            bits = bits.scatter_add(-1, cost.argmin(-1, keepdim=True), torch.ones_like(bits[..., :1]))
            steps.append(bits)
        bits = torch.stack(steps, -2)  # (c, b, 2q)
        energy = torch.where(bits > 0, (4.0**bits - 1) * unit.unsqueeze(-2), 0.0)
        share = energy / energy.sum(-1, keepdim=True)
        p = power[:, None, None] * share
        snr = torch.where(bits > 0, 2 * p * gain.unsqueeze(-2), 1.0).clamp(max=_STRONGEST)  # noise σ²/2 in each real dimension
        lost = 1 - torch.exp(torch.log1p(-symbol_error(bits, snr)).sum(-1))
        impossible = (bits > MOST_BITS).any(-1) | ~share.isfinite().all(-1)
        loads = Loads(*(value.unflatten(-1, (-1, 2)) for value in (bits, p, snr)))
        return cls(loads, torch.where(impossible, 1.0, lost))


def _margin(error: float) -> Float[Tensor, ""]:
    """The number of standard deviations that a normal variable exceeds with this probability."""
    return 2**0.5 * torch.erfinv(torch.tensor(1 - 2 * error, dtype=torch.float64, device="cpu"))


def _profiles(gain: Float[Tensor, "c q"], power: Float[Tensor, "c"]) -> Float[Tensor, "c p q"]:
    """Powers (c, p, q) of the streams: equal over the strongest 1 … q (at most `_PROFILES` numbers of them), and water-filling."""
    q = gain.shape[-1]
    counts = torch.linspace(1, q, min(q, _PROFILES), device=gain.device).round().unsqueeze(-1)
    active: Bool[Tensor, "p q"] = torch.arange(q, device=gain.device) < counts
    equal = (active / counts).to(gain) * power[:, None, None]
    alive = gain > 0
    filled = capacity_waterfilling(torch.where(alive, 1 / torch.where(alive, gain, 1.0), torch.inf), power)
    return torch.cat([equal, filled.unsqueeze(-2)], -2)
