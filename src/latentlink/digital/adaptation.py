"""Link adaptation: which block each channel of a batch is given, and by how much power."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from latentlink.channels.channel import Channel
from latentlink.digital.candidates import Candidates
from latentlink.digital.coding.block import Block
from latentlink.digital.genie import GenieTransceiver
from latentlink.digital.source.latent_code import Coordinates, LatentCode
from latentlink.digital.transceiver import DigitalTransceiver
from latentlink.numerics.doors import real
from latentlink.streams.spatial import SpatialModes


@runtime_checkable
class LinkAdaptation(Protocol):
    """The rule by which channels are given blocks."""

    def link(self, code: LatentCode, channel: Channel) -> DigitalTransceiver:
        """The link for every channel of the batch."""


@dataclass(frozen=True)
class _Targeted:
    """Ordinary adaptation: the best block of a predicted error up to a target."""

    target: float = 0.1

    def __post_init__(self) -> None:
        real("target", self.target, above=0, below=0.5)

    def _best(self, code: LatentCode, channel: Channel, candidates: Candidates) -> DigitalTransceiver:
        chosen = enumerate(candidates.best(code, self.target))
        blocks = tuple(None if option is None else candidates.at_budget(number, option, code) for number, option in chosen)
        coordinates = _reached(code, (block for block in blocks if block is not None))
        return DigitalTransceiver(code, coordinates, channel, candidates.spatial, blocks)


@dataclass(frozen=True)
class BlockError(_Targeted):
    """Each channel is given the best block of a predicted error up to a target (up to one half where there is none).

    Attributes:
        target: predicted probability of losing a block, above 0 and below 0.5.

    Raises:
        ValueError: the target is out of range.

    References:
        [polyanskiy2010channel] for the prediction.
    """

    def link(self, code: LatentCode, channel: Channel) -> DigitalTransceiver:
        """The link for every channel of the batch."""
        return self._best(code, channel, _candidates(channel))


@dataclass(frozen=True)
class Genie(_Targeted):
    """Each message is given the largest block that its own noise lets through, known in advance: a bound, not a scheme.

    Attributes:
        target: of the ordinary adaptation that `encode` uses, above 0 and below 0.5.

    Raises:
        ValueError: the target is out of range.
    """

    def link(self, code: LatentCode, channel: Channel) -> GenieTransceiver:
        """The link for every channel of the batch."""
        candidates = _candidates(channel)
        best = self._best(code, channel, candidates)
        offered = enumerate(candidates.ladder(self.target))
        ladders = tuple(tuple(candidates.at_budget(number, option, code) for option in options) for number, options in offered)
        coordinates = _reached(code, (block for ladder in ladders for block in ladder))
        return GenieTransceiver(**{**vars(best), "coordinates": coordinates}, ladders=ladders)


def _candidates(channel: Channel) -> Candidates:
    flat = channel.flattened()
    return Candidates.of(flat, SpatialModes.of(flat.h))


def _reached(code: LatentCode, blocks: Iterable[Block]) -> Coordinates:
    """The coefficients that the payloads of blocks can say anything of."""
    return code.coordinates.truncated(max((code.reach(block.payload) for block in blocks), default=1))
