"""On a GPU everything runs where the tensors are, and gives what the CPU gives: `pytest -m cuda`.

LATENTLINK_DEVICE names another device; with `cpu` the comparison itself can be tried anywhere.
"""

import os

import pytest
import torch

import latentlink as ll
from conformance.registry import DESIGNS, channel, pilots, solution
from latentlink.numerics.parts import change_tensors

DEVICE = os.environ.get("LATENTLINK_DEVICE", "cuda")
TRAINED = ("neural", "codec")  # networks in single precision

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="this machine has no GPU that PyTorch can use"),
]


def moved(value):
    return change_tensors(value, lambda tensor: tensor.to(DEVICE))


def designed(name):
    design = DESIGNS[name]
    return moved(design.method()).design(moved(design.known()), channel(design.batch, design.uncertain).to(DEVICE))


@pytest.mark.parametrize("name", [name for name in DESIGNS if name not in TRAINED])
def test_designs_agree_in_double_precision(name):
    there, here = designed(name), solution(name)
    assert there.status.device.type == torch.device(DEVICE).type
    if here.expected_mse is not None:
        close = 1e-9 if DESIGNS[name].unique else 1e-3  # iterations that are stopped early may end elsewhere
        torch.testing.assert_close(there.expected_mse.cpu(), here.expected_mse, rtol=close, atol=1e-9)
    assert there.expected_power.cpu() == pytest.approx(here.expected_power, rel=1e-9)


@pytest.mark.parametrize("name", DESIGNS)
def test_links_move_there_and_back(name):
    link = solution(name).transceiver
    x = pilots().x[:6]
    there = link.to(DEVICE)
    symbols = there.encode(x.to(DEVICE))
    assert symbols.device.type == torch.device(DEVICE).type
    torch.testing.assert_close(symbols.cpu(), link.encode(x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(there.to("cpu").encode(x), link.encode(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name in DESIGNS if not DESIGNS[name].awaits])
def test_links_are_evaluated_where_they_are(name):
    data = pilots()[:40]
    radio = channel(DESIGNS[name].batch).to(DEVICE)
    there = ll.evaluate(solution(name).transceiver.to(DEVICE), data.x.to(DEVICE), data.y.to(DEVICE), channel=radio, generator=3)
    assert there.mse.device.type == torch.device(DEVICE).type
    assert bool(there.mse.isfinite().all())


def test_heads_goals_and_moments_are_made_there():
    data = pilots()
    head = ll.fit_head(data.y.to(DEVICE), data.labels.to(DEVICE))
    goal = ll.Goal.fisher(head, data.y.to(DEVICE), temperature=3.0)
    moments = ll.Moments.from_pairs(data.x.to(DEVICE), data.y.to(DEVICE), folds=5)
    assert {goal.weight.device.type, moments.cov_x.device.type} == {torch.device(DEVICE).type}
    torch.testing.assert_close(moments.cov_yx.cpu(), ll.Moments.from_pairs(data.x, data.y, folds=5).cov_yx, rtol=1e-12, atol=1e-12)


def test_a_generator_of_another_device_is_named():
    if DEVICE == "cpu":
        pytest.skip("there is one device only")
    link = solution("exact").transceiver.to(DEVICE)
    with pytest.raises(ValueError, match=f"generator must be on {DEVICE}"):
        ll.transmit(link, pilots().x[:2].to(DEVICE), generator=torch.Generator())
