from . import csi, tr38901
from .channel import Channel
from .draws import ChannelDraws, ChannelSource
from .fading import exponential_correlation, kronecker, rayleigh, rician
from .link_budget import equalised_snr_db, link_budget_snr_db
from .ofdm import ResourceElements
from .snr import SnrDefinition, convert_snr

__all__ = [
    "Channel",
    "ChannelDraws",
    "ChannelSource",
    "ResourceElements",
    "SnrDefinition",
    "convert_snr",
    "csi",
    "equalised_snr_db",
    "exponential_correlation",
    "kronecker",
    "link_budget_snr_db",
    "rayleigh",
    "rician",
    "tr38901",
]
