from .pairs import DevicePair, device_pair
from .readers.files import read_channels, read_labels, read_latents

__all__ = ["DevicePair", "device_pair", "read_channels", "read_labels", "read_latents"]
