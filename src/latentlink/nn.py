"""Links as `torch.nn.Module`s: backpropagate through transmitter, channel and receiver into own encoders and decoders."""

from latentlink.links.modules import ChannelLayer, Decoder, Precoder

__all__ = ["ChannelLayer", "Decoder", "Precoder"]


def __dir__() -> list[str]:
    return __all__
