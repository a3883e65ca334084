"""A linear baseline: coefficients whitened, sent, equalised, unwhitened; every step designed for itself.

    c = B (x − μx)  →  z = S c,   S C Sᵀ = I,  C = B R_λ Bᵀ  →  ẑ = equalised z  →  ĉ = C Sᵀ ẑ  →  ŷ = μy + L ĉ.

S takes the principal components of c, strongest first, so that keeping the first k of them is the Karhunen–Loève transform; components
that do not vary are left out. The whole is linear, ẑ = T z + n, hence with Φ = S B, Ψ = L C Sᵀ and C_z = Φ Rx Φᵀ

    E||y − ŷ||² = tr Ry − 2 tr(T Φ Rxy Ψ) + tr(ΨᵀΨ (T C_z Tᵀ + C_n)).

Power is counted under the pilots' own C_z, whose diagonal is 1 without shrinkage.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.baselines.alignment import Aligner, varying
from latentlink.baselines.equalisers import Equaliser, room
from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.latents.whitening import Spectrum
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.solution import Solution, Status
from latentlink.numerics.doors import choice, integer


def whitened_design(
    moments: Moments,
    channel: Channel,
    equaliser: Equaliser,
    components: Spectrum,
    coefficients: Float[Tensor, "c d"],
    synthesis: Float[Tensor, "m c"],
    count: int,
) -> Solution[LinearTransceiver]:
    """The linear link that sends the `count` strongest principal components of c = B (x − μx) and reads ŷ = μy + L ĉ (see the module).

    Args:
        moments: as `prepare` gives them.
        channel: as `prepare` gives it.
        equaliser: carries the whitened components.
        components: principal components of c under R_λ, the spectrum of C.
        coefficients: B (c, d).
        synthesis: L (m, c).
        count: k, at most `room(channel)`.
    """
    values, vectors = components.kept(0.0)
    root, V = values[:count].sqrt(), vectors[:, :count]
    analysis, synthesis = V.mT / root.unsqueeze(-1) @ coefficients, synthesis @ (V * root)
    Cz = analysis @ moments.cov_x @ analysis.mT
    crossing = equaliser.carry(channel, Cz.diagonal())
    link = LinearTransceiver(
        analysis, synthesis, moments.mean_x, moments.mean_y, crossing.streams, crossing.precoder, crossing.decoder, channel
    )
    T, noise = link.response()
    explained, gram = analysis @ moments.cov_yx.mT @ synthesis, synthesis.mT @ synthesis
    received = T @ Cz @ T.mT + noise
    mse = moments.cov_y.trace() - 2 * (T * explained.mT).sum((-2, -1)) + (gram * received).sum((-2, -1))
    return Solution(link, baseline_status(link), mse, link.expected_power(Cz))


def sends(link: LinearTransceiver) -> Bool[Tensor, "*batch"]:
    """For each channel, whether anything is sent over it."""
    return (link.precoder != 0).flatten(-3).any(-1)


def baseline_status(link: LinearTransceiver) -> Int[Tensor, "*batch"]:
    """The status codes of a baseline."""
    return torch.where(sends(link), Status.BASELINE.code, Status.NOTHING_TO_SEND.code)


def prepare(moments: Moments, channel: Channel) -> tuple[Moments, Channel]:
    """The moments without rounding in dimensions that do not vary, and the channel in their precision, its h taken for known exactly.

    Raises:
        ValueError: moments or channel are of another type or on different devices.
    """
    if not isinstance(moments, Moments):
        raise ValueError(f"moments must be Moments (Moments.from_pairs(x, y)), got {type(moments).__name__}")
    if not isinstance(channel, Channel):
        raise ValueError(f"channel must be a Channel (Channel.from_snr(h, snr_db)), got {type(channel).__name__}")
    if channel.h.device != moments.mean_x.device:
        raise ValueError(f"channel must be on the moments' device {moments.mean_x.device}, got {channel.h.device}")
    channel = channel.to(moments.mean_x.dtype)
    return varying(moments), Channel(channel.h, channel.noise_variance, channel.power)


def check_parts(k: int | None, aligner: Aligner, equaliser: Equaliser, align: str = "after") -> None:
    """Check the parts of a baseline.

    Raises:
        ValueError: naming the part that is something else.
    """
    if k is not None:
        integer("k", k)
    choice("align", align, ("after", "before"))
    if isinstance(aligner, type) or not isinstance(aligner, Aligner):
        raise ValueError(f"aligner must be LeastSquares() or Procrustes(), got {aligner!r}")
    if isinstance(equaliser, type) or not isinstance(equaliser, Equaliser):
        raise ValueError(f"equaliser must be SvdEqualiser(), ZeroForcing() or MmseEqualiser(), got {equaliser!r}")


def number_sent(k: int | None, available: int, channel: Channel) -> int:
    """The number of real numbers sent of the `available` ones: k, or all that the channel has room for.

    Raises:
        ValueError: k is more than there are, or than the channel has room for.
    """
    fits = room(channel)
    if k is None:
        return min(fits, available)
    if k > fits:
        raise ValueError(f"k must be at most 2 * uses * min(n_rx, n_tx) = {fits}, the real numbers that fit the channel, got {k}")
    if k > available:
        raise ValueError(f"k must be at most {available}, the numbers that there are to send, got {k}")
    return k
