"""Modes on symbols so that uses carry like powers: for channels whose error makes noise of the power of a use.

By strength alone, strongest over strongest, one use may get the strongest modes of all, and with them all the noise. Symbols of like
amplitude are as good as one another, though: in layers of K symbols of K uses, from the best to the worst, the layer's strongest modes go
to the uses that have got least so far, first on the real parts, then on the imaginary ones. Where uses are the same matrix this costs
nothing. (Rotations of tied symbols do no better for two uses of one antenna: the powers of the eigendirections of Σ_i p_i w_i w_iᴴ, w_i
orthonormal in R⁴, differ least for one of the three pairings.)
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.streams.spatial import Allocation
from latentlink.streams.waterfilling import mse_waterfilling


def balanced(
    strength: Float[Tensor, "k"], used: Allocation, noise: Float[Tensor, "*batch"], power: Float[Tensor, "*batch"], in_pairs: bool
) -> Allocation:
    """The allocation with the modes of each layer moved among its symbols, and the powers filled anew.

    Args:
        used: strongest over strongest, as `Allocation.of` gives it for this strength, noise and power.
        in_pairs: keep modes 2i and 2i + 1 in one symbol, as complex-linear designs do.
    """
    uses, width = used.slots
    count, q = used.streams.shape[-1], width // 2
    streams, amplitude = used.streams.clone(), used.amplitude.clone()
    so_far = used.power.new_zeros(*used.power.shape[:-1], uses)
    for first in range(0, count, 2 * uses):
        here = slice(first, min(first + 2 * uses, count))
        real, h = used.streams[..., here][..., ::2], used.amplitude[..., here][..., ::2]
        parts = (
            (slice(here.start, here.stop, 2),)
            if in_pairs
            else (slice(first, first + real.shape[-1]), slice(first + real.shape[-1], here.stop))
        )
        for half, part in enumerate(parts):
            p = used.power[..., part]
            p = p + used.power[..., part.start + 1 : here.stop : 2] if in_pairs else p
            order = so_far.gather(-1, real // width).sort(dim=-1, stable=True).indices[..., : p.shape[-1]]
            slot = real.gather(-1, order)
            streams[..., part], amplitude[..., part] = slot + half * q, h.gather(-1, order)
            if in_pairs:
                streams[..., part.start + 1 : here.stop : 2] = slot + q
                amplitude[..., part.start + 1 : here.stop : 2] = amplitude[..., part]
            so_far = so_far.scatter_add(-1, slot // width, p)
    b = strength[:count]
    order = (b * amplitude).sort(dim=-1, descending=True, stable=True).indices
    p = mse_waterfilling(b.expand_as(amplitude).gather(-1, order), amplitude.gather(-1, order), noise, power)
    return Allocation(streams, amplitude, torch.empty_like(p).scatter(-1, order, p), used.slots)
