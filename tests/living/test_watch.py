"""A watch raises false alarms as often as it was told, also on dependent streams, and sees what can be seen."""

import math
import warnings
from dataclasses import replace

import pytest
import torch

import latentlink as ll
from latentlink.living.blocks import Dependence, blocks_of
from latentlink.living.cusum import cusum
from oracles import normal, seeded

RATE = 1 / 100
STATE = ("statistic", "count", "alarmed_at", "rising_since", "alarm")
HEAD = torch.nn.Linear(3, 2).double()
HEAD.weight.data, HEAD.bias.data = torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]]).double(), torch.zeros(2).double()


def autoregressive(seed, n, memory, *streams):
    """Streams (n, …, 3) of unit variance whose autocorrelation is memory^lag."""
    noise = normal(seed, n, *streams, 3)
    values = [noise[0]]
    for step in noise[1:]:
        values.append(memory * values[-1] + (1 - memory**2) ** 0.5 * step)
    return torch.stack(values)


@pytest.mark.parametrize(("memory", "bias"), [(0.0, 0.0), (0.8, 0.15)])
def test_false_alarms_are_as_rare_as_on_the_calibrating_law(memory, bias):
    """Over 200 fresh streams of 12 mean times; `between` is the calibrating sample's own error, the bias that of blocks that are cut."""
    watch = ll.living.Watch.calibrated(HEAD, autoregressive(1, 30_000, memory), false_alarms=RATE)
    assert (watch.correlation_time > 2) == (memory > 0)
    low, high = watch.between
    assert low < 1 / RATE < high
    fresh = autoregressive(2, 1200, memory, 200).unbind(1)
    times = torch.tensor([watch.update(stream).alarmed_at or len(stream) for stream in fresh], dtype=torch.float64)
    error = (float(times.var()) / len(times) + ((high - low) / 2) ** 2) ** 0.5
    assert abs(float(times.mean()) - 1 / RATE) < 3 * error + bias / RATE


def test_blocks_matter_for_dependent_streams():
    """A threshold that takes a dependent stream for an independent one would raise several times as many false alarms."""
    y = autoregressive(1, 20_000, 0.8)
    dependent = ll.living.Watch.calibrated(HEAD, y, false_alarms=RATE)
    independent = ll.living.Watch.calibrated(HEAD, y[torch.randperm(len(y), generator=seeded(3))], false_alarms=RATE)
    assert dependent.threshold > 1.5 * independent.threshold


def test_less_sure_decisions_raise_an_alarm_and_the_delay_is_told():
    y, faint = normal(1, 20_000, 3), 0.3 * normal(2, 20_000, 3)
    watch = ll.living.Watch.calibrated(HEAD, y, false_alarms=RATE)
    told = watch.delay_for(faint)
    delays = [watch.update(part).alarmed_at for part in faint.split(200)]
    measured = torch.tensor(delays, dtype=torch.float64)
    assert abs(float(measured.mean()) - told) < 4 * float(measured.std()) / len(measured) ** 0.5
    assert told < watch.delay_for(0.5 * faint / 0.3) < watch.delay_for(0.0)
    assert watch.delay_for(2.0) < watch.delay_for(1.0) < watch.delay_for(0.5)
    assert watch.delay_for(0.0) == pytest.approx(1 / RATE, rel=0.02)


def test_classes_that_change_places_are_not_seen():
    """The limit of every test on received latents alone: their law is the same."""
    y = normal(1, 20_000, 3)
    watch = ll.living.Watch.calibrated(HEAD, y, false_alarms=RATE)
    exchanged = normal(5, 2000, 3) * torch.tensor([-1.0, 1, 1])
    told, silent = watch.update(exchanged[:50]), watch.update(normal(5, 2000, 3)[:50])
    assert told.statistic == pytest.approx(silent.statistic, abs=1e-9)
    assert told.alarm == silent.alarm
    test = ll.living.AgreementTest.of(25, accuracy=0.9)
    assert test.alarms_at(0.1) > 0.999  # the remedy


def test_messages_may_come_one_by_one_and_an_alarm_stays():
    y = normal(1, 4000, 3)
    watch = ll.living.Watch.calibrated(HEAD, y, false_alarms=RATE)
    faint = 0.1 * normal(2, 60, 3)
    at_once, single = watch.update(faint), watch
    for row in faint:
        single = single.update(row[None])
    assert single.alarm
    assert single.alarmed_at == at_once.alarmed_at
    assert single.statistic == pytest.approx(at_once.statistic, rel=1e-9)
    assert watch.count == 0
    after = at_once.update(10 * y[:500])
    assert after.alarm
    assert after.statistic < after.threshold
    assert not after.restarted().alarm
    assert "alarm at message" in repr(at_once)


def test_too_few_calibrating_messages_are_told():
    with pytest.warns(UserWarning, match=r"y_hat has 60 messages.*calibrate on about \d+ messages"):
        ll.living.Watch.calibrated(HEAD, normal(1, 60, 3), false_alarms=1 / 400)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ll.living.Watch.calibrated(HEAD, normal(1, 20_000, 3), false_alarms=1 / 200)


def test_what_cannot_be_watched_is_refused_by_name():
    y = normal(1, 200, 3)
    with pytest.raises(ValueError, match="not equally sure"):
        ll.living.Watch.calibrated(HEAD, y[:1].expand(9, -1))
    with pytest.raises(ValueError, match="false_alarms must be"):
        ll.living.Watch.calibrated(HEAD, y, false_alarms=0.5)
    with pytest.raises(ValueError, match="head must be a classifier"):
        ll.living.Watch.calibrated(torch.nn.Linear(3, 1).double(), y)
    watch = ll.living.Watch.calibrated(HEAD, normal(1, 5000, 3), false_alarms=RATE)
    with pytest.raises(ValueError, match="y_hat"):
        watch.update(y * math.nan)
    with pytest.raises(ValueError, match="shift"):
        watch.delay_for(math.nan)
    with pytest.raises(ValueError, match="shift"):
        watch.delay_for(y[0])


def test_the_statistic_is_that_of_the_recursion():
    z, state, expected = normal(1, 300), 0.7, []
    for step in z.tolist():
        state = max(0.0, state + step - 0.25)
        expected.append(state)
    torch.testing.assert_close(cusum(z, 0.25, 0.7), torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-9)


def test_correlation_times_and_blocks_of_autoregressive_streams():
    """τ = (1 + φ) / (1 − φ), and L = (2φ / (1 − φ²))^⅔ n^⅓."""
    for memory in (0.5, 0.9):
        found = Dependence.of(autoregressive(4, 20_000, memory)[:, 0])
        assert found.time == pytest.approx((1 + memory) / (1 - memory), rel=0.25)
        assert found.block == pytest.approx((2 * memory / (1 - memory**2)) ** (2 / 3) * 20_000 ** (1 / 3), rel=0.35)
    assert Dependence.of(normal(1, 2000)) == (1.0, 1.0)
    assert Dependence.of(torch.ones(100)) == (1.0, 1.0)


def test_blocks_are_runs_of_the_series_of_the_wanted_mean_length():
    places = blocks_of(50, 4000, 8, 6.0, seeded(1))
    goes_on = (places[1:] == (places[:-1] + 1) % 50).double().mean()
    assert float(goes_on) == pytest.approx(1 - (1 - 1 / 50) / 6, abs=0.01)
    assert places.min() == 0
    assert places.max() == 49


def test_a_saved_watch_goes_on_as_if_it_had_never_been_away(tmp_path):
    """Bit by bit, after any message; also one whose messages are a head's outputs, and one of an unbounded time between alarms."""
    y, faint = normal(1, 5000, 3), 0.5 * normal(2, 60, 3)
    named = ll.fit_head(y, ["left" if value < 0 else "right" for value in y[:, 0]])
    logits = named(y)
    for head, clean, rows in ((named, y, faint), (torch.nn.Identity(), logits, named(faint)), (HEAD, y, faint)):
        watch = ll.living.Watch.calibrated(head, clean, false_alarms=RATE)
        assert named.classes == getattr(watch.head, "classes", named.classes)
        for cut in (0, 1, 17, 59):
            before = watch.update(rows[:cut]) if cut else watch
            before.save(tmp_path / "watch.safetensors")
            after = ll.load(tmp_path / "watch.safetensors", ll.living.Watch)
            assert repr(after) == repr(before)
            assert after.between == before.between
            went_on, came_back = before.update(rows[cut:]), after.update(rows[cut:])
            assert [getattr(came_back, name) for name in STATE] == [getattr(went_on, name) for name in STATE]
            assert came_back.delay_for(1.0) == went_on.delay_for(1.0)
    replace(watch, between=(3.0, math.inf)).save(tmp_path / "watch.safetensors")
    assert ll.load(tmp_path / "watch.safetensors").between == (3.0, math.inf)


def test_a_head_that_no_file_holds_is_refused_with_the_remedy(tmp_path):
    watch = ll.living.Watch.calibrated(torch.nn.Sequential(HEAD), normal(1, 5000, 3), false_alarms=RATE)
    with pytest.raises(ValueError, match=r"head must be linear to be saved.*got Sequential.*Identity"):
        watch.save(tmp_path / "watch.safetensors")
    assert not list(tmp_path.iterdir())


def test_the_beginning_of_a_change_is_where_the_statistic_last_left_zero():
    y = normal(1, 20_000, 3)
    watch = ll.living.Watch.calibrated(HEAD, y, false_alarms=RATE)
    rows = torch.cat([normal(2, 40, 3), 0.1 * normal(3, 40, 3)])
    at_once, single = watch.update(rows), watch
    statistics = watch.statistics(rows)
    for row in rows:
        single = single.update(row[None])
    alarm = at_once.alarmed_at
    zeros = [number for number, s in enumerate(statistics[:alarm].tolist(), 1) if s == 0]
    assert at_once.rising_since == zeros[-1] + 1 == single.rising_since
    assert 30 < at_once.rising_since <= 45
    assert at_once.update(10 * y[:500]).rising_since == at_once.rising_since  # as it was at the alarm
    assert float(statistics[-1]) == at_once.statistic


@pytest.mark.parametrize("returned", [lambda y: None, lambda y: torch.complex(y, y)])
def test_a_head_that_returns_no_real_outputs_is_named(returned):
    head = type("Other", (torch.nn.Module,), {"forward": lambda self, y: returned(y)})()
    with pytest.raises(ValueError, match="head must return a real tensor of outputs"):
        ll.living.Watch.calibrated(head, torch.randn(50, 3))
