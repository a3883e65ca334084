"""Pilots as the networks see them: centred, of unit mean square, as halves, and some of them held back to stop by."""

from typing import NamedTuple

import torch
from torch import Tensor

from latentlink.latents.pilots import Pilots
from latentlink.neural.paper.layers import as_halves
from latentlink.neural.paper.loop import SplitPilots
from latentlink.neural.seeding import NetworkDraw


class ScaledPilots(NamedTuple):
    """Pilots as networks see them, and the numbers (), () by which the centred latents of both ends were divided."""

    split: SplitPilots
    scale_x: Tensor
    scale_y: Tensor

    @classmethod
    def of(cls, pilots: Pilots, validation: float, seed: int, device: torch.device) -> "ScaledPilots":
        """The pilots of which a seed holds back a share for validation."""
        m = pilots.y.shape[1]
        x, scale_x = _scale(pilots.x)
        y, scale_y = _scale(pilots.y)
        order = torch.randperm(len(pilots), generator=NetworkDraw.SPLIT.generator(seed), device="cpu").to(device)
        held = min(len(order) - 1, max(1, round(validation * len(order))))
        counted = as_halves((torch.arange(m + m % 2, device=device) < m).float().unsqueeze(0))
        split = SplitPilots(x[:, order[held:]], y[:, order[held:]], x[:, order[:held]], y[:, order[:held]], counted)
        return cls(split, scale_x, scale_y)


SharedPilots = dict[tuple[int, int, float], ScaledPilots]  # by the id of the pilots, the seed and the share held back


def _scale(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Centred latents of unit mean square as halves in float32, and what they were divided by."""
    centred = latents.detach().double() - latents.detach().double().mean(0)
    scale = centred.square().mean().sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    return as_halves(torch.nn.functional.pad((centred / scale).float(), (0, latents.shape[1] % 2))).contiguous(), scale.float()
