"""One network for every channel: a codec that contains the exact linear design and is on only where it does better.

A codec is trained once for a pair of devices (`training.py`), from their semantic modes and pilots. For any channel it is then designed as
the exact linear design is: the SVD makes parallel streams of the channel (`streams.py`), the networks get their SNRs as features
(`networks.py`), both ends are the linear design plus what the networks add (`ends.py`), and a gate decides whether they do (`gate.py`).
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import pad

from latentlink.channels.channel import Channel
from latentlink.linear.closed_form import in_precision_of
from latentlink.linear.modes import SemanticModes
from latentlink.linear.per_message import REFITTED
from latentlink.links.link_file import limit_facts, limit_from, taken_out
from latentlink.links.solution import Solution
from latentlink.links.status import Status
from latentlink.neural.codec.calibration import AtBudget, Calibrated, Calibration, linear_energy, linear_mse, measured
from latentlink.neural.codec.ends import Ends
from latentlink.neural.codec.gate import Gate
from latentlink.neural.codec.networks import networks_facts, networks_from
from latentlink.neural.codec.power_fit import PowerFit, power_from
from latentlink.neural.codec.streams import Streams, place_streams
from latentlink.neural.codec.transceiver import CodecTransceiver
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import integer
from latentlink.numerics.parts import named_tensors
from latentlink.numerics.reprs import Summarised, counted
from latentlink.storage.artifacts import Saved, artifact

CODEC = Status(
    "codec", "feasible: the trained codec, which did better than the exact linear design on validation pilots over channels of this kind"
)
LINEAR = Status(
    "linear",
    "feasible: the exact linear design, which the codec did not beat by the required margin on validation pilots over channels of "
    "this kind; training longer, or with more pilots, may help",
)


@artifact("codec")
@dataclass(frozen=True, eq=False, kw_only=True)
class Codec(Summarised, Calibrated, Saved):
    """Networks for every channel of up to `most` real streams (see the module).

    Attributes:
        modes: the k semantic modes that the codec works in, float64; strongest first.
        encoder: the transmitter's network, float32.
        decoder: the receiver's network, float32.
        inputs: modes that the encoder reads (i,), those that the linear design sends first, 0 … min(most, k) − 1.
        outputs: modes that the decoder gives (o,), the same first.
        calibration: latents of pilots that the networks were not trained on, by which powers and errors are estimated.
        gate: which channels are served by the networks.
        limit: the power limit, Mean or PerMessage.
        ceiling: (max_symbols + 1,) strongest amplitude that the networks were trained on, by number of symbols; the features of better
            channels are clipped to it.
        most: number of streams at most.
        power: what the networks spend as a function of the channel; None measures it on the calibration latents, at every channel.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> small = {"modes": 6, "width": 8, "layers": 1, "max_symbols": 4, "rounds": 1, "steps": 5, "bank": (64, 64, 64)}
        >>> fit = ll.CodecTraining(**small).fit(modes, ll.Pilots(x, x[:, :6].tanh()), ll.objectives.Regression(), progress=None)
        >>> fit.codec.design(ll.Channel.from_snr(ll.rayleigh(4, 4, batch=(10,), generator=0), snr_db=20.0)).trace["active"].shape
        torch.Size([10])
    """

    gate: Gate
    power: PowerFit | None = None

    def _facts(self) -> dict[str, str]:
        d, m = self.modes.mean_x.shape[-1], self.modes.mean_y.shape[-1]
        return {
            "latents": f"{d} → {m} dimensions",
            "modes": f"{len(self.inputs)} modes read, {len(self.outputs)} given of {len(self.modes)}",
            "messages": f"up to {counted(self.max_symbols, 'symbol')}",
            "power": repr(self.limit),
            "gate": f"on for {float(self.gate.open.double().mean()):.0%} of kinds of channels",
        }

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
        modes = self.modes
        channel = in_precision_of(modes, channel)
        streams, beams = place_streams(modes.strength, channel, self.most)
        sends = streams.share.sum(-1) > 0
        active = self.gate.of(streams) & sends
        ends, found = self._ends(streams, active)
        link = CodecTransceiver(
            analysis=modes.analysis[self.inputs].float(),
            synthesis=modes.synthesis[:, self.outputs].float(),
            mean_x=modes.mean_x.float(),
            mean_y=modes.mean_y.float(),
            streams=streams.to(torch.float32),
            energy=found.energy,
            beams=beams.to(torch.float32),
            channel=channel.to(torch.float32),
            encoder=self.encoder,
            decoder=self.decoder,
            ends=ends.first(2 * beams.transmit.shape[-1]),
            limit=self.limit,
            ceiling=self.ceiling,
            active=active,
            encoders=modes.encoders,
        )
        off = REFITTED if self.limit.limits_messages else LINEAR
        status = torch.where(active, CODEC.code, off.code)
        return Solution(
            link,
            torch.where(sends, status, Status.NOTHING_TO_SEND.code),
            linear_mse(self, streams) - found.gained,
            found.power.to(streams.share) * channel.power,
            {"active": active, "bits": streams.bits, "stream_power": streams.share * (channel.uses * channel.power).unsqueeze(-1)},
        )

    @torch.no_grad()
    def _ends(self, streams: Streams, active: Bool[Tensor, "*batch"]) -> tuple[Ends, AtBudget]:
        """Both ends at the power budget, with the energies and the error that are expected there."""
        streams, on = streams.to(torch.float32), active.flatten()
        flat = streams.each(lambda value: value.reshape(-1, value.shape[-1]))
        found, rows = self._predicted(flat, on), self._unpredicted(flat, on).nonzero().flatten()
        if len(rows):
            for all_of_them, value in zip(found, measured(self, flat[rows], on[rows]), strict=True):
                all_of_them[rows] = value
        shaped = AtBudget(*(value.reshape((*active.shape, *value.shape[1:])) for value in found))
        ends = Ends.of(self.encoder, self.decoder, streams, active, self.ceiling).scaled(shaped.scale)
        return (replace(ends, direct_rx=shaped.direct_rx) if self.limit.limits_messages else ends), shaped

    def _predicted(self, streams: Streams, on: Bool[Tensor, "c"]) -> AtBudget:
        """The results of the calibration by the fit of the power: exact where the codec is off."""
        budget = linear_energy(self, streams)
        scale, gained = torch.ones_like(budget), torch.zeros_like(budget)
        k = min(self.most, len(self.modes))
        energy = streams.share * pad(self.modes.covariance.diagonal()[:k].to(streams.share), (0, self.most - k))
        if self.power is not None and bool(on.any()):
            spent, better, sent = self.power.predict(self.encoder, streams, self.ceiling)
            sent = sent * ratio(budget, sent.sum(-1)).unsqueeze(-1)
            scale, gained = torch.where(on, spent.rsqrt(), scale), torch.where(on, better, gained)
            energy = torch.where(on.unsqueeze(-1), sent, energy)
        return AtBudget(scale[:, None, None].clone(), streams.gain.unsqueeze(-2).clone(), gained, budget, energy)

    def _unpredicted(self, streams: Streams, on: Bool[Tensor, "c"]) -> Bool[Tensor, "c"]:
        """True for channels whose power has to be measured on the calibration latents."""
        if self.limit.limits_messages:
            return torch.ones_like(on)
        return on if self.power is None else on & ~self.power.covers(streams)

    def with_gate(self, gate: Gate) -> "Codec":
        """The same codec with another gate: it is on for other channels."""
        return replace(self, gate=gate)

    def with_ceiling(self, streams: Streams) -> "Codec":
        """The same codec, which clips the features of channels to the range of those it was trained on (c,)."""
        best = self.ceiling.new_zeros(self.max_symbols + 1).scatter_reduce(0, streams.symbols, streams.amplitude[:, 0], "amax")
        return replace(self, ceiling=torch.where(best > 0, best, torch.inf))

    def named(self, transmitter: str, receiver: str) -> "Codec":
        """The same codec with the encoders' names on record."""
        return replace(self, modes=self.modes.named(transmitter, receiver))

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        modes, facts = self.modes.to_tensors()
        tensors = named_tensors({**vars(self), "modes": modes})
        networks = networks_facts(self.encoder, self.decoder)
        return tensors, {**facts, "max_symbols": self.max_symbols, "networks": networks, **limit_facts(self.limit)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "Codec":
        encoder, decoder = networks_from(tensors, manifest["networks"])
        symbols = integer("max_symbols", manifest["max_symbols"])
        if tensors["ceiling"].shape != (symbols + 1,):
            raise ValueError(f"ceiling must have shape ({symbols + 1},), got {tuple(tensors['ceiling'].shape)}")
        modes = SemanticModes.from_tensors(taken_out(tensors, "modes."), manifest)
        for name, width in (("inputs", encoder.widths[0]), ("outputs", decoder.widths[-1])):
            if tensors[name].shape != (width,) or not bool(((tensors[name] >= 0) & (tensors[name] < len(modes))).all()):
                raise ValueError(f"{name} must be {width} numbers of {len(modes)} modes, got {tensors[name].tolist()}")
        return cls(
            modes=modes,
            encoder=encoder,
            decoder=decoder,
            calibration=Calibration(**taken_out(tensors, "calibration.")),
            gate=Gate(**taken_out(tensors, "gate.")),
            limit=limit_from(tensors, manifest),
            most=2 * symbols,
            power=power_from(tensors, symbols),
            **tensors,
        )
