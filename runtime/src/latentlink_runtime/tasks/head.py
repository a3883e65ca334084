"""The receiver's head, which is linear in the latent: the logits of classes, or the outputs of a regression."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlink_runtime.artifacts.artifact_file import Tensors, check_arrays, whole

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Head:
    """Outputs W y + b of latents y.

    Attributes:
        weight: W (q, m).
        bias: b (q,).
        classes: the name of each class, or None where classes have numbers alone or the outputs are those of a regression.

    Example:
        >>> import numpy as np, latentlink_runtime as lr
        >>> lr.Head(np.eye(2), np.array([0.0, 1.0]))(np.array([[3.0, 4.0]]))
        array([[3., 5.]])
    """

    weight: Array
    bias: Array
    classes: tuple[str, ...] | None = None

    @classmethod
    def from_file(cls, tensors: Tensors, manifest: dict[str, Any]) -> "Head":
        """The head of a file of the kind "head", "regression head" or "device head"."""
        names = manifest.get("class_names")
        weight, bias = tensors["weight"], tensors["bias"]
        if weight.ndim != 2:
            raise ValueError(f"weight must have shape (outputs, m), got {weight.shape}")
        check_arrays(tensors, {"weight": (len(weight), whole(manifest, "latent_dim")), "bias": weight.shape[:1]})
        if names is not None and not (isinstance(names, list) and len(names) == len(bias) and all(isinstance(name, str) for name in names)):
            raise ValueError(f"class_names must be {len(bias)} names, one for each output, got {names!r}")
        return cls(weight, bias, None if names is None else tuple(names))

    def __call__(self, y: Array) -> Array:
        """Outputs (…, q) of latents y (…, m)."""
        return y @ self.weight.T + self.bias
