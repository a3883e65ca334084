import pytest
import torch

import latentlink as ll
from latentlink.linear.mse import grouped_mse, response_mse, total_mse
from oracles import channel, moments


@pytest.mark.parametrize("goal", [False, True])
@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 2, 1), (1, 2, 6)])
def test_the_error_group_by_group_is_that_of_the_full_response(goal, shrinkage, shape):
    n_rx, n_tx, uses = shape
    weight = torch.randn(2, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    modes = ll.semantic_modes(moments(1, 11, 9), ll.Goal(weight) if goal else None, shrinkage=shrinkage)
    grids, drawn = (channel(seed, n_rx, n_tx, uses, 10.0, batch=(5,)) for seed in (2, 3))
    link = ll.ClosedForm().design(modes, grids).transceiver.matched_to(drawn)  # not diagonal
    full = total_mse(modes, *link.response())
    torch.testing.assert_close(grouped_mse(modes, link, not (goal and shrinkage > 0)), full, rtol=1e-9, atol=0.0)
    torch.testing.assert_close(response_mse(modes, drawn, link.streams, link.precoder), full, rtol=1e-9, atol=0.0)
