"""Goals: a metric on the receiver's latents that follows from its task head.

To second order, and with the error taken as independent of y, a head q loses by ŷ instead of y

    ½ E||W (y − ŷ)||²,        WᵀW = E[ J(y)ᵀ M(y) J(y) ],

J the Jacobian of its outputs and M the task's metric: the identity (logits, regression), or the Fisher information of a softmax at
temperature T, M = (diag π_T − π_T π_Tᵀ) / T². For a linear head this W has rank < classes: a handful of directions is all that matters.

A design's error e counts as ||W e||² + α ||e||². With a fidelity f, both parts are normalised to what the whitened cross-covariance A
explains of them: W / ||W A|| and α = f / ||A||². A complex-linear design works on packed latents, where a real metric M = WᵀW is replaced
by its complex-linear part, its mean with its image under multiplication by j.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlink.latents.packing import packed_covariance, real_embedding
from latentlink.latents.rows import as_latents
from latentlink.latents.whitening import Spectrum
from latentlink.numerics.doors import AnyArray, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.tasks.heads import apply_head, is_affine

_CUT = 1e-9  # share of the largest eigenvalue of WᵀW below which others are rounding errors
_ENTRIES = 2**22  # entries of Jacobians in memory at a time
_HOTTEST = 1e30  # temperature, beyond which its square is lost in float64


class OutputMetric(NamedTuple):
    """The metrics M = diag w − u uᵀ on the outputs of each latent, which are never written out: n c² numbers would fill the memory.

    Attributes:
        w: (n, c).
        u: (n, c).
    """

    w: Float[Tensor, "n c"]
    u: Float[Tensor, "n c"]

    def mean(self) -> Float[Tensor, "c c"]:
        """The mean of M over the latents."""
        w, u = self.w.double(), self.u.double()
        return torch.diag(w.mean(0)) - u.mT @ u / len(u)

    def pulled_back(self, J: Float[Tensor, "n c m"]) -> Float[Tensor, "m m"]:
        """Σ Jᵀ M J over the latents."""
        J, rows = J.double(), (self.u.double().unsqueeze(1) @ J.double()).squeeze(1)
        return torch.einsum("ncm,nc,nck->mk", J, self.w.double(), J) - rows.mT @ rows


@made_by("Goal.logits(head, y)")
@dataclass(frozen=True, eq=False, init=False, repr=False)
class Goal(Summarised):
    """A weight on the receiver's latents: designs minimise E||W (y − ŷ)||², beside a weight on plain MSE if wanted.

    Attributes:
        weight: W (q, m).
        fidelity: α ≥ 0, the weight of plain MSE beside the goal. The metric is WᵀW / tr(W A Aᵀ Wᵀ) + α I / tr(A Aᵀ), A the whitened
            cross-covariance: with a small α the task gets its few modes first, and the remaining streams carry the rest of the latent;
            0 is the task alone, and 1 counts both alike.

    Raises:
        ValueError: weight is not a finite real matrix, or fidelity is negative or not finite.

    Example:
        >>> import torch, latentlink as ll
        >>> ll.Goal(torch.eye(2, 6), fidelity=0.01)  # the first two of six dimensions of y, and a little of the others
        Goal(weight 2×6, fidelity 0.01)
    """

    weight: Float[Tensor, "q m"]
    fidelity: float

    def __init__(self, weight: AnyArray, fidelity: float = 0.0) -> None:
        object.__setattr__(self, "weight", as_latents("weight", weight))
        object.__setattr__(self, "fidelity", real("fidelity", fidelity, least=0.0))

    def _facts(self) -> dict[str, str]:
        return {"weight": "weight {}×{}".format(*self.weight.shape), "fidelity": f"fidelity {self.fidelity:g}"}

    @classmethod
    def logits(cls, head: nn.Module, y: AnyArray, fidelity: float = 0.0) -> "Goal":
        """Give all outputs of the head the same weight (M = I): logits of a classifier, or any regression.

        Args:
            head: module from latents (n, m) to outputs (n, q) or (n,).
            y: latents (n, m) over which the Jacobian is averaged.
            fidelity: α of the class.

        Raises:
            ValueError: y is malformed, or the head does not map (n, m) to (n, q).

        Example:
            >>> import torch, latentlink as ll
            >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
            >>> y = x[:, :6].tanh()
            >>> ll.Goal.logits(ll.fit_head(y, (y[:, 0] > 0).long()), y)
            Goal(weight 2×6, fidelity 0)
        """

        def identity(outputs: Tensor) -> OutputMetric:
            return OutputMetric(torch.ones_like(outputs), torch.zeros_like(outputs))

        return cls(weigh_outputs(head, as_latents("y", y), identity), fidelity)

    @classmethod
    def fisher(cls, head: nn.Module, y: AnyArray, temperature: float = 1.0, fidelity: float = 0.0) -> "Goal":
        """Weigh outputs by their effect on the softmax at `temperature`: classes that are easily confused weigh most.

        Args:
            head: module from latents (n, m) to logits (n, c).
            y: latents (n, m) over which the metric is averaged.
            temperature: T > 0, from 1e-30 to 1e30; above 1, latents that are classified with confidence also count.
            fidelity: α of the class.

        Raises:
            ValueError: for the same reasons as `logits`, or the temperature is outside these limits.

        Example:
            >>> import torch, latentlink as ll
            >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
            >>> y = x[:, :6].tanh()
            >>> head = ll.fit_head(y, (y[:, 0] > 0).long())
            >>> goal = ll.Goal.fisher(head, y, temperature=3.0, fidelity=0.01)
            >>> ll.semantic_modes(ll.Moments.from_pairs(x, y), goal)
            SemanticModes(6 modes, 8 → 6, goal of 1 direction, shrinkage ...)
        """
        temperature = real("temperature", temperature, least=1 / _HOTTEST, most=_HOTTEST)

        def information(outputs: Tensor) -> OutputMetric:
            pi = torch.softmax(outputs.double() / temperature, -1)
            return OutputMetric(pi / temperature**2, pi / temperature)

        return cls(weigh_outputs(head, as_latents("y", y), information), fidelity)


def weigh_outputs(
    head: nn.Module, y: Float[Tensor, "n m"], metric: Callable[[Float[Tensor, "n c"]], OutputMetric], entries: int = _ENTRIES
) -> Float[Tensor, "q m"]:
    """Compute W (q, m) with WᵀW = E[Jᵀ M J], without eigenvalues that are rounding errors, from `entries` of Jacobians at a time."""
    y = y.to(next(iter(head.parameters()), y.double()).dtype)
    if is_affine(head):  # J is the same for every latent
        return _root(metric(apply_head(head, y)).mean()) @ head.weight.detach().double()
    outputs = apply_head(head, y[:1]).shape[-1]
    total = torch.zeros(y.shape[1], y.shape[1], dtype=torch.float64, device=y.device)
    for chunk in y.split(max(1, entries // (outputs * y.shape[1]))):
        with torch.no_grad():
            J = torch.func.vmap(torch.func.jacrev(lambda row: apply_head(head, row.unsqueeze(0)).squeeze(0)))(chunk)
            total += metric(apply_head(head, chunk)).pulled_back(J)
    return _root(total / len(y))


def _root(metric: Float[Tensor, "m m"]) -> Float[Tensor, "q m"]:
    """W (q, m) of full row rank with WᵀW = metric, q ≥ 1."""
    values, vectors = torch.linalg.eigh((metric + metric.mT) / 2)
    visible = values > _CUT * values[-1]
    visible[-1] = True  # a head that ignores its input has one row of zeros
    return values[visible].clamp(min=0).sqrt().unsqueeze(-1) * vectors[:, visible].mT


@dataclass(frozen=True, eq=False)
class DesignMetric:
    """The quadratic metric ||W e||² + α ||e||², stored as its two parts.

    Attributes:
        W: (q, m), real, or complex for complex-linear designs; None for plain MSE.
        alpha: α ≥ 0, weight of the plain MSE.
    """

    W: Tensor | None
    alpha: float

    @classmethod
    def of(cls, goal: Goal | None, RyxV: Tensor, spectrum: Spectrum, widely_linear: bool) -> "DesignMetric":
        """The metric of a goal; with a fidelity, both parts are divided by what the modes explain of the task and of the latent."""
        if goal is None:
            return cls(None, 1.0)
        W = goal.weight.to(spectrum.values)
        if not widely_linear:  # W_c with W_cᴴ W_c the complex-linear part of WᵀW, its mean with its image under multiplication by j
            metric, vectors = torch.linalg.eigh(packed_covariance(W.mT @ W) / 2)
            W = metric.clamp(min=0).sqrt().unsqueeze(-1) * vectors.mH
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
        return real_embedding(self.W)[:, :dim]
