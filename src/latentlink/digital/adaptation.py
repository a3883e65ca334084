"""Link adaptation: which block each channel of a batch is given, and by how much power."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from latentlink.channels.channel import Channel
from latentlink.digital.candidates import Candidates, Option
from latentlink.digital.coding.block import Block
from latentlink.digital.genie import GenieTransceiver
from latentlink.digital.source.latent_code import LatentCode
from latentlink.digital.transceiver import DigitalTransceiver
from latentlink.numerics.doors import real
from latentlink.streams.spatial import SpatialModes

AnyDigital = DigitalTransceiver | GenieTransceiver


@runtime_checkable
class LinkAdaptation(Protocol):
    """The rule by which channels are given blocks."""

    def link(self, code: LatentCode, channel: Channel) -> AnyDigital:
        """The link for every channel of the batch."""


@dataclass(frozen=True)
class BlockError:
    """Each channel is given the best block of a predicted error up to a target (up to one half where there is none).

    Attributes:
        target: predicted probability of losing a block, above 0 and below 0.5.

    Raises:
        ValueError: the target is out of range.

    References:
        [polyanskiy2010channel] for the prediction.
    """

    target: float = 0.1

    def __post_init__(self) -> None:
        real("target", self.target, above=0, below=0.5)

    def link(self, code: LatentCode, channel: Channel) -> DigitalTransceiver:
        """The link for every channel of the batch."""
        return _Adapting.of(code, channel).link(self.target)


@dataclass(frozen=True)
class Genie:
    """Each message is given the largest block that its own noise lets through, known in advance: a bound, not a scheme.

    Attributes:
        target: of the ordinary adaptation that `encode` uses, above 0 and below 0.5.

    Raises:
        ValueError: the target is out of range.
    """

    target: float = 0.1

    def __post_init__(self) -> None:
        real("target", self.target, above=0, below=0.5)

    def link(self, code: LatentCode, channel: Channel) -> GenieTransceiver:
        """The link for every channel of the batch."""
        adapting = _Adapting.of(code, channel)
        return adapting.genie(adapting.link(self.target), self.target)


@dataclass(frozen=True, eq=False)
class _Adapting:
    """A code and the channels that it is adapted to.

    Attributes:
        code: payloads of latents.
        channel: the batch of channels.
        spatial: the spatial modes of the flat batch.
        candidates: the blocks that the flat batch may carry.
        budgets: energy of a message at each channel of the flat batch.
    """

    code: LatentCode
    channel: Channel
    spatial: SpatialModes
    candidates: Candidates
    budgets: list[float]

    @classmethod
    def of(cls, code: LatentCode, channel: Channel) -> "_Adapting":
        """Take the batch of channels apart."""
        flat = channel.flattened()
        spatial = SpatialModes.of(flat.h)
        return cls(code, channel, spatial, Candidates.of(flat, spatial), (flat.power * flat.uses).tolist())

    def block(self, number: int, option: Option) -> Block:
        """The block of an option for a channel of the flat batch, at its budget."""
        return at_budget(self.candidates.block(number, option), self.code, self.budgets[number])

    def link(self, target: float) -> DigitalTransceiver:
        """The link by ordinary adaptation."""
        chosen = self.candidates.best(self.code, target)
        blocks = tuple(None if option is None else self.block(number, option) for number, option in enumerate(chosen))
        reach = max((self.code.reach(block.payload) for block in blocks if block is not None), default=1)
        return DigitalTransceiver(self.code, self.code.coordinates.truncated(reach), self.channel, self.spatial, blocks)

    def genie(self, link: DigitalTransceiver, target: float) -> GenieTransceiver:
        """The link whose receiver chooses among the blocks of a ladder."""
        options = self.candidates.ladder(target)
        ladders = tuple(tuple(self.block(number, option) for option in some) for number, some in enumerate(options))
        reach = max((self.code.reach(block.payload) for ladder in ladders for block in ladder), default=1)
        return GenieTransceiver(replace(link, coordinates=self.code.coordinates.truncated(reach)), ladders)


def at_budget(block: Block, code: LatentCode, budget: float) -> Block:
    """The block with its mean power over held-back pilots brought to the budget: payloads are not uniform."""
    payload = code.held_payloads(block.payload)
    coded = payload if block.code is None else block.code.encode(payload)
    spent = float(block.symbols(coded).abs().square().sum(-1).mean())
    return block.scaled(budget / spent) if spent > 0 else block
