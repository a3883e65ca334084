"""Finding the coordinates of a network: one whitening for each source, and the directions that users want (letters as in `modes`).

A precoder that ignores coordinates outside the rows of the stack B_i = [B_1i; B_2i; …] leaves no user a larger error and spends no more, so
Φ_i is the right singular vectors of the stack times S_i: exact, no truncation. For sources that depend on each other the coordinates are
closed under what the others tell: the rows of B_i, B_j C_ji, B_i C_ij C_ji, … (a block Krylov space, of which `blocks` blocks are kept).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latentlink.latents.whitening import Spectrum, check_shrinkage, settle_shrinkage, units_of
from latentlink.linear.goal import DesignMetric, Goal
from latentlink.networks.modes import DEPENDENT, NetworkModes
from latentlink.networks.moments import NetworkMoments
from latentlink.numerics.doors import integer, real
from latentlink.numerics.validation import validate_call

_RANK = 1e-14  # strengths below this share of the largest are rounding
_NEW = 1e-9  # share of a row's length outside the span of the others above which it adds a coordinate


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

    Returns:
        The modes, with `left_out` telling what the limit of coordinates gave up.

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
    metrics = [
        _scaled(metric, float(scale), moments.of_user(k).cov_y) for k, (metric, scale) in enumerate(zip(metrics, scales, strict=True))
    ]
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
    kept = values > DEPENDENT * values.max() if len(values) else values > 0
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


def _scaled(metric: DesignMetric, scale: float, like: Tensor) -> DesignMetric:
    """A metric times a scale; that of a user of no weight has one row of zeros."""
    if scale == 0:
        return DesignMetric(like.new_zeros(1, len(like)), 0.0)
    return DesignMetric(None if metric.W is None else metric.W * scale, metric.alpha * scale**2)


def _of_users(goals: Any, weights: Any, moments: NetworkMoments) -> tuple[list[Goal | None], list[float]]:
    """The goals and weights of all users; a ValueError names the wrong one."""
    each = [goals] * moments.users if goals is None or isinstance(goals, Goal) else list(goals)
    shares = [1.0] * moments.users if weights is None else [real("weights", weight, least=0.0) for weight in weights]
    for name, found in (("goals", each), ("weights", shares)):
        if len(found) != moments.users:
            raise ValueError(f"{name} must be one for each of {moments.users} users, got {len(found)}")
    for k, goal in enumerate(each):
        if goal is not None and goal.weight.shape[1] != len(moments.of_user(k).mean_y):
            m = len(moments.of_user(k).mean_y)
            raise ValueError(f"goals[{k}] must weigh latents of dimension {m}, got a weight of shape {tuple(goal.weight.shape)}")
    return each, shares
