"""What a codec's settings and arguments must be, and what a training is known by."""

import math
from typing import Any

import torch
from torch import Tensor

from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes


def within(name: str, value: Any, above: float | None = None, least: float = -math.inf, below: float = math.inf) -> None:
    """Raise where a setting is no number in its range."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not least <= value < below or (above is not None and not value > above):
        low = f"above {above:g}" if above is not None else f"from {least:g}"
        raise ValueError(f"{name} must be a number {low} and below {below:g}, got {value!r}")


def check(modes: SemanticModes, pilots: Pilots) -> None:
    """Raise where modes and pilots are not such, or do not belong together."""
    if not isinstance(modes, SemanticModes):
        raise ValueError(f"modes must be SemanticModes (semantic_modes(moments, goal)), got {type(modes).__name__}")
    if not isinstance(pilots, Pilots):
        raise ValueError(f"pilots must be Pilots(x, y, labels): networks need samples, got {type(pilots).__name__}")
    expected, got = (len(modes.mean_x), len(modes.mean_y)), (pilots.x.shape[1], pilots.y.shape[1])
    if expected != got:
        raise ValueError(f"pilots must be latents of dimensions {expected}, as the modes are, got {got}")
    if pilots.x.device != modes.strength.device:
        raise ValueError(f"pilots must be on the modes' device {modes.strength.device}, got {pilots.x.device}")
    if len(modes) == 0:
        raise ValueError("modes must be at least one: these pilots show nothing that x tells of y")


def taken(digest: Any, *values: Tensor | None) -> None:
    """Take tensors into a digest."""
    for value in values:
        if value is None:
            digest.update(b"none")
            continue
        digest.update(repr((value.dtype, tuple(value.shape))).encode())
        plain = torch.view_as_real(value.resolve_conj()) if value.is_complex() else value
        digest.update(plain.detach().cpu().double().contiguous().numpy().tobytes())
