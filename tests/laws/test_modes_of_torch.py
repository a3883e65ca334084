"""Whatever mode a notebook has switched on, designs and trainings give what they give without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
import torch

import latentlink as ll
from conformance.registry import DESIGNS, channel, modes, moments, pilots


@contextmanager
def double_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def nowhere_by_default() -> Iterator[None]:
    """A default device that holds no numbers, in place of a GPU: whatever is made on it by mistake fails."""
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


SETTINGS = {"hidden_tx": 4, "hidden_rx": 4, "epochs": 1, "precision": "float32"}
CODEC = ll.CodecTraining(
    modes=5, width=8, layers=1, max_symbols=4, rounds=1, steps=2, channels=4, messages=32, bank=(16, 8, 8),
    draws=ll.channels.ChannelDraws(antennas=(2,), uses=(2,)),
)  # fmt: skip


@cache
def curved_head() -> torch.nn.Module:
    drawn = torch.nn.Linear(5, 4, dtype=torch.float32, device="cpu")
    return torch.nn.Sequential(drawn, torch.nn.Tanh())


def sent_and_judged() -> torch.Tensor:
    """A link from files to an accuracy, as in the README."""
    found = ll.ClosedForm().design(modes(), channel())
    head = ll.fit_head(pilots().y, pilots().labels)
    seen = ll.evaluate(found, pilots().x.numpy(), pilots().y.tolist(), channel=channel(), head=head, labels=pilots().labels, generator=0)
    peaks = ll.metrics.peaks(found, pilots().x)
    arrived = ll.transmit(found, pilots().x, channel(), generator=1)
    return torch.stack([seen.accuracy, seen.nmse, peaks.papr_db, arrived.square().mean((-2, -1))])


def known_and_bounded() -> torch.Tensor:
    """Knowledge of channels and limits."""
    elements, late = ll.channels.ResourceElements.contiguous(2), ll.channels.ResourceElements.contiguous(2, symbol=3)
    scattered = ll.csi.ScatteringStatistics(rms_delay_spread_s=1e-7, doppler_hz=10.0)
    estimator = ll.csi.lmmse_estimator(scattered, elements, late, pilot_noise=0.1)
    known = ll.csi.age_estimate(ll.csi.quantise_feedback(estimator.known(channel(), channel().h, 0), 6), 1e-3, 3.0, carrier_hz=1e9)
    drawn = ll.channels.ChannelDraws(antennas=(2,), uses=(2,)).draw(3, 0)[0]
    best = ll.semantic_modes(moments(), shrinkage=0.0)
    limits = [bound(best, channel()) for bound in (ll.bounds.opta, ll.bounds.separation, ll.bounds.per_antenna)]
    figures = [ll.bounds.capacity(channel()), *limits, known.h.abs().mean((-3, -2, -1)), drawn.h.abs().mean().expand(3)]
    choice = ll.choose_goal(pilots().x, pilots().y, curved_head(), streams=(2,), snr_db=(10.0,), channels=1, folds=2)
    explained = torch.full((3,), ll.look(pilots().x, pilots().y).dependence.r2, dtype=torch.float64, device="cpu")
    return torch.stack([*figures, choice.score.flatten()[:3].double(), explained])


def redesigned(name: str) -> torch.Tensor:
    """The first message of a design of the registry, made anew."""
    design = DESIGNS[name]
    return design.method().design(design.known(), channel(design.batch, design.uncertain)).transceiver.encode(pilots().x[:1])


TASKS = {
    "head": lambda: ll.fit_head(pilots().y, pilots().labels).weight,
    "goal": lambda: ll.Goal.fisher(curved_head(), pilots().y).weight,
    "design": lambda: ll.ClosedForm().design(modes(), channel()).expected_mse,
    "per use": lambda: ll.ClosedForm(power=ll.power.PerUse(max_iterations=20)).design(modes(), channel()).expected_mse,
    "networks": lambda: ll.Neural(**SETTINGS).design(pilots(), channel((1,))).expected_mse,
    "codec": lambda: CODEC.fit(modes(), pilots(), ll.objectives.Regression()).trace["validation_loss"],
    "sent and judged": sent_and_judged,
    "known and bounded": known_and_bounded,
    **{f"design {name}": lambda name=name: redesigned(name) for name in DESIGNS if name not in ("neural", "codec")},
    "made inside": lambda: ll.Neural(**SETTINGS).design(ll.Pilots(pilots().x + 0.0, pilots().y + 0.0), channel((1,))).expected_mse,
    "baseline": lambda: ll.baselines.TopK(k=3, align="before", draws=16).design(moments(), channel()).expected_mse,
}


@cache
def without_modes(task: str) -> torch.Tensor:
    return TASKS[task]()


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, double_by_default, nowhere_by_default])
@pytest.mark.parametrize("task", TASKS)
def test_modes_change_nothing(mode, task):
    expected = without_modes(task)
    with mode():
        found = TASKS[task]()
    torch.testing.assert_close(found.clone().to(expected), expected)
