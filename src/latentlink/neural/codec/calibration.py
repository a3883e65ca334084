"""The calibration of a codec: what its networks spend and gain at a channel, measured on latents of pilots that it carries.

The mean energy of the symbols is brought to that of the linear design, whose symbols for the same latents, of known mean energy, serve as a
control variate. Only pilots that the networks were not trained on may set the power: on pilots of the training they spend some percent
more than on others, so that links would run as much too low.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import parallel_mse
from latentlink.neural.codec.ends import Ends, carry, decode, limit_messages, mean_scale, precode
from latentlink.neural.codec.networks import ModulatedMlp
from latentlink.neural.codec.streams import Streams
from latentlink.neural.seeding import CodecDraw
from latentlink.numerics.division import ratio
from latentlink.numerics.parts import Parts
from latentlink.power import PowerLimit

_ENTRIES = 2**24  # hidden values held at a time


@dataclass(frozen=True, eq=False)
class Calibration(Parts):
    """Latents of pilots that were held back from training, by which powers are set and errors estimated.

    Attributes:
        z: coordinates of all k modes (c, k).
        projected: Ψᵀ(y − μy) (c, k).
    """

    z: Float[Tensor, "c k"]
    projected: Float[Tensor, "c k"]

    def __getitem__(self, rows: slice) -> "Calibration":
        return self.each(lambda value: value[rows])

    @classmethod
    def of(cls, modes: SemanticModes, x: Float[Tensor, "c d"], y: Float[Tensor, "c m"]) -> "Calibration":
        return cls(modes.coefficients(x).float(), ((y.to(modes.synthesis) - modes.mean_y) @ modes.synthesis).float())


class AtBudget(NamedTuple):
    """Results of the calibration at channels (c,), or with one more axis each.

    Attributes:
        scale: κ, which brings the mean energy to the budget (c, 1, 1).
        direct_rx: gains of the linear decoder (c, 1, S).
        gained: by how much the error is below that of the linear design (c,).
        power: mean power relative to the budget (c,).
        energy: E t² of each stream (c, S).
    """

    scale: Tensor
    direct_rx: Tensor
    gained: Tensor
    power: Tensor
    energy: Tensor


@dataclass(frozen=True, eq=False)
class Calibrated(Parts):
    """The part of a codec that its calibration looks at; `Codec` says what each field is."""

    modes: SemanticModes
    encoder: ModulatedMlp
    decoder: ModulatedMlp
    inputs: Int[Tensor, "i"]
    outputs: Int[Tensor, "o"]
    calibration: Calibration
    limit: PowerLimit
    ceiling: Float[Tensor, "s"]
    most: int


def linear_energy(codec: Calibrated, streams: Streams) -> Float[Tensor, "*batch"]:
    """The mean energy of a message of the linear design, relative to u·P."""
    k = min(codec.most, len(codec.modes))
    return streams.share[..., :k] @ codec.modes.covariance.diagonal()[:k].to(streams.share)


def linear_mse(codec: Calibrated, streams: Streams) -> Float[Tensor, "*batch"]:
    """The error that is expected of the linear design."""
    k = min(codec.most, len(codec.modes))
    a, q, gain = (value[..., :k].to(codec.modes.strength) for value in (streams.amplitude, streams.share, streams.gain))
    return parallel_mse(codec.modes, gain * a * torch.where(q > 0, q, 0.0).sqrt(), gain.square())


def measured(codec: Calibrated, streams: Streams, on: Bool[Tensor, "c"]) -> AtBudget:
    """The results of the calibration at channels (c,), of which `on` says where the networks are on; some channels at a time."""
    channels = max(1, _ENTRIES // (max(*codec.encoder.widths, *codec.decoder.widths) * len(codec.calibration.z)))
    chunks = torch.arange(len(on), device=on.device).split(channels)
    parts = [_measured(codec, streams[rows], on[rows]) for rows in chunks]
    return AtBudget(*(torch.cat(values) for values in zip(*parts, strict=True)))


def _measured(codec: Calibrated, streams: Streams, on: Bool[Tensor, "c"]) -> AtBudget:
    ends = Ends.of(codec.encoder, codec.decoder, streams, on, codec.ceiling)
    direct = streams.share.sqrt().unsqueeze(-2) * carry(codec.calibration.z, codec.most)  # what the linear design sends
    budget = linear_energy(codec, streams)
    raw = precode(codec.encoder, ends, codec.calibration.z[:, codec.inputs])
    scale = mean_scale(codec.limit, mean_energy(raw, direct, budget), budget)
    t = limit_messages(codec.limit, raw * scale)
    power, gained = budget, torch.zeros_like(budget)
    if codec.limit.limits_messages:  # then nothing is linear any more, wherever the codec is off
        ends, power = ends.refitted(codec.calibration.z, t, streams), t.square().sum(-1).mean(-1)
    if codec.limit.limits_messages or bool(on.any()):
        gained = _gained(codec, ends, t, direct, streams)
        gained = gained if codec.limit.limits_messages else torch.where(on, gained, 0.0)
    return AtBudget(scale, ends.direct_rx, gained, power, t.square().mean(-2))


def _gained(
    codec: Calibrated, ends: Ends, t: Float[Tensor, "c n S"], direct: Float[Tensor, "c n S"], streams: Streams
) -> Float[Tensor, "c"]:
    """By how much the codec's error is below that of the linear design, whose error on the same latents and noise is a control variate."""
    generator = CodecDraw.CALIBRATION_NOISE.generator(0, device=t.device)
    noise = torch.randn(t.shape[-2:], generator=generator, device=t.device, dtype=t.dtype)
    amplitude, outputs = streams.amplitude.unsqueeze(-2), codec.outputs
    gram, target = codec.modes.gram.float(), codec.calibration.projected

    def change(z: Tensor, modes: Tensor) -> Tensor:
        """||y − ŷ||² − ||y − μy||²."""
        return ((z @ gram[modes][:, modes]) * z).sum(-1) - 2 * (z * target[:, modes]).sum(-1)

    k = min(codec.most, len(codec.modes))
    linear = change((streams.gain.unsqueeze(-2) * (amplitude * direct + noise))[..., :k], outputs[:k])
    known = (linear_mse(codec, streams) - codec.modes.variance).to(linear)
    return known - controlled_mean(change(decode(codec.decoder, ends, amplitude * t + noise), outputs), linear, known)


def mean_energy(raw: Float[Tensor, "c n S"], direct: Float[Tensor, "c n S"], linear: Float[Tensor, "c"]) -> Float[Tensor, "c"]:
    """Mean energy (c,) of n messages; symbols of the linear design for the same latents, of known mean energy, are a control variate."""
    energy = raw.square().sum(-1)
    return torch.maximum(controlled_mean(energy, direct.square().sum(-1), linear), energy.mean(-1) / 2)


def controlled_mean(values: Float[Tensor, "c n"], control: Float[Tensor, "c n"], known: Float[Tensor, "c"]) -> Float[Tensor, "c"]:
    """Mean (c,) of values, less what the mean of a control variate is off from what is known of it, by regression on it."""
    apart = control - control.mean(-1, keepdim=True)
    slope = ratio((apart * values).sum(-1), apart.square().sum(-1))
    return values.mean(-1) - slope * (control.mean(-1) - known)
