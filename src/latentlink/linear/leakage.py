"""Cognitive radio: the exact linear design under limits of what primary users may receive.

For primaries l with channels H_l and S_l = H_lᵀH_l, the design

    min J(F)      subject to ||F||² ≤ u P  and  tr Fᵀ S_l F ≤ u I_l      for all l

has the dual, concave in μ, λ ≥ 0,

    g(μ, λ) = min over F of J(F) + tr FᵀΩF − μ u P − Σ_l λ_l u I_l,      Ω = μ I + Σ_l λ_l S_l,

whose inner problem is the closed form in the metric Ω (`priced`), and whose slopes are what F spends and leaks beyond the limits. L-BFGS
over log μ and log λ maximises it, each channel by itself. The precoder at the maximum, scaled to meet every limit, is within `trace["gap"]`
of the optimum, which g bounds. Where singular values tie at the maximum, several precoders are as good there and the one that was found
may not meet the limits: where the gap is left open, an augmented Lagrangian goes on from both (`numerics/augmented.py`). Strong duality
is not proven: the gap tells. A limit of zero is met by the null space of H_l.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.closed_form import ROBUST, STOPPED, LinearSolution, expected_on, mark_status
from latentlink.linear.csi_cases import BothEnds, CsiCase
from latentlink.linear.modes import SemanticModes
from latentlink.linear.priced import priced_form
from latentlink.links.status import Status
from latentlink.numerics.augmented import augmented
from latentlink.numerics.lbfgs import minimise_each
from latentlink.numerics.seeds import stream_generator
from latentlink.power import Leakage, Mean, PowerLimit
from latentlink.streams.waterfilling import mse_waterfilling
from latentlink.streams.whitened import whitened

CLOSED = 1e-4  # relative gap to the dual up to which a design is called optimal
_STEPS = 200
_LOG = 60.0  # multipliers are within e^±60
_ROUNDS, _PENALTY = 30, 10.0  # of the augmented Lagrangian, and its penalties in units of the largest multiplier
_MOVED = 1e-3  # share by which its start is moved: nothing would leave symmetries otherwise


def design_with_leakage(
    modes: SemanticModes, channel: Channel, limits: Sequence[Leakage], limit: PowerLimit, case: CsiCase
) -> LinearSolution:
    """The optimal pair under limits of leakage (see the module); a channel's error counts as white noise.

    Raises:
        ValueError: the power limit, the case, the modes or the limits of leakage do not serve or fit.
    """
    if limit != Mean() or case != BothEnds():
        raise ValueError(f"leakage must go with power=Mean() and csi=BothEnds(), got power={limit!r} and csi={case!r}: leave these out")
    if not modes.widely_linear:
        raise ValueError(
            "modes must be widely linear for limits of leakage, got complex-linear ones: semantic_modes(…, widely_linear=True)"
        )
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
    spent = F.square().sum((-2, -1))
    status = Status.OPTIMAL.where(spent > 0).masked_fill(gap > CLOSED, STOPPED.code)
    counted = (channel.error_variance > 0) & ((channel.uses > 1) | (spent < budget * (1 - CLOSED)))  # as at full power, apart in every use
    status = mark_status(status, counted, ROBUST)
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
        multipliers = theta.clamp(-_LOG, _LOG).exp()
        F, bound, _ = within._dual(multipliers, active)
        F = within._scaled(F, active)
        J = self._error(F)[0]
        open_ = ~free & (J - bound > CLOSED * bound)
        if bool(open_.any()):
            further, at = within._settled(F, multipliers, active, open_)
            ahead, tighter = self._error(further)[0], torch.maximum(bound, within._dual(at, active)[1])
            better = open_ & (ahead < J)
            F, J = torch.where(better[..., None, None], further, F), torch.where(better, ahead, J)
            bound = torch.where(open_, tighter, bound)
        F = torch.where(free[..., None, None], plain, F)
        return F, torch.where(free, error, J), torch.where(free, error, bound)

    def _scaled(self, F: Float[Tensor, "*batch a s"], active: Tensor) -> Float[Tensor, "*batch a s"]:
        """Precoders at the largest power that meets every limit."""
        return F / (1 + self._over(F, active)).amax(-1).clamp(min=1e-300).sqrt()[..., None, None]

    def _over(self, F: Float[Tensor, "*batch a s"], active: Tensor) -> Float[Tensor, "*batch L1"]:
        """By how much the budget and every limit are exceeded (…, 1 + L), relative to them; −1 for limits that there are not."""
        spent = F.square().sum((-2, -1)) / self.budget.clamp(min=1e-300)
        return torch.cat([spent.unsqueeze(-1), torch.where(active, self.leaks(F) / self.caps, 0.0)], -1) - 1

    def _settled(self, F: Tensor, multipliers: Tensor, active: Tensor, some: Tensor) -> tuple[Tensor, Tensor]:
        """Precoders within the limits and multipliers, by an augmented Lagrangian for some channels, and as they were for the others."""
        few = replace(self, H=self.H[some], S=self.S[some], caps=self.caps[some], budget=self.budget[some])
        on, shape = active[some], F.shape[-2:]
        scale = torch.cat([few.budget.unsqueeze(-1), torch.where(on, few.caps, 0.0)], -1)  # limits relative to themselves
        quadratic = torch.cat([_identity(few.H).unsqueeze(-3), few.S], -3) / torch.where(scale > 0, scale, torch.inf)[..., None, None]

        def function(flat: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            X = flat.unflatten(-1, shape)
            J, slope = few._error(X)
            slopes = 2 * (quadratic @ X.unsqueeze(-3)).flatten(-2)
            return J, slope.flatten(-2), few._over(X, on), slopes

        m = multipliers[some] * scale
        noise = torch.randn(shape, dtype=F.dtype, generator=stream_generator(0, "leakage"), device="cpu").to(F.device)
        start = F[some] + _MOVED * torch.linalg.matrix_norm(F[some])[..., None, None] * noise / noise.norm()
        found = augmented(start.flatten(-2), m, _PENALTY * m.amax(-1, keepdim=True).expand(m.shape), function, _ROUNDS, _STEPS)
        F, multipliers = F.clone(), multipliers.clone()
        F[some] = few._scaled(found.argument.unflatten(-1, shape), on)
        multipliers[some] = torch.where(scale > 0, found.multipliers / torch.where(scale > 0, scale, 1.0), 0.0).clamp(min=math.exp(-_LOG))
        return F, multipliers

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
        slope = (left * h.square() / (1 + p * h.square())).amax(-1) if s else torch.zeros_like(self.budget)
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

    def _error(self, F: Float[Tensor, "*batch a s"]) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch a s"]]:
        """J (…) = tr A B² of precoders that send the s strongest modes, A = (I + FᵀHᵀHF)^{-1}, and its gradient −2 HᵀHF A B² A."""
        s = F.shape[-1]
        M = self.H @ F
        eye = torch.eye(s, dtype=M.dtype, device=M.device)
        A = torch.linalg.solve(eye + M.mT @ M, eye.expand(*M.shape[:-2], s, s))
        energy = self.b[:s].square()
        value = A.diagonal(dim1=-2, dim2=-1) @ energy + self.b[s:].square().sum()
        return value, -2 * self.H.mT @ M @ (A * energy) @ A


def _identity(H: Float[Tensor, "*batch r a"]) -> Float[Tensor, "*batch a a"]:
    return torch.eye(H.shape[-1], dtype=H.dtype, device=H.device).expand(*H.shape[:-2], -1, -1)


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
