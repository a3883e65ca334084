"""Preprocessing of images as pretrained networks expect it: scaling, centre crop, standardisation."""

from typing import Literal

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn


class Preprocessing(nn.Module):
    """Turn uint8 images into what a network was trained on: three channels, a square of `size` pixels, (x / 255 - mean) / std.

    Args:
        size: pixels, the side of the square.
        mean: mean of each channel, for values in 0..1.
        std: standard deviation of each channel, for values in 0..1.
        interpolation: "bilinear" or "bicubic", both with antialiasing.
        cropped_from: pixels. With it the shorter side is scaled to that length and the centre is cropped; without it every shape is
            squeezed to the square and nothing is cropped.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        size: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        interpolation: Literal["bilinear", "bicubic"] = "bilinear",
        cropped_from: int | None = None,
    ) -> None:
        super().__init__()
        self.size, self.interpolation, self.cropped_from = size, interpolation, cropped_from
        self.register_buffer("mean", torch.tensor(mean).reshape(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(3, 1, 1))

    @property
    def facts(self) -> tuple[object, ...]:
        """The settings beside mean and std, for fingerprints. Latents are cached under these very words: do not reword them."""
        shape = "square" if self.cropped_from is None else f"middle of {self.cropped_from}"
        return self.size, f"{self.interpolation}, antialias, {shape}"

    def forward(self, images: UInt8[Tensor, "n ..."]) -> Float32[Tensor, "n 3 size size"]:
        """Scale, crop and standardise; a grey image is repeated over the three channels."""
        x = images.unsqueeze(1) if images.ndim == 3 else images.movedim(3, 1)
        height, width = self._scaled(x)
        if self.interpolation == "bicubic":
            # bicubic filters overshoot at edges: as Pillow, with which networks are trained, resize rows, then columns, and round each time
            x = self._resized(x, x.shape[2], width).round().clamp(0, 255)
            x = self._resized(x, height, width).round().clamp(0, 255)
        else:
            x = self._resized(x, height, width)
        top, left = (round((side - self.size) / 2) for side in x.shape[2:])
        x = x[:, :, top : top + self.size, left : left + self.size]
        return (x / 255 - self.mean) / self.std  # three channels by broadcasting, after the resize: grey costs a third

    def _resized(self, x: Tensor, height: int, width: int) -> Tensor:
        return nn.functional.interpolate(x.float(), (height, width), mode=self.interpolation, align_corners=False, antialias=True)

    def _scaled(self, x: Tensor) -> tuple[int, int]:
        """Height and width of the scaled image, before cropping."""
        if self.cropped_from is None:
            return self.size, self.size
        height, width = x.shape[2:]
        return self.cropped_from * height // min(height, width), self.cropped_from * width // min(height, width)
