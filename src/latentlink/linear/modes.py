"""Semantic modes: what two devices agree on once, before any channel is known.

With the pilots' covariances, S R_λ Sᴴ = I the whitening of x, W the goal's weight (I for plain MSE) and

    A = Ryx Sᴴ,      B = W A = U_B diag(b) V_Bᴴ,

the modes are the directions of x that tell most about W y, strongest first:

    analysis  Φ = V_Bᴴ S   (k × d),      synthesis  Ψ = A V_B = Ryx Φᴴ   (m × k),      strength  b.

The coefficients z = Φ (x − μx) are white under R_λ, and y ≈ μy + Ψ z. Mode i explains b_i² of the weighted error tr W Ry Wᵀ.

In the complex-linear variant (the formulation of [pandolfo2025latent]) x and y are packed by halves, all matrices are complex, and each
complex coefficient takes two real streams, √2 Re z and √2 Im z, of strength b / √2 each; all that follows is then the same. A goal's
weight is not complex-linear; there its metric is averaged with its image under multiplication by j, which is exact for errors that are
proper.
"""

import os
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.io.artifacts import artifact, save
from latentlink.latents.moments import Moments
from latentlink.latents.packing import packed_covariance
from latentlink.latents.whitening import Spectrum, gcv_shrinkage
from latentlink.linear.goal import Goal
from latentlink.linear.transceiver import LinearTransceiver

_RANK = 1e-14  # strengths below this share of the largest are rounding


@artifact("pair")
@dataclass(frozen=True, eq=False)
class SemanticModes:
    """A pair of latent spaces in k matched real coordinates, strongest first (see the module).

    Attributes:
        analysis: Φ (k, d). synthesis: Ψ (m, k). strength: b (k), decreasing.
        mean_x: μx (d,). mean_y: μy (m,).
        gram: ΨᵀΨ (k, k). cross: Φ Rxy Ψ (k, k). covariance: Φ Rx Φᵀ (k, k), of the coefficients under the pilots (I at λ = 0).
        variance: tr Ry, the error of sending nothing. weighted_variance: tr W Ry Wᵀ, in the units of b².
        weight: W (q, m) of the design metric; None for plain MSE.
        shrinkage: λ used. widely_linear: whether Φ is real-linear in x (the default) or complex-linear in its packing.
        encoders: names of the transmitter's and the receiver's encoder, for the record.
    """

    analysis: Float[Tensor, "k d"]
    synthesis: Float[Tensor, "m k"]
    strength: Float[Tensor, "k"]
    mean_x: Float[Tensor, "d"]
    mean_y: Float[Tensor, "m"]
    gram: Float[Tensor, "k k"]
    cross: Float[Tensor, "k k"]
    covariance: Float[Tensor, "k k"]
    variance: Float[Tensor, ""]
    weighted_variance: Float[Tensor, ""]
    weight: Float[Tensor, "q m"] | None
    shrinkage: float
    widely_linear: bool
    encoders: tuple[str, str] = ("unnamed", "unnamed")

    def __len__(self) -> int:
        return len(self.strength)

    def coefficients(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        """z = Φ (x − μx) (…, k) of latents x (…, d)."""
        return (x.to(self.analysis) - self.mean_x) @ self.analysis.mT

    def align(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch m"]:
        """The receiver's latent as far as x tells it linearly, with no channel between: μy + Ψ Φ (x − μx)."""
        return self.mean_y + self.coefficients(x) @ self.synthesis.mT

    def transceiver(
        self, channel: Channel, streams: Int[Tensor, "*batch s"], precoder: Float[Tensor, "*batch g t2 q2"], decoder: Tensor | None = None
    ) -> LinearTransceiver:
        """The linear transceiver that sends the first s modes by this precoder; without a decoder it is the one matched to the channel."""
        s, groups = streams.shape[-1], precoder.shape[-3]
        shared = (self.analysis[:s], self.synthesis[:, :s], self.mean_x, self.mean_y)
        if decoder is not None:
            return LinearTransceiver(*shared, streams, precoder, decoder, channel, encoders=self.encoders)
        silent = precoder.new_zeros(*channel.batch, groups, precoder.shape[-1], 2 * channel.uses * channel.n_rx // groups)
        return LinearTransceiver(*shared, streams, precoder, silent, channel, encoders=self.encoders).matched_to(channel)

    def truncated(self, k: int) -> "SemanticModes":
        """The k strongest modes (fewer if there are fewer); complex-linear modes need an even k.

        Raises:
            ValueError: k is negative, or odd for complex-linear modes.
        """
        if k < 0 or (k % 2 and not self.widely_linear):
            raise ValueError(f"k must be at least 0, and even for complex-linear modes, got {k}")
        cut: dict[str, Any] = {"analysis": self.analysis[:k], "synthesis": self.synthesis[:, :k], "strength": self.strength[:k]}
        square = {name: getattr(self, name)[:k, :k] for name in ("gram", "cross", "covariance")}
        return replace(self, **cut, **square)

    def named(self, transmitter: str, receiver: str) -> "SemanticModes":
        """The same modes with the encoders' names on record."""
        return replace(self, encoders=(transmitter, receiver))

    def to(self, target: torch.device | torch.dtype | str) -> "SemanticModes":
        """The same modes on another device or in another dtype."""
        moved: dict[str, Any] = {f.name: value.to(target) for f in fields(self) if isinstance(value := getattr(self, f.name), Tensor)}
        return replace(self, **moved)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the pair atomically; `latentlink.load` reads it back."""
        save("pair", self, path)

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and facts of the saved file."""
        tensors = {f.name: value for f in fields(self) if isinstance(value := getattr(self, f.name), Tensor)}
        return tensors, {
            "tx_dim": len(self.mean_x),
            "rx_dim": len(self.mean_y),
            "modes": len(self),
            "shrinkage": self.shrinkage,
            "widely_linear": self.widely_linear,
            "goal": self.weight is not None,
            "encoders": list(self.encoders),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "SemanticModes":
        """The modes of a saved file."""
        transmitter, receiver = manifest["encoders"]
        facts = {name: manifest[name] for name in ("shrinkage", "widely_linear")}
        content: dict[str, Any] = {"weight": None, **tensors, **facts}
        return cls(**content, encoders=(transmitter, receiver))


def semantic_modes(
    moments: Moments, goal: Goal | None = None, shrinkage: float | str = "auto", widely_linear: bool = True
) -> SemanticModes:
    """Match two latent spaces: offline, once per pair of devices, from second moments of the pilots.

    Args:
        moments: of the semantic pilots.
        goal: what the receiver wants; None is the latent itself (MSE).
        shrinkage: λ ≥ 0 relative to the mean variance of x, or "auto" (generalised cross-validation).
        widely_linear: real-linear in the latents; False restricts both ends to complex-linear maps of the packed latents.

    Returns:
        All modes of strength above rounding, at most min(d, q); none where x tells nothing about y.

    Raises:
        ValueError: moments or goal are of another type, the shrinkage is neither "auto" nor a finite number ≥ 0, or the goal's
            weight has not m columns.

    References:
        [palomar2003joint] for the modes of plain MSE, [golub1979generalized] for λ.
    """
    if not isinstance(moments, Moments):
        raise ValueError(f"moments must be Moments (Moments.from_pairs(x, y)), got {type(moments).__name__}")
    if not isinstance(goal, Goal | None):
        raise ValueError(f"goal must be a Goal or None, got {type(goal).__name__}")
    if not (shrinkage == "auto" or (isinstance(shrinkage, int | float) and 0 <= shrinkage < float("inf"))):
        raise ValueError(f"shrinkage must be 'auto' or a finite number not below 0, got {shrinkage!r}")
    if goal is not None and goal.weight.shape[1] != len(moments.mean_y):
        raise ValueError(f"goal must weigh latents of dimension {len(moments.mean_y)}, got a weight of shape {tuple(goal.weight.shape)}")
    Rx, Ryx, Ry = _varying(moments)
    if not widely_linear:
        Rx, Ryx, Ry = packed_covariance(Rx), packed_covariance(Ryx), packed_covariance(Ry)
    spectrum = Spectrum.of(Rx)
    RyxV = Ryx @ spectrum.vectors
    metric = _Metric.of(goal, RyxV, spectrum, widely_linear)
    if isinstance(shrinkage, str):
        shrinkage = gcv_shrinkage(spectrum, metric.weigh(RyxV).abs().square().sum(0), metric.variance(Ry), moments.count)
    values, vectors = spectrum.kept(shrinkage)
    _, b, Vh = torch.linalg.svd(metric.weigh(RyxV[:, : len(values)]) * values.rsqrt(), full_matrices=False)
    present = b > _RANK * b.max() if len(b) else torch.zeros(0, dtype=torch.bool, device=b.device)
    analysis, strength = Vh[present] * values.rsqrt() @ vectors.mH, b[present]
    synthesis = Ryx @ analysis.mH
    if not widely_linear:
        analysis, synthesis, strength = _real_streams(analysis, synthesis, strength, moments)
    gram = synthesis.mT @ synthesis
    return SemanticModes(
        analysis=analysis,
        synthesis=synthesis,
        strength=strength,
        mean_x=moments.mean_x,
        mean_y=moments.mean_y,
        gram=gram,
        cross=gram if widely_linear else analysis @ (moments.cov_yx.mT @ synthesis),
        covariance=analysis @ moments.cov_x @ analysis.mT,
        variance=moments.cov_y.trace(),
        weighted_variance=metric.variance(Ry),
        weight=metric.real_weight(len(moments.mean_y)) if goal is not None else None,
        shrinkage=float(shrinkage),
        widely_linear=widely_linear,
    )


def _varying(moments: Moments) -> tuple[Tensor, Tensor, Tensor]:
    """The covariances, with exact zeros for latent dimensions that vary by no more than the rounding of their mean."""
    eps = torch.finfo(moments.cov_x.dtype).eps
    x = (moments.cov_x.diagonal() > (64 * eps * moments.mean_x).square()).to(moments.cov_x)
    y = (moments.cov_y.diagonal() > (64 * eps * moments.mean_y).square()).to(moments.cov_y)
    return x.outer(x) * moments.cov_x, y.outer(x) * moments.cov_yx, y.outer(y) * moments.cov_y


@dataclass(frozen=True, eq=False)
class _Metric:
    """||W e||² + α ||e||², kept in two parts: W (q, m), real or complex, or None; and α."""

    W: Tensor | None
    alpha: float

    @classmethod
    def of(cls, goal: Goal | None, RyxV: Tensor, spectrum: Spectrum, widely_linear: bool) -> "_Metric":
        """The goal's metric, normalised to what the modes explain of the task and of the latent where it has a fidelity."""
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

    def real_weight(self, dim: int) -> Float[Tensor, "q m"]:
        """The stack itself, in real coordinates: ||W_r e|| is the same for real latents e and their packing."""
        assert self.W is not None
        W = self.W
        if W.is_complex():
            W = torch.cat([torch.cat([W.real, -W.imag], -1), torch.cat([W.imag, W.real], -1)])[:, :dim]
        eye = torch.eye(dim, dtype=W.dtype, device=W.device) * self.alpha**0.5
        return torch.cat([W, eye]) if self.alpha > 0 else W


def _proper_weight(W: Float[Tensor, "q m"]) -> Complex[Tensor, "c c"]:
    """W_c with W_cᴴ W_c the complex-linear part of the metric WᵀW: its mean with its image under multiplication by j."""
    metric = packed_covariance(W.mT @ W) / 2
    values, vectors = torch.linalg.eigh(metric)
    root: Tensor = values.clamp(min=0).sqrt().unsqueeze(-1) * vectors.mH
    return root


def _real_streams(analysis: Tensor, synthesis: Tensor, strength: Tensor, moments: Moments) -> tuple[Tensor, Tensor, Tensor]:
    """Two real streams √2 Re z, √2 Im z of each complex coefficient, in turn; the padding of odd dimensions is cut off."""
    d, m = len(moments.mean_x), len(moments.mean_y)
    rows = torch.stack([torch.cat([analysis.real, -analysis.imag], -1), torch.cat([analysis.imag, analysis.real], -1)], 1)
    columns = torch.stack([torch.cat([synthesis.real, synthesis.imag]), torch.cat([-synthesis.imag, synthesis.real])], -1)
    pairs = strength.repeat_interleave(2) / 2**0.5
    return rows.flatten(0, 1)[:, :d] * 2**0.5, columns.flatten(1)[:m] / 2**0.5, pairs
