"""The result of a network's design: every device's end, what is known of the outcome, and each user's link as an ordinary one.

With precoders F, what arrives M_k z + v_k, and decoders G̃_k = M_kᵀ (M_k C M_kᵀ + N_k)⁻¹, user k has

    ŷ_k = μ_k + Ψ_k G̃_k r_k,      E||y_k − ŷ_k||² = tr R_yk − 2 tr(G̃_k M_k Γ_k) + tr(Γ_k G̃_k (M_k C' M_kᵀ + N_k) G̃_kᵀ),      Γ_k = Ψ_kᵀ Ψ_k,

C' the covariance of z under the pilots. What others send and is independent of what user k wants is part of the noise of its link.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.status import name_of
from latentlink.networks.devices import NetworkReceiver, NetworkTransmitter
from latentlink.networks.links import Links
from latentlink.networks.modes import NetworkModes
from latentlink.networks.problem import places
from latentlink.numerics.doors import integer
from latentlink.numerics.reprs import Summarised, spread
from latentlink.streams.whitened import noise_covariance, real_channel


@dataclass(frozen=True, eq=False, repr=False)
class NetworkSolution(Summarised):
    """The result of a design of a network (see the module).

    Attributes:
        modes: of the network.
        links: that it was designed for; their powers are the budgets.
        precoder: F (…, a, c) of all transmitters, over the coordinates of the modes.
        status: (…) codes of `Status`.
        bound: (…) what Σ_k weighted errors of no linear design can be below; −∞ where no bound is known.
        trace: further tensors of the design, by name.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots(x=[x], y=[x.tanh(), x.sin()]))
        >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 2, generator=k)] for k in range(2)], snr_db=10.0)
        >>> solution = ll.networks.Broadcast().design(modes, links)
        >>> solution.user(1)
        LinearTransceiver(1 channel, 2×2, 1 use, ...)
    """

    modes: NetworkModes
    links: Links
    precoder: Float[Tensor, "*batch a c"]
    status: Int[Tensor, "*batch"]
    bound: Float[Tensor, "*batch"]
    trace: dict[str, Tensor] = field(default_factory=dict)

    @cached_property
    def _places(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return places(self.modes, self.links)

    @property
    def transmitters(self) -> tuple[NetworkTransmitter, ...]:
        """Every transmitter."""
        return tuple(self._transmitter(t) for t in range(self.links.transmitters))

    @property
    def receivers(self) -> tuple[NetworkReceiver, ...]:
        """The receiver of every user, with the LMMSE decoder for its channels."""
        return tuple(
            NetworkReceiver(self.modes.synthesis[k], self.modes.mean_y[k], self._decoder(k)) for k in range(self.modes.users)
        )  # fmt: skip

    @property
    def expected_power(self) -> Float[Tensor, "*batch T"]:
        """Mean power per channel use (…, T) of each transmitter under the pilots' moments."""
        return torch.stack([self._power(self.modes.covariance, t) for t in range(self.links.transmitters)], -1)

    @cached_property
    def expected_mse(self) -> Float[Tensor, "*batch K"]:
        """Total unweighted E||y_k − ŷ_k||² (…, K) of each user under the pilots' moments."""
        return torch.stack([self._mse(k) for k in range(self.modes.users)], -1)

    @cached_property
    def weighted(self) -> Float[Tensor, "*batch K"]:
        """E||W_k (y_k − ŷ_k)||² (…, K) under the design covariance, in units of the users' weights; what no channel avoids is in it."""
        errors = []
        for k in range(self.modes.users):
            M, N, C = self._arriving(k), self._noise(k), self.modes.correlation
            B = self.modes.wanted[k]
            MB = M @ B.mT
            explained = (torch.linalg.solve(_loaded(M @ C @ M.mT + N), MB) * MB).sum((-2, -1))
            errors.append(self.modes.weighted_variance[k] - explained)
        return torch.stack(errors, -1)

    def status_names(self) -> list[str]:
        """The distinct names of the statuses of the batch."""
        return sorted({name_of(int(code)) for code in self.status.unique()})

    def user(self, k: int) -> LinearTransceiver:
        """The link of user k as an ordinary transceiver, to evaluate, save, age or compare.

        Its latents x are those of all sources that say something of what the user wants, one after the other along the last axis, and its
        antennas those of their transmitters. What the others send is interference of its channel. Its budget is that of its transmitters,
        or its own part where they serve others as well.

        Raises:
            ValueError: there is no user k.
        """
        return self._link(k, self.modes.sources_of(integer("k", k, 0, self.modes.users - 1)))

    def among_others(self, k: int) -> LinearTransceiver:
        """The link of user k with the latents of all sources, so that what others are sent is simulated as it is.

        Its latents x are those of all sources, one after the other along the last axis, and its antennas those of all transmitters; in
        `user(k)` what others send is Gaussian interference of the same covariance.

        Raises:
            ValueError: there is no user k.

        Example:
            >>> import torch, latentlink as ll
            >>> x = [torch.randn(500, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
            >>> moments = ll.networks.NetworkMoments.from_pilots(x=x, y=[each.tanh() for each in x], observations="own")
            >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 2, generator=2 * k + t) for t in range(2)] for k in range(2)], 10.0)
            >>> solution = ll.networks.SemanticGame().design(ll.networks.network_modes(moments), links)
            >>> link = solution.among_others(0)
            >>> seen = ll.evaluate(link, torch.cat(x, -1), x[0].tanh(), channel=link.channel, generator=0)
            >>> bool((seen.mse / solution.expected_mse[..., 0] - 1).abs().max() < 0.1)
            True
        """
        integer("k", k, 0, self.modes.users - 1)
        return self._link(k, tuple(range(self.modes.sources)))

    def matched_to(self, links: Links) -> "NetworkSolution":
        """The same precoders with decoders for other links, as the receivers measure them; their budgets stay."""
        return replace(self, links=links, trace={}, bound=torch.full_like(self.bound, -torch.inf))

    def _link(self, k: int, of: tuple[int, ...]) -> LinearTransceiver:
        """The link of user k that has the latents of some sources, the LMMSE decoder in its channel and what arrives as noise of it."""
        at, senders = self._coordinates(of), self._senders(of)
        rows = self._rows(senders)
        F = self.precoder[..., rows, :][..., at]
        channel = self._user_channel(k, of, senders)
        C = self.modes.correlation[at[:, None], at]
        white = bool((C - torch.eye(len(C), dtype=C.dtype, device=C.device)).abs().max() < 1e-12) if len(C) else True
        moments = None if white else C.expand(*self.precoder.shape[:-2], 1, -1, -1)  # what is wanted, Ψ t, has E[t zᵀ] = I
        streams = torch.arange(len(at), device=at.device).expand(*self.precoder.shape[:-2], -1)
        decoder = F.new_zeros(*F.shape[:-2], 1, len(at), 2 * channel.uses * channel.n_rx)
        link = LinearTransceiver(
            torch.block_diag(*(self.modes.analysis[i] for i in of)), self.modes.synthesis[k][:, at],
            torch.cat([self.modes.mean_x[i] for i in of]), self.modes.mean_y[k],
            streams, F.unsqueeze(-3), decoder, channel, moments_zz=moments,
        )  # fmt: skip
        return link.matched_to(channel)

    def _transmitter(self, t: int) -> NetworkTransmitter:
        of = tuple(i for i, place in enumerate(self._places[0]) if place == t)
        F = self.precoder[..., self._rows((t,)), :][..., self._coordinates(of)]
        shape = (self.links.uses, self.links.table[0][t].n_tx)
        return NetworkTransmitter(tuple(self.modes.analysis[i] for i in of), tuple(self.modes.mean_x[i] for i in of), F, shape)

    def _power(self, covariance: Tensor, t: int, of: tuple[int, ...] | None = None) -> Float[Tensor, "*batch"]:
        """The mean power per use of transmitter t, of all its sources or of some."""
        mine = tuple(i for i, place in enumerate(self._places[0]) if place == t and (of is None or i in of))
        at = self._coordinates(mine)
        F = self.precoder[..., self._rows((t,)), :][..., at]
        return ((F @ covariance[at[:, None], at]) * F).sum((-2, -1)) / self.links.uses

    def _coordinates(self, of: tuple[int, ...]) -> Int[Tensor, "c"]:
        columns = self.modes.columns
        every = torch.arange(self.precoder.shape[-1], device=self.precoder.device)
        return torch.cat([every[columns[i]] for i in of]) if of else every[:0]

    def _senders(self, of: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted({self._places[0][i] for i in of}))

    def _rows(self, transmitters: tuple[int, ...]) -> Int[Tensor, "a"]:
        """The rows of F of some transmitters together: real parts of all uses and of the antennas of all, then imaginary parts."""
        u, start, parts = self.links.uses, 0, []
        for t, channel in enumerate(self.links.table[0]):
            count = 2 * u * channel.n_tx
            if t in transmitters:
                parts.append(torch.arange(start, start + count, device=self.precoder.device).unflatten(0, (2, u, channel.n_tx)))
            start += count
        return torch.cat(parts, -1).flatten()

    def _user_channel(self, k: int, of: tuple[int, ...], senders: tuple[int, ...]) -> Channel:
        """The channel of user k from the transmitters of its sources, with what all other sources send as interference."""
        row = self.links.table[self._places[1][k]]
        others = tuple(i for i in range(self.modes.sources) if i not in of)
        at = self._coordinates(others)
        M = self._arriving(k)[..., at]
        interference = M @ self.modes.correlation[at[:, None], at] @ M.mT
        outside = row[0].interference
        interference = interference if outside is None else interference + outside
        silent = [t for t in range(len(row)) if t not in senders]
        noise = row[0].noise_variance + sum(row[t].error_variance * self._power(self.modes.correlation, t) for t in silent)
        shared = any(self._places[0][i] in senders for i in others)
        power = sum((self._power(self.modes.correlation, t, of) if shared else row[t].power) for t in senders)
        error = torch.stack([row[t].error_variance for t in senders]).amax(0)
        if len(senders) > 1 or shared:  # errors of several transmitters, or of others' messages: counted as white noise
            every = range(len(row))
            noise = row[0].noise_variance + sum(row[t].error_variance * self._power(self.modes.correlation, t) for t in every)
            error = torch.zeros_like(error)
        settings = {"interference": interference} if others or outside is not None else {}
        return Channel(torch.cat([row[t].h for t in senders], -1), noise, power, error_variance=error, **settings)

    def _arriving(self, k: int) -> Float[Tensor, "*batch r2 c"]:
        """M_k (…, r, c) of user k."""
        row = self.links.table[self._places[1][k]]
        return torch.cat([real_channel(each) for each in row], -1).to(self.precoder) @ self.precoder

    def _noise(self, k: int) -> Float[Tensor, "*batch r2 r2"]:
        """The covariance of the noise of user k, with channel errors at the powers that are sent."""
        row = self.links.table[self._places[1][k]]
        sent = [self._power(self.modes.correlation, t) for t in range(len(row))]
        return noise_covariance(tuple(each.with_power(power) for each, power in zip(row, sent, strict=True)))

    def _decoder(self, k: int) -> Float[Tensor, "*batch c r2"]:
        """G̃_k (…, c, r): with Ψ_k = E[y_k zᵀ], Ψ_k G̃_k r is the LMMSE estimate."""
        M, C = self._arriving(k), self.modes.correlation
        return torch.linalg.solve(_loaded(M @ C @ M.mT + self._noise(k)), M).mT

    def _mse(self, k: int) -> Float[Tensor, "*batch"]:
        M, G = self._arriving(k), self._decoder(k)
        gram = self.modes.synthesis[k].mT @ self.modes.synthesis[k]
        T = G @ M
        received = T @ self.modes.covariance @ T.mT + G @ self._noise(k) @ G.mT
        return self.modes.variance[k] - 2 * (T * gram).sum((-2, -1)) + (gram * received).sum((-2, -1))

    def _facts(self) -> dict[str, str]:
        facts: dict[str, Any] = self.links._facts()
        return {**facts, "status": ", ".join(self.status_names()), "weighted error": f"weighted error {spread(self.weighted.sum(-1))}"}


def _loaded(S: Float[Tensor, "*batch r r"]) -> Float[Tensor, "*batch r r"]:
    """A covariance that stays definite without noise."""
    trace = torch.finfo(S.dtype).eps * S.diagonal(dim1=-2, dim2=-1).sum(-1)
    return S + torch.diag_embed(torch.where(trace > 0, trace, 1.0).unsqueeze(-1).expand(S.shape[:-1]))
