"""One surface for a whole network: phases and precoders of all devices together.

The sum of the users' errors is a function of the precoders F and of the phases θ, with all decoders at their best. With M_k = H_k(θ) F,

    ∂ Σ_k J_k / ∂H_k = 2 G_kᵀ (G_k M_k C − B_k) Fᵀ,

pulled back to the phases by every surface. L-BFGS moves both at once, from the design without phases; then the phases are kept, rounded if
they have few levels, and the design is made anew on the channels that they make.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.matrices import Scalars
from latentlink.networks.descent import within_separate
from latentlink.networks.design import Designed
from latentlink.networks.links import Links
from latentlink.networks.modes import NetworkModes
from latentlink.networks.problem import Problem, places
from latentlink.networks.solution import NetworkSolution
from latentlink.numerics.doors import check_instance, integer
from latentlink.numerics.lbfgs import minimise_each
from latentlink.numerics.reprs import Summarised, counted
from latentlink.numerics.seeds import stream_generator
from latentlink.numerics.validation import validate_call
from latentlink.streams.whitened import complex_uses, real_uses
from latentlink.surfaces.surface import StackedSurface, Surface

Table = Sequence[Sequence[Surface | StackedSurface]]


@dataclass(frozen=True, eq=False, repr=False)
class SharedPhases(Summarised):
    """A surface for a network, and the design over it.

    Attributes:
        phases: θ (…, n) in radians, one surface for all links.
        solution: the design on what the surface makes of them, whose `links` these are.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots(x=[x], y=[x.tanh()]))
        >>> surface = ll.surfaces.Surface(*(ll.rayleigh(*s, generator=k) for k, s in enumerate([(2, 2), (8, 2), (2, 8)])))
        >>> ll.networks.SharedSurface(by=ll.networks.Broadcast(), starts=1).design(modes, [[surface]], snr_db=0.0).phases.shape
        torch.Size([8])
    """

    phases: Float[Tensor, "*batch n"]
    solution: NetworkSolution

    def _facts(self) -> dict[str, str]:
        return {"elements": counted(self.phases.shape[-1], "element"), **self.solution._facts()}


@dataclass(frozen=True, kw_only=True)
class SharedSurface(Summarised):
    """Phases of one surface that serves all links of a network, with the precoders of a design.

    Attributes:
        by: the design of the network, such as Broadcast() or Cooperative().
        bits: of each element's phase; None for continuous phases.
        starts: the number of starts of the phases: zero, then random ones.
        steps: of L-BFGS over phases and precoders from each.

    Raises:
        ValueError: `by` is no design, or a number is out of range.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots(x=[x], y=[x.tanh(), x.sin()]))
        >>> incident = ll.rayleigh(16, 2, generator=0)  # from the transmitter to the surface
        >>> users = [(0.3 * ll.rayleigh(2, 2, generator=k), 0.3 * ll.rayleigh(2, 16, generator=k + 2)) for k in range(2)]
        >>> surfaces = [[ll.surfaces.Surface(direct, incident, reflected)] for direct, reflected in users]
        >>> found = ll.networks.SharedSurface(by=ll.networks.Broadcast(starts=2)).design(modes, surfaces, snr_db=10.0)
        >>> found.phases.shape, found.solution.user(1).channel
        (torch.Size([16]), Channel(1 channel, 2×2, 1 use, SNR 10 dB, power 1))
    """

    by: Designed
    bits: int | None = None
    starts: int = 2
    steps: int = 150

    def __post_init__(self) -> None:
        check_instance("by", self.by, Designed, "networks.Broadcast()")
        integer("bits", 1 if self.bits is None else self.bits, 1, 8)
        integer("starts", self.starts, 1)
        integer("steps", self.steps, 0)

    @validate_call
    def design(self, modes: NetworkModes, surfaces: Table, snr_db: Scalars, power: Scalars = 1.0, **settings: Any) -> SharedPhases:
        """Find phases and precoders for every network of the batch.

        Args:
            modes: coordinates of the network's latents.
            surfaces: table [k][t] of what the surface, or the stack of layers, makes of the link of receiver k and transmitter t, with as
                many elements each.
            snr_db: as in `Links.from_snr`.
            power: P of every transmitter.
            settings: further arguments of `Links`.

        Returns:
            The phases, and the solution of `by` on the links that they make.

        Raises:
            ValueError: the table is empty or ragged, its elements or batches differ, or modes and links do not fit.
        """
        wide = [[each.to(torch.float64) for each in row] for row in surfaces]
        counts = {each.elements for row in wide for each in row}
        if len({len(row) for row in wide}) != 1 or not wide[0]:
            raise ValueError(f"surfaces must be a table [receiver][transmitter], got rows of {[len(row) for row in wide]} surfaces")
        if len(counts) != 1:
            raise ValueError(f"surfaces must have one number of elements, since they are one surface, got {sorted(counts)}")

        def links(phases: Tensor) -> Links:
            return Links.from_snr([[each.matrix(phases) for each in row] for row in wide], snr_db, power, **settings)

        n = counts.pop()
        first = links(torch.zeros(n, dtype=torch.float64, device=modes.correlation.device))
        begun = [_start(first, n, number) for number in range(self.starts)]
        found = [self._levels(self._followed(modes, wide, links, theta)) for theta in begun]
        solutions = [self.by.design(modes, links(theta)) for theta in found]
        J = torch.stack([each.trace["objective"] for each in solutions])
        best = J.argmin(0)
        phases = torch.stack(found).gather(0, best[None, ..., None].expand(1, *found[0].shape)).squeeze(0)
        return SharedPhases(phases.to(modes.correlation), self.by.design(modes, links(phases)))

    def _levels(self, phases: Tensor) -> Tensor:
        if self.bits is None:
            return phases
        step = 2 * torch.pi / 2**self.bits
        return (phases / step).round() * step

    def _followed(self, modes: NetworkModes, wide: list[list[Surface | StackedSurface]], links: Any, phases: Tensor) -> Tensor:
        """The phases after L-BFGS over them and the precoders."""
        begun = links(phases)
        problem = Problem.of(modes, begun)
        _, receiver_of = places(modes.to(torch.float64), begun)
        F = self.by.solve(problem).F
        allowed, shape, n = problem.allowed, F.shape, phases.shape[-1]
        if any(row[0].coloured for row in begun.table):
            raise ValueError("interference must be None with a surface for a network: its phases are found for white noise")
        scale = [_whitening(problem, receiver_of.index(k), row) for k, row in enumerate(begun.table)]

        def function(joint: Tensor) -> tuple[Tensor, Tensor]:
            theta, X = joint[..., :n], torch.zeros(*joint.shape[:-1], *shape[-2:], dtype=joint.dtype, device=joint.device)
            X[..., allowed] = joint[..., n:]
            F = within_separate(problem, X, full=True)
            H = [scale[k] * torch.cat([real_uses(each.matrix(theta)) for each in row], -1) for k, row in enumerate(wide)]
            now = replace(problem, H=_stacked(H, receiver_of, problem.H.shape[-2]))
            G, J = now.lmmse(F)
            A, D = now.normal(G)
            slope = 2 * (A @ F @ now.C - D) * allowed
            of_H = 2 * (G.mT @ (G @ now.received(F) @ now.C - now.B)) @ F.mT.unsqueeze(-3)
            of_theta = _of_phases(problem, wide, theta, of_H, receiver_of, scale)
            return J.sum(-1), torch.cat([of_theta, _radial_free(problem, X, F, slope)[..., allowed]], -1)

        joint = torch.cat([phases, F[..., allowed]], -1)
        return minimise_each(joint, function, self.steps).argument[..., :n]


def _of_phases(
    problem: Problem,
    wide: Sequence[Sequence[Surface | StackedSurface]],
    theta: Tensor,
    of_H: Tensor,
    receiver_of: tuple[int, ...],
    scale: Sequence[Tensor],
) -> Float[Tensor, "*batch n"]:
    """The gradient of the phases from that of every user's whitened channel."""
    total = torch.zeros_like(theta)
    for user, k in enumerate(receiver_of):
        for t, rows in enumerate(problem.rows):
            each = wide[k][t]
            halves = scale[k] * of_H[..., user, :, rows]
            r = each.antennas[0] * problem.uses
            own = halves.unflatten(-2, (2, -1))[..., :r, :].flatten(-3, -2)
            total = total + each.pulled_back(theta, complex_uses(own, problem.uses))
    return total


def _stacked(H: list[Tensor], receiver_of: tuple[int, ...], rows: int) -> Tensor:
    """Whitened channels (…, K, r, a) of all users, those of fewer antennas with rows of zeros in each half."""
    halves = [each.unflatten(-2, (2, -1)) for each in H]
    padded = [torch.nn.functional.pad(each, (0, 0, 0, rows // 2 - each.shape[-2])).flatten(-3, -2) for each in halves]
    return torch.stack([padded[k] for k in receiver_of], -3)


def _radial_free(problem: Problem, X: Tensor, F: Tensor, slope: Tensor) -> Tensor:
    """The gradient of X where every transmitter's part of it is scaled to its budget."""
    found = torch.zeros_like(slope)
    for rows in problem.rows:
        x, y, g = X[..., rows, :], F[..., rows, :], slope[..., rows, :]
        norm = x.square().sum((-2, -1), keepdim=True)
        safe = torch.where(norm > 0, norm, 1.0)
        along = (x * g).sum((-2, -1), keepdim=True) / safe
        found[..., rows, :] = (y.square().sum((-2, -1), keepdim=True) / safe).sqrt() * (g - along * x)
    return found


def _whitening(problem: Problem, user: int, row: Sequence[Channel]) -> Float[Tensor, "*batch 1 1"]:
    """What a receiver's channels were multiplied by for noise of variance 1, kept finite without noise; 1 for dead channels."""
    plain = torch.stack([each.h.abs().square().sum((-3, -2, -1)) for each in row]).sum(0) * 2
    white = problem.H[..., user, :, :].square().sum((-2, -1))
    return torch.where(plain > 0, white / torch.where(plain > 0, plain, 1.0), 1.0).sqrt()[..., None, None]


def _start(links: Links, elements: int, number: int) -> Float[Tensor, "*batch n"]:
    """Phases zero, or random ones that are the same for every network of a batch."""
    device = links.table[0][0].h.device
    generator = stream_generator(0, "shared surface", number)
    theta = 2 * torch.pi * torch.rand(elements, dtype=torch.float64, generator=generator, device="cpu").to(device)
    return (theta if number else torch.zeros_like(theta)).expand(*links.batch, elements)
