"""The floor: the transmitter's latents read as if they were the receiver's."""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.latents.moments import as_latents
from latentlink.numerics.doors import AnyArray, integer


def unaligned(x: AnyArray, dim: int) -> Float[Tensor, "n m"]:
    """The floor: the transmitter's latents read as if they were the receiver's, cut or padded with zeros to its dimension (n, dim).

    The ceilings are the receiver's own latents y, and `SemanticModes.align(x)`, linear alignment with no channel between.
    """
    x = as_latents("x", x)
    return torch.nn.functional.pad(x, (0, integer("dim", dim) - x.shape[1]))
