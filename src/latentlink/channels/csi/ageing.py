"""Ageing of flat channels: a matrix some time later, and what an old estimate says of it.

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


def age_channel(
    h: Complex[Tensor, "*batch r t"],
    delay_s: float,
    speed_mps: float,
    carrier_hz: float,
    gain: float = 1.0,
    generator: torch.Generator | None = None,
) -> Complex[Tensor, "*batch r t"]:
    """Channel matrices a delay later, each by an innovation of its own (of repeated uses age one, and repeat it); E|h|² = gain stays.

    Raises:
        ValueError: a delay, speed, carrier or gain is negative or not finite.
    """
    rho = float(correlation_over_time(delay_s, doppler_hz(speed_mps, carrier_hz)))
    _check_gain(gain)
    w = torch.randn(h.shape, dtype=h.dtype, device=h.device, generator=generator)
    now: Tensor = rho * h + ((1 - rho**2) * gain) ** 0.5 * w
    return now


def age_estimate(known: Channel, delay_s: float, speed_mps: float, carrier_hz: float, gain: float = 1.0) -> Channel:
    """What is known of channels (posterior means and variances) once they are a delay older.

    Raises:
        ValueError: as `aged`.
    """
    rho = float(correlation_over_time(delay_s, doppler_hz(speed_mps, carrier_hz)))
    _check_gain(gain)
    return replace(known, h=rho * known.h, error_variance=rho**2 * known.error_variance + (1 - rho**2) * gain)


def _check_gain(gain: float) -> None:
    if not 0 <= gain < float("inf"):
        raise ValueError(f"gain must be finite and not negative, got {gain}")
