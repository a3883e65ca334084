"""The best answer of a pair to the noise that it hears: whiten, then the closed form, in complex or in real arithmetic.

*Proper*: both halves of a symbol have the same power. With β_i = (b_{2i}² + b_{2i+1}²)^{1/2} and h_i the singular values of the complex
channel, whitened by complex noise of covariance N_k = 2 I + Σ_{j≠k} H_kj Q_j H_kjᴴ, Q_j = E s_j s_jᴴ,

    Q_k = 2 Σ_i p_i v_i v_iᴴ,      J_k = Σ_i β_i² / (1 + p_i h_i²),      p the MSE water-filling of β over h with half the budget.

All stays complex, so that interference is proper to the last bit. The last of an odd number of modes is not sent: one real mode, by
itself or as half a symbol, is improper however it is sent. *Widely linear*: the closed form of the real channel, whitened by
N_k = I + Σ_{j≠k} H_kj F_j F_jᵀ H_kjᵀ.
"""

from typing import NamedTuple

import torch
from jaxtyping import Complex, Float, Shaped
from torch import Tensor

from latentlink.networks.exact import exact
from latentlink.networks.problem import Problem
from latentlink.numerics.division import root
from latentlink.streams.waterfilling import mse_waterfilling


class Answer(NamedTuple):
    """A best answer.

    Attributes:
        F: precoder (…, a_k, c_k) of one pair.
        error: J_k (…) with it.
    """

    F: Float[Tensor, "*batch a c"]
    error: Float[Tensor, "*batch"]


def noise_at(problem: Problem, F: Float[Tensor, "*batch a c"], k: int, proper: bool) -> Shaped[Tensor, "*batch r r"]:
    """The covariance N_k of noise and of the others' signals, complex where these are proper."""
    H = _complex(problem, k, k) if proper else problem.H[..., k, :, :]
    noise = (2 if proper else 1) * torch.eye(H.shape[-2], dtype=H.dtype, device=H.device).expand(*H.shape[:-2], -1, -1)
    for t, (rows, columns) in enumerate(zip(problem.rows, problem.columns, strict=True)):
        if t != k:
            sent = F[..., rows, columns]
            arriving = _complex(problem, k, t) @ _halves(sent) if proper else problem.H[..., k, :, rows] @ sent
            noise = noise + arriving @ arriving.mH
    return noise


def answer(problem: Problem, noise: Shaped[Tensor, "*batch r r"], k: int) -> Answer:
    """The best answer of pair k to noise of this covariance: a proper one where it is complex."""
    B, power = problem.B[..., k, :, problem.columns[k]], problem.power[..., k]
    L = torch.linalg.cholesky(noise)
    if not noise.is_complex():
        found = exact(B, torch.linalg.solve_triangular(L, problem.H[..., k, :, problem.rows[k]], upper=False), power)
        return Answer(found.F, found.error)
    _, h, Vh = torch.linalg.svd(2**0.5 * torch.linalg.solve_triangular(L, _complex(problem, k, k), upper=False), full_matrices=False)
    _, b, VBh = torch.linalg.svd(B, full_matrices=True)
    even = B.shape[-1] // 2 * 2
    b = torch.nn.functional.pad(b, (0, max(even - b.shape[-1], 0)))
    beta = b[..., :even].square().unflatten(-1, (even // 2, 2)).sum(-1).sqrt()
    s = min(beta.shape[-1], h.shape[-1])
    paired = beta[..., :s].expand(*h.shape[:-1], s)
    p = mse_waterfilling(paired, h[..., :s], torch.ones_like(power), power / 2)
    v = Vh[..., :s, :].mH * root(p).unsqueeze(-2)
    beams = torch.stack([torch.cat([v.real, v.imag], -2), torch.cat([-v.imag, v.real], -2)], -1).flatten(-2)  # those of v and of j v
    error = (paired.square() / (1 + p * h[..., :s].square())).sum(-1) + beta[..., s:].square().sum(-1)
    error = error + b[..., even:].square().sum(-1)
    return Answer(beams @ VBh[..., : 2 * s, :], error)


def _complex(problem: Problem, k: int, t: int) -> Complex[Tensor, "*batch r t"]:
    """The complex channel of user k and transmitter t."""
    return _halves(problem.H[..., k, :, problem.rows[t]].unflatten(-1, (2, -1))[..., 0, :])


def _halves(stacked: Float[Tensor, "*batch a2 c"]) -> Complex[Tensor, "*batch a c"]:
    """Real parts, then imaginary parts, as complex numbers."""
    return torch.complex(*stacked.unflatten(-2, (2, -1)).unbind(-3))
