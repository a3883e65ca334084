"""Flat fading: random channel matrices h (…, n_rx, n_tx) whose entries have E|h|² = gain."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Complex, Float
from numpy.typing import NDArray
from torch import Tensor

from latentlink.numerics.doors import as_tensor


def rayleigh(
    n_rx: int,
    n_tx: int,
    gain: float = 1.0,
    batch: Sequence[int] = (),
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.complex128,
) -> Complex[Tensor, "*batch n_rx n_tx"]:
    """Rayleigh fading: independent entries CN(0, gain), i.e. gain/2 in each real part.

    Args:
        n_rx, n_tx: receive and transmit antennas.
        gain: E|h|²; 1/2 reproduces the published code of [pandolfo2025latent].
        batch: leading dimensions, one channel each.
        generator: source of randomness; h is made on its device.
        dtype: complex64 or complex128.

    Raises:
        ValueError: fewer than one antenna, a gain that is negative or not finite, or a real dtype.
    """
    if not dtype.is_complex:
        raise ValueError(f"dtype must be torch.complex64 or torch.complex128, got {dtype}")
    if n_rx < 1 or n_tx < 1:
        raise ValueError(f"n_rx and n_tx must be at least 1, got {n_rx} and {n_tx}")
    _check_gain(gain)
    device = generator.device if generator is not None else None
    return math.sqrt(gain) * torch.randn(*batch, n_rx, n_tx, dtype=dtype, generator=generator, device=device)


def rician(
    n_rx: int,
    n_tx: int,
    k_factor: float,
    gain: float = 1.0,
    batch: Sequence[int] = (),
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.complex128,
) -> Complex[Tensor, "*batch n_rx n_tx"]:
    """Rician fading: a line of sight k_factor times as strong as the Rayleigh part, E|h|² = gain in all.

    h = √(gain / (K + 1)) (√K a_rx a_txᴴ + h_w), a the responses of uniform linear arrays at half a wavelength, with angles of arrival and
    departure uniform over (−π/2, π/2) and a common phase, drawn for each channel.

    Args:
        k_factor: K ≥ 0, linear (not dB); 0 is Rayleigh, inf is the line of sight alone.
        n_rx, n_tx, gain, batch, generator, dtype: as in `rayleigh`.

    Raises:
        ValueError: as `rayleigh`, or K negative or NaN.
    """
    if not k_factor >= 0:
        raise ValueError(f"k_factor must not be negative (it is linear, not dB), got {k_factor}")
    _check_gain(gain)
    scattered = rayleigh(n_rx, n_tx, 1.0, batch, generator, dtype)

    def array_response(antennas: int) -> Tensor:
        angle = (torch.rand(*batch, 1, generator=generator, device=scattered.device, dtype=scattered.real.dtype) - 0.5) * math.pi
        phase = math.pi * torch.sin(angle) * torch.arange(antennas, device=scattered.device)
        return torch.polar(torch.ones_like(phase), phase)

    line = array_response(n_rx)[..., :, None] * array_response(n_tx)[..., None, :].conj()
    turn = 2 * math.pi * torch.rand(*batch, 1, 1, generator=generator, device=scattered.device, dtype=scattered.real.dtype)
    line = line * torch.polar(torch.ones_like(turn), turn)
    direct = 1.0 if math.isinf(k_factor) else k_factor / (k_factor + 1)
    return math.sqrt(gain) * (math.sqrt(direct) * line + math.sqrt(1 - direct) * scattered)


def kronecker(
    corr_rx: Tensor | NDArray[Any],
    corr_tx: Tensor | NDArray[Any],
    gain: float = 1.0,
    batch: Sequence[int] = (),
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.complex128,
) -> Complex[Tensor, "*batch r t"]:
    """Correlated Rayleigh fading, h = √gain R_rx^½ h_w R_tx^½: E[h hᴴ] = gain·t·R_rx and E[hᴴ h] = gain·r·R_tx.

    Args:
        corr_rx, corr_tx: correlation matrices, Hermitian, positive semidefinite, with unit diagonal.
        gain, batch, generator, dtype: as in `rayleigh`.

    Raises:
        ValueError: as `rayleigh`, or a matrix is not a correlation matrix.
    """
    root_rx, root_tx = (_correlation_root(name, c, dtype) for name, c in (("corr_rx", corr_rx), ("corr_tx", corr_tx)))
    white = rayleigh(len(root_rx), len(root_tx), gain, batch, generator, dtype)
    return root_rx.to(white.device) @ white @ root_tx.to(white.device)


def _check_gain(gain: float) -> None:
    if not (gain >= 0 and math.isfinite(gain)):
        raise ValueError(f"gain must be finite and not negative, got {gain}")


def exponential_correlation(antennas: int, coefficient: float) -> Float[Tensor, "antennas antennas"]:
    """The correlation matrix coefficient^|i − j| (antennas, antennas) of a linear array, for `kronecker`.

    Raises:
        ValueError: the coefficient is not in 0…1, or there is no antenna.
    """
    if not 0 <= coefficient <= 1:
        raise ValueError(f"coefficient must be between 0 and 1, got {coefficient}")
    if antennas < 1:
        raise ValueError(f"antennas must be at least 1, got {antennas}")
    index = torch.arange(antennas, dtype=torch.float64)
    return coefficient ** (index[:, None] - index[None, :]).abs()


def _correlation_root(name: str, corr: Any, dtype: torch.dtype) -> Tensor:
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
