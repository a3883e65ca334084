"""Smooth minimisation by PyTorch's L-BFGS with a strong Wolfe line search, as a function of tensors."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def minimise(
    start: Sequence[Tensor], loss: Callable[..., Tensor], max_iterations: int, tolerance: float, change: float = 1e-9, history: int = 20
) -> tuple[Tensor, ...]:
    """Find variables at which the loss is least, from a start.

    Args:
        start: initial values, which are left alone.
        loss: scalar function of as many tensors.
        max_iterations: the most iterations of L-BFGS.
        tolerance: the iteration stops when no entry of the gradient is above it,
        change: or when the loss changes by less than this.
        history: number of pairs of steps and gradients that L-BFGS remembers.
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
