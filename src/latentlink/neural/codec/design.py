"""One network for every channel: a codec that contains the exact linear design and is on only where it does better.

A codec is trained once for a pair of devices (`training.py`), from their semantic modes and pilots. For any channel it is then designed as
the exact linear design is: the SVD makes parallel streams of the channel (`streams.py`), the networks get their SNRs as features
(`networks.py`), both ends are the linear design plus what the networks add (`ends.py`), and a gate decides whether they do (`gate.py`).
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
from latentlink.linear.closed_form import REFITTED, check_channel
from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import parallel_mse
from latentlink.links.solution import Solution, Status
from latentlink.neural.codec.calibration import AtBudget, Calibration, mean_energy
from latentlink.neural.codec.ends import Ends, decode, precode
from latentlink.neural.codec.gate import Gate
from latentlink.neural.codec.networks import ModulatedMlp, move_network, networks_facts, networks_from, networks_tensors, part
from latentlink.neural.codec.power import limit_facts, limit_from, limit_messages, mean_scale
from latentlink.neural.codec.streams import Beams, Streams, placed
from latentlink.neural.codec.transceiver import CodecTransceiver
from latentlink.power import PowerLimit
from latentlink.storage.artifacts import artifact, save

_ENTRIES = 2**24  # hidden values held at a time

CODEC = Status(
    "codec", "feasible: the trained codec, which did better than the exact linear design on validation pilots over channels of this kind"
)
LINEAR = Status(
    "linear",
    "feasible: the exact linear design, which the codec did not beat by the required margin on validation pilots over channels of "
    "this kind; training longer, or with more pilots, may help",
)


@artifact("codec")
@dataclass(frozen=True, eq=False)
class Codec:
    """Networks for every channel of up to `most` real streams (see the module).

    Attributes:
        modes: the k semantic modes that the codec works in, float64; strongest first.
        encoder: the transmitter's network, float32.
        decoder: the receiver's network, float32.
        inputs: modes that the encoder reads (i,), those that the linear design sends first, 0 … min(most, k) − 1.
        outputs: modes that the decoder gives (o,), the same first.
        calibration: latents by which powers and errors are estimated.
        gate: which channels are served by the networks.
        limit: the power limit, Mean or PerMessage.
        ceiling: (max_symbols + 1,) strongest amplitude that the networks were trained on, by number of symbols; the features of better
            channels are clipped to it.
        most: number of streams at most.
    """

    modes: SemanticModes
    encoder: ModulatedMlp
    decoder: ModulatedMlp
    inputs: Int[Tensor, "i"]
    outputs: Int[Tensor, "o"]
    calibration: Calibration
    gate: Gate
    limit: PowerLimit
    ceiling: Float[Tensor, "s"]
    most: int

    @property
    def max_symbols(self) -> int:
        """Number of complex symbols that a message may take."""
        return self.most // 2

    def design(self, channel: Channel) -> Solution[CodecTransceiver]:
        """Both ends for every channel of the batch at once; nothing is trained.

        Where the codec is off and only the mean power is limited, this is the exact linear design. Where single messages are limited, it is
        that design with limited messages and a decoder that is refitted to them, stream by stream.

        Args:
            channel: channels (…, u, n_rx, n_tx) with u · min(n_rx, n_tx) ≤ `max_symbols`, on the codec's device. Where they are known up to
                an error only, that error counts as noise, fresh in each use: exact for one use (`ClosedForm` does better for several).

        Returns:
            Solution with a `CodecTransceiver`. The status, CODEC or LINEAR (REFITTED where messages are limited), says which part is
            active, and so does `trace["active"]` (…); `trace["bits"]` (…) is what a message of Gaussian streams of equal power would
            carry, `trace["stream_power"]` (…, S) the linear design's power of each stream. Expected values are the linear design's under
            the pilots' moments plus the difference that the codec makes on the calibration pilots.

        Raises:
            ValueError: the channel is of another type, on another device, or has too many symbols.
        """
        channel = check_channel(self.modes, channel)
        streams, beams = placed(self.modes.strength, channel, self.most)
        sends = streams.share.sum(-1) > 0
        active = self.gate.of(streams) & sends
        ends, found = self._ends(streams, active)
        count = 2 * beams.transmit.shape[-1]
        off = REFITTED if self.limit.limits_messages else LINEAR
        status = torch.where(active, CODEC.code, off.code)
        return Solution(
            replace(self._link(channel, streams, beams, ends.first(count), active), energy=found.energy),
            torch.where(sends, status, Status.NOTHING_TO_SEND.code),
            self._linear_mse(streams) - found.gained,
            found.power.to(streams.share) * channel.power,
            {"active": active, "bits": streams.bits, "stream_power": streams.share * (channel.uses * channel.power).unsqueeze(-1)},
        )

    def _link(self, channel: Channel, streams: Streams, beams: Beams, ends: Ends, active: Bool[Tensor, "*batch"]) -> CodecTransceiver:
        modes = self.modes
        return CodecTransceiver(
            analysis=modes.analysis[self.inputs].float(),
            synthesis=modes.synthesis[:, self.outputs].float(),
            mean_x=modes.mean_x.float(),
            mean_y=modes.mean_y.float(),
            streams=streams.to(torch.float32),
            energy=streams.share.float(),
            beams=beams.to(torch.float32),
            channel=channel.to(torch.float32),
            encoder=self.encoder,
            decoder=self.decoder,
            ends=ends,
            limit=self.limit,
            ceiling=self.ceiling,
            active=active,
            encoders=modes.encoders,
        )

    @torch.no_grad()
    def _ends(self, streams: Streams, active: Bool[Tensor, "*batch"]) -> tuple[Ends, AtBudget]:
        """Both ends at the power budget, and what calibration finds of them."""
        flat, on = streams.to(torch.float32).reshape(-1), active.reshape(-1)
        chunks = torch.arange(len(on), device=on.device).split(self._chunk())
        found = AtBudget.cat([self._at_budget(flat[rows], on[rows]) for rows in chunks])
        batch = active.shape
        found = AtBudget(*(value.reshape((*batch, *value.shape[1:])) for value in found))
        ends = Ends.of(self.encoder, self.decoder, streams.to(torch.float32), active, self.ceiling)
        return replace(ends.scaled(found.scale), direct_rx=found.direct_rx), found

    def _at_budget(self, streams: Streams, on: Bool[Tensor, "c"]) -> AtBudget:
        """What calibration finds for some channels (c,)."""
        ends, direct = Ends.of(self.encoder, self.decoder, streams, on, self.ceiling), self._direct(streams)
        budget = self._linear_energy(streams)
        raw = precode(self.encoder, ends, self.calibration.z[:, self.inputs])
        scale = mean_scale(self.limit, mean_energy(raw, direct, budget), budget)
        t = limit_messages(self.limit, raw * scale)
        power, gained = budget, torch.zeros_like(budget)
        if self.limit.limits_messages:  # then nothing is linear any more, wherever the codec is off
            ends, power = ends.refitted(self.calibration.z, t, streams), t.square().sum(-1).mean(-1)
        if self.limit.limits_messages or bool(on.any()):
            gained = self._gained(ends, t, direct, streams)
            gained = gained if self.limit.limits_messages else torch.where(on, gained, 0.0)
        return AtBudget(scale, ends.direct_rx, gained, power, t.square().mean(-2))

    def _direct(self, streams: Streams) -> Float[Tensor, "c n S"]:
        """Symbols that the linear design sends of the calibration latents."""
        z = self.calibration.z[:, : self.most]
        return streams.share.sqrt().unsqueeze(-2) * pad(z, (0, self.most - z.shape[-1]))

    def _linear_energy(self, streams: Streams) -> Float[Tensor, "*batch"]:
        """Mean energy of the linear design under the pilots' moments, relative to the budget."""
        k = min(self.most, len(self.modes))
        energy: Tensor = streams.share[..., :k] @ self.modes.covariance.diagonal()[:k].to(streams.share)
        return energy

    def _linear_mse(self, streams: Streams) -> Float[Tensor, "*batch"]:
        """Error of the exact linear design under the pilots' moments."""
        k = min(self.most, len(self.modes))
        a, q, gain = (value[..., :k] for value in (streams.amplitude, streams.share, streams.gain))
        root = torch.where(q > 0, q, 0.0).sqrt()
        return parallel_mse(self.modes, gain * a * root, gain.square())

    def _gained(self, ends: Ends, t: Float[Tensor, "c n S"], direct: Float[Tensor, "c n S"], streams: Streams) -> Float[Tensor, "c"]:
        """By how much the codec's error on the calibration latents is below that of the linear design, with the same draw of noise."""
        generator = torch.Generator(t.device).manual_seed(0)
        noise = torch.randn(t.shape[-2:], generator=generator, device=t.device, dtype=t.dtype)
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
        """Number of channels at a time."""
        widest = max(*self.encoder.widths, *self.decoder.widths)
        return max(1, _ENTRIES // (widest * len(self.calibration.z)))

    def gated(self, gate: Gate) -> "Codec":
        """The same codec with another gate: it is on for other channels."""
        return replace(self, gate=gate)

    def with_ceiling(self, streams: Streams) -> "Codec":
        """The same codec, which clips the features of channels to the range of those it was trained on (c,)."""
        best = self.ceiling.new_zeros(self.max_symbols + 1).scatter_reduce(0, streams.symbols, streams.amplitude[:, 0], "amax")
        return replace(self, ceiling=torch.where(best > 0, best, torch.inf))

    def named(self, transmitter: str, receiver: str) -> "Codec":
        """The same codec with the encoders' names on record."""
        return replace(self, modes=self.modes.named(transmitter, receiver))

    def to(self, device: torch.device | str) -> "Codec":
        """The same codec on another device."""
        moved: dict[str, Any] = {name: getattr(self, name).to(device) for name in ("modes", "inputs", "outputs", "calibration", "ceiling")}
        return replace(self, **moved, encoder=move_network(self.encoder, device), decoder=move_network(self.decoder, device))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the codec atomically; `latentlink.load` reads it back."""
        save("codec", self, path)

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and facts of the saved file."""
        modes, facts = self.modes.to_tensors()
        tensors = {f"modes.{name}": value for name, value in modes.items()}
        tensors |= networks_tensors(self.encoder, self.decoder)
        tensors |= {f"calibration.{f.name}": getattr(self.calibration, f.name) for f in fields(Calibration)}
        tensors |= {"inputs": self.inputs, "outputs": self.outputs, "gate": self.gate.open, "ceiling": self.ceiling}
        networks = networks_facts(self.encoder, self.decoder)
        return tensors, {**facts, "max_symbols": self.max_symbols, "networks": networks, **limit_facts(self.limit)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "Codec":
        """The codec of a saved file."""
        modes = SemanticModes.from_tensors(part(tensors, "modes."), manifest)
        encoder, decoder = networks_from(tensors, manifest["networks"])
        return cls(
            modes, encoder, decoder, **{name: tensors[name] for name in ("inputs", "outputs", "ceiling")}, gate=Gate(tensors["gate"]),
            calibration=Calibration(**part(tensors, "calibration.")), limit=limit_from(manifest), most=2 * manifest["max_symbols"],
        )  # fmt: skip
