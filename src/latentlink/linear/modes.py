"""Semantic modes: matched coordinates of two latent spaces, found once for a pair of devices.

With the pilots' covariances, S R_λ Sᴴ = I the whitening of x, W the goal's weight (I for plain MSE) and

    A = Ryx Sᴴ,      B = W A = U_B diag(b) V_Bᴴ,

the modes are the directions of x that explain most of W y, strongest first:

    analysis  Φ = V_Bᴴ S   (k × d),      synthesis  Ψ = A V_B = Ryx Φᴴ   (m × k),      strength  b.

The coefficients z = Φ (x − μx) are white under R_λ, and y ≈ μy + Ψ z. Mode i explains b_i² of the weighted error tr W Ry Wᵀ.

In the complex-linear variant (the formulation of [pandolfo2025latent]) x and y are packed by halves, all matrices are complex, and each
complex coefficient takes two real streams, √2 Re z and √2 Im z, of strength b / √2 each; all that follows is then the same. A goal's
weight is not complex-linear; there its metric is averaged with its image under multiplication by j, which is exact for errors that are
proper. Odd dimensions are padded, and the padding counts in R_λ and in the error.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.dependence import warn_of_chance
from latentlink.latents.moments import Moments
from latentlink.latents.packing import alternating, packed_covariance, real_embedding
from latentlink.latents.pilots import Pilots
from latentlink.latents.whitening import Spectrum, check_shrinkage, settle_shrinkage, units_of
from latentlink.linear.goal import DesignMetric, Goal
from latentlink.linear.re_encoding import ChangedTransmitter
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.numerics.doors import AnyArray, finite, flag
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts, named_tensors
from latentlink.numerics.reprs import Summarised, counted
from latentlink.numerics.validation import validate_call
from latentlink.storage.artifacts import Saved, artifact

_RANK = 1e-14  # strengths below this share of the largest are rounding


@made_by("semantic_modes(moments, goal)")
@artifact("pair")
@dataclass(frozen=True, eq=False, repr=False)
class SemanticModes(Summarised, Parts, Saved, ChangedTransmitter):
    """A pair of latent spaces in k matched real coordinates, strongest first (see the module).

    Attributes:
        analysis: Φ (k, d), which makes coefficients of the transmitter's latents.
        synthesis: Ψ (m, k), which makes latents of the receiver from coefficients.
        strength: b (k,), decreasing.
        mean_x: μx (d,), mean of the transmitter's latents.
        mean_y: μy (m,), mean of the receiver's latents.
        gram: ΨᵀΨ (k, k).
        cross: Φ Rxy Ψ (k, k).
        covariance: Φ Rx Φᵀ (k, k) of the coefficients under the pilots; it is I at λ = 0.
        variance: tr Ry, the error of sending nothing.
        weighted_variance: tr W Ry Wᵀ, in the units of b².
        task_weight: W (q, m) of the goal; None for plain MSE.
        plain_share: α, where the design metric is ||W e||² + α ||e||².
        shrinkage: λ, the regularisation of Rx that was used.
        widely_linear: True where Φ is real-linear in x, False where it is complex-linear in the packed x.
        encoders: names of the transmitter's and the receiver's encoder, for the record.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> modes
        SemanticModes(6 modes, 8 → 6, MSE, shrinkage ...)
        >>> modes.align(x).shape, round(float(modes.strength[0]), 1)
        (torch.Size([500, 6]), 0.6)
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
    task_weight: Float[Tensor, "q m"] | None
    plain_share: float
    shrinkage: float
    widely_linear: bool
    encoders: tuple[str, str] = ("unnamed", "unnamed")

    def __len__(self) -> int:
        return len(self.strength)

    def _facts(self) -> dict[str, str]:
        return {
            "modes": counted(len(self), "mode"),
            "dimensions": f"{len(self.mean_x)} → {len(self.mean_y)}",
            "goal": "MSE" if self.task_weight is None else f"goal of {counted(len(self.task_weight), 'direction')}",
            "shrinkage": f"shrinkage {self.shrinkage:.4g}",
            "maps": "" if self.widely_linear else "complex-linear",
        }

    @property
    def weight(self) -> Float[Tensor, "q m"] | None:
        """W and √α I stacked (q, m): the design minimises E||weight (y − ŷ)||²; None for plain MSE."""
        if self.task_weight is None or self.plain_share == 0:
            return self.task_weight
        eye = torch.eye(len(self.mean_y), dtype=self.task_weight.dtype, device=self.task_weight.device)
        return torch.cat([self.task_weight, self.plain_share**0.5 * eye])

    def coefficients(self, x: AnyArray) -> Float[Tensor, "*batch k"]:
        """z = Φ (x − μx) (…, k) of latents x (…, d); a ValueError if x is complex, not finite, or of another dimension."""
        x = finite("x", x)
        if x.is_complex() or x.ndim < 1 or x.shape[-1] != len(self.mean_x):
            raise ValueError(f"x must have shape (..., {len(self.mean_x)}) and be real, got {x.dtype} {tuple(x.shape)}")
        return (x.to(self.analysis) - self.mean_x) @ self.analysis.mT

    def align(self, x: AnyArray) -> Float[Tensor, "*batch m"]:
        """Linear estimate (…, m) of the receiver's latents from x (…, d), without a channel in between: μy + Ψ Φ (x − μx).

        Raises:
            ValueError: for the same reasons as `coefficients`.
        """
        return self.mean_y + self.coefficients(x) @ self.synthesis.mT

    def transceiver(
        self,
        channel: Channel,
        streams: Int[Tensor, "*batch s"],
        precoder: Float[Tensor, "*batch g t2 q2"],
        decoder: Tensor | None = None,
        **settings: Any,
    ) -> LinearTransceiver:
        """The linear transceiver that sends the first s modes by this precoder, with further fields of `LinearTransceiver` as settings.

        Without a decoder it is the one matched to the channel.
        """
        s, groups = streams.shape[-1], precoder.shape[-3]
        matched = decoder is None
        if decoder is None:
            decoder = precoder.new_zeros(*channel.batch, groups, precoder.shape[-1], 2 * channel.uses * channel.n_rx // groups)
        shared = (self.analysis[:s], self.synthesis[:, :s], self.mean_x, self.mean_y)
        link = LinearTransceiver(*shared, streams, precoder, decoder, channel, encoders=self.encoders, **settings)
        return link.matched_to(channel) if matched else link

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
        """The same modes, with the names of both encoders recorded."""
        return replace(self, encoders=(transmitter, receiver))

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = named_tensors(self)
        if self.widely_linear:
            tensors.pop("cross")  # the same as gram
        return tensors, {
            "tx_dim": len(self.mean_x),
            "rx_dim": len(self.mean_y),
            "modes": len(self),
            "shrinkage": self.shrinkage,
            "widely_linear": self.widely_linear,
            "goal": self.task_weight is not None,
            "plain_share": self.plain_share,
            "encoders": list(self.encoders),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "SemanticModes":
        """The modes of a saved file."""
        transmitter, receiver = manifest["encoders"]
        facts = {name: manifest[name] for name in ("shrinkage", "widely_linear", "plain_share")}
        content: dict[str, Any] = {"task_weight": None, "cross": tensors["gram"], **tensors, **facts}
        return cls(**content, encoders=(transmitter, receiver))


@validate_call
def semantic_modes(
    moments: Moments, goal: Goal | None = None, shrinkage: float | str = "auto", widely_linear: bool = True
) -> SemanticModes:
    """Match two latent spaces from second moments of the pilots: offline, once per pair of devices.

    Args:
        moments: means and covariances of the semantic pilots.
        goal: metric of the error that the receiver wants; None is plain MSE of the latents.
        shrinkage: λ ≥ 0 relative to the mean variance of x, or "auto" (generalised cross-validation; 0 for estimated moments, which are
            regularised already). Where dimensions of x have such different units that some would be dropped as rounding, they are
            standardised first.
        widely_linear: True for maps that are real-linear in the latents, False for complex-linear maps of the packed latents.

    Returns:
        All modes of strength above rounding errors, at most min(d, q); none where x and y are uncorrelated.

    Raises:
        ValueError: moments or goal are of another type, the shrinkage is neither "auto" nor a finite number ≥ 0, or is given twice, or
            the goal's weight has not m columns.

    Warns:
        UserWarning: moments of fewer than four pairs or of pairs that look permuted, or directions of x that explain y and are dropped
            as rounding.

    References:
        [palomar2003joint] for the modes of plain MSE, [golub1979generalized] for λ.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> head = ll.fit_head(y, (y[:, 0] > 0).long())
        >>> ll.semantic_modes(ll.Moments.from_pairs(x, y), goal=ll.Goal.logits(head, y, fidelity=0.01))
        SemanticModes(6 modes, 8 → 6, goal of 2 directions, shrinkage ...)
    """
    shrinkage, widely_linear = _check(moments, goal, shrinkage, widely_linear)
    varying = moments.without_rounding()
    Rx, Ryx, Ry = varying.cov_x, varying.cov_yx, varying.cov_y
    if not widely_linear:
        Rx, Ryx, Ry = packed_covariance(Rx), packed_covariance(Ryx), packed_covariance(Ry)
    spectrum = Spectrum.of(Rx)
    units = units_of(Rx, spectrum)
    if units is not None:
        Rx, Ryx = Rx / units.outer(units), Ryx / units
        spectrum = Spectrum.of(Rx)
    RyxV = Ryx @ spectrum.vectors
    metric = DesignMetric.of(goal, RyxV, spectrum, widely_linear)
    explained = metric.weigh(RyxV).abs().square().sum(0)
    shrinkage = settle_shrinkage(shrinkage, spectrum, explained, metric.variance(Ry), moments.effective_count, warns=not moments.estimated)
    values, vectors = spectrum.kept(shrinkage)
    _, b, Vh = torch.linalg.svd(metric.weigh(RyxV[:, : len(values)]) * values.rsqrt(), full_matrices=False)
    present = b > _RANK * b.max() if len(b) else torch.zeros(0, dtype=torch.bool, device=b.device)
    analysis, strength = Vh[present] * values.rsqrt() @ vectors.mH, b[present]
    synthesis = Ryx @ analysis.mH
    analysis = analysis if units is None else analysis / units
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
        task_weight=metric.real_weight(len(moments.mean_y)),
        plain_share=metric.alpha,
        shrinkage=shrinkage,
        widely_linear=widely_linear,
    )


def _check(moments: object, goal: object, shrinkage: float | str, widely_linear: object) -> tuple[float | str, bool]:
    """Check the arguments of `semantic_modes`; a ValueError names the wrong one, and a warning tells of few or unpaired ones."""
    if isinstance(goal, Goal) and isinstance(moments, Moments) and goal.weight.shape[1] != len(moments.mean_y):
        raise ValueError(f"goal must weigh latents of dimension {len(moments.mean_y)}, got a weight of shape {tuple(goal.weight.shape)}")
    if isinstance(moments, Moments) and not moments.estimated:
        warn_of_chance(moments, stacklevel=4)
    shrinkage = check_shrinkage(shrinkage)
    if isinstance(moments, Moments) and moments.estimated:
        if shrinkage not in ("auto", 0.0):
            raise ValueError(f'shrinkage must be "auto" or 0 for estimated moments, which are regularised already, got {shrinkage}')
        shrinkage = 0.0
    return shrinkage, flag("widely_linear", widely_linear)


def check_pair(modes: SemanticModes, pilots: Pilots) -> None:
    """Check what a link is trained on that needs pilots beside their modes.

    Raises:
        ValueError: modes or pilots are not such, are of other dimensions or on different devices, or there are no modes.
    """
    expected, got = (len(modes.mean_x), len(modes.mean_y)), (pilots.x.shape[1], pilots.y.shape[1])
    if expected != got:
        raise ValueError(f"pilots must be of the modes' dimensions {expected}, got {got}")
    if pilots.x.device != modes.strength.device:
        raise ValueError(f"pilots must be on the modes' device {modes.strength.device}, got {pilots.x.device}")
    if len(modes) == 0:
        raise ValueError("modes must be at least one: x says nothing of y in these pilots; look at their pairing")


def _real_streams(analysis: Tensor, synthesis: Tensor, strength: Tensor, moments: Moments) -> tuple[Tensor, Tensor, Tensor]:
    """Two real streams √2 Re z, √2 Im z of each complex coefficient, in turn; the padding of odd dimensions is cut off."""
    d, m = len(moments.mean_x), len(moments.mean_y)
    rows, columns = alternating(real_embedding(analysis).mT).mT, alternating(real_embedding(synthesis))
    return rows[:, :d] * 2**0.5, columns[:m] / 2**0.5, strength.repeat_interleave(2) / 2**0.5
