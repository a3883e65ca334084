"""NumPy arrays at the public door: inside, everything is a tensor."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def as_tensor(value: Any) -> Tensor:
    """A tensor of any array, copied only where PyTorch cannot share it (read-only, reversed)."""
    if isinstance(value, np.ndarray) and (not value.flags.writeable or min(value.strides, default=0) < 0):
        value = value.copy()
    return torch.as_tensor(value)
