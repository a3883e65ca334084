"""The result of codecs for the users of one transmitter: each user's link as an ordinary one, and what is sent to all of them together."""

from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Complex, Float, Int
from torch import Tensor

from latentlink.links.status import name_of
from latentlink.networks.links import Links
from latentlink.networks.user_codec_link import UserCodecLink
from latentlink.neural.codec.design import Codec
from latentlink.numerics.doors import AnyArray, check_instance, integer
from latentlink.numerics.reprs import Summarised, counted


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
        return {
            **facts,
            "users": counted(len(self.users), "user"),
            "codecs": f"networks on for {on:.0%}",
            "status": ", ".join(self.status_names()),
        }


def check_codec(name: str, codec: Codec) -> None:
    """Refuse what is no codec, or one that limits single messages."""
    check_instance(name, codec, Codec, "CodecTraining(...).fit(modes, pilots, objective).codec")
    if codec.limit.limits_messages:
        raise ValueError(
            f"{name} must limit the mean power only, got {codec.limit!r}: a limit of single messages does not hold for what a network "
            "sends; train it with power.Mean()"
        )
