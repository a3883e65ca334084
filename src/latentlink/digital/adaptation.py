"""Link adaptation: the choice of a block, and of its power, for each channel of a batch.

The rate is not maximised for its own sake. Of all blocks with a predicted error ε up to the target, the one of least expected distortion is
taken,

    (1 − ε) D(B) + ε D_lost,      D_lost = D(0) for the mean, where a CRC detects it;
                                           D(0) + (D(0) − D(B)) (1 + 2 / (2^B − 1)) for any other of the 2^B payloads,

D(B) being the error of a payload of B bits on pilots: a block below 10 % error is often worth more at 1 %. A channel that no block crosses
within the target is in outage; there the same holds for blocks of an error up to one half, as a radio falls back to its lowest rate.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.digital.coding.block import Block, Protection
from latentlink.digital.coding.block_code import LOWEST_RATE, MOST_SHORT, crc_bits, payload_of
from latentlink.digital.coding.loading import Coded, Uncoded
from latentlink.digital.genie import GenieTransceiver
from latentlink.digital.source.latent_code import Coordinates, LatentCode
from latentlink.digital.transceiver import DigitalTransceiver
from latentlink.numerics.doors import real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.streams.spatial import SpatialModes

_SAFER = (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3)  # of the target
_OUTAGE = (0.5, 0.4, 0.3, 0.2)  # errors accepted where the target cannot be kept
_DARING = (0.97, 0.9, 0.7, 0.5, 0.3)  # errors at which a genie still tries
_GUESSED = 0.5  # error of blocks without a CRC above which a genie would guess
_LOUDEST = 1e12  # gain of a stream without noise


@dataclass(frozen=True)
class Option(Protection):
    """A block that one channel may carry.

    Attributes:
        place: (profile, rate) of a coded block among the candidates, (bits − 1,) of an uncoded one.
    """

    place: tuple[int, ...]

    def expected_error(self, code: LatentCode) -> float:
        """The weighted error to expect of it."""
        received = code.remaining(self.payload).weighted
        return (1 - self.error) * received + self.error * error_of_lost(self, code.energy, received)


def error_of_lost(block: Protection, nothing: float, received: float) -> float:
    """The error of a lost block: `nothing`, that of the mean, where a CRC detects it; else that of a random payload."""
    return nothing if block.has_crc else nothing + (nothing - received) * (1 + 2 / (2.0**block.payload - 1))


@dataclass(frozen=True, eq=False)
class Candidates:
    """The blocks that each channel of a batch, flattened, may carry.

    Attributes:
        streams: (c, s) symbols among u·q, strongest first.
        coded: candidates with a channel code.
        uncoded: candidates without one.
        spatial: the spatial modes of the channels.
        energy: u·P (c,), the budget of a message.
    """

    streams: Int[Tensor, "c s"]
    coded: Coded
    uncoded: Uncoded
    spatial: SpatialModes
    energy: Float[Tensor, "c"]

    @classmethod
    def of(cls, channel: Channel) -> "Candidates":
        """Compare all blocks that the channels may carry."""
        channel = channel.flattened()
        spatial = SpatialModes.of(channel.h)
        pooled = spatial.pooled()
        noise = channel.noise_variance.double().unsqueeze(-1)
        gain = (pooled.amplitude.double().square() / noise.clamp(min=1e-30)).clamp(max=_LOUDEST)
        energy: Float[Tensor, "c"] = channel.power.double() * channel.uses
        return cls(pooled.order, Coded.of(gain, energy), Uncoded.of(gain, energy), spatial, energy)

    def options(self, errors: tuple[float, ...]) -> list[list[Option]]:
        """The largest coded block of either kind at each error for each channel, and the uncoded ones up to the largest error."""
        found: list[list[Option]] = [self._uncoded(number, max(errors)) for number in range(len(self.streams))]
        for error in errors:
            for short, k in ((True, self.coded.largest_short(error)), (False, self.coded.largest(error))):
                best = k.flatten(1).argmax(-1).tolist()
                for number, place in enumerate(best):
                    option = self._coded((number, *divmod(place, k.shape[-1])), int(k.flatten(1)[number, place]), short)
                    found[number].extend([option] if option is not None else [])
        return found

    def _coded(self, at: tuple[int, int, int], fits: int, short: bool) -> Option | None:
        """The candidate with the largest payload that takes at most `fits` bits, if there is one."""
        length = int(self.coded.length[at])
        payload = fits if short else LatentCode.round_down(payload_of(fits))
        size = payload + (0 if short else crc_bits(payload))
        if payload == 0 or (not short and (payload <= MOST_SHORT or size < LOWEST_RATE * length)):
            return None
        risk = float(self.coded.error(size, short)[at])
        return Option(payload, length, risk, at[1:])

    def _uncoded(self, number: int, error: float) -> list[Option]:
        if not bool(self.uncoded.loads.power[number].sum() > 0):
            return []
        risks = enumerate(self.uncoded.error[number].tolist())
        return [Option(place + 1, 0, risk, (place,)) for place, risk in risks if risk <= error]

    def best(self, code: LatentCode, target: float) -> list[Option | None]:
        """The option of least expected error for each channel; None where sending nothing is no worse."""
        within_target = self.options(tuple(target * share for share in _SAFER))
        in_outage = self.options(_OUTAGE)
        chosen: list[Option | None] = []
        for within, beyond in zip(within_target, in_outage, strict=True):
            option = min(within or beyond, key=lambda option: option.expected_error(code), default=None)
            chosen.append(option if option is not None and option.expected_error(code) < code.energy else None)
        return chosen

    def ladder(self, target: float) -> list[list[Option]]:
        """The options that a genie chooses from for each channel: the safest one of each payload, the largest payload first."""
        ladders = []
        for options in self.options((*_DARING, *(target * share for share in _SAFER))):
            safest: dict[int, Option] = {}
            for option in sorted(options, key=lambda option: -option.error):
                if option.has_crc or option.error <= _GUESSED:
                    safest[option.payload] = option
            ladders.append(sorted(safest.values(), key=lambda option: -option.payload))
        return ladders

    def block(self, number: int, option: Option) -> Block:
        """The block of an option."""
        where = (number, *option.place)
        loads = self.coded.loads(*where) if option.length else self.uncoded.loads.each(lambda value: value[where])
        return Block.of(option.payload, option.length, option.error, loads, self.streams[number])

    def at_budget(self, number: int, option: Option, code: LatentCode) -> Block:
        """The block of an option with its mean power over held-back pilots brought to the budget: payloads are not uniform."""
        block = self.block(number, option)
        coded = block.coded(code.held_payloads(block.payload))
        spent = float(block.symbols(coded).abs().square().sum(-1).mean())
        return block.scaled(float(self.energy[number]) / spent) if spent > 0 else block


@made_by("BlockError(target) or Genie()")
@runtime_checkable
class LinkAdaptation(Protocol):
    """The rule by which channels are given blocks."""

    def link(self, code: LatentCode, channel: Channel) -> DigitalTransceiver:
        """The link for every channel of the batch."""


@dataclass(frozen=True)
class BlockError(Summarised):
    """Each channel is given the best block of a predicted error up to a target (up to one half where there is none).

    Attributes:
        target: predicted probability of losing a block, above 0 and below 0.5.

    Raises:
        ValueError: the target is out of range.

    References:
        [polyanskiy2010channel] for the prediction.

    Example:
        >>> import latentlink as ll
        >>> ll.digital.Digital(adaptation=ll.digital.BlockError(0.01))
        Digital(alignment=AtTransmitter(), adaptation=BlockError(target=0.01))
    """

    target: float = 0.1

    def __post_init__(self) -> None:
        real("target", self.target, above=0, below=0.5)

    def link(self, code: LatentCode, channel: Channel) -> DigitalTransceiver:
        """The link for every channel of the batch."""
        return self._best(code, channel, Candidates.of(channel))

    def _best(self, code: LatentCode, channel: Channel, candidates: Candidates) -> DigitalTransceiver:
        chosen = enumerate(candidates.best(code, self.target))
        blocks = tuple(None if option is None else candidates.at_budget(number, option, code) for number, option in chosen)
        coordinates = _described_coordinates(code, (block for block in blocks if block is not None))
        return DigitalTransceiver(code, coordinates, channel, candidates.spatial, blocks)


@dataclass(frozen=True)
class Genie(BlockError):  # noqa: N818 (no exception)
    """Each message is given the largest block that its own noise lets through, known in advance: a reference, and no scheme.

    Attributes:
        target: predicted probability of losing a block in the ordinary adaptation that `encode` uses, as in `BlockError`.

    Raises:
        ValueError: the target is out of range.

    Example:
        >>> import latentlink as ll
        >>> ll.digital.Digital(adaptation=ll.digital.Genie())
        Digital(alignment=AtTransmitter(), adaptation=Genie(target=0.1))
    """

    def link(self, code: LatentCode, channel: Channel) -> GenieTransceiver:
        """The link for every channel of the batch, with the blocks that the genie chooses from."""
        candidates = Candidates.of(channel)
        best = self._best(code, channel, candidates)
        offered = enumerate(candidates.ladder(self.target))
        ladders = tuple(tuple(candidates.at_budget(number, option, code) for option in options) for number, options in offered)
        coordinates = _described_coordinates(code, (block for ladder in ladders for block in ladder))
        return GenieTransceiver(**{**vars(best), "coordinates": coordinates}, ladders=ladders)


def _described_coordinates(code: LatentCode, blocks: Iterable[Block]) -> Coordinates:
    """The coefficients that the payloads of these blocks describe."""
    return code.coordinates.truncated(max((code.reach(block.payload) for block in blocks), default=1))
