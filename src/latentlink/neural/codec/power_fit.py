"""The power of a codec as a function of the channel, so that no latents have to pass the networks when a channel is designed for.

The mean energy E‖raw‖² of what the encoder sends before it is scaled, relative to that of the linear design, is smooth in what the
encoder's reader makes of the channel's features. With u the outputs of that reader, a ridge regression on [u, u²], standardised, predicts

    log( E‖raw‖² / E‖linear‖² ),        E t_i² of every stream,        the error of the codec below that of the linear design,

fitted on channels like those of the training and on pilots that the networks were not trained on. The scale is then κ² = E‖linear‖² /
E‖raw‖². Channels beyond those that it was fitted to (in bits, for their number of symbols) are left to the latents that the codec carries.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentlink.links.link_file import taken_out
from latentlink.neural.codec.networks import ModulatedMlp
from latentlink.neural.codec.streams import Streams
from latentlink.numerics.parts import Parts

RIDGE = 1e-6  # relative to standardised regressors: what is fitted has no noise but rounding
_NOTHING = 1e30  # scale of a regressor that does not vary
LEAST_CHANNELS = 256  # fewer make no fit: its error would be several percent


@dataclass(frozen=True, eq=False)
class PowerFit(Parts):
    """The regression of the module; its outputs are the log energy, the error gained, and the energy of each stream.

    Attributes:
        mean: means of the regressors (2 f,).
        scale: standard deviations of the regressors (2 f,).
        weight: of the standardised regressors and of 1 (2 f + 1, 2 + S).
        least: fewest bits of a message that it was fitted to, by number of symbols (max_symbols + 1,); 0 where there was no channel.
        most: most bits likewise; −1 where there was no channel.
    """

    mean: Float[Tensor, "f2"]
    scale: Float[Tensor, "f2"]
    weight: Float[Tensor, "f21 o"]
    least: Float[Tensor, "s"]
    most: Float[Tensor, "s"]

    @classmethod
    def of(
        cls,
        encoder: ModulatedMlp,
        streams: Streams,
        ceiling: Float[Tensor, "s"],
        log_energy: Float[Tensor, "c"],
        gained: Float[Tensor, "c"],
        energy: Float[Tensor, "c S"],
    ) -> "PowerFit":
        """Fit to channels (c,) whose energies were computed from latents."""
        x = regressors(encoder, streams, ceiling)
        mean, deviation = x.mean(0), x.std(0, correction=0)
        scale = torch.where(deviation > 1e-6 * deviation.amax(), deviation, _NOTHING)
        x = (x - mean) / scale
        wanted = torch.cat([log_energy.unsqueeze(-1), gained.unsqueeze(-1), energy], -1).double()
        level = wanted.mean(0)
        gram = x.mT @ x / len(x) + RIDGE * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
        weight = torch.linalg.solve(gram, x.mT @ (wanted - level) / len(x))
        symbols, bits = streams.symbols, streams.bits.double()
        none = torch.full((len(ceiling),), -1.0, dtype=bits.dtype, device=bits.device)
        most = none.scatter_reduce(0, symbols, bits, "amax")
        least = torch.zeros_like(none).scatter_reduce(0, symbols, bits, "amin", include_self=False)
        return cls(*(value.float() for value in (mean, scale, torch.cat([weight, level.unsqueeze(0)]), least, most)))

    def covers(self, streams: Streams) -> Bool[Tensor, "*batch"]:
        """True for the channels that lie among those that it was fitted to."""
        symbols, bits = streams.symbols, streams.bits
        return (bits >= self.least[symbols]) & (bits <= self.most[symbols])

    def predict(
        self, encoder: ModulatedMlp, streams: Streams, ceiling: Float[Tensor, "s"]
    ) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"], Float[Tensor, "*batch S"]]:
        """Predict the energy of what is sent relative to that of the linear design, the error gained, and the energies of the streams."""
        x = (regressors(encoder, streams, ceiling) - self.mean.double()) / self.scale.double()
        found = (x @ self.weight[:-1].double() + self.weight[-1].double()).float()
        return found[..., 0].exp(), found[..., 1], found[..., 2:].clamp(min=0) * streams.alive.float()


def regressors(encoder: ModulatedMlp, streams: Streams, ceiling: Float[Tensor, "s"]) -> Float[Tensor, "*batch f2"]:
    """What the encoder's reader makes of channels, and its squares (…, 2 f), in float64."""
    u = encoder.reader(streams.features(ceiling)).double()
    return torch.cat([u, u.square()], -1)


def power_from(tensors: dict[str, Tensor], symbols: int) -> PowerFit | None:
    """The fit of a saved codec, whose tensors are removed from `tensors`, or None where it has none."""
    taken = taken_out(tensors, "power.")
    if not taken:
        return None
    fit = PowerFit(**taken)
    shapes = {"scale": fit.mean.shape, "weight": (len(fit.mean) + 1, 2 + 2 * symbols), "least": (symbols + 1,), "most": (symbols + 1,)}
    for name, shape in shapes.items():
        if getattr(fit, name).shape != shape:
            raise ValueError(f"power.{name} must have shape {tuple(shape)}, got {tuple(getattr(fit, name).shape)}")
    return fit
