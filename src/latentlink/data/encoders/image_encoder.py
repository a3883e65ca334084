"""An encoder: the function that turns a device's images or texts into its latents, preprocessing, and the fingerprint that identifies it.

The fingerprint covers everything that the latents depend on (weights, preprocessing, image size). Latents are cached under it, so two
encoders with the same fingerprint must give the same latents.
"""

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar, get_args

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from latentlink.data.datasets.texts import Sense
from latentlink.numerics.doors import as_tensor, choice, device_named, integer
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call

Built = TypeVar("Built")


@dataclass(frozen=True)
class Encoder(Summarised):
    """A map from images, or from texts, to latents, with what identifies it.

    Attributes:
        name: shown in reports and messages.
        dim: d, the length of a latent.
        fingerprint: SHA-256 (hexadecimal) over everything that the latents depend on.
        function: maps uint8 images on `device`, or a list of texts, to (n, d); a torch module or any callable.
        device: where images are moved before `function` is called.
        size: pixels, the side of the square that images are first scaled to; None if the encoder does not scale them.
        sees: "images" or "texts".

    Example:
        >>> import torch, latentlink as ll
        >>> encoder = ll.data.from_callable("flat", lambda images: images.flatten(1).float(), dim=64, version="1")
        >>> encoder(torch.zeros(10, 8, 8, dtype=torch.uint8)).shape
        torch.Size([10, 64])
    """

    name: str
    dim: int
    fingerprint: str
    function: Callable[[Tensor], Any] = field(repr=False, compare=False)
    device: torch.device = field(default=torch.device("cpu"), compare=False)
    size: int | None = field(default=None, compare=False)
    sees: Sense = field(default="images", compare=False)

    def __call__(self, images: UInt8[Tensor, "n ..."] | Sequence[str]) -> Float32[Tensor, "n d"]:
        """Encode a batch of grey (n, H, W) or colour (n, H, W, 3) images, or of texts, to float32 latents on the encoder's device.

        Raises:
            ValueError: the images have another shape or type, there are texts for an encoder of images or the other way round, or
                `function` did not return (n, d) real numbers.
        """
        function: Callable[[Any], Any] = self.function
        observed = self._texts(images) if self.sees == "texts" else self._images(images)
        with torch.inference_mode():
            latents = as_tensor(f"what encoder {self.name} returns", function(observed))
        if tuple(latents.shape) != (len(observed), self.dim) or latents.is_complex():
            got = f"{latents.dtype} {tuple(latents.shape)}"
            raise ValueError(
                f"encoder {self.name} must return real ({len(observed)}, {self.dim}) for {len(observed)} {self.sees}, got {got}"
            )
        return latents.to(torch.float32).clone()  # a copy outside inference mode: an ordinary tensor that autograd accepts

    def _images(self, images: UInt8[Tensor, "n ..."] | Sequence[str]) -> UInt8[Tensor, "n ..."]:
        if not isinstance(images, Tensor):
            raise ValueError(f"encoder {self.name} takes images, a uint8 tensor, got {type(images).__name__}")
        if images.dtype != torch.uint8 or not (images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)):
            raise ValueError(f"images must be uint8 (n, H, W) or (n, H, W, 3), got {images.dtype} {tuple(images.shape)}")
        return images.to(self.device)

    def _texts(self, texts: UInt8[Tensor, "n ..."] | Sequence[str]) -> list[str]:
        if isinstance(texts, str | Tensor) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"encoder {self.name} takes a list of texts, got {type(texts).__name__}")
        return list(texts)

    def to(self, device: torch.device | str) -> "Encoder":
        """Return the same encoder on another device; a callable that is no module only receives its images there."""
        device, network = device_named(device), self.function
        moved = copy.deepcopy(network).to(device) if isinstance(network, nn.Module) else network
        return replace(self, function=moved, device=device)


def fingerprint(state: Mapping[str, Tensor], *facts: object) -> str:
    """Compute the SHA-256 (hexadecimal) over named tensors (names, types, shapes, bytes) and further facts by their `repr`."""
    digest = hashlib.sha256(repr(facts).encode())
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"\0{name} {value.dtype} {tuple(value.shape)}\0".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


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
        self.register_buffer("mean", torch.tensor(mean, device="cpu").reshape(3, 1, 1))
        self.register_buffer("std", torch.tensor(std, device="cpu").reshape(3, 1, 1))

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


def image_encoder(name: str, dim: int, network: nn.Module, preprocessing: Preprocessing) -> Encoder:
    """Put preprocessing before a network, freeze both and fingerprint them."""
    whole = nn.Sequential(preprocessing, network).eval().requires_grad_(False)
    whole = whole.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # up to twice as fast on a CPU
    return Encoder(name, dim, fingerprint(whole.state_dict(), name, *preprocessing.facts), whole, size=preprocessing.size)


@validate_call
def from_callable(name: str, function: Callable[[Any], Any], dim: int, version: str, sees: Sense = "images") -> Encoder:
    """Make an encoder of any function.

    Latents are cached under `name`, `dim` and `version`; the function's code is not looked at. **Change `version` whenever the function
    changes**, otherwise the latents of the old function are returned.

    Args:
        name: shown in reports and messages; part of the identity.
        function: maps uint8 images (n, H, W) or (n, H, W, 3), or a list of n texts, to (n, d), as a tensor or anything that
            `torch.as_tensor` accepts.
        dim: d.
        version: part of the identity.
        sees: "images", or "texts" for a function of a list of strings.

    Returns:
        The encoder, for `encode` and `device_pair`.

    Raises:
        ValueError: `dim` is below one, or `sees` is another word.

    Example:
        >>> import latentlink as ll
        >>> shades = ll.data.from_callable("shades", lambda images: images.flatten(1).float(), dim=64, version="1")
        >>> shades.name, shades.dim
        ('shades', 64)
    """
    integer("dim", dim)
    facts = () if choice("sees", sees, get_args(Sense)) == "images" else (sees,)
    return Encoder(name, dim, fingerprint({}, "callable", name, version, dim, *facts), function, sees=sees)


def build_without_drawing(build: Callable[[], Built]) -> Built:
    """Build a network whose initial weights are replaced at once, without advancing the caller's random numbers."""
    with torch.random.fork_rng(devices=[]):
        return build()
