from .generate import generate
from .model import Model
from .panels import Panel
from .training_channels import StandardDraws

__all__ = ["Model", "Panel", "StandardDraws", "generate"]
