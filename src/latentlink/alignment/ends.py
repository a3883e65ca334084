"""What each end knows of its own latents: names of the room `latents` that this one begins with."""

from latentlink.latents.concepts import Concepts
from latentlink.latents.marginal import Marginal

__all__ = ["Concepts", "Marginal"]
