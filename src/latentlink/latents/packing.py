"""Packing a real latent into complex symbols and back: first half real part, second half imaginary.

A latent of d real numbers over u channel uses fills c = ⌈d / 2u⌉ complex symbols per use; each use takes the next 2c numbers (zeros after
the last), the first c of them as real parts, the other c as imaginary parts. The real embedding of a complex matrix H,

    H_r = [[Re H, −Im H], [Im H, Re H]],

acts on such stacked halves as H acts on the packed symbols.
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.numerics.doors import integer


def pack(x: Float[Tensor, "*batch d"], uses: int = 1) -> Complex[Tensor, "*batch u c"]:
    """Pack real latents (…, d) into complex symbols (…, u, c), c = ⌈d / 2u⌉, halves per use, zero padded.

    Raises:
        ValueError: `uses` is no integer >= 1.
    """
    uses = integer("uses", uses)
    width = -(-x.shape[-1] // (2 * uses))
    padded = torch.nn.functional.pad(x, (0, 2 * uses * width - x.shape[-1]))
    halves = padded.unflatten(-1, (uses, 2, width))
    return torch.complex(halves[..., 0, :], halves[..., 1, :])


def unpack(z: Complex[Tensor, "*batch u c"], dim: int) -> Float[Tensor, "*batch dim"]:
    """Unpack complex symbols (…, u, c) to real latents (…, dim): the inverse of `pack`.

    Raises:
        ValueError: `dim` real numbers do not come from u × c symbols.
    """
    uses, width = z.shape[-2:]
    if -(-dim // (2 * uses)) != width:
        raise ValueError(f"dim must be a latent dimension that fills {uses} × {width} complex symbols, got {dim}")
    return torch.stack([z.real, z.imag], -2).flatten(-3)[..., :dim]


def real_embedding(h: Complex[Tensor, "*batch r t"]) -> Float[Tensor, "*batch r2 t2"]:
    """Embed complex H (…, r, t) as H_r (…, 2r, 2t), so that stacked halves of H s are H_r times the stacked halves of s."""
    return torch.cat([torch.cat([h.real, -h.imag], -1), torch.cat([h.imag, h.real], -1)], -2)


def packed_covariance(covariance: Float[Tensor, "*batch a b"]) -> Complex[Tensor, "*batch p q"]:
    """Compute E[u vᴴ] (…, ⌈a/2⌉, ⌈b/2⌉) of packed latents, from the real covariance E[x yᵀ] (…, a, b)."""
    rows, columns = covariance.shape[-2:]
    blocks = torch.nn.functional.pad(covariance, (0, columns % 2, 0, rows % 2)).unflatten(-1, (2, -1)).unflatten(-3, (2, -1))
    return torch.complex(blocks[..., 0, :, 0, :] + blocks[..., 1, :, 1, :], blocks[..., 1, :, 0, :] - blocks[..., 0, :, 1, :])


def complex_linear_part(matrix: Float[Tensor, "*batch a2 b2"]) -> Float[Tensor, "*batch a2 b2"]:
    """Compute the complex-linear part of a matrix of stacked halves: its mean with its image under multiplication by j."""
    return real_embedding(packed_covariance(matrix)) / 2


def halves(matrix: Float[Tensor, "*batch a b2"]) -> Float[Tensor, "*batch a b2"]:
    """Put columns that alternate between real and imaginary parts in stacked halves; `alternating` is the inverse."""
    return matrix.unflatten(-1, (-1, 2)).mT.flatten(-2)


def alternating(matrix: Float[Tensor, "*batch a b2"]) -> Float[Tensor, "*batch a b2"]:
    """Let columns of stacked halves alternate between real and imaginary parts; the inverse of `halves`."""
    return matrix.unflatten(-1, (2, -1)).mT.flatten(-2)
