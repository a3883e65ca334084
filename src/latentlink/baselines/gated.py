"""A gate over several designs: for each kind of channel, the one whose links did best on held-out pilots.

The first design is the default. Another one takes a kind of channel only where its links scored higher on the same channels, messages and
noise, at equal measured power, by more than `margin` standard errors of that difference over channels; among those, the one with the
highest mean. Kinds are told apart as by the codec's own gate: the number of symbols of a message, and the bits that a symbol carries. Both
ends know the channel and the table, so that they agree without a word. Messages are the same for all channels: the promise is one on these
pilots.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentlink.baselines.gated_transceiver import GatedTransceiver
from latentlink.bounds.capacity import capacity
from latentlink.channels.channel import Channel
from latentlink.channels.draws import ChannelSource
from latentlink.evaluation.evaluate import evaluate
from latentlink.latents.pilots import Pilots
from latentlink.links.shapes import check_channel
from latentlink.links.solution import Solution
from latentlink.links.transceiver import BaseTransceiver
from latentlink.numerics.doors import check_instance, integer, real
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.seeds import stream_generator
from latentlink_runtime.codec.design import BITS, SYMBOLS

Designer = Callable[[Channel], Solution]
_AT_ONCE = 2**16  # messages over channels, which meet the same noise whatever the link
_TOGETHER = 2**31 - 1  # numbers in memory: all messages in one part, for parts of other sizes would meet other noise
_KINDS = (len(SYMBOLS) + 1, len(BITS) + 1)


@dataclass(frozen=True, eq=False)
class Gated(Summarised):
    """Several designs, and which one serves each kind of channel (see the module); `choose` makes it.

    Attributes:
        designs: by name a function of a channel that returns a `Solution`, such as `codec.design`; the first is the default.
        serves: number of the design for each kind, by symbols and bits a symbol.

    Example:
        >>> import torch, latentlink as ll
        >>> from functools import partial
        >>> x = torch.randn(600, 8, generator=torch.Generator().manual_seed(0))
        >>> y, labels = x[:, :6].tanh(), 2 * (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
        >>> known, held = ll.Pilots(x[:400], y[:400], labels[:400]), ll.Pilots(x[400:], y[400:], labels[400:])
        >>> head, modes = ll.fit_head(known.y, known.labels), ll.semantic_modes(ll.Moments.from_pairs(known.x, known.y))
        >>> designs = {
        ...     "linear": partial(ll.ClosedForm().design, modes),
        ...     "decision": partial(ll.baselines.DecisionLink(head).fitted(known).design, known),
        ... }
        >>> draws = ll.channels.ChannelDraws(antennas=(1,), uses=(1,), snr_db=(20.0, 20.0))
        >>> gated = ll.baselines.Gated.choose(designs, held, head, draws, channels=40)
        >>> gated.design(ll.Channel.from_snr(ll.rayleigh(1, 1, batch=(3,), generator=0), snr_db=20.0)).trace["serves"].shape
        torch.Size([3])
    """

    designs: Mapping[str, Designer]
    serves: Int[Tensor, "s b"]

    def __post_init__(self) -> None:
        if not isinstance(self.designs, Mapping) or not self.designs or not all(callable(design) for design in self.designs.values()):
            raise ValueError(f"designs must be functions of a channel by name, such as {{'codec': codec.design}}, got {self.designs!r}")
        check_instance("serves", self.serves, Tensor, "as Gated.choose(...) makes it")
        inside = (self.serves >= 0) & (self.serves < len(self.designs))
        if tuple(self.serves.shape) != _KINDS or self.serves.dtype != torch.long or not bool(inside.all()):
            raise ValueError(f"serves must number {len(self.designs)} designs, of shape {_KINDS}: take Gated.choose, got {self.serves!r}")

    def _facts(self) -> dict[str, str]:
        shares = self.serves.flatten().bincount(minlength=len(self.designs)).double() / self.serves.numel()
        return {name: f"{share:.0%} of kinds of channels" for name, share in zip(self.designs, shares.tolist(), strict=True)}

    @classmethod
    def choose(
        cls,
        designs: Mapping[str, Designer],
        held: Pilots,
        head: nn.Module,
        draws: ChannelSource,
        *,
        channels: int = 512,
        margin: float = 2.0,
        seed: int = 0,
    ) -> "Gated":
        """Choose a design for each kind of channel by what the receiver's head makes of held-out pilots over drawn channels.

        Args:
            designs: by name a function of a channel that returns a `Solution` with a link of the package; the first is the default, also
                for kinds of which fewer than two channels are drawn.
            held: pilots that no design was made of: their decisions are scored by their labels, or without any by the head's on y.
            head: the receiver's classifier.
            draws: channels to serve, on the pilots' device.
            channels: number of them.
            margin: standard errors by which another design must be ahead of the first.
            seed: of channels and noise.

        Raises:
            ValueError: an argument is of another type or out of range, or a design refuses a channel.
        """
        made = cls(designs, torch.zeros(_KINDS, dtype=torch.long, device="cpu"))
        check_instance("held", held, Pilots, "Pilots(x, y, labels)")
        check_instance("head", head, nn.Module, "a classifier, such as fit_head(y, labels)")
        check_instance("draws", draws, ChannelSource, "channels.ChannelDraws(...)")
        margin, seed = real("margin", margin, least=0.0), integer("seed", seed, 0, 2**31 - 1)
        drawn = draws.draw(integer("channels", channels), stream_generator(seed, "channels of a gate over designs"))
        drawn = [channel.to(held.x.device) for channel in drawn]
        few = max(1, _AT_ONCE // len(held))
        parts = [channel[start : start + few] for channel in drawn for start in range(0, channel.batch.numel(), few)]
        scores = torch.cat([torch.stack([_score(made._link(name, one), held, head, one, seed) for name in designs], -1) for one in parts])
        kinds = torch.cat([kinds_of(channel) for channel in drawn])
        return cls(designs, _best(scores.double(), kinds, margin).view(_KINDS).cpu())

    def _link(self, name: str, channel: Channel) -> BaseTransceiver:
        return _checked(name, self.designs[name](channel)).transceiver

    def design(self, channel: Channel) -> Solution[GatedTransceiver]:
        """The links of all designs for every channel of the batch, of which the one that the table names serves.

        Args:
            channel: batch of channels (…, u, n_rx, n_tx), which every design takes.

        Returns:
            Solution with `trace["serves"]` (…), the number of the design; status and expected power are those of the link that serves. Its
            error is known where that of all links is.

        Raises:
            ValueError: the channel is of another type, or a design refuses it.
        """
        check_channel(channel, channel.h if isinstance(channel, Channel) else self.serves)
        found = [_checked(name, design(channel)) for name, design in self.designs.items()]
        serves = self.serves.to(channel.h.device).flatten()[kinds_of(channel)]

        def chosen(values: list[Tensor]) -> Tensor:
            return (
                torch.stack([value.expand(serves.shape).to(values[0]) for value in values], -1).gather(-1, serves.unsqueeze(-1)).squeeze(-1)
            )

        errors = [one.expected_mse for one in found if one.expected_mse is not None]
        return Solution(
            GatedTransceiver(tuple(one.transceiver for one in found), serves),
            chosen([one.status for one in found]),
            chosen(errors) if len(errors) == len(found) else None,
            chosen([one.expected_power for one in found]),
            {"serves": serves},
        )


def kinds_of(channel: Channel) -> Int[Tensor, "*batch"]:
    """The number of the kind of each channel: symbols of a message, then bits of capacity a symbol."""
    symbols = channel.uses * min(channel.n_rx, channel.n_tx)
    noise = channel.noise_variance + channel.error_variance * channel.power
    per_symbol = capacity(Channel(channel.h, noise, channel.power)) / symbols
    size = sum(symbols > limit for limit in SYMBOLS)
    return size * _KINDS[1] + torch.bucketize(per_symbol, torch.tensor(BITS, dtype=per_symbol.dtype, device=per_symbol.device))


def _checked(name: str, solution: Any) -> Solution[BaseTransceiver]:
    check_instance(f"what the design {name!r} returns", solution, Solution, "a latentlink.Solution")
    link = solution.transceiver
    if not isinstance(link, BaseTransceiver) or link.side_symbols:
        raise ValueError(f"designs must give links of the package without side information, got {type(link).__name__} of {name!r}")
    made: Solution[BaseTransceiver] = solution
    return made


def _score(link: BaseTransceiver, held: Pilots, head: nn.Module, channel: Channel, seed: int) -> Float[Tensor, "c"]:
    """The share (c,) of held-out pilots that the head decides rightly, at the power budget, with the same noise for every link."""
    link = link.to(torch.float32)
    link = link.calibrated(held.x) if link.scalable else link
    noise = stream_generator(seed, "noise of a gate over designs", device=channel.h.device)
    task: dict[str, Any] = {"head": head, "labels": held.labels, "task": "classification"}
    seen = evaluate(link, held.x, held.y, channel=channel, generator=noise, entries=_TOGETHER, **task)
    found = seen.agreement if held.labels is None else seen.accuracy
    assert found is not None
    return found


def _best(scores: Float[Tensor, "c k"], kinds: Int[Tensor, "c"], margin: float) -> Int[Tensor, "s"]:
    """For each kind of channel the design with the highest mean of those that are surely ahead of the first, or else that."""
    found = torch.zeros(_KINDS[0] * _KINDS[1], dtype=torch.long, device=scores.device)
    for kind in kinds.unique().tolist():
        ahead = scores[kinds == kind] - scores[kinds == kind][:, :1]
        if len(ahead) < 2:  # one channel says nothing of its kind
            continue
        mean, error = ahead.mean(0), ahead.std(0) / len(ahead) ** 0.5
        found[kind] = torch.where(mean > margin * error, mean, torch.where(mean == mean[0], 0.0, -torch.inf)).argmax()
    return found
