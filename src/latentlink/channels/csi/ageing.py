"""Ageing of flat channels: a matrix some time later, and its posterior given an old estimate.

Entries of mean square `gain` are followed as a first-order Gauss–Markov pair with Jakes' correlation ρ = J_0(2π f_D Δt),

    h_now = ρ h_then + √(1 − ρ²) w,   w ~ CN(0, gain)      ⇒      h_now | estimate of h_then  ~  CN( ρ h̄, ρ² τ + (1 − ρ²) gain ),

so that truth and estimate come from one model, and the estimate's error contains its age.
"""

from dataclasses import replace

import torch
from jaxtyping import Complex
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.csi.statistics import correlation_over_time, doppler_hz
from latentlink.channels.matrices import complex_matrices
from latentlink.numerics.doors import AnyArray, as_generator, real
from latentlink.numerics.validation import validate_call


@validate_call
def age_channel(
    h: AnyArray,
    delay_s: float,
    speed_mps: float,
    *,
    carrier_hz: float,
    gain: float = 1.0,
    generator: torch.Generator | int | None = None,
) -> Complex[Tensor, "*batch r t"]:
    """Draw the channel matrices a delay later; E|h|² = gain stays.

    Each matrix gets an innovation of its own. For block fading age one matrix and repeat it afterwards.

    Args:
        h: the channel matrices.
        delay_s: Δt in seconds.
        speed_mps: speed of the moving end in m/s; 30 km/h are 8.33 m/s.
        carrier_hz: carrier frequency in Hz.
        gain: E|h|².
        generator: source of the innovations, or its seed.

    Returns:
        The matrices after the delay, of the shape of h.

    Raises:
        ValueError: a delay, speed, carrier or gain is negative or not finite, or the generator is neither a generator nor a seed.

    Example:
        >>> import latentlink as ll
        >>> h = ll.rayleigh(2, 2, batch=(100,), generator=0)
        >>> ll.csi.age_channel(h, 1e-3, 8.33, carrier_hz=3.5e9, generator=1).shape
        torch.Size([100, 2, 2])
    """
    rho = float(correlation_over_time(delay_s, doppler_hz(speed_mps, carrier_hz)))
    gain = real("gain", gain, least=0.0)
    h = complex_matrices("h", h, 2, "(..., n_rx, n_tx)")
    w = torch.randn(h.shape, dtype=h.dtype, device=h.device, generator=as_generator(generator, "innovation", h.device))
    return rho * h + ((1 - rho**2) * gain) ** 0.5 * w


@validate_call
def age_estimate(known: Channel, delay_s: float, speed_mps: float, *, carrier_hz: float, gain: float = 1.0) -> Channel:
    """Predict the posterior means and variances of the channels from an estimate that is a delay old.

    The other arguments are those of `age_channel`.

    Args:
        known: the estimate.

    Returns:
        Channels whose `h` is the posterior mean after the delay and whose `error_variance` contains the age.

    Raises:
        ValueError: as `age_channel`.

    Example:
        >>> import latentlink as ll
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> round(float(ll.csi.age_estimate(channel, 1e-3, 8.33, carrier_hz=3.5e9).error_variance), 2)  # after 1 ms at 30 km/h
        0.17
    """
    rho = float(correlation_over_time(delay_s, doppler_hz(speed_mps, carrier_hz)))
    gain = real("gain", gain, least=0.0)
    return replace(known, h=rho * known.h, error_variance=rho**2 * known.error_variance + (1 - rho**2) * gain)
