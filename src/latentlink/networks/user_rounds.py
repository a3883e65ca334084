"""Rounds in which the codecs of all users are designed for what the others sent in the round before.

H̃_k = Q_k^{-1/2} H_k T_k,      Q_k = E v_k v_kᴴ + Σ_{j≠k} H_k S_j H_kᴴ,      S_j = T_j E s̃_j s̃_jᴴ T_jᴴ
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.solution import Solution
from latentlink.networks.links import Links
from latentlink.networks.user_codec_link import UserCodecLink, told_channel
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.transceiver import CodecTransceiver
from latentlink.numerics.division import ratio
from latentlink.streams.whitened import real_uses

Sent = Complex[Tensor, "*batch K u t t"]


@dataclass(frozen=True, eq=False)
class Rounds:
    """What rounds of designs know of K users.

    Attributes:
        codecs: of each user.
        links: of the network, of one transmitter.
        receivers: the receiver of each user.
        beams: T_k (…, K, u, n_tx, n_tx).
        budget: of a message of each user, before T_k.
    """

    codecs: Sequence[Codec]
    links: Links
    receivers: tuple[int, ...]
    beams: Sent
    budget: Float[Tensor, "*batch K"]

    def channel(self, k: int, sent: Sent) -> Channel:
        """The channel of user k, with what others are sent as its interference, at the power of its own signal."""
        own = self.links.table[self.receivers[k]][0]
        others = [sent[..., j, :, :, :] for j in range(len(self.codecs)) if j != k]
        power = sent[..., k, :, :, :].diagonal(dim1=-2, dim2=-1).real.sum((-2, -1)) / own.uses
        noise = own.noise_variance + own.error_variance * own.power
        outside = own.interference
        if not others and outside is None:
            return Channel(own.h, noise, power)
        arriving = sum((real_uses(_covariance(own.h, each)) / 2 for each in others), own.h.real.new_zeros(()))
        return Channel(own.h, noise, power, interference=arriving if outside is None else arriving + outside)

    def designs(self, sent: Sent) -> list[Solution[CodecTransceiver]]:
        """Every codec's link for what it is told when this is sent."""
        found = []
        for k, codec in enumerate(self.codecs):
            _, told = told_channel(self.channel(k, sent), self.beams[..., k, :, :, :], self.budget[..., k] / self.links.uses)
            found.append(codec.design(told))
        return found

    def sent(self, designed: list[Solution[CodecTransceiver]]) -> tuple[Sent, Float[Tensor, "*batch"]]:
        """E s_k s_kᴴ of every codec's signal, and the factor that brings all of them to the budget, as if each spent its own in full."""
        found, counted_power = [], []
        for k, solution in enumerate(designed):
            link, spent = (
                solution.transceiver,
                solution.expected_power.double() / torch.where(self.budget[..., k] > 0, self.budget[..., k], 1.0),
            )
            V = link.beams.transmit.to(torch.complex128).unflatten(-2, (self.links.uses, -1))  # (…, u, t, q)
            energy = link.energy[..., : 2 * V.shape[-1]].double()
            share = ratio(energy, energy.sum(-1, keepdim=True).expand_as(energy)).unflatten(-1, (-1, 2)).sum(-1)
            through = (self.beams[..., k, :, :, :] @ V) * share.sqrt()[..., None, None, :]
            counted_power.append(through.abs().square().sum((-3, -2, -1)))
            found.append(through @ through.mH * (self.links.uses * spent)[..., None, None, None])
        total = torch.stack(counted_power, -1).sum(-1)
        budget = self.links.uses * self.links.table[0][0].power
        return torch.stack(found, -4), torch.where(total > 0, budget / torch.where(total > 0, total, 1.0), 1.0)

    def change(self, sent: Sent, before: Sent) -> Float[Tensor, "*batch"]:
        """The largest change of what arrives from others, relative to noise and interference."""
        changes = []
        for k in range(len(self.codecs)):
            now, then = (
                told_channel(self.channel(k, each), self.beams[..., k, :, :, :], self.budget[..., k] / self.links.uses)[0]
                for each in (sent, before)
            )
            changes.append(torch.linalg.matrix_norm(now - then).amax(-1) / torch.linalg.matrix_norm(then).amax(-1))
        return torch.stack(changes, -1).amax(-1)

    def links_of(self, designed: list[Solution[CodecTransceiver]], sent: Sent) -> tuple[UserCodecLink, ...]:
        """Every user's link, matched to what really arrives."""
        found = []
        for k, solution in enumerate(designed):
            channel, beams = self.channel(k, sent), self.beams[..., k, :, :, :]
            whitening, told = told_channel(channel, beams, self.budget[..., k] / self.links.uses)
            link = UserCodecLink(solution.transceiver, beams.to(torch.complex64), whitening.to(torch.complex64), channel.to(torch.float32))
            found.append(replace(link, codec=solution.transceiver.matched_to(told)))
        return tuple(found)


def _covariance(h: Complex[Tensor, "*batch u r t"], sent: Complex[Tensor, "*batch u t t"]) -> Complex[Tensor, "*batch u r r"]:
    """H S Hᴴ, without the negative eigenvalues of rounding."""
    arriving = h @ sent @ h.mH
    values, vectors = torch.linalg.eigh((arriving + arriving.mH) / 2)
    root = vectors * values.clamp(min=0).sqrt().unsqueeze(-2).to(vectors)
    return root @ root.mH
