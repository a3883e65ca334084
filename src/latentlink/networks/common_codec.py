"""One codec's signal for all users of one transmitter, who want the latents of one source: its decoder runs at each, on what that one sees.

The transmitter has one codec, of its source and any receiver. Beams v_i, unit vectors in each use, are those of the users' mean gains

    Σ_k G_kᴴ G_k / K,      G_k = Q_k^{-1/2} H_k,

and the codec is told streams on them whose linear errors are the mean of the users', as of the equivalent channel (`equivalent`): with p_i
the power of beam i, and γ_ki the signal-to-interference-and-noise ratio of an LMMSE receiver at user k for unit power,

    1 / (1 + p_i γ_i) = Σ_k 1 / (1 + p_i γ_ki) / K,

with the powers of a codec that was told the mean gains. Every receiver takes its own LMMSE estimates and ratios, as after a change of
channel (`Transceiver.matched_to`), runs the codec's decoder at them, and turns the coefficients ẑ to its own latents,

    ŷ_k = μ_k + Ψ_k ẑ,      Ψ_k = R_{y_k x} Φᵀ (Φ R_x Φᵀ)^{-1}.

What users see is not what the transmitter was told, and no training has met that: the more users' channels differ, the more it costs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.links.solution import Solution
from latentlink.networks.links import Links
from latentlink.networks.user_codec_link import UserCodecLink, told_channel
from latentlink.networks.user_codecs_solution import UserCodecsSolution, check_codec
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.transceiver import CodecTransceiver
from latentlink.numerics.doors import check_instance
from latentlink.numerics.reprs import Summarised

_LEAST = 1e-9  # share of the budget below which a beam's ratio is that of a small signal

Gains = Complex[Tensor, "*batch u _r _t"]


@dataclass(frozen=True, repr=False)
class CommonCodec(Summarised):
    """One codec for all users, who want latents of one source (see the module).

    Attributes:
        codec: of the source and any receiver, with a limit of the mean power only.
        pairs: moments of the source's latents and those of each user's encoder.

    Raises:
        ValueError: codec or pairs are not of this kind, or not of one source.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> pairs = [ll.Moments.from_pairs(x, y) for y in (x.tanh(), x[:, :6].sin())]
        >>> training = ll.CodecTraining(modes=8, width=8, layers=1, max_symbols=4)
        >>> codec = training.untrained(ll.semantic_modes(pairs[0]), ll.Pilots(x, x.tanh()))
        >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 4, generator=k)] for k in range(2)], snr_db=10.0)
        >>> solution = ll.networks.CommonCodec(codec, pairs).design(links)
        >>> r = links.apply([solution.encode(x)], generator=0)
        >>> [link.decode(each).shape for link, each in zip(solution.users, r)]
        [torch.Size([500, 8]), torch.Size([500, 6])]
    """

    codec: Codec
    pairs: Sequence[Moments]

    def __post_init__(self) -> None:
        check_codec("codec", self.codec)
        object.__setattr__(self, "pairs", tuple(self.pairs))
        if not self.pairs:
            raise ValueError("pairs must be the moments of the source with each user, got none")
        d = len(self.codec.modes.mean_x)
        for k, pair in enumerate(self.pairs):
            check_instance(f"pairs[{k}]", pair, Moments, "Moments.from_pairs(x, y)")
            if len(pair.mean_x) != d:
                raise ValueError(f"pairs[{k}] must be of the codec's source, whose latents have {d} dimensions, got {len(pair.mean_x)}")

    def design(self, links: Links) -> UserCodecsSolution:
        """Design the transmitter and all receivers for every network of the batch at once; nothing is trained.

        Args:
            links: channels, noise and the budget of one transmitter; a receiver for each user.

        Returns:
            UserCodecsSolution, whose `expected_mse` is None: what a decoder gains at streams that the encoder was not told is not known.

        Raises:
            ValueError: there are several transmitters, not as many receivers as users, or more symbols than the codec takes.
        """
        check_instance("links", links, Links, "networks.Links(h, noise_variance)")
        if links.transmitters != 1 or links.receivers != len(self.pairs):
            size = f"{links.transmitters} and {links.receivers}"
            raise ValueError(f"links must have one transmitter and a receiver for each of {len(self.pairs)} pairs, got {size}")
        channels = [row[0] for row in links.to(torch.float64).table]
        eye = torch.eye(channels[0].n_tx, dtype=torch.complex128, device=channels[0].h.device).expand(*channels[0].h.shape[:-2], -1, -1)
        seen = [told_channel(each, eye, each.power) for each in channels]
        V, gain = mean_beams([told.h for _, told in seen])
        begun = self._at(gain, V, channels[0])
        solution = self._at(told_gain([told.h @ V for _, told in seen], powers(begun.transceiver, V)), V, channels[0])
        users = tuple(
            UserCodecLink(
                self._translated(solution.transceiver.matched_to(told), pair), eye.to(torch.complex64), whitening.to(torch.complex64),
                each.to(torch.float32),
            )
            for (whitening, told), pair, each in zip(seen, self.pairs, channels, strict=True)
        )  # fmt: skip
        active = solution.transceiver.active.unsqueeze(-1).expand(*links.batch, len(users))
        status = solution.status.unsqueeze(-1).expand(*links.batch, len(users))
        return UserCodecsSolution(users, (0,), links, (0,) * len(users), status, None, solution.expected_power, {"active": active})

    def _at(self, gain: Float[Tensor, "*batch u s"], V: Complex[Tensor, "*batch u t s"], own: Channel) -> Solution[CodecTransceiver]:
        """The codec's link for streams of these gains on beams V."""
        return self.codec.design(Channel(gain.sqrt().unsqueeze(-1).to(V) * V.mH, 1.0, own.power))

    def _translated(self, link: CodecTransceiver, pair: Moments) -> CodecTransceiver:
        """The same link to the latents of another encoder: ŷ_k = μ_k + Ψ_k ẑ."""
        modes = self.codec.modes
        Phi, C = modes.analysis.double(), modes.covariance.double()
        level = torch.finfo(C.dtype).eps * C.diagonal().sum()
        C = C + level * torch.eye(len(C), dtype=C.dtype, device=C.device)
        Psi = torch.linalg.solve(C, Phi @ pair.cov_yx.to(Phi).mT).mT
        return replace(link, synthesis=Psi[:, self.codec.outputs].float(), mean_y=pair.mean_y.to(Psi).float())


def mean_beams(seen: list[Gains]) -> tuple[Complex[Tensor, "*batch u t s"], Float[Tensor, "*batch u s"]]:
    """Unit beams (…, u, t, s), as many as the receiver of most antennas tells apart, and the users' mean gains on them (…, u, s)."""
    s = min(max(each.shape[-2] for each in seen), seen[0].shape[-1])
    values, vectors = torch.linalg.eigh(sum((each.mH @ each for each in seen[1:]), seen[0].mH @ seen[0]) / len(seen))
    return vectors[..., -s:].flip(-1), values[..., -s:].flip(-1).clamp(min=0)


def powers(link: CodecTransceiver, V: Complex[Tensor, "*batch u t s"]) -> Float[Tensor, "*batch u s"]:
    """The mean power of each beam in a codec's signal."""
    sent = link.beams.transmit.to(V).unflatten(-2, (V.shape[-3], -1))  # (…, u, t, q)
    energy = link.energy[..., : 2 * sent.shape[-1]].double().unflatten(-1, (-1, 2)).sum(-1)
    return ((V.mH @ sent).abs().square() * energy[..., None, None, :]).sum(-1)


def told_gain(arriving: list[Gains], power: Float[Tensor, "*batch u s"]) -> Float[Tensor, "*batch u s"]:
    """γ (…, u, s), by which the linear error of each beam is the mean of the users' who hear anything."""
    level = power.sum((-2, -1), keepdim=True)
    p = torch.maximum(power, _LEAST * torch.where(level > 0, level, 1.0))
    errors, heard = [], []
    for each in arriving:  # (…, u, r, s)
        M = each * p.sqrt().unsqueeze(-2).to(each)
        eye = torch.eye(M.shape[-1], dtype=M.dtype, device=M.device)
        left = torch.linalg.solve(eye + M.mH @ M, eye.expand(*M.shape[:-2], *eye.shape))
        errors.append(left.diagonal(dim1=-2, dim2=-1).real.clamp(min=torch.finfo(p.dtype).tiny, max=1.0))
        heard.append((M.abs().square().sum((-3, -2, -1)) > 0)[..., None, None].expand(p.shape).to(p))
    some = torch.stack(heard).sum(0)
    error = (torch.stack(errors) * torch.stack(heard)).sum(0) / some.clamp(min=1)
    return torch.where(some > 0, (1 - error) / error.clamp(min=torch.finfo(p.dtype).tiny) / p, 0.0)
