"""Smooth minimisation by PyTorch's L-BFGS with a strong Wolfe line search, as a function of tensors."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def minimise(
    start: Sequence[Tensor], loss: Callable[..., Tensor], max_iterations: int, tolerance: float, change: float = 1e-9, history: int = 20
) -> tuple[Tensor, ...]:
    """Minimise a scalar function of tensors from a start, which is not changed.

    L-BFGS remembers `history` pairs of steps and gradients; it stops when no entry of the gradient is above the tolerance, when the loss
    changes by less than `change`, or after `max_iterations`.
    """
    variables = [value.detach().clone().requires_grad_() for value in start]
    solver = torch.optim.LBFGS(
        variables, max_iter=max_iterations, max_eval=2 * max_iterations, history_size=history, line_search_fn="strong_wolfe",
        tolerance_grad=tolerance, tolerance_change=change,
    )  # fmt: skip

    def closure() -> Tensor:
        solver.zero_grad()
        value = loss(*variables)
        value.backward()
        return value

    with torch.enable_grad():
        solver.step(closure)
    return tuple(variable.detach() for variable in variables)
