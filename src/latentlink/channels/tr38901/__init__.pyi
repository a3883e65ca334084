from .generate import generate
from .model import Model, Panel
from .training_channels import StandardDraws

__all__ = ["Model", "Panel", "StandardDraws", "generate"]
