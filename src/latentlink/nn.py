"""Links as modules of PyTorch: backpropagate through transmitter, channel and receiver into own encoders and decoders; and a regression."""

from latentlink.links.modules import ChannelLayer, Decoder, Precoder
from latentlink.tasks.regression import RegressionHead

__all__ = ["ChannelLayer", "Decoder", "Precoder", "RegressionHead"]


def __dir__() -> list[str]:
    return __all__
