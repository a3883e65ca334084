"""The links of a network's cell, as its designs are told of them, and the links that they give its users."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from latentlink.linear.transceiver import LinearTransceiver
from latentlink.networks.links import Links
from latentlink.networks.solution import NetworkSolution
from latentlink.studies.network_at import NetworkAt
from latentlink.surfaces.surface import Surface


@dataclass(frozen=True, eq=False)
class NetworkSituation:
    """The links of a cell.

    Attributes:
        h: direct channels [receiver][transmitter] (draws, u, n_rx, n_tx), weaker beside a surface.
        surfaces: what a surface makes of each of them, or None.
        snr_db: per transmit antenna, of gain 1.
        network: the section of the study.
        turned: angles (sensors, draws) in rad by which the phases of sensors differ from those known at design.
        seed: of draws of designs.
    """

    h: tuple[tuple[Complex[Tensor, "*batch u r t"], ...], ...]
    surfaces: tuple[tuple[Surface, ...], ...] | None
    snr_db: float
    network: NetworkAt
    turned: Float[Tensor, "sensors draws"] | None
    seed: int

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments of `Links` beside channels and SNR."""
        return {"transmitter_of": (0,) * self.network.sources} if self.network.stations < self.network.sources else {}

    @cached_property
    def links(self) -> Links:
        """The links without a surface."""
        return Links.from_snr(self.h, self.snr_db, **self.settings)

    @property
    def apart(self) -> Links:
        """The same, where no pair hears another."""
        rows = [[each if k == t else torch.zeros_like(each) for t, each in enumerate(row)] for k, row in enumerate(self.h)]
        return Links.from_snr(rows, self.snr_db, **self.settings)

    def of_pair(self, user: int) -> Links:
        """The links of one user and its transmitter, as if these were alone."""
        return Links.from_snr([[self.h[user][min(user, len(self.h[user]) - 1)]]], self.snr_db)

    def at_phases(self, phases: Float[Tensor, "*batch n"]) -> Links:
        """The links over a surface with these phases."""
        assert self.surfaces is not None
        return Links.from_snr([[each.matrix(phases) for each in row] for row in self.surfaces], self.snr_db, **self.settings)

    def in_truth(self, links: Links) -> Links:
        """Links as messages pass them, each sensor with its phase."""
        if self.turned is None:
            return links
        turns = torch.polar(torch.ones_like(self.turned), self.turned)[:, :, None, None, None]
        rows = [[turns[t] * each.h for t, each in enumerate(row)] for row in links.table]
        noise = [row[0].noise_variance for row in links.table]
        return Links(rows, noise, [each.power for each in links.table[0]], transmitter_of=links.transmitter_of)


@dataclass(frozen=True, eq=False)
class Served:
    """The links of all users of a network, and what is known of them.

    Attributes:
        users: the link of each.
        heard: the sources whose latents each of these links has.
        errors: weighted errors (…, K).
        rest: what of them no channel could avoid (K,).
        status: (…) codes of `Status`.
        bound: (…) what the sum of the weighted errors cannot be below; −∞ where no bound is known.
        trace: of the design.
    """

    users: tuple[LinearTransceiver, ...]
    heard: tuple[tuple[int, ...], ...]
    errors: Float[Tensor, "*batch K"]
    rest: Float[Tensor, "K"]
    status: Int[Tensor, "*batch"]
    bound: Float[Tensor, "*batch"]
    trace: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, solution: NetworkSolution, truth: Links | None = None) -> "Served":
        """What a solution gives its users; over other links than it was designed for, decoders are those of what arrives."""
        there = solution if truth is None else solution.matched_to(truth)
        everything = tuple(range(there.modes.sources))
        links = tuple(there.among_others(k) for k in range(there.modes.users))
        rest = there.modes.rest
        return cls(links, (everything,) * len(links), there.weighted, rest, solution.status, there.bound, solution.trace)
