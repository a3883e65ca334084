"""Phases of the least value: L-BFGS over all of them, or a search over few levels element by element.

H is affine in every e^{jθ_i}, so that the search tries all levels of one element at once, a batch of channels. Both never get worse.
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
    """The nearest of 2^bits levels, then element by element the best level with all others fixed, until no element changes."""
    step = 2 * torch.pi / 2**bits
    levels = step * torch.arange(2**bits, dtype=phases.dtype, device=phases.device)
    phases = (phases / step).round() * step % (2 * torch.pi)
    for _ in range(sweeps):
        before = phases
        for element in range(phases.shape[-1]):
            tried = phases.unsqueeze(0).expand(len(levels), *phases.shape).clone()
            tried[..., element] = levels.reshape(-1, *[1] * (phases.ndim - 1))
            values, _ = worth(surface.matrix(tried))
            now, _ = worth(surface.matrix(phases))
            best = values.min(0)
            phases = phases.clone()
            phases[..., element] = torch.where(best.values < now, levels[best.indices], phases[..., element])
        if torch.equal(before, phases):
            break
    return phases
