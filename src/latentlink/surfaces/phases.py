"""Phases of the least value: L-BFGS over all of them, or a search over few levels element by element.

H is affine in every e^{jθ_i}, so that the search tries all levels of one element at once, a batch of channels. Both never get worse. The
search of b bits begins at what b − 1 bits found where rounding is not better, so that more bits are never worse than fewer.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.numerics.lbfgs import minimise_each
from latentlink.surfaces.objectives import Worth
from latentlink.surfaces.surface import Phased


def follow(surface: Phased, worth: Worth, phases: Float[Tensor, "*batch n"], steps: int) -> Float[Tensor, "*batch n"]:
    """At most so many steps of L-BFGS from given phases, each channel by itself."""
    if phases.shape[-1] == 0:
        return phases

    def function(theta: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = worth(surface.matrix(theta))
        return value, surface.pulled_back(theta, slope)

    return minimise_each(phases, function, steps).argument


def on_levels(surface: Phased, worth: Worth, phases: Float[Tensor, "*batch n"], bits: int, sweeps: int) -> Float[Tensor, "*batch n"]:
    """The nearest of 2^bits levels, or what fewer bits found where that is better, then searched element by element."""
    step = 2 * torch.pi / 2**bits
    start = (phases / step).round() * step % (2 * torch.pi)
    if bits > 1:
        fewer = on_levels(surface, worth, phases, bits - 1, sweeps)
        better = worth(surface.matrix(fewer))[0] < worth(surface.matrix(start))[0]
        start = torch.where(better.unsqueeze(-1), fewer, start)
    return _searched(surface, worth, start, step * torch.arange(2**bits, dtype=phases.dtype, device=phases.device), sweeps)


def _searched(
    surface: Phased, worth: Worth, phases: Float[Tensor, "*batch n"], levels: Float[Tensor, " levels"], sweeps: int
) -> Float[Tensor, "*batch n"]:
    """Each element in turn at its best level with all others fixed, until no element changes: H = A + e^{jθ_i} B of one element."""
    turns = torch.polar(torch.ones_like(levels), levels).reshape(-1, *[1] * (phases.ndim + 2))
    value, _ = worth(surface.matrix(phases))
    for _ in range(sweeps):
        before = phases
        for element in range(phases.shape[-1]):
            ahead, opposite = (surface.matrix(_at(phases, element, phases.new_tensor(angle))) for angle in (0.0, torch.pi))
            tried, _ = worth((ahead + opposite) / 2 + turns * (ahead - opposite) / 2)
            least, level = tried.min(0)
            phases = _at(phases, element, torch.where(least < value, levels[level], phases[..., element]))
            value = torch.minimum(least, value)
        if torch.equal(before, phases):
            break
    return phases


def _at(phases: Float[Tensor, "*batch n"], element: int, angle: Tensor) -> Float[Tensor, "*batch n"]:
    """The same phases but for one element."""
    changed = phases.clone()
    changed[..., element] = angle
    return changed
