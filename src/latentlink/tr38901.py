"""3GPP channels of TR 38.901 on OFDM resource elements: the public names of `channels/tr38901/`."""

from latentlink.channels.tr38901.generate import generate
from latentlink.channels.tr38901.model import Model, Panel
from latentlink.channels.tr38901.training_channels import StandardDraws

__all__ = ["Model", "Panel", "StandardDraws", "generate"]


def __dir__() -> list[str]:
    return __all__
