"""Where the descent of a broadcast begins: closed forms that serve all users more or less, then random precoders."""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.networks.broadcast_bounds import groups
from latentlink.networks.descent import within_sum
from latentlink.networks.equivalent import equivalent_channel, mean_channel, strongest
from latentlink.networks.linear_precoding import block_diagonal, leakage_aware
from latentlink.networks.problem import Problem
from latentlink.numerics.seeds import stream_generator

_PERTURBED = 1e-3  # relative size of what is added to a start: columns of zeros would stay zero


def starts(problem: Problem, count: int) -> Float[Tensor, "starts *batch a c"]:
    """So many precoders of full power: closed forms for all users first, then random ones."""
    rows = strongest(problem)
    mean = mean_channel(problem, rows)
    once = equivalent_channel(problem, rows, mean)
    found = [better(problem, torch.stack([once, equivalent_channel(problem, rows, once)])), mean]
    if len(groups(problem)) > 1:
        found = [leakage_aware(problem), *found, block_diagonal(problem)]
    found += [_random(problem, number) for number in range(count - len(found))]
    return torch.stack(torch.broadcast_tensors(*found[:count]))


def perturbed(problem: Problem, F: Float[Tensor, "*batch a c"]) -> Float[Tensor, "*batch a c"]:
    """Precoders with a little of everything, at full power; the same for every network of the batch."""
    noise = _normal(problem, "perturbation") / (F.shape[-2] * F.shape[-1]) ** 0.5
    return within_sum(problem, F + _PERTURBED * F.square().sum((-2, -1), keepdim=True).sqrt() * noise)


def better(problem: Problem, F: Float[Tensor, "starts *batch a c"]) -> Float[Tensor, "*batch a c"]:
    """The best of several precoders for each network."""
    J = problem.errors(F).sum(-1).nan_to_num(nan=torch.inf)
    return F.gather(0, J.argmin(0)[None, ..., None, None].expand(1, *F.shape[1:])).squeeze(0)


def _random(problem: Problem, number: int) -> Float[Tensor, "*batch a c"]:
    F = _normal(problem, "start", number)
    return within_sum(problem, F.expand(*problem.batch, *F.shape))


def _normal(problem: Problem, *names: str | int) -> Float[Tensor, "a c"]:
    shape = (problem.H.shape[-1], problem.B.shape[-1])
    return torch.randn(shape, dtype=torch.float64, device="cpu", generator=stream_generator(0, "broadcast", *names)).to(problem.H)
