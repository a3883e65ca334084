"""Decision pilots: how many agreements raise an alarm, by the binomial law in whole numbers."""

from fractions import Fraction
from math import comb

import pytest

import latentlink as ll


def cumulated(n, at_most, p):
    p = Fraction(p)
    return float(sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(at_most + 1)))


@pytest.mark.parametrize(
    ("n", "accuracy", "rate"), [(25, 0.82, 0.01), (50, 0.82, 0.01), (7, 0.5, 0.05), (120, 0.9, 0.001), (1, 0.99, 0.02)]
)
def test_the_most_agreements_that_are_rare_enough(n, accuracy, rate):
    test = ll.living.AgreementTest.of(n, accuracy, rate)
    assert test.false_alarms == pytest.approx(cumulated(n, test.alarm_at_most, accuracy), rel=1e-9)
    assert test.false_alarms <= rate < cumulated(n, test.alarm_at_most + 1, accuracy)
    for now in (0.3, 0.75):
        assert test.alarms_at(now) == pytest.approx(cumulated(n, test.alarm_at_most, now), rel=1e-9)
    assert test.alarms_at(0.0) == 1.0
    assert test.alarms_at(1.0) == 0.0


def test_the_figures_of_the_design_note():
    small, large = ll.living.AgreementTest.of(25, 0.82), ll.living.AgreementTest.of(50, 0.82)
    assert (small.alarm_at_most, large.alarm_at_most) == (15, 33)
    assert [round(small.alarms_at(p), 2) for p in (0.57, 0.45)] == [0.69, 0.96]


def test_too_few_pilots_are_refused_with_their_number():
    with pytest.raises(ValueError, match="pilots must be at least 3 "):
        ll.living.AgreementTest.of(2, 0.82, 0.01)
    ll.living.AgreementTest.of(3, 0.82, 0.01)
    for wrong in ({"pilots": 0}, {"accuracy": 1.0}, {"false_alarms": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ll.living.AgreementTest.of(**{"pilots": 25, "accuracy": 0.8, **wrong})
