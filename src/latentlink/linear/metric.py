"""The metric in which a design's error counts: the goal's weight and its share of plain MSE, ||W e||² + α ||e||².

With a fidelity f, both parts are normalised to what the whitened cross-covariance A explains of them: W / ||W A|| and α = f / ||A||². A
complex-linear design works on packed latents, where a real metric M = WᵀW is replaced by its complex-linear part, its mean with its image
under multiplication by j.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.latents.packing import packed_covariance
from latentlink.latents.whitening import Spectrum
from latentlink.linear.goal import Goal


@dataclass(frozen=True, eq=False)
class Metric:
    """The quadratic metric ||W e||² + α ||e||², stored as its two parts.

    Attributes:
        W: (q, m), real, or complex for complex-linear designs; None for plain MSE.
        alpha: α ≥ 0, weight of the plain MSE.
    """

    W: Tensor | None
    alpha: float

    @classmethod
    def of(cls, goal: Goal | None, RyxV: Tensor, spectrum: Spectrum, widely_linear: bool) -> "Metric":
        """The metric of a goal; with a fidelity, both parts are divided by what the modes explain of the task and of the latent."""
        if goal is None:
            return cls(None, 1.0)
        W = goal.weight.to(spectrum.values)
        W = W if widely_linear else _proper_weight(W)
        if goal.fidelity == 0:
            return cls(W, 0.0)
        values, _ = spectrum.kept(0.0)
        A = RyxV[:, : len(values)] * values.rsqrt()
        task, latent = float((W @ A).norm()), float(A.norm())
        return cls(W / task if task > 0 else W, goal.fidelity / latent**2 if latent > 0 else 0.0)

    def weigh(self, matrix: Tensor) -> Tensor:
        """The stack of W and √α I, times a matrix (m, ·)."""
        parts = [] if self.W is None else [self.W @ matrix]
        return torch.cat([*parts, matrix * self.alpha**0.5]) if self.alpha > 0 else parts[0]

    def variance(self, Ry: Tensor) -> Float[Tensor, ""]:
        """tr W Ry Wᴴ + α tr Ry."""
        plain: Tensor = self.alpha * Ry.diagonal().real.sum()
        return plain if self.W is None else plain + (self.W @ Ry * self.W.conj()).sum().real

    def real_weight(self, dim: int) -> Float[Tensor, "q m"] | None:
        """W_r (q, m) in real coordinates: ||W_r e|| is the norm ||W e|| of the packed latent, for every real latent e (m,)."""
        if self.W is None or not self.W.is_complex():
            return self.W
        real, imag = self.W.real, self.W.imag
        return torch.cat([torch.cat([real, -imag], -1), torch.cat([imag, real], -1)])[:, :dim]


def _proper_weight(W: Float[Tensor, "q m"]) -> Complex[Tensor, "c c"]:
    """W_c with W_cᴴ W_c the complex-linear part of the metric WᵀW: its mean with its image under multiplication by j."""
    metric = packed_covariance(W.mT @ W) / 2
    values, vectors = torch.linalg.eigh(metric)
    root: Tensor = values.clamp(min=0).sqrt().unsqueeze(-1) * vectors.mH
    return root
