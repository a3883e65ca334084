"""What designs for one transmitter have in common."""

import torch
from torch import Tensor

from latentlink.links.status import Status
from latentlink.networks.broadcast_bounds import broadcast_bound
from latentlink.networks.design import Outcome
from latentlink.networks.problem import Problem


def check_one_transmitter(problem: Problem) -> None:
    """Refuse a network of several transmitters."""
    if len(problem.rows) != 1:
        raise ValueError(
            f"links must have one transmitter for a broadcast, got {len(problem.rows)}: give the channels of one, with the number 0 for "
            "each source in transmitter_of, or take a design for several"
        )


def baseline(problem: Problem, F: Tensor, **trace: Tensor) -> Outcome:
    """What a baseline found, with the bound of a broadcast."""
    status = torch.full(problem.batch, Status.BASELINE.code, device=F.device)
    return Outcome(F.expand(*problem.batch, *F.shape[-2:]), status, broadcast_bound(problem), trace)
