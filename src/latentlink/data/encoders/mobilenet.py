"""MobileNetV2 up to its pooled features [sandler2018mobilenetv2, Table 2].

A block widens its input `expansion` times, filters each channel by itself (depthwise, 3x3) and projects back without a non-linearity (the
linear bottleneck); where resolution and width stay the same the input is added. The modules nest as torchvision's do, so that the published
ImageNet weights load by name.
"""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

DIM = 1280
# expansion t, channels c, repeats n, stride s of the first: Table 2, without the first and last convolution
BOTTLENECKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


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
