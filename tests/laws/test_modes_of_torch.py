"""Whatever mode a notebook has switched on, designs and trainings give what they give without it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

import latentlink as ll
from conformance.registry import channel, modes, moments, pilots


@contextmanager
def double_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


SETTINGS = {"hidden_tx": 4, "hidden_rx": 4, "epochs": 1, "precision": "float32"}
CODEC = ll.CodecTraining(
    modes=5, width=8, layers=1, max_symbols=4, rounds=1, steps=2, channels=4, messages=32, bank=(16, 8, 8),
    draws=ll.channels.ChannelDraws(antennas=(2,), uses=(2,)),
)  # fmt: skip
TASKS = {
    "head": lambda: ll.fit_head(pilots().y, pilots().labels).weight,
    "goal": lambda: ll.Goal.fisher(torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Tanh()), pilots().y).weight.mT.sum().new_zeros(()),
    "design": lambda: ll.ClosedForm().design(modes(), channel()).expected_mse,
    "per use": lambda: ll.ClosedForm(power=ll.power.PerUse(max_iterations=20)).design(modes(), channel()).expected_mse,
    "networks": lambda: ll.Neural(**SETTINGS).design(pilots(), channel((1,))).expected_mse,
    "codec": lambda: CODEC.fit(modes(), pilots(), ll.objectives.Regression()).trace["validation_loss"],
    "made inside": lambda: ll.Neural(**SETTINGS).design(ll.Pilots(pilots().x + 0.0, pilots().y + 0.0), channel((1,))).expected_mse,
    "baseline": lambda: ll.baselines.TopK(k=3, align="before", draws=16).design(moments(), channel()).expected_mse,
}


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, double_by_default])
@pytest.mark.parametrize("task", TASKS)
def test_modes_change_nothing(mode, task):
    expected = TASKS[task]()
    with mode():
        found = TASKS[task]()
    torch.testing.assert_close(found.clone().to(expected), expected)
