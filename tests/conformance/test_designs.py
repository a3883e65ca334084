"""What every design promises, whatever it designs."""

import pytest
import torch

import latentlink as ll
from conformance.registry import DESIGNS, channel, pilots, solution
from latentlink.links.own import AnyLink

every_design = pytest.mark.parametrize("name", DESIGNS)


def designed(name: str, radio: ll.Channel) -> ll.Solution:
    return DESIGNS[name].method().design(DESIGNS[name].known(), radio)


@every_design
def test_a_solution_has_known_statuses_and_honest_expectations(name):
    found, radio = solution(name), channel(DESIGNS[name].batch)
    assert isinstance(found, ll.Solution)
    assert found.status.shape == radio.batch
    assert all(ll.Status.of(int(one)).name in found.status_names() for one in found.status)
    assert len(found.messages()) == len(found.status_names())
    assert found.expected_mse is None or bool((found.expected_mse.isfinite() & (found.expected_mse >= 0)).all())
    assert found.expected_mse is None or found.expected_mse.shape == radio.batch
    assert (found.expected_power <= radio.power * (1 + 1e-6)).all()
    assert not any(value.isnan().any() for value in found.trace.values() if value.is_floating_point())


@every_design
def test_a_solution_shows_itself_in_one_line_and_in_a_small_table(name):
    found = solution(name)
    shown = repr(found)
    assert (
        shown == f"Solution({'1 channel' if DESIGNS[name].batch == (1,) else '3 channels'}, 2×2, 2 uses, {', '.join(found.status_names())})"
    )
    assert found._repr_html_().startswith("<table>")
    assert len(found._repr_html_()) < 2000


@every_design
def test_designing_twice_gives_the_same(name):
    again, x = designed(name, channel(DESIGNS[name].batch, DESIGNS[name].uncertain)), pilots().x[:4]
    assert torch.equal(again.transceiver.encode(x), solution(name).transceiver.encode(x))
    assert torch.equal(again.status, solution(name).status)


@pytest.mark.parametrize("name", [name for name, design in DESIGNS.items() if design.batch == (3,)])
def test_a_batch_is_its_members(name):
    radio, x, together = channel((3,), DESIGNS[name].uncertain), pilots().x[:4], solution(name)
    alone = designed(name, radio[1])
    assert alone.transceiver.batch == ()
    if DESIGNS[name].unique:
        torch.testing.assert_close(together.transceiver.encode(x)[1], alone.transceiver.encode(x), rtol=1e-4, atol=1e-5)
        assert together.status[1] == alone.status
    if alone.expected_mse is not None:
        close = 1e-4 if DESIGNS[name].unique else 2e-2  # an iteration that is stopped early
        torch.testing.assert_close(together.expected_mse[1], alone.expected_mse, rtol=close, atol=1e-5)


@every_design
def test_wrong_arguments_are_named(name):
    method, known = DESIGNS[name].method(), DESIGNS[name].known()
    with pytest.raises((ValueError, TypeError), match=r"(?i)channel"):
        method.design(known, torch.eye(2))
    if name not in ("codec", "gated"):
        with pytest.raises((ValueError, TypeError), match=r"modes|moments|pilots|code"):
            method.design(pilots().x, channel(DESIGNS[name].batch))


@every_design
def test_a_solution_is_sent_and_evaluated_as_its_transceiver_is(name):
    found: AnyLink = solution(name)
    radio, data = channel(DESIGNS[name].batch), pilots()[:12]
    if DESIGNS[name].awaits:
        for measured in (lambda: ll.transmit(found, data.x, radio), lambda: ll.evaluate(found, data.x, data.y, channel=radio)):
            with pytest.raises(ValueError, match="transceiver must be matched to the channel"):
                measured()
        found = found.transceiver.matched_to(radio)
        assert ll.evaluate(found, data.x, data.y, channel=radio, generator=3).mse.isfinite().all()
        return
    by_solution = ll.transmit(found, data.x, radio, generator=3)
    assert torch.equal(by_solution, ll.transmit(found.transceiver, data.x, radio, generator=3))
    seen = ll.evaluate(found, data.x, data.y, channel=radio, generator=3)
    torch.testing.assert_close(seen.mse, ll.metrics.mse(by_solution, data.y).to(seen.mse), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [name for name, design in DESIGNS.items() if design.batch == (3,)])
def test_no_channel_is_a_batch_too(name):
    nothing, data = channel((0,), DESIGNS[name].uncertain), pilots()[:4]
    found = designed(name, nothing)
    assert found.status.shape == found.expected_power.shape == found.transceiver.batch == (0,)
    assert repr(found) == "Solution(0 channels, 2×2, 2 uses)"
    assert found._repr_html_().startswith("<table>")
    assert found.transceiver.encode(data.x).shape == (0, 4, 2, 2)
    if not DESIGNS[name].awaits:
        assert ll.evaluate(found, data.x, data.y, channel=channel((0,))).mse.shape == (0,)
