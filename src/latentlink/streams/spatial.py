"""Spatial modes: the parallel scalar channels that the SVD of every channel use offers, and how semantic modes are placed on them.

H_u = U_u diag(h_u) V_uᴴ gives q = min(n_rx, n_tx) complex symbols per use. All uses are pooled and sorted, strongest first; the i-th best
symbol carries semantic modes 2i and 2i + 1 in its real and imaginary part. Symbols of K identical uses may be mixed by a unitary K-point
DFT for each spatial mode: the singular values stay, and every use carries the same power.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from latentlink.latents.packing import real_embedding
from latentlink.streams.waterfilling import mse_waterfilling


@dataclass(frozen=True, eq=False)
class SpatialModes:
    """Parallel symbols of g groups of w channel uses each, q symbols a group.

    Attributes:
        amplitude: h ≥ 0 (…, g, q); values below the numerical rank are zero.
        transmit: V (…, g, w n_tx, q). receive: U (…, g, w n_rx, q).
    """

    amplitude: Float[Tensor, "*batch g q"]
    transmit: Complex[Tensor, "*batch g wt q"]
    receive: Complex[Tensor, "*batch g wr q"]

    @classmethod
    def of(cls, h: Complex[Tensor, "*batch u r t"]) -> "SpatialModes":
        """The SVD of every use; the phases are fixed by making the largest entry of each transmit vector real and positive."""
        once = h
        for axis in range(h.ndim - 2):  # an expanded axis (repeated uses, an SNR sweep) is decomposed once
            if h.stride(axis) == 0:
                once = once.narrow(axis, 0, 1)
        U, amplitude, Vh = torch.linalg.svd(once, full_matrices=False)
        V = Vh.mH
        largest = V.gather(-2, V.detach().abs().argmax(-2, keepdim=True))
        phase = (largest / largest.abs()).conj()
        rank_cut = max(h.shape[-2:]) * torch.finfo(amplitude.dtype).eps * amplitude[..., :1]
        amplitude = torch.where(amplitude > rank_cut, amplitude, 0.0)
        uses = h.shape[:-2]
        return cls(
            amplitude.expand(*uses, -1),
            (V * phase).expand(*uses, -1, -1),
            (U * phase).expand(*uses, -1, -1),
        )

    def __getitem__(self, index: Any) -> "SpatialModes":
        """Those of some of the batch, indexed along its first dimension."""
        return SpatialModes(self.amplitude[index], self.transmit[index], self.receive[index])

    def to(self, target: torch.dtype | torch.device | str) -> "SpatialModes":
        """The same in the precision of a real dtype, or on another device."""
        matrices = target.to_complex() if isinstance(target, torch.dtype) else target
        return SpatialModes(self.amplitude.to(target), self.transmit.to(matrices), self.receive.to(matrices))

    def send(self, symbols: Complex[Tensor, "*batch n s"]) -> Complex[Tensor, "*batch n g wt"]:
        """What the antennas send, V a, of symbols a (…, n, g q) ordered by group."""
        return torch.einsum("...gtq,...ngq->...ngt", self.transmit, symbols.unflatten(-1, self.amplitude.shape[-2:]).to(self.transmit))

    def carry(self, sent: Complex[Tensor, "*batch n g wt"]) -> Complex[Tensor, "*batch n g wr"]:
        """What is received of it without noise, U diag(h) Vᴴ s (…, n, g, w n_rx)."""
        through = torch.einsum("...gtq,...ngt->...ngq", self.transmit.conj(), sent) * self.amplitude.unsqueeze(-3)
        return torch.einsum("...grq,...ngq->...ngr", self.receive, through)

    def separate(self, received: Complex[Tensor, "*batch n g wr"]) -> Complex[Tensor, "*batch n s"]:
        """Symbols Uᴴ r (…, n, g q), each times its amplitude h, of what is received."""
        return torch.einsum("...grq,...ngr->...ngq", self.receive.conj(), received.to(self.receive)).flatten(-2)

    def spread(self) -> "SpatialModes":
        """One group of all K uses, which must be identical: symbol k of each spatial mode goes by column k of a K-point DFT over them."""
        K = self.amplitude.shape[-2]
        step = torch.arange(K, device=self.amplitude.device, dtype=self.amplitude.dtype)
        D = torch.polar(torch.full_like(step, K**-0.5).expand(K, K).clone(), 2 * torch.pi / K * step.outer(step))

        def mix(beams: Tensor) -> Tensor:  # (…, K, a, q) → (…, 1, K a, K q)
            return torch.einsum("uk,...kaq->...uakq", D, beams).flatten(-2).flatten(-3, -2).unsqueeze(-3)

        return replace(
            self,
            amplitude=self.amplitude.flatten(-2).unsqueeze(-2),
            transmit=mix(self.transmit),
            receive=mix(self.receive),
        )


def embedded(beams: Complex[Tensor, "*batch g a q"], weight: Float[Tensor, "*batch g q2"]) -> Float[Tensor, "*batch g a2 q2"]:
    """Real matrices (…, g, 2a, 2q) of complex beams, with a real weight for the real and one for the imaginary part of each symbol."""
    return real_embedding(beams) * weight.unsqueeze(-2)


@dataclass(frozen=True, eq=False)
class Allocation:
    """Which slot carries which semantic mode, over which amplitude, with how much power; s streams.

    Attributes:
        streams: (…, s) slot numbers among g × 2q, real parts before imaginary parts in each group.
        amplitude: h (…, s). power: p (…, s).
        slots: (g, 2q).
    """

    streams: Int[Tensor, "*batch s"]
    amplitude: Float[Tensor, "*batch s"]
    power: Float[Tensor, "*batch s"]
    slots: tuple[int, int]

    @classmethod
    def of(
        cls,
        strength: Float[Tensor, "k"],
        amplitude: Float[Tensor, "*batch g q"],
        noise: Float[Tensor, "*batch"],
        power: Float[Tensor, "*batch"],
    ) -> "Allocation":
        """The optimal one: strongest mode over strongest symbol, with MSE water-filling of the pooled budget."""
        order = amplitude.flatten(-2).argsort(dim=-1, descending=True, stable=True)
        streams, h = _placed(order, amplitude, len(strength))
        p = mse_waterfilling(strength[: h.shape[-1]].expand_as(h), h, noise, power)
        return cls(streams, h, p, (amplitude.shape[-2], 2 * amplitude.shape[-1]))

    @classmethod
    def use_by_use(
        cls,
        strength: Float[Tensor, "k"],
        amplitude: Float[Tensor, "*batch g q"],
        noise: Float[Tensor, "*batch"],
        power: Float[Tensor, "*batch"],
        pooled_order: bool,
    ) -> "Allocation":
        """The same budget for each group, water-filled within it; the strongest modes go over the strongest symbols of all groups
        (`pooled_order`), or over the first group, the next ones over the second, and so on."""
        groups, q = amplitude.shape[-2:]
        flat = amplitude.flatten(-2)
        order = flat.argsort(dim=-1, descending=True, stable=True) if pooled_order else torch.arange(groups * q, device=flat.device)
        order = order.expand(flat.shape)
        streams, h = _placed(order, amplitude, len(strength))
        rank = torch.empty_like(order).scatter(-1, order, torch.arange(groups * q, device=order.device).expand(order.shape))
        b = torch.nn.functional.pad(strength[: 2 * groups * q], (0, max(0, 2 * groups * q - len(strength))))
        within = b.unflatten(0, (-1, 2))[rank].unflatten(-2, (groups, q)).flatten(-2)  # (…, g, 2q), falling in each group
        N, budget = (value.unsqueeze(-1).expand(*value.shape, groups) for value in (noise, power / groups))
        each = mse_waterfilling(within, amplitude.repeat_interleave(2, -1), N, budget)
        p = each.unflatten(-1, (q, 2)).flatten(-3, -2).gather(-2, order.unsqueeze(-1).expand(*order.shape, 2))
        return cls(streams, h, p.flatten(-2)[..., : h.shape[-1]], (groups, 2 * q))

    def on_slots(self, values: Float[Tensor, "*batch s"]) -> Float[Tensor, "*batch g q2"]:
        """Values of the streams at their slots, zero on the slots that no stream takes."""
        slots: Tensor = values.new_zeros(*values.shape[:-1], self.slots[0] * self.slots[1]).scatter(-1, self.streams, values)
        return slots.reshape(*values.shape[:-1], *self.slots)


def _placed(
    order: Int[Tensor, "*batch gq"], amplitude: Float[Tensor, "*batch g q"], modes: int
) -> tuple[Int[Tensor, "*batch s"], Float[Tensor, "*batch s"]]:
    """Slot and amplitude of each stream when modes 2i and 2i + 1 take symbol order[i]."""
    groups, q = amplitude.shape[-2:]
    count = min(modes, 2 * groups * q)
    ranked = amplitude.flatten(-2).gather(-1, order)
    h = ranked[..., : -(-count // 2)].repeat_interleave(2, -1)[..., :count]
    first = order // q * 2 * q + order % q  # slot of the real part; the imaginary part is q further
    return torch.stack([first, first + q], -1).flatten(-2)[..., :count], h
