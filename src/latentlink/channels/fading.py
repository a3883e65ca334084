"""Flat fading: random channel matrices h (…, n_rx, n_tx) whose entries have E|h|² = gain."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.numerics.doors import AnyArray, as_generator, as_tensor, integer, real
from latentlink.numerics.validation import validate_call


@validate_call
def rayleigh(
    n_rx: int,
    n_tx: int,
    gain: float = 1.0,
    *,
    batch: Sequence[int] = (),
    generator: torch.Generator | int | None = None,
    dtype: torch.dtype = torch.complex128,
) -> Complex[Tensor, "*batch n_rx n_tx"]:
    """Draw Rayleigh fading: independent entries CN(0, gain), i.e. gain/2 per real dimension.

    Args:
        n_rx: number of receive antennas.
        n_tx: number of transmit antennas.
        gain: E|h|²; 1/2 reproduces the published code of [pandolfo2025latent].
        batch: leading dimensions, one channel each.
        generator: source of randomness, or its seed; h is made on its device.
        dtype: complex64 or complex128.

    Returns:
        h (*batch, n_rx, n_tx).

    Raises:
        ValueError: there is no antenna, the gain is negative or not finite, the dtype is real, or the generator is neither a generator nor
            a seed.

    Example:
        >>> import latentlink as ll
        >>> h = ll.rayleigh(2, 4, batch=(1000,), generator=0)
        >>> h.shape, round(float(h.abs().square().mean()), 1)
        (torch.Size([1000, 2, 4]), 1.0)
    """
    if not isinstance(dtype, torch.dtype) or not dtype.is_complex:
        raise ValueError(f"dtype must be torch.complex64 or torch.complex128, got {dtype!r}")
    batch = _batch(batch)
    n_rx, n_tx = integer("n_rx", n_rx), integer("n_tx", n_tx)
    gain = real("gain", gain, least=0.0)
    source = as_generator(generator, "channels", None)
    device = None if source is None else source.device
    return math.sqrt(gain) * torch.randn(*batch, n_rx, n_tx, dtype=dtype, generator=source, device=device)


@validate_call
def rician(
    n_rx: int,
    n_tx: int,
    k_factor: float,
    *,
    gain: float = 1.0,
    batch: Sequence[int] = (),
    generator: torch.Generator | int | None = None,
    dtype: torch.dtype = torch.complex128,
) -> Complex[Tensor, "*batch n_rx n_tx"]:
    """Draw Rician fading: a line of sight that is k_factor times as strong as the Rayleigh part, with E|h|² = gain in all.

    h = √(gain / (K + 1)) (√K a_rx a_txᴴ + h_w), a the responses of uniform linear arrays at half a wavelength, with angles of arrival and
    departure uniform over (−π/2, π/2) and a common phase, drawn for each channel.

    Args:
        n_rx: number of receive antennas.
        n_tx: number of transmit antennas.
        k_factor: K ≥ 0, linear (not dB); 0 is Rayleigh, inf is the line of sight alone.
        gain: E|h|² of every entry.
        batch: leading dimensions, one channel each.
        generator: source of randomness, or its seed; h is made on its device.
        dtype: complex64 or complex128.

    Returns:
        h (*batch, n_rx, n_tx).

    Raises:
        ValueError: as `rayleigh`, or K is negative or NaN.

    Example:
        >>> import latentlink as ll
        >>> h = ll.channels.rician(2, 4, k_factor=10.0, batch=(1000,), generator=0)
        >>> h.shape, round(float(h.abs().square().mean()), 1)
        (torch.Size([1000, 2, 4]), 1.0)
    """
    batch = _batch(batch)
    if not isinstance(k_factor, int | float | np.number) or not k_factor >= 0:
        raise ValueError(f"k_factor must not be negative (it is linear, not dB), got {k_factor!r}")
    gain = real("gain", gain, least=0.0)
    source = as_generator(generator, "channels", None)
    scattered = rayleigh(n_rx, n_tx, batch=batch, generator=source, dtype=dtype)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*batch, *shape, generator=source, device=scattered.device, dtype=scattered.real.dtype)

    def array_response(antennas: int) -> Tensor:
        angle = (uniform(1) - 0.5) * math.pi
        phase = math.pi * torch.sin(angle) * torch.arange(antennas, device=scattered.device)
        return torch.polar(torch.ones_like(phase), phase)

    line = array_response(n_rx)[..., :, None] * array_response(n_tx)[..., None, :].conj()
    phase = 2 * math.pi * uniform(1, 1)
    line = line * torch.polar(torch.ones_like(phase), phase)
    direct = 1.0 if math.isinf(k_factor) else k_factor / (k_factor + 1)
    return math.sqrt(gain) * (math.sqrt(direct) * line + math.sqrt(1 - direct) * scattered)


@validate_call
def kronecker(
    corr_rx: AnyArray,
    corr_tx: AnyArray,
    gain: float = 1.0,
    *,
    batch: Sequence[int] = (),
    generator: torch.Generator | int | None = None,
    dtype: torch.dtype = torch.complex128,
) -> Complex[Tensor, "*batch r t"]:
    """Draw correlated Rayleigh fading, h = √gain R_rx^½ h_w R_tx^½: E[h hᴴ] = gain·n_tx·R_rx and E[hᴴ h] = gain·n_rx·R_tx.

    Args:
        corr_rx: correlation matrix R_rx (n_rx, n_rx) of the receive antennas: Hermitian, positive semidefinite, with unit diagonal.
        corr_tx: correlation matrix R_tx (n_tx, n_tx) of the transmit antennas, likewise.
        gain: E|h|² of every entry.
        batch: leading dimensions, one channel each.
        generator: source of randomness, or its seed; h is made on its device.
        dtype: complex64 or complex128.

    Returns:
        h (*batch, n_rx, n_tx).

    Raises:
        ValueError: as `rayleigh`, or a matrix is not a correlation matrix.

    Example:
        >>> import latentlink as ll
        >>> R = ll.channels.exponential_correlation(4, 0.7)
        >>> ll.channels.kronecker(R, R, batch=(100,), generator=0).shape
        torch.Size([100, 4, 4])
    """
    root_rx, root_tx = _correlation_root("corr_rx", corr_rx, dtype), _correlation_root("corr_tx", corr_tx, dtype)
    white = rayleigh(len(root_rx), len(root_tx), gain, batch=batch, generator=generator, dtype=dtype)
    return root_rx.to(white.device) @ white @ root_tx.to(white.device)


@validate_call
def exponential_correlation(antennas: int, coefficient: float) -> Float[Tensor, "antennas antennas"]:
    """Make the correlation matrix R_ij = coefficient^|i − j| of a linear array, for `kronecker`.

    Args:
        antennas: number of antennas in the row.
        coefficient: correlation of neighbouring antennas, from 0 to 1.

    Returns:
        R (antennas, antennas), float64.

    Raises:
        ValueError: the coefficient is not in 0…1, or there is no antenna.

    Example:
        >>> import latentlink as ll
        >>> ll.channels.exponential_correlation(3, 0.5)[0]
        tensor([1.0000, 0.5000, 0.2500], dtype=torch.float64)
    """
    coefficient = real("coefficient", coefficient, least=0.0, most=1.0)
    index = torch.arange(integer("antennas", antennas), dtype=torch.float64, device="cpu")
    return coefficient ** (index[:, None] - index[None, :]).abs()


def _batch(sizes: Sequence[int]) -> tuple[int, ...]:
    """Check the leading dimensions of channels that are drawn."""
    return tuple(integer("batch", size, 0) for size in sizes)


def _correlation_root(name: str, corr: Any, dtype: torch.dtype) -> Tensor:
    """Check a correlation matrix and compute its square root."""
    corr = as_tensor(name, corr).to(torch.complex128)
    if corr.ndim != 2 or corr.shape[0] != corr.shape[1]:
        raise ValueError(f"{name} must be a square matrix, got shape {tuple(corr.shape)}")
    if not corr.isfinite().all() or not torch.allclose(corr, corr.mH, atol=1e-8):
        raise ValueError(f"{name} must be finite and Hermitian")
    if not torch.allclose(corr.diagonal(), torch.ones_like(corr.diagonal()), atol=1e-8):
        raise ValueError(f"{name} must have a unit diagonal (scale with gain instead), got {corr.diagonal().real.tolist()}")
    values, vectors = torch.linalg.eigh(corr)
    if values.min() < -1e-8:
        raise ValueError(f"{name} must be positive semidefinite, got an eigenvalue of {values.min().item():.3g}")
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.mH
    return root.to(dtype)
