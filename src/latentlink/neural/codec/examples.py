"""The examples that a codec is trained on: coordinates of pilots in the semantic modes, their targets, and a bank of channels.

Few pilots are augmented by the second-order model of the pilots, in which y moves with z: with (z, y) also (z + δ, y + Ψ δ) is a pair, with
δ normal of the coefficients' standard deviations times one number for each pair, uniform between 0 and ε; and so are points on the line
between two pairs. The targets are the outputs of the receiver's head for these latents. Latents of the transmitter alone count with
y = μy + Ψ z, the linear alignment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.draws import ChannelSource
from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes
from latentlink.neural.codec.calibration import Calibration
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.streams import Streams, place_streams, symbols
from latentlink.neural.seeding import CodecDraw
from latentlink.numerics.doors import real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.tasks.objectives import Objective, Wanted

VALIDATED = 1024  # validation pilots at most that are sent over every validation channel
LEAST_DRAWN = 2**14  # channels that are drawn before a source is said to have none that fits


@made_by("Augmentation(noise=0.1)")
@dataclass(frozen=True)
class Augmentation(Summarised):
    """How pilots are varied in training.

    Attributes:
        noise: ε_x, standard deviation of noise on z alone, in units of the standard deviation of z.
        moved: ε, largest standard deviation of moves δ that y follows; each example draws its own between 0 and that.
        mixed: share of examples that lie between two pilots.

    Raises:
        ValueError: an attribute is out of range, which the message names.

    Example:
        >>> import latentlink as ll
        >>> ll.CodecTraining(augmentation=ll.Augmentation(noise=0.0, moved=0.5)).augmentation
        Augmentation(noise=0.0, moved=0.5, mixed=0.0)
    """

    noise: float = 0.1
    moved: float = 0.7
    mixed: float = 0.0

    def __post_init__(self) -> None:
        for name in ("noise", "moved"):
            real(name, getattr(self, name), least=0.0)
        real("mixed", self.mixed, least=0.0, most=1.0)


class Batch(NamedTuple):
    """Coordinates z (n, i) and the rows (n,) of `wanted` that are their targets."""

    z: Tensor
    wanted: Wanted
    rows: Tensor


class Examples:
    """Pilots to train on, and at most VALIDATED held back (`held`), as the encoder reads them and the decoder gives them."""

    def __init__(
        self,
        modes: SemanticModes,
        objective: Objective,
        train: Pilots,
        held: Pilots,
        unpaired: Tensor | None,
        augmentation: Augmentation,
        coordinates: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.modes, self.objective, self.augmentation = modes.to(torch.float32), objective, augmentation
        z_train, z_held = (self._coordinates(train.x), self._coordinates(held.x)) if coordinates is None else coordinates
        self.z, self.y = z_train.float(), train.y.float()
        if unpaired is not None:
            z = self._coordinates(unpaired)
            self.z, self.y = torch.cat([self.z, z]), torch.cat([self.y, self.modes.mean_y + z @ self.modes.synthesis.mT])
        self.unit = self.z.std(0, correction=0)
        self._held, self._z_held = held[:VALIDATED], z_held[:VALIDATED].float()
        every = torch.arange(len(modes), device=self.z.device)
        self.select(every, every)

    def _coordinates(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        return self.modes.coefficients(x.float())

    def select(self, inputs: Int[Tensor, "i"], outputs: Int[Tensor, "o"]) -> None:
        """Set the modes that the encoder reads, and those that the decoder gives."""
        self.inputs = inputs
        self.wanted = self.objective.wanted(self.y, self.modes.synthesis[:, outputs], self.modes.mean_y)
        rows = torch.arange(len(self._held), device=self.z.device)
        self.held = Batch(self._z_held[:, inputs], self.wanted.of(self._held.y.float()), rows)

    def calibration(self) -> Calibration:
        """The pilots held back from training, as a codec carries them: as unseen as they are to the networks."""
        y = self._held.y.float() - self.modes.mean_y
        return Calibration(self._z_held, y @ self.modes.synthesis)

    def batch(self, count: int, random: Mapping[str, torch.Generator]) -> Batch:
        """Examples to train on, each pilot at most once; `random` has the generators by `CodecDraw`."""
        rows = torch.randperm(len(self.z), generator=random[CodecDraw.ORDER], device="cpu")[:count].to(self.z.device)
        z, how = self.z[rows], self.augmentation
        drawn, noise = random[CodecDraw.AUGMENTATION], random[CodecDraw.DISTURBANCE]
        disturbed = z + how.noise * self.unit * self._normal(z, noise) if how.noise else z
        if not (how.moved or how.mixed):
            return Batch(disturbed[:, self.inputs], self.wanted, rows)
        partner = rows[torch.randperm(len(rows), generator=drawn, device="cpu").to(rows.device)]
        share = torch.rand(len(rows), 1, generator=drawn, dtype=torch.float32, device="cpu")
        is_mixed = torch.rand(len(rows), 1, generator=drawn, dtype=torch.float32, device="cpu") < how.mixed
        between = (share * is_mixed).to(z)
        size = how.moved * torch.rand(len(rows), 1, generator=drawn, dtype=torch.float32, device="cpu").to(z)
        move = size * self.unit * self._normal(z, noise)
        y = self.y[rows] + between * (self.y[partner] - self.y[rows]) + move @ self.modes.synthesis.mT
        z = disturbed + between * (self.z[partner] - z) + move
        return Batch(z[:, self.inputs], self.wanted.of(y), torch.arange(len(rows), device=z.device))

    def _normal(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)


def draw_bank(source: ChannelSource, count: int, codec: Codec, generator: torch.Generator) -> Streams:
    """The streams (c, S) of channels that a source draws with a generator on the CPU, on the codec's device.

    Channels with more symbols than the codec has are left out; where none of `count` channels is left, more are drawn.

    Raises:
        ValueError: none of many channels fits.
    """
    strength = codec.modes.strength
    fitting: list[Channel] = []
    drawn = 0
    while not fitting and drawn <= LEAST_DRAWN:
        fitting = [channel for channel in source.draw(count, generator) if symbols(channel) <= codec.max_symbols]
        drawn, count = drawn + count, 2 * count
    if not fitting:
        raise ValueError(f"draws must have channels of at most max_symbols = {codec.max_symbols} symbols, got none: raise max_symbols")
    parts = [place_streams(strength, channel.to(strength.device), codec.most)[0] for channel in fitting]
    order = torch.randperm(sum(len(part.amplitude) for part in parts), generator=generator, device="cpu")  # they come by size
    joined = Streams(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Streams)))
    return joined.to(torch.float32)[order.to(strength.device)]


def split(count: int, share: float, seed: int) -> tuple[Int[Tensor, "rest"], Int[Tensor, "held"]]:
    """The numbers of the pilots that are trained on, and of the share that is held back to stop by and to set the gate by."""
    order = torch.randperm(count, generator=CodecDraw.SPLIT.generator(seed), device="cpu")
    held = min(count - 2, max(2, round(share * count)))
    return order[held:], order[:held]
