"""Codecs that serve the users of one transmitter: each is told the streams that its user sees, and was trained for no network.

A linear design says what sending to user k costs the others, the metric T_k and a budget in it (`user_metric`). Each codec then designs its
link on the channel of noise 1

    H̃_k = Q_k^{-1/2} H_k T_k,      Q_k = E v_k v_kᴴ + Σ_{j≠k} H_k S_j H_kᴴ,      S_j = E s_j s_jᴴ by the energies of codec j's streams,

whose streams have the signal-to-interference-and-noise ratios after whitening. Q_k and S_j depend on each other: rounds in which all users
design at once are repeated until the Q_k settle, each with the mean of the last S and the one before. One factor on all T_k keeps the budget
P of all signals together. Where the codecs are off this is the linear design as far as that is proper: alike for real and imaginary parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.solution import Solution
from latentlink.links.status import name_of
from latentlink.networks.broadcast import Broadcast
from latentlink.networks.design import NetworkDesign
from latentlink.networks.links import Links
from latentlink.networks.modes import NetworkModes
from latentlink.networks.solution import NetworkSolution
from latentlink.networks.user_codec_link import UserCodecLink, told_channel
from latentlink.networks.user_metric import user_metric
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.transceiver import CodecTransceiver
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import AnyArray, check_instance, integer
from latentlink.numerics.reprs import Summarised, counted
from latentlink.streams.whitened import real_uses

SETTLED = 1e-4  # relative change of what arrives from others below which rounds end

Sent = Complex[Tensor, "*batch K u t t"]


@dataclass(frozen=True, eq=False, repr=False)
class UserCodecsSolution(Summarised):
    """Codecs designed for the users of one transmitter (see the module).

    Attributes:
        users: the link of each user, with what others are sent as interference of its channel.
        senders: the numbers of the users whose signals are sent: all of them, or the first for one signal that all decode.
        links: that it was designed for.
        source_of: the number of the source that each user wants.
        status: (…, K) codes of `Status`: "codec" where the networks of a user are on, "linear" where its linear part is alone.
        expected_mse: (…, K) total E||y_k − ŷ_k||² of each user, others counted as Gaussian noise; None where it is not known.
        expected_power: (…) mean power per channel use of all signals together.
        trace: `active` (…, K), where networks are on; `unsettled` (…), the last relative change of what arrives from others; `rounds` ();
            `linear_mse` (…, K), `expected_mse` of the linear design. One signal for all has `active` alone.

    Example:
        >>> import torch, latentlink as ll
        >>> x = [torch.randn(500, 8, generator=torch.Generator().manual_seed(k)) for k in range(2)]
        >>> pair = ll.semantic_modes(ll.Moments.from_pairs(x[0], x[0].tanh()))
        >>> codec = ll.CodecTraining(modes=8, width=8, layers=1, max_symbols=4).untrained(pair, ll.Pilots(x[0], x[0].tanh()))
        >>> moments = ll.networks.NetworkMoments.from_pilots(x=x, y=[each.tanh() for each in x], observations="own")
        >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 4, generator=k)] for k in range(2)], snr_db=10.0, transmitter_of=(0, 0))
        >>> solution = ll.networks.UserCodecs([codec, codec]).design(ll.networks.network_modes(moments), links)
        >>> r = links.apply([solution.encode(*x)], generator=0)
        >>> [link.decode(each).shape for link, each in zip(solution.users, r)]
        [torch.Size([500, 8]), torch.Size([500, 8])]
    """

    users: tuple[UserCodecLink, ...]
    senders: tuple[int, ...]
    links: Links
    source_of: tuple[int, ...]
    status: Int[Tensor, "*batch K"]
    expected_mse: Float[Tensor, "*batch K"] | None
    expected_power: Float[Tensor, "*batch"]
    trace: dict[str, Tensor] = field(default_factory=dict)

    def encode(self, *x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """What the transmitter sends (…, n, u, n_tx) for latents x_i (n, d_i) of each source: the sum of all codecs' signals.

        Raises:
            ValueError: there is not one x for each source, or one does not fit (see `Transceiver.encode`).
        """
        sources = max(self.source_of) + 1
        if len(x) != sources:
            raise ValueError(f"x must be the latents of each of {sources} sources, got {len(x)}")
        sent = [self.users[k].encode(x[self.source_of[k]]) for k in self.senders]
        if len({each.shape for each in sent}) > 1:
            raise ValueError(f"x must have as many messages of each source, got {[tuple(each.shape) for each in sent]} symbols")
        return sum(sent[1:], sent[0])

    def user(self, k: int) -> UserCodecLink:
        """The link of user k, to evaluate, save or age: what others are sent is drawn as interference; a ValueError without user k."""
        return self.users[integer("k", k, 0, len(self.users) - 1)]

    def status_names(self) -> list[str]:
        """The distinct names of the statuses of the batch."""
        return sorted({name_of(int(code)) for code in self.status.unique()})

    def _facts(self) -> dict[str, str]:
        facts: dict[str, Any] = self.links._facts()
        on = float(self.trace["active"].double().mean())
        return {**facts, "users": counted(len(self.users), "user"), "networks": f"on for {on:.0%}", "status": ", ".join(self.status_names())}


@dataclass(frozen=True, repr=False)
class UserCodecs(Summarised):
    """A codec for each user of one transmitter, beside a linear design that shares out space and power (see the module).

    Each user wants latents of its own (private messages); or users want one latent and have uses of their own (`by=TimeDivision()`), where
    the transmitter sends it in the codec of each. See `CommonCodec` for one signal that all users decode.

    Attributes:
        codecs: one for each user, trained for the pair of its source and itself, with limits of the mean power only.
        by: the linear design. `Broadcast()` weighs all users' errors; `BlockDiagonal()` has no interference at all.
        rounds: of designs, at most.

    Raises:
        ValueError: codecs are none, or not of this kind; rounds is no integer ≥ 1.

    Example:
        >>> import torch, latentlink as ll
        >>> x = [torch.randn(500, 8, generator=torch.Generator().manual_seed(k)) for k in range(2)]
        >>> pair = ll.semantic_modes(ll.Moments.from_pairs(x[0], x[0].tanh()))
        >>> codec = ll.CodecTraining(modes=8, width=8, layers=1, max_symbols=4).untrained(pair, ll.Pilots(x[0], x[0].tanh()))
        >>> moments = ll.networks.NetworkMoments.from_pilots(x=x, y=[each.tanh() for each in x], observations="own")
        >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 4, generator=k)] for k in range(2)], snr_db=10.0, transmitter_of=(0, 0))
        >>> ll.networks.UserCodecs([codec, codec]).design(ll.networks.network_modes(moments), links)
        UserCodecsSolution(1 network, 2 receivers, 1 transmitter, 1 use, SNR 10 dB, 2 users, on for 100%, codec)
    """

    codecs: Sequence[Codec]
    by: NetworkDesign = field(default_factory=Broadcast)
    rounds: int = 30

    def __post_init__(self) -> None:
        object.__setattr__(self, "codecs", tuple(self.codecs))
        object.__setattr__(self, "rounds", integer("rounds", self.rounds, 1))
        if not self.codecs:
            raise ValueError("codecs must be one for each user, got none")
        for k, codec in enumerate(self.codecs):
            check_codec(f"codecs[{k}]", codec)
        check_instance("by", self.by, NetworkDesign, "networks.Broadcast()")

    def design(self, modes: NetworkModes, links: Links) -> UserCodecsSolution:
        """Design the links of all users for every network of the batch at once; nothing is trained.

        Args:
            modes: coordinates of the network's latents, by which the linear design shares out space and power.
            links: channels, noise and the budget of one transmitter.

        Returns:
            UserCodecsSolution.

        Raises:
            ValueError: the linear design refuses the network; there is not a codec of fitting latents for each user, or a channel has more
                symbols than it takes; there are several transmitters; or two users want the same latents in the same uses.
        """
        source_of = self._source_of(modes, links)
        linear = self.by.design(modes, links)
        metric = user_metric(linear, _own_parts(linear, source_of))
        state = _Rounds(self.codecs, linear.links.to(torch.float64), linear._places[1], metric.beams.to(torch.complex128), metric.budget.double())
        sent, mixed = metric.sent.to(torch.complex128), None
        for number in range(1, self.rounds + 1):
            mixed = sent if mixed is None else (sent + mixed) / 2
            designed = state.designs(mixed)
            sent, factor = state.sent(designed)
            state = replace(state, beams=state.beams * factor.sqrt()[..., None, None, None, None])
            sent = sent * factor[..., None, None, None, None]
            change = state.change(sent, mixed)
            if bool((change <= SETTLED).all()):
                break
        found = state.links_of(designed, sent)
        trace = {
            "active": torch.stack([each.active for each in found], -1), "unsettled": change, "linear_mse": linear.expected_mse,
            "rounds": torch.tensor(number, device=change.device),
        }  # fmt: skip
        return UserCodecsSolution(
            found, tuple(range(len(found))), links, source_of, torch.stack([each.status for each in designed], -1),
            torch.stack([each.known_mse for each in designed], -1), sent.diagonal(dim1=-2, dim2=-1).real.sum((-3, -2, -1)) / links.uses, trace,
        )  # fmt: skip

    def _source_of(self, modes: NetworkModes, links: Links) -> tuple[int, ...]:
        """The source of each user, after a look at codecs, modes and links."""
        if links.transmitters != 1:
            raise ValueError(f"links must have one transmitter, whose signals codecs share, got {links.transmitters}")
        if len(self.codecs) != modes.users:
            raise ValueError(f"codecs must be one for each of {modes.users} users of the modes, got {len(self.codecs)}")
        found = []
        for k, codec in enumerate(self.codecs):
            of = modes.sources_of(k)
            if len(of) != 1:
                raise ValueError(f"modes must have one source for each user, whose latents its codec was trained on, got {of} for user {k}")
            got = len(codec.modes.mean_x), len(codec.modes.mean_y)
            expected = len(modes.mean_x[of[0]]), len(modes.mean_y[k])
            if got != expected:
                raise ValueError(f"codecs[{k}] must be of latents of dimensions {expected}, as user {k} and its source have, got {got}")
            found.append(of[0])
        return tuple(found)


def check_codec(name: str, codec: Codec) -> None:
    """Refuse what is no codec, or one that limits single messages."""
    check_instance(name, codec, Codec, "CodecTraining(...).fit(modes, pilots, objective).codec")
    if codec.limit.limits_messages:
        raise ValueError(
            f"{name} must limit the mean power only, got {codec.limit!r}: a limit of single messages does not hold for what a network "
            "sends; train it with power.Mean()"
        )


@dataclass(frozen=True, eq=False)
class _Rounds:
    """What rounds of designs know: codecs, channels, metrics and budgets in them."""

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
            link, spent = solution.transceiver, solution.expected_power.double() / torch.where(self.budget[..., k] > 0, self.budget[..., k], 1.0)
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
            now, then = (told_channel(self.channel(k, each), self.beams[..., k, :, :, :], self.budget[..., k])[0] for each in (sent, before))
            changes.append(torch.linalg.matrix_norm(now - then).amax(-1) / torch.linalg.matrix_norm(then).amax(-1))
        return torch.stack(changes, -1).amax(-1)

    def links_of(self, designed: list[Solution[CodecTransceiver]], sent: Sent) -> tuple[UserCodecLink, ...]:
        """Every user's link, matched to what really arrives."""
        found = []
        for k, solution in enumerate(designed):
            channel, beams = self.channel(k, sent), self.beams[..., k, :, :, :]
            whitening, told = told_channel(channel, beams, self.budget[..., k] / self.links.uses)
            link = UserCodecLink(
                solution.transceiver, beams.to(torch.complex64), whitening.to(torch.complex64), channel.to(torch.float32)
            )
            found.append(replace(link, codec=solution.transceiver.matched_to(told)))
        return tuple(found)


def _covariance(h: Complex[Tensor, "*batch u r t"], sent: Complex[Tensor, "*batch u t t"]) -> Complex[Tensor, "*batch u r r"]:
    """H S Hᴴ, without the negative eigenvalues of rounding."""
    arriving = h @ sent @ h.mH
    values, vectors = torch.linalg.eigh((arriving + arriving.mH) / 2)
    root = vectors * values.clamp(min=0).sqrt().unsqueeze(-2).to(vectors)
    return root @ root.mH


def _own_parts(linear: NetworkSolution, source_of: tuple[int, ...]) -> Float[Tensor, "*batch K a c"]:
    """The parts of the precoder that are for each user: the columns of its source, and where several want that, the uses that it hears.

    Raises:
        ValueError: two users want one source, and hear the same uses.
    """
    F, columns, uses = linear.precoder, linear.modes.columns, linear.links.uses
    heard = torch.stack([(linear.links.table[k][0].h != 0).flatten(-2).any(-1) for k in linear._places[1]], -2)  # (…, K, u)
    parts = []
    for k, i in enumerate(source_of):
        mask = torch.zeros_like(F[..., :1, :])
        mask[..., columns[i]] = 1.0
        sharing = [j for j, other in enumerate(source_of) if other == i and j != k]
        if sharing:
            if bool((heard[..., sharing, :] & heard[..., k : k + 1, :]).any()):
                raise ValueError(
                    f"modes must have a source for each user, got user {k} and {sharing} that want one: their codecs' signals would disturb "
                    "each other; take by=TimeDivision(), or CommonCodec, whose one signal all of them decode"
                )
            own_uses = heard[..., k, :].repeat_interleave(linear.links.table[0][0].n_tx, -1).repeat(*[1] * (heard.ndim - 2), 2)
            mask = mask * own_uses.unsqueeze(-1)
        parts.append(F * mask)
    return torch.stack(parts, -3)
