"""Coordinates of a network: one whitening for each source, and what each user wants of them.

With S_i R_λ S_iᵀ = I the whitening of source i, W_k the weight of user k's goal, scaled so that E||W_k (y_k − μ_k)||² is the user's weight,

    z_i = Φ_i (x_i − μ_i),      B_ki = W_k E[y_k z_iᵀ],      C_ij = E[z_i z_jᵀ],      C_ii = I,      Ψ_ki = E[y_k z_iᵀ].

A precoder that ignores coordinates outside the rows of the stack B_i = [B_1i; B_2i; …] leaves no user a larger error and spends no more, so
Φ_i is the right singular vectors of the stack times S_i: exact, no truncation. For sources that depend on each other the coordinates are
closed under what the others tell: the rows of B_i, B_j C_ji, B_i C_ij C_ji, … (a block Krylov space, of which `blocks` blocks are kept).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.latents.whitening import Spectrum, check_shrinkage, settle_shrinkage, units_of
from latentlink.linear.goal import DesignMetric, Goal
from latentlink.linear.modes import SemanticModes
from latentlink.networks.moments import NetworkMoments
from latentlink.numerics.doors import integer, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts
from latentlink.numerics.reprs import Summarised, counted
from latentlink.numerics.validation import validate_call

_RANK = 1e-14  # strengths below this share of the largest are rounding
_NEW = 1e-9  # share of a row's length outside the span of the others above which it adds a coordinate


@made_by("network_modes(moments, goals)")
@dataclass(frozen=True, eq=False, repr=False)
class NetworkModes(Summarised, Parts):
    """The latents of I sources in c_i coordinates each (c in all), and what K users want of them (see the module).

    Attributes:
        analysis: Φ_i (c_i, d_i) of each source.
        synthesis: Ψ_k (m_k, c) of each user.
        wanted: B_k (q_k, c) of each user.
        correlation: C (c, c), the design covariance of the coordinates.
        covariance: (c, c), their covariance under the pilots; it is C at λ = 0.
        mean_x: μ_i (d_i,) of each source.
        mean_y: μ_k (m_k,) of each user.
        variance: tr R_yk (K,), the error of sending nothing.
        weighted_variance: E||W_k (y_k − μ_k)||² (K,), the users' weights.
        rest: (K,) the weighted error that is left without a channel in between.
        left_out: (K,) what of the weighted error was given up by the limit of coordinates.
        task_weight: W_k (q, m_k) of each user; None for plain MSE.
        plain_share: α_k, where the metric of user k is ||W_k e||² + α_k ||e||².
        shrinkage: λ_i of each source.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.networks.NetworkMoments.from_pilots(x=[x], y=[x[:, :6].tanh(), x[:, 2:].sin()])
        >>> ll.networks.network_modes(moments)
        NetworkModes(1 source of 8 coordinates, 2 users)
    """

    analysis: tuple[Float[Tensor, "_c _d"], ...]
    synthesis: tuple[Float[Tensor, "_m c"], ...]
    wanted: tuple[Float[Tensor, "_q c"], ...]
    correlation: Float[Tensor, "c c"]
    covariance: Float[Tensor, "c c"]
    mean_x: tuple[Float[Tensor, "_d"], ...]
    mean_y: tuple[Float[Tensor, "_m"], ...]
    variance: Float[Tensor, "K"]
    weighted_variance: Float[Tensor, "K"]
    rest: Float[Tensor, "K"]
    left_out: Float[Tensor, "K"]
    task_weight: tuple[Float[Tensor, "_q _m"] | None, ...]
    plain_share: tuple[float, ...]
    shrinkage: tuple[float, ...]

    @property
    def sources(self) -> int:
        """I, the number of sources."""
        return len(self.analysis)

    @property
    def users(self) -> int:
        """K, the number of users."""
        return len(self.wanted)

    @property
    def columns(self) -> tuple[slice, ...]:
        """The coordinates of each source among all of them."""
        ends = torch.tensor([0, *(len(each) for each in self.analysis)]).cumsum(0).tolist()
        return tuple(slice(a, b) for a, b in pairwise(ends))

    def sources_of(self, user: int) -> tuple[int, ...]:
        """The sources that say something of what a user wants; those that depend on one of these are among them."""
        user = integer("user", user, 0, self.users - 1)
        found = tuple(i for i, at in enumerate(self.columns) if bool((self.wanted[user][:, at] != 0).any()))
        return found or (0,)

    def pair(self, user: int) -> SemanticModes:
        """The semantic modes of one user and all its sources x = [x_i, x_j, …], as if these were one transmitter alone with it."""
        of = self.sources_of(user)
        at = torch.cat([torch.arange(self.wanted[user].shape[-1])[self.columns[i]] for i in of])
        C = self.correlation[at[:, None], at]
        values, vectors = torch.linalg.eigh(C)
        kept = values > _NEW * values.max() if len(values) else values > 0
        root = vectors[:, kept] * values[kept].rsqrt()  # z̃ = rootᵀ z is white
        _, b, Vh = torch.linalg.svd(self.wanted[user][:, at] @ root, full_matrices=False)
        present = b > _RANK * b.max() if len(b) else b > 0
        turn = root @ Vh[present].mT
        synthesis = self.synthesis[user][:, at] @ turn
        gram = synthesis.mT @ synthesis
        return SemanticModes(
            analysis=turn.mT @ torch.block_diag(*(self.analysis[i] for i in of)), synthesis=synthesis, strength=b[present],
            mean_x=torch.cat([self.mean_x[i] for i in of]), mean_y=self.mean_y[user], gram=gram, cross=gram,
            covariance=turn.mT @ self.covariance[at[:, None], at] @ turn, variance=self.variance[user],
            weighted_variance=self.weighted_variance[user], task_weight=self.task_weight[user], plain_share=self.plain_share[user],
            shrinkage=max(self.shrinkage[i] for i in of), widely_linear=True,
        )  # fmt: skip

    def _facts(self) -> dict[str, str]:
        sizes = ", ".join(str(len(each)) for each in self.analysis)
        return {"sources": f"{counted(self.sources, 'source')} of {sizes} coordinates", "users": counted(self.users, "user")}


@validate_call
def network_modes(
    moments: NetworkMoments,
    goals: Sequence[Goal | None] | Goal | None = None,
    weights: Sequence[float] | None = None,
    shrinkage: float | str = "auto",
    blocks: int = 3,
    coordinates: int | None = 128,
) -> NetworkModes:
    """Find the coordinates of a network from its moments.

    Args:
        moments: of all devices.
        goals: what errors weigh for each user (see `Goal`), or for all of them; None for plain MSE. A fidelity is normalised by what the
            first source of a user explains.
        weights: of the users ≥ 0, 1 each if not given; a user's error counts in units of what sending nothing leaves of it.
        shrinkage: λ of every source, or "auto": generalised cross-validation over all users of a source.
        blocks: the number of Krylov blocks for sources that depend on each other.
        coordinates: the most of each source, the strongest; None for all. Plain MSE of large latents has as many as dimensions.

    Raises:
        ValueError: moments, goals, weights or numbers are of another type or size; naming the argument.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.networks.NetworkMoments.from_pilots(x=[x[:, :4], x[:, 3:]], y=[x.tanh()])  # two sensors
        >>> ll.networks.network_modes(moments).correlation.shape
        torch.Size([9, 9])
    """
    goals, weights = _of_users(goals, weights, moments)
    shrinkage, blocks = check_shrinkage(shrinkage), integer("blocks", blocks, 1)
    most = 10**9 if coordinates is None else integer("coordinates", coordinates, 1)
    metrics = [_metric(goal, moments, k) for k, goal in enumerate(goals)]
    varieties = torch.stack([metric.variance(moments.of_user(k).cov_y) for k, metric in enumerate(metrics)])
    scales = (torch.tensor(weights, dtype=varieties.dtype, device=varieties.device) / torch.where(varieties > 0, varieties, 1.0)).sqrt()
    metrics = [DesignMetric(None if m.W is None else m.W * s, m.alpha * float(s) ** 2) for m, s in zip(metrics, scales, strict=True)]
    whitened = [_Whitened.of(moments, metrics, i, shrinkage, float(sum(weights))) for i in range(moments.sources)]
    bases = _bases([each.rows for each in whitened], _crossed(moments, whitened), blocks, most)
    return _assembled(moments, metrics, whitened, bases, scales.square() * varieties)


@dataclass(frozen=True)
class _Whitened:
    """A source: its whitening S (r, d), the rows W_k R_yx Sᵀ (q_k, r) of each user (None without a pair), and λ."""

    S: Tensor
    rows: list[Tensor | None]
    shrinkage: float

    @classmethod
    def of(cls, moments: NetworkMoments, metrics: list[DesignMetric], i: int, shrinkage: float | str, weight: float) -> "_Whitened":
        varying = [None if row[i] is None else row[i].without_rounding() for row in moments.pairs]  # type: ignore[union-attr]
        some = next(each for each in varying if each is not None)
        spectrum = Spectrum.of(some.cov_x)
        units = units_of(some.cov_x, spectrum)
        scale = torch.ones_like(some.mean_x) if units is None else units
        spectrum = spectrum if units is None else Spectrum.of(some.cov_x / units.outer(units))
        turned = [
            None if each is None else m.weigh(each.cov_yx / scale @ spectrum.vectors) for m, each in zip(metrics, varying, strict=True)
        ]
        explained = sum((each.square().sum(0) for each in turned if each is not None), torch.zeros_like(spectrum.values))
        total = sum(
            (m.variance(each.cov_y) for m, each in zip(metrics, varying, strict=True) if each is not None), some.cov_y.new_zeros(())
        )
        settled = settle_shrinkage(shrinkage, spectrum, explained, total, some.effective_count, warns=not some.estimated)
        settled = 0.0 if some.estimated else settled
        values, vectors = spectrum.kept(settled)
        rows = [None if each is None else each[:, : len(values)] * values.rsqrt() for each in turned]
        return cls(values.rsqrt().unsqueeze(-1) * vectors.mT / scale, rows, settled)


def _bases(rows: list[list[Tensor | None]], crossed: list[list[Tensor | None]], blocks: int, most: int) -> list[Tensor]:
    """An orthonormal basis (r_i, c_i) of each source: the rows of its users' stack, then those of the Krylov blocks."""
    stacks = [torch.cat([each for each in users if each is not None]) for users in rows]
    bases = [_span(stack, stack.new_zeros(stack.shape[1], 0), most) for stack in stacks]
    for _ in range(blocks - 1):
        told = [[stacks[j] @ C for j in range(len(stacks)) if (C := crossed[j][i]) is not None] for i in range(len(stacks))]
        if not any(told):
            break
        stacks = [torch.cat(each) if each else stack[:0] for each, stack in zip(told, stacks, strict=True)]
        stacks = [torch.linalg.qr(stack, "r").R if len(stack) > stack.shape[1] else stack for stack in stacks]
        bases = [_span(stack, basis, most) for stack, basis in zip(stacks, bases, strict=True)]
    return bases


def _span(rows: Tensor, basis: Tensor, most: int) -> Tensor:
    """The basis, with the directions of further rows that are not in it, strongest first."""
    outside = rows - (rows @ basis) @ basis.mT
    _, b, Vh = torch.linalg.svd(outside, full_matrices=False)
    cut = _RANK if basis.shape[1] == 0 else _NEW
    fresh = Vh[b > cut * rows.norm()] if rows.numel() else rows[:0]
    return torch.linalg.qr(torch.cat([basis, fresh.mT], 1)).Q[:, :most] if basis.shape[1] else fresh.mT[:, :most]


def _crossed(moments: NetworkMoments, whitened: list[_Whitened]) -> list[list[Tensor | None]]:
    """C_ij (r_i, r_j) of whitened sources, None where they are independent."""
    return [
        [None if cross is None else whitened[i].S @ cross @ whitened[j].S.mT for j, cross in enumerate(row)]
        for i, row in enumerate(moments.cross)
    ]  # fmt: skip


def _assembled(
    moments: NetworkMoments, metrics: list[DesignMetric], whitened: list[_Whitened], bases: list[Tensor], weights: Tensor
) -> NetworkModes:
    """The modes of a network in given bases of its whitened sources."""
    analysis = [basis.mT @ each.S for basis, each in zip(bases, whitened, strict=True)]
    synthesis, wanted, left_out = [], [], []
    for k, row in enumerate(moments.pairs):
        synthesis.append(
            torch.cat([_zeros(moments, k, Phi) if p is None else p.cov_yx @ Phi.mT for p, Phi in zip(row, analysis, strict=True)], 1)
        )
        all_rows = [each.rows[k] for each in whitened]
        q = next(len(rows) for rows in all_rows if rows is not None)
        B = torch.cat(
            [basis.new_zeros(q, basis.shape[1]) if rows is None else rows @ basis for rows, basis in zip(all_rows, bases, strict=True)], 1
        )
        wanted.append(torch.linalg.qr(B, "r").R if q > B.shape[1] else B)
        left_out.append(sum((rows.square().sum() for rows in all_rows if rows is not None), B.new_zeros(())) - B.square().sum())
    crossed = [[None if c is None else analysis[i] @ c @ analysis[j].mT for j, c in enumerate(row)] for i, row in enumerate(moments.cross)]
    own = [Phi @ moments.of_source(i).cov_x @ Phi.mT for i, Phi in enumerate(analysis)]
    C = _blocks(crossed, [torch.eye(len(Phi), dtype=Phi.dtype, device=Phi.device) for Phi in analysis])
    values, vectors = torch.linalg.eigh(C)
    kept = values > _NEW * values.max() if len(values) else values > 0
    known = torch.stack([((B @ vectors[:, kept]).square() / values[kept]).sum() for B in wanted])
    return NetworkModes(
        analysis=tuple(analysis), synthesis=tuple(synthesis), wanted=tuple(wanted), correlation=C, covariance=_blocks(crossed, own),
        mean_x=tuple(moments.of_source(i).mean_x for i in range(moments.sources)),
        mean_y=tuple(moments.of_user(k).mean_y for k in range(moments.users)),
        variance=torch.stack([moments.of_user(k).cov_y.trace() for k in range(moments.users)]), weighted_variance=weights,
        rest=(weights - known).clamp(min=0), left_out=torch.stack(left_out).clamp(min=0),
        task_weight=tuple(m.W for m in metrics), plain_share=tuple(m.alpha for m in metrics),
        shrinkage=tuple(each.shrinkage for each in whitened),
    )  # fmt: skip


def _blocks(off: Sequence[Sequence[Tensor | None]], own: Sequence[Tensor]) -> Tensor:
    """A symmetric matrix of blocks, zero where None."""
    rows = [
        torch.cat([own[i] if i == j else own[i].new_zeros(len(own[i]), len(own[j])) if c is None else c for j, c in enumerate(row)], 1)
        for i, row in enumerate(off)
    ]
    whole = torch.cat(rows)
    return (whole + whole.mT) / 2


def _zeros(moments: NetworkMoments, k: int, Phi: Tensor) -> Tensor:
    return Phi.new_zeros(len(moments.of_user(k).mean_y), len(Phi))


def _metric(goal: Goal | None, moments: NetworkMoments, k: int) -> DesignMetric:
    """The metric of a user's goal, a fidelity being normalised by what its first source explains."""
    pair = moments.of_user(k).without_rounding()
    if goal is None or goal.fidelity == 0:
        return DesignMetric(None, 1.0) if goal is None else DesignMetric(goal.weight.to(pair.cov_y), 0.0)
    spectrum = Spectrum.of(pair.cov_x)
    return DesignMetric.of(goal, pair.cov_yx @ spectrum.vectors, spectrum, widely_linear=True)


def _of_users(goals: Any, weights: Any, moments: NetworkMoments) -> tuple[list[Goal | None], list[float]]:
    """The goals and weights of all users; a ValueError names the wrong one."""
    each = [goals] * moments.users if goals is None or isinstance(goals, Goal) else list(goals)
    shares = [1.0] * moments.users if weights is None else [real("weights", weight, least=0.0) for weight in weights]
    for name, found in (("goals", each), ("weights", shares)):
        if len(found) != moments.users:
            raise ValueError(f"{name} must be one for each of {moments.users} users, got {len(found)}")
    for k, goal in enumerate(each):
        if goal is not None and goal.weight.shape[1] != len(moments.of_user(k).mean_y):
            raise ValueError(
                f"goals[{k}] must weigh latents of dimension {len(moments.of_user(k).mean_y)}, got a weight of shape {tuple(goal.weight.shape)}"
            )
    return each, shares
