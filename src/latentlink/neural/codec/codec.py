"""One network for every channel: a codec that contains the exact linear design and is on only where it does better.

A codec is trained once for a pair of devices (`training.py`), from their semantic modes and pilots. For any channel it is then designed as
the exact linear design is: the SVD makes parallel streams of the channel (`streams.py`), the networks are told their SNRs
(`networks.py`), both ends are the linear design plus what the networks add (`ends.py`), and a gate says whether they do (`gate.py`).
Nothing is trained per channel.
"""

import os
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from latentlink.channels.channel import Channel
from latentlink.linear.exact import check_channel
from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import parallel_mse
from latentlink.linear.per_message import REFITTED
from latentlink.links.solution import Solution, Status
from latentlink.neural.codec.ends import Ends, decode, precode
from latentlink.neural.codec.gate import Gate
from latentlink.neural.codec.networks import ModulatedMlp
from latentlink.neural.codec.power import PowerRule
from latentlink.neural.codec.streams import Beams, Streams, placed
from latentlink.neural.codec.transceiver import CodecTransceiver, moved, networks_facts, networks_from, part, rule_facts, rule_from
from latentlink.numerics.division import ratio
from latentlink.storage.artifacts import artifact, save

_ENTRIES = 2**24  # hidden values held at a time


@dataclass(frozen=True, eq=False)
class Calibration:
    """Latents of some pilots, which tell the mean energy of the symbols at a channel, and the error to expect.

    Attributes:
        z: all k modes' coordinates (c, k). projected: Ψᵀ(y − μy) (c, k).
    """

    z: Float[Tensor, "c k"]
    projected: Float[Tensor, "c k"]

    @classmethod
    def of(cls, modes: SemanticModes, x: Float[Tensor, "c d"], y: Float[Tensor, "c m"]) -> "Calibration":
        """Of these pilots, in float32."""
        return cls(modes.coefficients(x).float(), ((y.to(modes.synthesis) - modes.mean_y) @ modes.synthesis).float())

    def to(self, device: torch.device | str) -> "Calibration":
        """The same on another device."""
        return Calibration(*(getattr(self, f.name).to(device) for f in fields(self)))


@dataclass(frozen=True, eq=False)
class Expected:
    """What to expect of a codec: error mse (…), power (…) relative to the budget, energy E t² of each stream (…, S)."""

    mse: Float[Tensor, "*batch"]
    power: Float[Tensor, "*batch"]
    energy: Float[Tensor, "*batch S"]


@artifact("codec")
@dataclass(frozen=True, eq=False)
class Codec:
    """Networks for every channel of up to `most` real streams (see the module).

    Attributes:
        modes: the k semantic modes that the codec works in, float64; strongest first.
        encoder, decoder: the networks, float32. inputs: modes that the encoder reads (i,). outputs: modes that the decoder gives (o,); both
            begin with the modes that the linear design sends, 0 … min(most, k) − 1.
        calibration: what powers and errors are expected from.
        gate: which channels are served by the networks. rule: what the budget limits.
        ceiling: (max_symbols + 1,) strongest amplitude that the networks were trained on, by number of symbols; they hear of none above.
        most: streams.
    """

    modes: SemanticModes
    encoder: ModulatedMlp
    decoder: ModulatedMlp
    inputs: Int[Tensor, "i"]
    outputs: Int[Tensor, "o"]
    calibration: Calibration
    gate: Gate
    rule: PowerRule
    ceiling: Float[Tensor, "s"]
    most: int

    @property
    def max_symbols(self) -> int:
        """Complex symbols that a message may take."""
        return self.most // 2

    def design(self, channel: Channel) -> Solution[CodecTransceiver]:
        """Both ends for every channel of the batch at once; nothing is trained.

        Where the codec is off and only the mean power is limited, this is the exact linear design. Where single messages are limited, it is
        that design with its messages limited and its decoder refitted to them, stream by stream.

        Args:
            channel: channels (…, u, n_rx, n_tx) with u · min(n_rx, n_tx) ≤ `max_symbols`, on the codec's device. Where they are known up to
                an error only, that error counts as noise, fresh in each use: exact for one use (`ClosedForm` knows better for several).

        Returns:
            Solution with a `CodecTransceiver`. Status CODEC or LINEAR (REFITTED) says which part is active, so does `trace["active"]` (…).
            Expected values are the linear design's under the pilots' moments, and by how much the codec differs on the calibration pilots.

        Raises:
            ValueError: the channel is of another type, on another device, or has too many symbols.
        """
        channel = check_channel(self.modes, channel)
        streams, beams = placed(self.modes.strength, channel, self.most)
        sends = streams.share.sum(-1) > 0
        active = self.gate.of(streams) & sends
        ends, expected = self._ends(streams, active)
        count = 2 * beams.transmit.shape[-1]
        off = REFITTED if self.rule.limits_messages else Status.LINEAR
        status = torch.where(active, Status.CODEC.code, off.code)
        return Solution(
            replace(self._link(channel, (streams, beams), ends.first(count), active), energy=expected.energy),
            torch.where(sends, status, Status.NOTHING_TO_SEND.code),
            expected.mse,
            expected.power * channel.power,
            {"active": active, "bits": streams.bits, "stream_power": streams.share * (channel.uses * channel.power).unsqueeze(-1)},
        )

    def _link(self, channel: Channel, at: tuple[Streams, Beams], ends: Ends, active: Bool[Tensor, "*batch"]) -> CodecTransceiver:
        modes = self.modes
        return CodecTransceiver(
            analysis=modes.analysis[self.inputs].float(),
            synthesis=modes.synthesis[:, self.outputs].float(),
            mean_x=modes.mean_x.float(),
            mean_y=modes.mean_y.float(),
            streams=at[0].to(torch.float32),
            energy=at[0].share.float(),
            beams=at[1].to(torch.float32),
            channel=channel.to(torch.float32),
            encoder=self.encoder,
            decoder=self.decoder,
            ends=ends,
            rule=self.rule,
            ceiling=self.ceiling,
            active=active,
            encoders=modes.encoders,
        )

    @torch.no_grad()
    def _ends(self, streams: Streams, active: Bool[Tensor, "*batch"]) -> tuple[Ends, Expected]:
        """Both ends at the power budget, and what to expect of them."""
        flat, on = streams.to(torch.float32).reshape(-1), active.reshape(-1)
        chunks = torch.arange(len(on), device=on.device).split(self._chunk())
        parts = [self._at_budget(flat[rows], on[rows]) for rows in chunks]
        ends = Ends.of(self.encoder, self.decoder, streams.to(torch.float32), active, self.ceiling)
        if not len(on):
            return ends, Expected(streams.share.sum(-1), streams.share.sum(-1), streams.share.float())
        scale, direct_rx = (torch.cat([part[i] for part in parts]) for i in (0, 1))
        ends = replace(ends.scaled(scale.reshape(*active.shape, 1, 1)), direct_rx=direct_rx.reshape(ends.direct_rx.shape))
        gained, power, energy = (torch.cat([part[i] for part in parts]) for i in (2, 3, 4))
        mse = self._linear_mse(streams) - gained.reshape(active.shape)
        return ends, Expected(mse, power.reshape(active.shape).to(mse), energy.reshape(streams.share.shape))

    def _at_budget(self, streams: Streams, on: Bool[Tensor, "c"]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Of some channels (c,): κ, the linear decoder, the error gained on the linear design's, the power, the energy of each stream."""
        ends, direct = Ends.of(self.encoder, self.decoder, streams, on, self.ceiling), self._direct(streams)
        budget = self._linear_energy(streams)
        raw = precode(self.encoder, ends, self.calibration.z[:, self.inputs])
        scale = self.rule.scale(_energy(raw, direct, budget), budget)
        t = self.rule.limit(raw * scale)
        power, gained = budget, torch.zeros_like(budget)
        if self.rule.limits_messages:  # then nothing is linear any more, wherever the codec is off
            ends, power = ends.refitted(self.calibration.z, t, streams), t.square().sum(-1).mean(-1)
        if self.rule.limits_messages or bool(on.any()):
            gained = self._gained(ends, t, direct, streams)
            gained = gained if self.rule.limits_messages else torch.where(on, gained, 0.0)
        return scale, ends.direct_rx, gained, power, t.square().mean(-2)

    def _direct(self, streams: Streams) -> Float[Tensor, "c n S"]:
        """What the linear design sends of the calibration latents."""
        z = self.calibration.z[:, : self.most]
        return streams.share.sqrt().unsqueeze(-2) * pad(z, (0, self.most - z.shape[-1]))

    def _linear_energy(self, streams: Streams) -> Float[Tensor, "*batch"]:
        """Mean energy of the linear design under the pilots' moments, relative to the budget."""
        k = min(self.most, len(self.modes))
        energy: Tensor = streams.share[..., :k] @ self.modes.covariance.diagonal()[:k].to(streams.share)
        return energy

    def _linear_mse(self, streams: Streams) -> Float[Tensor, "*batch"]:
        """The exact design's error under the pilots' moments."""
        k = min(self.most, len(self.modes))
        a, q, gain = (value[..., :k] for value in (streams.amplitude, streams.share, streams.gain))
        root = torch.where(q > 0, q, 0.0).sqrt()
        return parallel_mse(self.modes, gain * a * root, gain.square())

    def _gained(self, ends: Ends, t: Float[Tensor, "c n S"], direct: Float[Tensor, "c n S"], streams: Streams) -> Float[Tensor, "c"]:
        """By how much the codec's error on the calibration latents is below the linear design's, with the same draw of noise."""
        generator = torch.Generator(t.device).manual_seed(0)
        noise = torch.randn(t.shape[-2:], generator=generator, device=t.device)
        amplitude, outputs = streams.amplitude.unsqueeze(-2), self.outputs
        gram, target = self.modes.gram.float(), self.calibration.projected

        def change(z: Tensor, modes: Tensor) -> Tensor:
            """||y − ŷ||² − ||y − μy||²."""
            found: Tensor = ((z @ gram[modes][:, modes]) * z).sum(-1) - 2 * (z * target[:, modes]).sum(-1)
            return found

        k = min(self.most, len(self.modes))
        linear = change((streams.gain.unsqueeze(-2) * (amplitude * direct + noise))[..., :k], outputs[:k])
        return (linear - change(decode(self.decoder, ends, amplitude * t + noise), outputs)).mean(-1)

    def _chunk(self) -> int:
        """Channels at a time."""
        widest = max(*self.encoder.widths, *self.decoder.widths)
        return max(1, _ENTRIES // (widest * len(self.calibration.z)))

    def gated(self, gate: Gate) -> "Codec":
        """The same codec on for other channels."""
        return replace(self, gate=gate)

    def familiar(self, streams: Streams) -> "Codec":
        """The same codec, whose networks know channels as good as these (c,) and take better ones for such."""
        best = self.ceiling.new_zeros(self.max_symbols + 1).scatter_reduce(0, streams.symbols, streams.amplitude[:, 0], "amax")
        return replace(self, ceiling=torch.where(best > 0, best, torch.inf))

    def named(self, transmitter: str, receiver: str) -> "Codec":
        """The same codec with the encoders' names on record."""
        return replace(self, modes=self.modes.named(transmitter, receiver))

    def to(self, device: torch.device | str) -> "Codec":
        """The same codec on another device."""
        changed: dict[str, Any] = {
            name: getattr(self, name).to(device) for name in ("modes", "inputs", "outputs", "calibration", "ceiling")
        }
        return replace(self, **changed, encoder=moved(self.encoder, device), decoder=moved(self.decoder, device))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the codec atomically; `latentlink.load` reads it back."""
        save("codec", self, path)

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and facts of the saved file."""
        modes, facts = self.modes.to_tensors()
        tensors = {f"modes.{name}": value for name, value in modes.items()}
        for end, network in (("encoder", self.encoder), ("decoder", self.decoder)):
            tensors |= {f"{end}.{name}": value for name, value in network.state_dict().items()}
        tensors |= {f"calibration.{f.name}": getattr(self.calibration, f.name) for f in fields(Calibration)}
        tensors |= {"inputs": self.inputs, "outputs": self.outputs, "gate": self.gate.open, "ceiling": self.ceiling}
        networks = networks_facts(self.encoder, self.decoder)
        return tensors, {**facts, "max_symbols": self.max_symbols, "networks": networks, **rule_facts(self.rule)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "Codec":
        """The codec of a saved file."""
        modes = SemanticModes.from_tensors(part(tensors, "modes."), manifest)
        encoder, decoder = networks_from(tensors, manifest["networks"])
        return cls(
            modes, encoder, decoder, **{name: tensors[name] for name in ("inputs", "outputs", "ceiling")}, gate=Gate(tensors["gate"]),
            calibration=Calibration(**part(tensors, "calibration.")), rule=rule_from(manifest), most=2 * manifest["max_symbols"],
        )  # fmt: skip


def _energy(raw: Float[Tensor, "c n S"], direct: Float[Tensor, "c n S"], linear: Float[Tensor, "c"]) -> Float[Tensor, "c"]:
    """Mean energy (c,) of messages of which n are at hand, the linear design's mean energy being known: that serves as control variate."""
    e, f = raw.square().sum(-1), direct.square().sum(-1)
    apart = f - f.mean(-1, keepdim=True)
    slope = ratio((apart * e).sum(-1), apart.square().sum(-1))
    mean = e.mean(-1)
    return torch.maximum(mean - slope * (f.mean(-1) - linear), mean / 2)
