"""Images of files."""

import os

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from latentlink.data.readers.content import FileContentError
from latentlink.data.readers.opening import read_array
from latentlink.data.readers.sources import locate
from latentlink.numerics.validation import validate_call


@validate_call
def read_images(path: str | os.PathLike[str]) -> UInt8[Tensor, "n ..."]:
    """Read images (n, height, width) or (n, height, width, 3), uint8, from a .npy file.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: another suffix, a damaged file, another dtype or shape.

    Example:
        >>> import numpy as np, latentlink as ll
        >>> np.save("pictures.npy", np.zeros((10, 32, 32, 3), np.uint8))
        >>> ll.data.read_images("pictures.npy").shape
        torch.Size([10, 32, 32, 3])
    """
    array = read_array(locate(path, None, (".npy",)).files[0], None)
    if array.dtype != np.uint8 or not (array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)) or array.size == 0:
        raise FileContentError(f"{path}: got {array.dtype} {array.shape}, expected uint8 (n, height, width) or (n, height, width, 3)")
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))
