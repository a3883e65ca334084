"""Second-order statistics of a channel over an OFDM grid: R(e, e') = E[h(e) h(e')*] of one antenna pair, the same for all pairs.

For uncorrelated scattering, paths of power p_l at delay τ_l under a Doppler spectrum of their own [bello1963characterization], R separates,

    R(e, e') = gain · Σ_l p_l exp(−j 2π (f − f') τ_l) · J_0(2π f_D (t − t')),        f_D = speed · carrier / c,

J_0 for waves that arrive evenly from all around (Jakes) [clarke1968statistical]. An exponential profile of rms delay spread τ has
1 / (1 + j 2π (f − f') τ) for the sum. Of a bank of sampled channels R is the sample mean, known where the bank has elements.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.ofdm import ResourceElements
from latentlink.numerics.doors import AnyArray, finite, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import listed, validate_call

_TURNS = 1e12  # of a phase, beyond which rounding leaves nothing of it
SPEED_OF_LIGHT = 299_792_458.0


@made_by("ScatteringStatistics(rms_delay_spread_s=1e-7)")
@runtime_checkable
class GridStatistics(Protocol):
    """The covariance of a channel of mean zero over the grid, which an estimator has to know beforehand.

    Example:
        >>> import torch, latentlink as ll
        >>> class Flat:  # the same channel at every element
        ...     def covariance(self, rows, columns):
        ...         return torch.ones(len(rows), len(columns), dtype=torch.complex128)
        >>> elements = ll.channels.ResourceElements.contiguous(12)
        >>> ll.csi.lmmse_estimator(Flat(), elements, elements, pilot_noise=1.2).error_variance[0]  # 12 pilots of one number
        tensor(0.0909, dtype=torch.float64)
    """

    def covariance(self, rows: ResourceElements, columns: ResourceElements) -> Complex[Tensor, "rows columns"]:
        """Compute R (rows, columns) between two sets of resource elements."""


@dataclass(frozen=True)
class ScatteringStatistics(Summarised):
    """Uncorrelated scattering with Jakes' Doppler spectrum.

    Attributes:
        delays_s: delay τ_l of each path, in seconds.
        powers: power p_l of each path, linear, scaled to sum to 1.
        rms_delay_spread_s: RMS delay spread of an exponential profile, instead of paths.
        doppler_hz: f_D ≥ 0, the largest Doppler shift (see `doppler_hz`).
        subcarrier_spacing_hz: Δf.
        gain: E|h|².

    Raises:
        ValueError: naming what is negative, not finite or of unequal length; paths and a delay spread are both or neither given.

    Example:
        >>> import latentlink as ll
        >>> elements = ll.channels.ResourceElements.over_frequency(3, 624)
        >>> statistics = ll.csi.ScatteringStatistics(delays_s=(0.0, 1e-7), powers=(0.8, 0.2))
        >>> statistics.covariance(elements, elements).abs()[0]
        tensor([1.0000, 0.6725, 0.8271], dtype=torch.float64)
    """

    delays_s: tuple[float, ...] = ()
    powers: tuple[float, ...] = ()
    rms_delay_spread_s: float | None = None
    doppler_hz: float = 0.0
    subcarrier_spacing_hz: float = 30e3
    gain: float = 1.0

    def __post_init__(self) -> None:
        for name in ("delays_s", "powers"):
            object.__setattr__(self, name, tuple(listed(getattr(self, name))))
        if bool(self.delays_s) == (self.rms_delay_spread_s is not None):
            raise ValueError("rms_delay_spread_s must be given, or delays_s and powers, and not both")
        if len(self.powers) != len(self.delays_s):
            raise ValueError(f"powers must be as many as delays_s, {len(self.delays_s)}, got {len(self.powers)}")
        for name in ("delays_s", "powers"):
            for value in getattr(self, name):
                real(name, value, least=0.0)
        if self.rms_delay_spread_s is not None:
            real("rms_delay_spread_s", self.rms_delay_spread_s, least=0.0)
        real("doppler_hz", self.doppler_hz, least=0.0)
        real("subcarrier_spacing_hz", self.subcarrier_spacing_hz, above=0.0)
        real("gain", self.gain, above=0.0)
        if self.powers and sum(self.powers) == 0:
            raise ValueError("powers must not all be zero")

    def covariance(self, rows: ResourceElements, columns: ResourceElements) -> Complex[Tensor, "rows columns"]:
        f, g = (elements.frequencies_hz(self.subcarrier_spacing_hz) for elements in (rows, columns))
        t, s = (elements.times_s(self.subcarrier_spacing_hz) for elements in (rows, columns))
        over_time: Tensor = self.gain * torch.special.bessel_j0(2 * torch.pi * self.doppler_hz * (t[:, None] - s))
        if self.rms_delay_spread_s is not None:
            phase = 2 * torch.pi * self.rms_delay_spread_s * (f[:, None] - g)
            return over_time / torch.complex(torch.ones_like(phase), phase)
        tau, p = (torch.tensor(values, dtype=torch.float64, device="cpu") for values in (self.delays_s, self.powers))
        at_rows, at_columns = (
            torch.polar(torch.ones(len(x), len(tau), device="cpu").double(), -2 * torch.pi * x[:, None] * tau) for x in (f, g)
        )
        return over_time * ((at_rows * (p / p.sum())) @ at_columns.mH)


@dataclass(frozen=True, eq=False)
class SampledStatistics(Summarised):
    """The sample covariance of a bank of channels, known at the bank's elements only.

    Attributes:
        elements: the resource elements of the bank (e).
        matrix: R (e, e).

    Example:
        >>> import latentlink as ll
        >>> elements = ll.channels.ResourceElements.contiguous(3)
        >>> bank = ll.rayleigh(2, 2, batch=(100, 1), generator=0).expand(100, 3, 2, 2)  # flat in frequency
        >>> ll.csi.SampledStatistics.of(bank, elements).covariance(elements, elements).shape
        torch.Size([3, 3])
    """

    elements: ResourceElements
    matrix: Complex[Tensor, "e e"]

    @classmethod
    def of(cls, bank: AnyArray, elements: ResourceElements) -> "SampledStatistics":
        """Average over the channels (…, e, n_rx, n_tx) of a bank, sampled at e elements, and over antenna pairs.

        Raises:
            ValueError: the bank is real, not finite, or has another number of elements.
        """
        h = finite("bank", bank)
        if not h.is_complex() or h.ndim < 3 or h.shape[-3] != len(elements):
            raise ValueError(f"bank must be complex of shape (..., {len(elements)}, n_rx, n_tx), got {h.dtype} {tuple(h.shape)}")
        samples = h.to(torch.complex128).movedim(-3, 0).flatten(1)
        return cls(elements, samples @ samples.mH / samples.shape[1])

    def covariance(self, rows: ResourceElements, columns: ResourceElements) -> Complex[Tensor, "rows columns"]:
        """Compute R (rows, columns) between two sets of resource elements; a ValueError if the bank lacks an element."""
        place = {pair: i for i, pair in enumerate(self.elements.pairs)}
        index = []
        for elements in (rows, columns):
            if absent := [pair for pair in elements.pairs if pair not in place]:
                carriers, symbols = (sorted({pair[axis] for pair in self.elements.pairs}) for axis in (0, 1))
                held = f"{len(place)} elements, subcarriers {_span(carriers)} in symbols {_span(symbols)}"
                remedy = "give pilots and message elements that the bank has, or a bank that has theirs"
                raise ValueError(f"elements must be among the bank's {held}, got (subcarrier, symbol) {absent[0]} which is not: {remedy}")
            index.append(torch.tensor([place[pair] for pair in elements.pairs], device=self.matrix.device))
        return self.matrix[index[0]][:, index[1]]


def _span(numbers: list[int]) -> str:
    """Rising numbers in words: "0 to 3" without a gap, else one by one."""
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))


@validate_call
def doppler_hz(speed_mps: float, carrier_hz: float) -> float:
    """Compute the largest Doppler shift f_D = speed · carrier / c; 30 km/h are 8.33 m/s.

    Raises:
        ValueError: one of them is negative or not finite.

    Example:
        >>> import latentlink as ll
        >>> round(ll.csi.doppler_hz(30 / 3.6, 3.5e9), 1)  # 30 km/h at 3.5 GHz
        97.3
    """
    return real("speed_mps", speed_mps, least=0.0, below=SPEED_OF_LIGHT) * real("carrier_hz", carrier_hz, least=0.0) / SPEED_OF_LIGHT


def correlation_over_time(delay_s: float, doppler_hz: float) -> Float[Tensor, ""]:
    """Compute the correlation ρ = J_0(2π f_D Δt) between a channel and itself a delay later.

    Raises:
        ValueError: one of them is negative or not finite.
    """
    delay_s, doppler_hz = real("delay_s", delay_s, least=0.0), real("doppler_hz", doppler_hz, least=0.0)
    turns = doppler_hz * delay_s
    if turns > _TURNS:
        raise ValueError(f"delay_s must be at most {_TURNS:g} periods of the Doppler shift, got {delay_s:g} s at {doppler_hz:g} Hz")
    return torch.special.bessel_j0(torch.tensor(2 * torch.pi * turns, dtype=torch.float64, device="cpu"))
