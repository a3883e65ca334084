"""The digital transceiver: latents to payloads, payloads to blocks, and back; a block whose checksum fails gives the mean.

The receiver decodes what it receives and knows nothing else: streams, bit log-likelihood ratios, belief propagation, checksum, codewords
and range decoder, in that order.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Complex, Float
from numpy.typing import NDArray
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.digital.coding.block import Beams, Block
from latentlink.digital.source.latent_code import Coordinates, LatentCode
from latentlink.links.base import BaseTransceiver
from latentlink.links.operations import COMPLEX_WEIGHT, REAL_WEIGHT, OperationCount
from latentlink.numerics.doors import finite


@dataclass(frozen=True, eq=False, repr=False)
class DigitalTransceiver(BaseTransceiver):
    """A digital link for a batch `...` of channels (see the module).

    Attributes:
        code: payloads of latents. coordinates: the coefficients that a payload can reach, in the precision of what comes out.
        channel: designed for. beams: of each channel of the flat batch. blocks: its block, None where nothing is sent.
    """

    code: LatentCode
    coordinates: Coordinates
    channel: Channel
    beams: tuple[Beams, ...]
    blocks: tuple[Block | None, ...]

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...`: one block for each channel."""
        return self.channel.batch

    @property
    def mean_y(self) -> Float[Tensor, "m"]:
        """μy (m,)."""
        return self.coordinates.mean_y

    @property
    def synthesis(self) -> Float[Tensor, "m s"]:
        """Ψ (m, s)."""
        return self.coordinates.synthesis

    @property
    def message_bits(self) -> Float[Tensor, "*batch"]:
        """Payload bits of a message (…), header and indices included, checksum not."""
        return self._each([0.0 if block is None else float(block.payload) for block in self.blocks])

    @property
    def block_error(self) -> Float[Tensor, "*batch"]:
        """Predicted probability (…) of losing a block, NaN where none is sent."""
        return self._each([torch.nan if block is None else block.error for block in self.blocks])

    @property
    def flops(self) -> OperationCount:
        """Of one message: transform, beams, synthesis, by dense matrices. Quantisers, entropy coder and LDPC code, which mostly compare,
        look up and add bits, are not counted: see their latency."""
        beams = COMPLEX_WEIGHT * self.channel.uses * min(self.channel.n_rx, self.channel.n_tx)
        k = len(self.coordinates.weight)
        encode = REAL_WEIGHT * k * len(self.coordinates.mean_x) + beams * self.channel.n_tx
        return OperationCount(encode, beams * self.channel.n_rx + REAL_WEIGHT * k * len(self.mean_y))

    scalable = True

    def measured(self, x: Tensor, send: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Payload bits of a message, and the share of blocks that are lost (…)."""
        return {"message_bits": self.message_bits, "block_error": self.lost(x, send(self.encode(x)))}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Refused so far."""
        raise ValueError("a digital link cannot be saved yet")

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "DigitalTransceiver":
        """The same blocks at powers times a factor (…), known at both ends: a transmitter's gain control."""
        factors = factor.expand(self.batch).flatten().tolist()
        return replace(self, blocks=tuple(b if b is None else b.scaled(f) for b, f in zip(self.blocks, factors, strict=True)))

    def encode(self, x: Tensor | NDArray[Any]) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d).

        Raises:
            ValueError: x is complex or not finite, its last dimension is not d, it has no message axis, or its batch does not fit.
        """
        c, batch, parts = *self.messages(x), []
        payloads = Payloads(self.code, c)
        for number, _, block, beams in self.members(batch):
            parts.append(self.sent(payloads, number, block, beams))
        u, t = self.channel.uses, self.channel.n_tx
        return torch.stack(parts).reshape(*batch, -1, u, t) if parts else torch.zeros(*batch, c.shape[-2], u, t, dtype=self.channel.h.dtype)

    def receive(self, r: Tensor | NDArray[Any]) -> Float[Tensor, "*batch n s"]:
        """Coefficients ẑ (…, n, s), zero for lost blocks, of received symbols r (…, n, u, n_rx).

        Raises:
            ValueError: r is not complex or not finite, its uses or antennas differ, or its batch does not fit.
        """
        r, batch = self.received(r)
        parts = []
        for number, _, block, beams in self.members(batch):
            if block is None:
                parts.append(self.coordinates.weight.new_zeros(r.shape[1], len(self.coordinates.weight)))
                continue
            bits, holds = block.read(beams.heard(r[number]), beams.amplitude.double().flatten())
            parts.append(self.coefficients(bits, holds))
        return torch.stack(parts).reshape(*batch, r.shape[1], -1)

    def lost(self, x: Tensor | NDArray[Any], r: Tensor | NDArray[Any]) -> Float[Tensor, "*batch"]:
        """Measured share (…) of messages x (…, n, d) whose payload is not read right from r (…, n, u, n_rx); 1 where nothing is sent.

        Raises:
            ValueError: as `encode` and `receive`.
        """
        c, _ = self.messages(x)
        r, batch = self.received(r)
        payloads, shares = Payloads(self.code, c.expand(*batch, -1, -1) if c.ndim > 2 else c), []
        for number, _, block, beams in self.members(batch):
            if block is None:
                shares.append(1.0)
                continue
            bits, holds = block.read(beams.heard(r[number]), beams.amplitude.double().flatten())
            wrong = (bits != payloads.of(number, block)).any(-1) | ~holds
            shares.append(float(wrong.double().mean()))
        return torch.tensor(shares, dtype=self.coordinates.weight.dtype, device=r.device).reshape(batch)

    def to(self, target: torch.device | torch.dtype | str) -> "DigitalTransceiver":
        """The same transceiver in float32 or float64: of transform, symbols and latents; bits are bits."""
        channel = self.channel.to(target)
        beams = tuple(Beams(*(_moved(value, target) for value in (b.transmit, b.receive, b.amplitude))) for b in self.beams)
        return replace(self, coordinates=self.coordinates.to(target), channel=channel, beams=beams)

    def sent(self, payloads: "Payloads", number: int, block: Block | None, beams: Beams) -> Complex[Tensor, "n u t"]:
        """Symbols (n, u, n_tx) of a channel of the flat batch."""
        if block is None:
            return beams.transmit.new_zeros(payloads.count, self.channel.uses, self.channel.n_tx)
        return beams.leave(block.symbols(payloads.coded(number, block)))

    def coefficients(self, bits: Tensor, holds: Tensor) -> Float[Tensor, "n s"]:
        """ẑ (n, s) of payloads (n, B), zero where the checksum does not hold."""
        weight = self.coordinates.weight
        c = self.code.decode(bits)[:, : len(weight)].to(weight)
        return torch.where(holds.unsqueeze(-1), c / weight, 0.0)

    def messages(self, x: Tensor | NDArray[Any]) -> tuple[Float[Tensor, "*a n k"], torch.Size]:
        """Weighted coefficients of latents, and the batch over which they are sent."""
        x = finite("x", x)
        c = self.code.coordinates.weighted(x)
        try:
            return c, torch.broadcast_shapes(self.batch, c.shape[:-2])
        except RuntimeError as error:
            raise ValueError(f"x must have shape (n, d) or the batch {tuple(self.batch)} before it, got {tuple(x.shape)}") from error

    def received(self, r: Tensor | NDArray[Any]) -> tuple[Complex[Tensor, "c n u r"], torch.Size]:
        """Received symbols of a flat batch, and the batch."""
        r = finite("r", r)
        u, n_rx = self.channel.uses, self.channel.n_rx
        if not r.is_complex() or r.ndim < 3 or r.shape[-2:] != (u, n_rx):
            raise ValueError(f"r must be complex of shape (..., n, {u}, {n_rx}), got {r.dtype} {tuple(r.shape)}")
        try:
            batch = torch.broadcast_shapes(self.batch, r.shape[:-3])
        except RuntimeError as error:
            raise ValueError(f"r must have the batch {tuple(self.batch)}, got {tuple(r.shape)}") from error
        return r.expand(*batch, *r.shape[-3:]).reshape(-1, *r.shape[-3:]), batch

    def members(self, batch: torch.Size) -> Iterator[tuple[int, int, Block | None, Beams]]:
        """Number in the flat batch, number among the link's own channels, block and beams of each channel of a batch."""
        own = torch.arange(self.batch.numel()).reshape(self.batch).expand(batch).flatten().tolist()
        return ((number, i, self.blocks[i], self.beams[i]) for number, i in enumerate(own))

    def _each(self, values: list[float]) -> Float[Tensor, "*batch"]:
        weight = self.coordinates.weight
        return torch.tensor(values, dtype=weight.dtype, device=weight.device).reshape(self.batch)


class Payloads:
    """Payloads of messages (n, k), or of others for each channel (…, n, k); each made once."""

    def __init__(self, code: LatentCode, c: Float[Tensor, "*a n k"]) -> None:
        self._code, self.count, self._shared = code, c.shape[-2], c.ndim == 2
        self._c = c.reshape(-1, *c.shape[-2:])
        self._made: dict[tuple[int, int], Tensor] = {}
        self._in_code: dict[tuple[int, int, int], Tensor] = {}

    def of(self, number: int, block: Block) -> Tensor:
        """Payloads (n, B) for a channel of the flat batch."""
        number = 0 if self._shared else number
        key = (number, block.payload)
        if key not in self._made:
            self._made[key] = self._code.encode(self._c[number], block.payload)
        return self._made[key]

    def coded(self, number: int, block: Block) -> Tensor:
        """What a block makes of them (n, slots)."""
        key = (0 if self._shared else number, block.payload, block.length)
        if key not in self._in_code:
            payload = self.of(number, block)
            self._in_code[key] = payload if block.code is None else block.code.encode(payload)
        return self._in_code[key]


def _moved(value: Tensor, target: torch.device | torch.dtype | str) -> Tensor:
    """To a device, or into the precision of a real type."""
    return value.to(target.to_complex() if isinstance(target, torch.dtype) and value.is_complex() else target)
