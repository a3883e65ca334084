"""Codecs that serve the users of one transmitter: each is told the streams that its user sees, and was trained for no network.

A linear design says what sending to user k costs the others, the metric T_k and a budget in it (`user_metric`). Each codec then designs its
link on the channel of noise 1

    H̃_k = Q_k^{-1/2} H_k T_k,      Q_k = E v_k v_kᴴ + Σ_{j≠k} H_k S_j H_kᴴ,      S_j = E s_j s_jᴴ by the energies of codec j's streams,

whose streams have the signal-to-interference-and-noise ratios after whitening. Q_k and S_j depend on each other: rounds in which all users
design at once are repeated until the Q_k settle, each with the mean of the last S and the one before. One factor on all T_k keeps the
budget P of all signals together. With all codecs off this is near the linear design: block diagonalisation exactly; others may treat real
and imaginary parts differently, which a codec does not, and weigh interference once more here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.networks.broadcast import Broadcast
from latentlink.networks.design import NetworkDesign
from latentlink.networks.links import Links
from latentlink.networks.modes import NetworkModes
from latentlink.networks.solution import NetworkSolution
from latentlink.networks.user_codecs_solution import UserCodecsSolution, check_codec
from latentlink.networks.user_metric import user_metric
from latentlink.networks.user_rounds import Rounds
from latentlink.neural.codec.design import Codec
from latentlink.numerics.doors import check_instance, integer
from latentlink.numerics.reprs import Summarised

SETTLED = 1e-4  # relative change of what arrives from others below which rounds end


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
        UserCodecsSolution(1 network, 2 receivers, 1 transmitter, 1 use, SNR 10 dB, 2 users, networks on for 100%, codec)
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
        state = Rounds(
            self.codecs, linear.links.to(torch.float64), linear._places[1], metric.beams.to(torch.complex128), metric.budget.double()
        )  # fmt: skip
        sent, mixed = metric.sent.to(torch.complex128), None
        number = 0
        while number < self.rounds:
            number += 1
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
            torch.stack([each.known_mse for each in designed], -1),
            sent.diagonal(dim1=-2, dim2=-1).real.sum((-3, -2, -1)) / links.uses, trace,
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


def _own_parts(linear: NetworkSolution, source_of: tuple[int, ...]) -> Float[Tensor, "*batch K a c"]:
    """The parts of the precoder that are for each user: the columns of its source, and where several want that, the uses that it hears.

    Raises:
        ValueError: two users want one source, and hear the same uses.
    """
    F, columns = linear.precoder, linear.modes.columns
    heard = torch.stack([(linear.links.table[k][0].h != 0).flatten(-2).any(-1) for k in linear._places[1]], -2)  # (…, K, u)
    parts = []
    for k, i in enumerate(source_of):
        mask = torch.zeros_like(F[..., :1, :])
        mask[..., columns[i]] = 1.0
        sharing = [j for j, other in enumerate(source_of) if other == i and j != k]
        if sharing:
            if bool((heard[..., sharing, :] & heard[..., k : k + 1, :]).any()):
                raise ValueError(
                    f"modes must have a source for each user, got user {k} and {sharing} that want one: their codecs' signals would "
                    "disturb each other; take by=TimeDivision(), or CommonCodec, whose one signal all of them decode"
                )
            own_uses = heard[..., k, :].repeat_interleave(linear.links.table[0][0].n_tx, -1).repeat(*[1] * (heard.ndim - 2), 2)
            mask = mask * own_uses.unsqueeze(-1)
        parts.append(F * mask)
    return torch.stack(parts, -3)
