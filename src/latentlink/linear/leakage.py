"""Cognitive radio: the exact linear design under limits of what primary users may receive.

For primaries l with channels H_l and S_l = H_lᵀH_l, the design

    min J(F)      subject to ||F||² ≤ u P  and  tr Fᵀ S_l F ≤ u I_l      for all l

has the dual, concave in μ, λ ≥ 0,

    g(μ, λ) = min over F of J(F) + tr FᵀΩF − μ u P − Σ_l λ_l u I_l,      Ω = μ I + Σ_l λ_l S_l,

whose inner problem is the closed form in the metric Ω (`priced`), and whose slopes are what F spends and leaks beyond the limits. L-BFGS
over log μ and log λ maximises it, each channel by itself. The precoder at the maximum, scaled to meet every limit, is within `trace["gap"]`
of the optimum, which g bounds. Strong duality is seen, not proven: the gap tells. A limit of zero is met by the null space of H_l.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.closed_form import STOPPED, LinearSolution, expected_on
from latentlink.linear.csi_cases import BothEnds, CsiCase
from latentlink.linear.modes import SemanticModes
from latentlink.linear.priced import priced_form
from latentlink.links.status import Status
from latentlink.numerics.lbfgs import minimise_each
from latentlink.power import Leakage, Mean, PowerLimit
from latentlink.streams.waterfilling import mse_waterfilling
from latentlink.streams.whitened import whitened

CLOSED = 1e-4  # relative gap to the dual up to which a design is called optimal
_STEPS = 200
_LOG = 60.0  # multipliers are within e^±60


def design_with_leakage(
    modes: SemanticModes, channel: Channel, limits: Sequence[Leakage], limit: PowerLimit, case: CsiCase
) -> LinearSolution:
    """The optimal pair under limits of leakage (see the module); a channel's error counts as white noise.

    Raises:
        ValueError: the power limit, the case, the modes or the limits of leakage do not serve or fit.
    """
    if limit != Mean() or not isinstance(case, BothEnds) or not modes.widely_linear:
        raise ValueError("leakage must go with power=Mean(), csi=BothEnds() and widely linear modes")
    exact = channel.to(torch.float64)
    S = torch.stack([each.correlation(exact) for each in limits], -3)
    caps = torch.stack([_expanded(each.cap, exact) for each in limits], -1)  # (…, L), for a message
    quiet = _null_space((S * (caps == 0)[..., None, None]).sum(-3))
    H, S = whitened([exact]) @ quiet, quiet.unsqueeze(-3) @ S @ quiet.unsqueeze(-3)
    b = modes.strength.double()
    s = min(len(b), *H.shape[-2:])
    budget = exact.uses * exact.power
    found = _Limited(b, H, S, caps, budget)
    F, value, bound = found.design()
    link = modes.transceiver(
        channel, torch.arange(s, device=F.device).expand(*F.shape[:-2], -1), F[..., :s].unsqueeze(-3).to(modes.strength)
    )
    gap = (value - bound).clamp(min=0) / bound.clamp(min=1e-12 * float(b.square().sum()) + 1e-300)
    status = (Status.OPTIMAL).where(F.square().sum((-2, -1)) > 0).masked_fill(gap > CLOSED, STOPPED.code)
    rest = modes.weighted_variance.double() - b.square().sum()
    trace = {
        "stream_power": F[..., :s].square().sum(-2), "gap": gap, "bound": bound + rest,
        "leakage": found.leaks(F).clamp(min=0) / exact.uses, "error": value + rest,
    }  # fmt: skip
    return expected_on(modes, link, status, {name: each.to(modes.strength) for name, each in trace.items()}, channel)


@dataclass(frozen=True, eq=False)
class _Limited:
    """The problem of a batch: strengths b, whitened channels H (…, r, a), S (…, L, a, a), caps (…, L) and budgets (…) for a message."""

    b: Tensor
    H: Tensor
    S: Tensor
    caps: Tensor
    budget: Tensor

    def design(self) -> tuple[Tensor, Tensor, Tensor]:
        """Precoders (…, a, s) that meet every limit, their errors (…), and the bound (…)."""
        plain, error, slope = self._plain()
        free = ((self.leaks(plain) <= self.caps) | (self.caps == 0)).all(-1) | (self.budget == 0)  # a cap of 0 is met by H
        if bool(free.all()):
            return plain, error, error
        within = replace(self, caps=torch.where(self.caps.isfinite() & (self.caps > 0), self.caps, 1.0))
        active = self.caps.isfinite() & (self.caps > 0)
        start = torch.cat(
            [slope.unsqueeze(-1), torch.where(active, slope.unsqueeze(-1) * self.budget.unsqueeze(-1) / within.caps, 1.0)], -1
        )

        def descending(theta: Tensor) -> tuple[Tensor, Tensor]:
            multipliers = theta.clamp(-_LOG, _LOG).exp()
            _, value, slopes = within._dual(multipliers, active)
            return -value, -slopes * multipliers

        theta = minimise_each(start.clamp(min=1e-30).log(), descending, _STEPS, tolerance=1e-14).argument
        F, value, _ = within._dual(theta.clamp(-_LOG, _LOG).exp(), active)
        over = torch.cat(
            [
                (F.square().sum((-2, -1)) / self.budget.clamp(min=1e-300)).unsqueeze(-1),
                torch.where(active, within.leaks(F) / within.caps, 0.0),
            ],
            -1,
        )
        F = F / over.amax(-1).clamp(min=1e-300).sqrt()[..., None, None]
        F = torch.where(free[..., None, None], plain, F)
        return F, torch.where(free, error, self._error(F)), torch.where(free, error, value)

    def leaks(self, F: Float[Tensor, "*batch a s"]) -> Float[Tensor, "*batch L"]:
        """What each primary receives (…, L) for a message."""
        return ((self.S @ F.unsqueeze(-3)) * F.unsqueeze(-3)).sum((-2, -1))

    def _plain(self) -> tuple[Tensor, Tensor, Tensor]:
        """The closed form without limits of leakage, its error, and its multiplier μ."""
        _, h, Vh = torch.linalg.svd(self.H, full_matrices=False)
        s = min(len(self.b), h.shape[-1])
        h = torch.where(h > 1e-12 * h[..., :1], h, 0.0)[..., :s]
        p = mse_waterfilling(self.b[:s].expand_as(h), h, torch.ones_like(self.budget), self.budget)
        left = self.b[:s].square() / (1 + p * h.square())
        slope = (left * h.square() / (1 + p * h.square())).amax(-1)
        return Vh[..., :s, :].mT * p.sqrt().unsqueeze(-2), left.sum(-1) + self.b[s:].square().sum(), slope.clamp(min=1e-30)

    def _dual(self, multipliers: Float[Tensor, "*batch L1"], active: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The minimiser F, the value g (…) and its slopes (…, 1 + L) at multipliers (μ, λ)."""
        mu, lam = multipliers[..., 0], torch.where(active, multipliers[..., 1:], 0.0)
        eye = torch.eye(self.H.shape[-1], dtype=mu.dtype, device=mu.device)
        Omega = mu[..., None, None] * eye + (lam[..., None, None] * self.S).sum(-3)
        found = priced_form(self.b, self.H, Omega)
        over = torch.cat(
            [(found.F.square().sum((-2, -1)) - self.budget).unsqueeze(-1), torch.where(active, self.leaks(found.F) - self.caps, 0.0)], -1
        )
        value = found.value - mu * self.budget - (lam * self.caps).sum(-1)
        return found.F, value, over

    def _error(self, F: Float[Tensor, "*batch a s"]) -> Float[Tensor, "*batch"]:
        """J (…) of precoders that send the s strongest modes."""
        s = F.shape[-1]
        M = self.H @ F
        eye = torch.eye(s, dtype=M.dtype, device=M.device)
        errors = torch.linalg.solve(eye + M.mT @ M, eye.expand(*M.shape[:-2], s, s)).diagonal(dim1=-2, dim2=-1)
        return errors @ self.b[:s].square() + self.b[s:].square().sum()


def _expanded(cap: Tensor, channel: Channel) -> Tensor:
    try:
        return (channel.uses * cap.to(channel.power)).expand(channel.batch)
    except RuntimeError as error:
        raise ValueError(f"leakage must have a cap that expands to {tuple(channel.batch)}, got {tuple(cap.shape)}") from error


def _null_space(S: Float[Tensor, "*batch a a"]) -> Float[Tensor, "*batch a a"]:
    """The projection onto what primaries do not receive; the identity where there are none."""
    values, vectors = torch.linalg.eigh(S)
    unheard = (values <= 1e-10 * values.amax(-1, keepdim=True)).to(S)
    return (vectors * unheard.unsqueeze(-2)) @ vectors.mT
