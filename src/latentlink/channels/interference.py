"""Gaussian interference beside the white noise: its covariance in real coordinates, proper or improper, and draws of it.

The coordinates are the real parts of all uses and antennas, use by use, then their imaginary parts.
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.numerics.doors import AnyArray, finite

_ROUNDING = 1e-5  # of the largest entry: asymmetry and negative eigenvalues that sums in float32 leave


def checked_interference(interference: AnyArray, h: Complex[Tensor, "*b u r t"]) -> Float[Tensor, "*batch r2 r2"]:
    """The covariance in the precision and on the device of a channel h; a ValueError where it is none, or of another size."""
    covariance = finite("interference", interference)
    size = 2 * h.shape[-3] * h.shape[-2]
    if covariance.is_complex() or covariance.ndim < 2 or covariance.shape[-2:] != (size, size):
        raise ValueError(
            f"interference must be a real covariance (..., {size}, {size}) of real, then imaginary parts of {h.shape[-3]} × {h.shape[-2]} "
            f"uses × antennas, got {covariance.dtype} {tuple(covariance.shape)}"
        )
    covariance = covariance.to(dtype=h.real.dtype, device=h.device)
    if not bool(covariance.isfinite().all()):
        raise ValueError(f"interference must be finite in {covariance.dtype}, as h is, got larger entries")
    if not covariance.numel():
        return covariance
    with torch.no_grad():
        scale = covariance.abs().amax((-2, -1), keepdim=True)
        symmetric = (covariance - covariance.mT).abs() <= _ROUNDING * scale
        least = torch.linalg.eigvalsh(covariance)[..., :1] if bool(symmetric.all()) else torch.zeros_like(scale[..., 0])
    if not bool(symmetric.all()) or bool((least < -_ROUNDING * size * scale[..., 0]).any()):
        raise ValueError("interference must be a covariance, symmetric and positive semidefinite, got a matrix that is not")
    return covariance


def no_interference(interference: Tensor | None, where: str = "here") -> None:
    """Refuse the interference of a channel where it is not served, with a ValueError that says where; the one check of all the library."""
    if interference is not None:
        raise ValueError(
            f"channel.interference must be None {where}, got a covariance of shape {tuple(interference.shape)}: only ClosedForm with "
            "power.Mean() and exact channels, or an estimate that both ends know, and its links serve coloured noise; leave it out, or "
            "count its mean power as noise_variance"
        )


def drawn_interference(
    covariance: Float[Tensor, "*batch r2 r2"], like: Complex[Tensor, "*batch n u r"], generator: torch.Generator | None
) -> Complex[Tensor, "*batch n u r"]:
    """Interference of this covariance for each message of a received signal (…, n, u, n_rx)."""
    values, vectors = torch.linalg.eigh(covariance)
    root = (vectors * values.clamp(min=0).sqrt().unsqueeze(-2)).to(like.real.dtype)
    white = torch.randn(*like.shape[:-2], covariance.shape[-1], dtype=root.dtype, device=like.device, generator=generator)
    return torch.complex(*(white @ root.mT).unflatten(-1, (2, *like.shape[-2:])).unbind(-3))


def of_more_uses(covariance: Float[Tensor, "*batch r2 r2"], uses: int, times: int) -> Float[Tensor, "*batch s2 s2"]:
    """The covariance where each of the uses comes so many times in a row, with independent draws: none between different draws."""
    antennas = covariance.shape[-1] // (2 * uses)
    blocks = covariance.unflatten(-2, (2, uses, antennas)).unflatten(-1, (2, uses, antennas))
    eye = torch.eye(times, dtype=covariance.dtype, device=covariance.device)
    copied = torch.einsum("...puaqvb,ij->...puiaqvjb", blocks, eye)
    return copied.flatten(-4).flatten(-5, -2)


def blocks_of_groups(covariance: Float[Tensor, "*batch r2 r2"], groups: int) -> Float[Tensor, "*batch g s2 s2"]:
    """The covariance (…, g, 2 w n_rx, 2 w n_rx) within each of g groups of consecutive uses."""
    half = covariance.shape[-1] // 2
    blocks = covariance.unflatten(-2, (2, groups, half // groups)).unflatten(-1, (2, groups, half // groups))
    return blocks.diagonal(dim1=-5, dim2=-2).movedim(-1, -5).flatten(-2).flatten(-3, -2)
