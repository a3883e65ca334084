"""Changes of images, by which a scene drifts away from the one that a link was designed for."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import UInt8
from torch import Tensor

Change = Literal["rotated", "noise", "inverted", "dimmed", "mirrored"]
Images = UInt8[Tensor, "n h w *colour"]


def rotated(images: Images, degrees: float) -> Images:
    """Turn images about their middle; what comes in from outside is black."""
    angle = torch.tensor(degrees, device=images.device).deg2rad()
    matrix = torch.stack([torch.stack([angle.cos(), -angle.sin(), angle * 0]), torch.stack([angle.sin(), angle.cos(), angle * 0])])
    planes = images.unsqueeze(1) if images.ndim == 3 else images.movedim(-1, 1)
    grid = torch.nn.functional.affine_grid(matrix.expand(len(images), -1, -1), list(planes.shape), align_corners=False)
    turned = torch.nn.functional.grid_sample(planes.float(), grid, align_corners=False).round().to(torch.uint8)
    return turned.squeeze(1) if images.ndim == 3 else turned.movedim(1, -1).contiguous()


def noise(images: Images, deviation: float) -> Images:
    """Add Gaussian noise of so many grey levels, the same at each call."""
    drawn = torch.randn(images.shape, generator=torch.Generator().manual_seed(0), device="cpu").to(images.device)
    return (images.float() + deviation * drawn).clamp(0, 255).round().to(torch.uint8)


def inverted(images: Images, amount: float = 1.0) -> Images:
    """Exchange black and white."""
    return 255 - images


def dimmed(images: Images, factor: float) -> Images:
    """Multiply the grey levels."""
    return (images.float() * factor).clamp(0, 255).round().to(torch.uint8)


def mirrored(images: Images, amount: float = 1.0) -> Images:
    """Exchange left and right."""
    return images.flip(2)


CHANGES: dict[str, tuple[Callable[[Tensor, float], Tensor], float | None]] = {
    "rotated": (rotated, 30.0),
    "noise": (noise, 20.0),
    "inverted": (inverted, None),
    "dimmed": (dimmed, 0.5),
    "mirrored": (mirrored, None),
}  # each with its usual amount, None where it has none
