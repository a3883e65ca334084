"""A lab's own channel model: `model: own_channel:keyhole`. Measured matrices can be read and drawn from in the same way."""

import math

import torch
from torch import Tensor


def keyhole(*, draws: int, uses: int, n_rx: int, n_tx: int, gain: float, generator: torch.Generator) -> Tensor:
    """Draw keyhole channels: rich scattering at both ends, and one path between them, so that every matrix has rank one.

    Returns:
        H (draws, n_rx, n_tx), complex, E|h|² = gain; one matrix for all uses of a message. (draws, uses, n_rx, n_tx) is welcome too.
    """

    def scatter(antennas: int) -> Tensor:
        real, imaginary = torch.randn(2, draws, antennas, generator=generator, dtype=torch.float64)
        return torch.complex(real, imaginary) / math.sqrt(2)

    return math.sqrt(gain) * scatter(n_rx).unsqueeze(-1) * scatter(n_tx).unsqueeze(-2)
