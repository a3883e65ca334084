"""Link adaptation: which block a channel is given.

The rate is not maximised for its own sake. Of all blocks with a predicted error ε up to the target, the one that leaves least of the
latent is taken,

    (1 − ε) D(B) + ε D_lost,      D_lost = D(0) for the mean, where a checksum notices;
                                           D(0) + (D(0) − D(B)) (1 + 2 / (2^B − 1)) for any other of the 2^B payloads,

D(B) being what pilots leave of a payload of B bits: a block below 10 % error is often worth more at 1 %. A channel that no block crosses
within the target is in outage; there the same is asked of blocks of an error up to one half, as a radio falls back to its lowest rate.
"""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.digital.coding.block import Block
from latentlink.digital.coding.block_code import LOWEST_RATE, checksum_bits, payload_of
from latentlink.digital.coding.loading import Coded, Uncoded
from latentlink.digital.coding.short_code import MOST_SHORT
from latentlink.digital.source.latent_code import LatentCode
from latentlink.streams.spatial import SpatialModes

_SAFER = (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3)  # of the target
_OUTAGE = (0.5, 0.4, 0.3, 0.2)  # errors accepted where the target cannot be kept
_DARING = (0.97, 0.9, 0.7, 0.5, 0.3)  # errors at which a genie still tries
_GUESSED = 0.5  # error of unchecked blocks above which what it does is guess
_LOUDEST = 1e12  # gain of a stream without noise


@dataclass(frozen=True)
class Option:
    """A block that one channel may carry; `place` is (profile, rate) of a coded one and (bits − 1,) of an uncoded one."""

    payload: int
    length: int
    error: float
    place: tuple[int, ...]

    @property
    def checked(self) -> bool:
        """Whether a checksum tells of errors."""
        return self.length > 0 and self.payload > MOST_SHORT

    def left(self, code: LatentCode) -> float:
        """Weighted error to expect of it."""
        kept = code.left(self.payload)[0]
        lost = code.energy if self.checked else left_wrong(code.energy, kept, self.payload)
        return (1 - self.error) * kept + self.error * lost


def left_wrong(energy: float, kept: float, payload: int) -> float:
    """Error of a payload of B bits that was read as any other one, each as likely."""
    return energy + (energy - kept) * (1 + 2 / (2.0**payload - 1))


@dataclass(frozen=True, eq=False)
class Adaptation:
    """What the channels of a flat batch may carry.

    Attributes:
        streams: (c, s) symbols among u·q, strongest first. coded, uncoded: candidates.
    """

    streams: Int[Tensor, "c s"]
    coded: Coded
    uncoded: Uncoded

    @classmethod
    def of(cls, channel: Channel, spatial: SpatialModes) -> "Adaptation":
        """For a flat batch of channels and their spatial modes."""
        h, streams = spatial.amplitude.flatten(-2).double().sort(dim=-1, descending=True, stable=True)
        noise = channel.noise_variance.double().unsqueeze(-1)
        gain = (h.square() / noise.clamp(min=1e-30)).clamp(max=_LOUDEST)
        budget: Float[Tensor, "c"] = channel.power.double() * channel.uses
        return cls(streams, Coded.of(gain, budget), Uncoded.of(gain, budget))

    def options(self, errors: tuple[float, ...]) -> list[list[Option]]:
        """For each channel the largest coded block of either kind at each error, and the uncoded ones up to the largest error."""
        found: list[list[Option]] = [self._uncoded(number, max(errors)) for number in range(len(self.streams))]
        for error in errors:
            for short, k in ((True, self.coded.largest_short(error)), (False, self.coded.largest(error))):
                best = k.flatten(1).argmax(-1).tolist()
                for number, place in enumerate(best):
                    option = self._coded((number, *divmod(place, k.shape[-1])), int(k.flatten(1)[number, place]), short)
                    found[number].extend([option] if option is not None else [])
        return found

    def _coded(self, at: tuple[int, int, int], fits: int, short: bool) -> Option | None:
        """The candidate at the largest payload that fits so many bits, if there is one."""
        length = int(self.coded.length[at])
        payload = fits if short else LatentCode.rounded(payload_of(fits))
        size = payload + (0 if short else checksum_bits(payload))
        if payload == 0 or (not short and (payload <= MOST_SHORT or size < LOWEST_RATE * length)):
            return None
        risk = float(self.coded.error(size, short)[at])
        return Option(payload, length, risk, at[1:])

    def _uncoded(self, number: int, error: float) -> list[Option]:
        risks = enumerate(self.uncoded.error[number].tolist())
        return [Option(place + 1, 0, risk, (place,)) for place, risk in risks if risk <= error and _live(self.uncoded, number)]

    def best(self, code: LatentCode, target: float) -> list[Option | None]:
        """For each channel the option that leaves least; None where sending nothing is no worse."""
        kept, outage = self.options(tuple(target * share for share in _SAFER)), self.options(_OUTAGE)
        chosen: list[Option | None] = []
        for within, beyond in zip(kept, outage, strict=True):
            option = min(within or beyond, key=lambda option: option.left(code), default=None)
            chosen.append(option if option is not None and option.left(code) < code.energy else None)
        return chosen

    def ladder(self, target: float) -> list[list[Option]]:
        """For each channel what a genie chooses from: the safest option of each payload, the largest payload first."""
        ladders = []
        for options in self.options((*_DARING, *(target * share for share in _SAFER))):
            safest: dict[int, Option] = {}
            for option in sorted(options, key=lambda option: -option.error):
                if option.checked or option.error <= _GUESSED:
                    safest[option.payload] = option
            ladders.append(sorted(safest.values(), key=lambda option: -option.payload))
        return ladders

    def block(self, number: int, option: Option) -> Block:
        """The block of an option."""
        loads = self.coded.loads(number, *option.place) if option.length else self.uncoded.loads[(number, *option.place)]
        return Block.of(option.payload, option.length, option.error, loads, self.streams[number])


def _live(uncoded: Uncoded, number: int) -> bool:
    return bool(uncoded.loads.power[number].sum() > 0)
