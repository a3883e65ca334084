"""Balancing: modes on symbols so that all uses carry similar powers, for channels whose error turns the power of a use into noise.

If modes are paired with symbols by strength alone, one use may receive the strongest modes, hence most of the power and, through the
channel error, most of the noise. Symbols of like amplitude are as good as one another, though: in layers of K symbols of K uses, from the
best to the worst, the layer's strongest modes go to the uses that have got least so far, first on the real parts, then on the imaginary
ones. Where uses are the same matrix this costs nothing. (Rotations of tied symbols do no better for two uses of one antenna: the powers of
the eigendirections of Σ_i p_i w_i w_iᴴ, w_i orthonormal in R⁴, differ least for one of the three pairings.)

The modes are laid out as (layer, part, symbol, width): two parts of width 1, the real and the imaginary one, or, for complex-linear
designs, one part of width 2, in which modes 2i and 2i + 1 stay together.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.streams.allocation import Allocation
from latentlink.streams.waterfilling import mse_waterfilling


def balance(
    strength: Float[Tensor, "k"], used: Allocation, noise: Float[Tensor, "*batch"], power: Float[Tensor, "*batch"], *, in_pairs: bool
) -> Allocation:
    """Move the modes of each layer among its symbols to balance the uses, and repeat the water-filling.

    Args:
        strength: b (k,) of the modes.
        used: allocation `Allocation.of` for this strength, noise and power, strongest over strongest.
        noise: N (…), noise variance per real dimension.
        power: total power (…) of the message.
        in_pairs: True keeps modes 2i and 2i + 1 in one symbol, as complex-linear designs do.
    """
    uses, width = used.slots
    count = used.streams.shape[-1]
    if count == 0:
        return used
    modes = _layout(count, uses, 2 if in_pairs else 1).to(used.streams.device)  # (layer, part, symbol, width)
    symbols = modes.flatten(1).sort(-1).values[:, ::2]  # (layer, symbol): the stream on each symbol's real part
    slot, amplitude = _at(used.streams, symbols), _at(used.amplitude, symbols)  # (…, layer, symbol)
    order = _least_loaded(slot // width, _at(used.power, modes).sum(-1), symbols == count, uses)  # (…, layer, part, symbol)
    part = torch.arange(modes.shape[1], device=order.device)[:, None, None]
    half = torch.arange(modes.shape[3], device=order.device)
    real = slot.unsqueeze(-2).expand(order.shape).gather(-1, order).unsqueeze(-1)
    streams = _by_mode(real + width // 2 * (part + half), modes, count)
    h = amplitude.unsqueeze(-2).expand(order.shape).gather(-1, order).unsqueeze(-1)
    h = _by_mode(h.expand(*h.shape[:-1], modes.shape[3]), modes, count)
    b = strength[:count]
    strongest = (b * h).sort(dim=-1, descending=True, stable=True).indices
    p = mse_waterfilling(b.expand_as(h).gather(-1, strongest), h.gather(-1, strongest), noise, power)
    return Allocation(streams, h, torch.empty_like(p).scatter(-1, strongest, p), used.slots)


def _layout(count: int, uses: int, width: int) -> Int[Tensor, "layer part symbol width"]:
    """Number of the mode at each place, `count` at places without a mode."""
    layers, parts = -(-count // (2 * uses)), 2 // width
    first = 2 * uses * torch.arange(layers)[:, None, None, None]
    last = (first + 2 * uses).clamp(max=count)
    symbols = (last - first + 1) // 2  # of this layer
    part, symbol, half = torch.arange(parts)[:, None, None], torch.arange(uses)[:, None], torch.arange(width)
    mode = first + (part * symbols + symbol) * width + half
    return torch.where((symbol < symbols) & (mode < last), mode, count)


def _least_loaded(
    use: Int[Tensor, "*batch layer symbol"],
    power: Float[Tensor, "*batch layer part symbol"],
    absent: Tensor,
    uses: int,
) -> Int[Tensor, "*batch layer part symbol"]:
    """Symbols of each layer in the order in which modes take them: those of the use with the least power so far come first."""
    so_far = power.new_zeros(*power.shape[:-3], uses)
    orders = []
    for layer in range(power.shape[-3]):
        here = use[..., layer, :]
        for part in range(power.shape[-2]):
            load = so_far.gather(-1, here).masked_fill(absent[layer], torch.inf)
            order = load.sort(dim=-1, stable=True).indices
            so_far = so_far.scatter_add(-1, here.gather(-1, order), power[..., layer, part, :])
            orders.append(order)
    return torch.stack(orders, -2).unflatten(-2, power.shape[-3:-1])


def _at(values: Tensor, places: Int[Tensor, "*places"]) -> Tensor:
    """Values (…, *places) of the mode at each place, 0 at places without a mode."""
    return torch.nn.functional.pad(values, (0, 1))[..., places]


def _by_mode(values: Tensor, modes: Int[Tensor, "layer part symbol width"], count: int) -> Tensor:
    """Values (…, count) of each mode, of values at their places."""
    flat = values.flatten(-4)
    return flat.new_empty(*flat.shape[:-1], count + 1).scatter(-1, modes.flatten().expand(flat.shape), flat)[..., :count]
