"""Gradients inside functions that train, whatever mode they are called in."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from latentlink.numerics.parts import change_tensors, named_tensors

P = ParamSpec("P")
T = TypeVar("T")


def with_gradients(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function train within `torch.inference_mode` and `torch.no_grad`: notebooks wrap whole cells in them.

    Tensors that were made in inference mode cannot be differentiated; the function gets copies of them.
    """

    @wraps(function)
    def trained(*arguments: P.args, **settings: P.kwargs) -> T:
        with torch.inference_mode(False), torch.enable_grad():
            given = [_differentiable(argument) for argument in arguments]
            named = {name: _differentiable(value) for name, value in settings.items()}
            return function(*given, **named)

    return trained


def _differentiable(value: Any) -> Any:
    """The value itself, or a copy where a tensor in it was made in inference mode."""
    if not any(tensor.is_inference() for tensor in named_tensors(value).values()):
        return value
    return change_tensors(value, lambda tensor: tensor.clone() if isinstance(tensor, Tensor) and tensor.is_inference() else tensor)
