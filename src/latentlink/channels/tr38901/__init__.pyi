from .draws import StandardDraws
from .generate import generate
from .model import Model
from .panels import Panel

__all__ = ["Model", "Panel", "StandardDraws", "generate"]
