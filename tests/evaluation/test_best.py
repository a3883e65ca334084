"""Multiple comparisons with the best: what is planted is found, and what is not there is claimed at most as often as is said."""

import numpy as np
import pytest

from latentlink.evaluation.best import rank
from latentlink.evaluation.intervals import student


def drawn(means, units, noise, seed=0, shared=1.0):
    """Values with what all methods share in a unit, and noise of their own."""
    generator = np.random.default_rng(seed)
    common = shared * generator.normal(size=units)
    return {name: list(mean + common + noise * generator.normal(size=units)) for name, mean in means.items()}


def test_quantiles_of_students_t_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    for freedom in (1, 2, 3, 4, 5, 17, 100, 999):
        for share in (0.6, 0.975, 0.9986, 0.99999):
            assert student(freedom, share) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-9)
    assert student(10**6) == pytest.approx(stats.norm.ppf(0.975), rel=1e-4)


def test_what_is_shared_cancels_and_a_planted_winner_wins():
    found = rank(drawn({"a": 0.5, "b": 0.4, "c": 0.1}, units=5, noise=0.001, shared=100.0))
    assert found.tied == ["a"]
    assert list(found.means) == ["a", "b", "c"]
    assert found.behind["b"].low < 0.1 < found.behind["b"].high
    assert found.behind["b"].low > 0.09


def test_the_least_wins_where_less_is_better():
    values = drawn({"a": 0.5, "b": 0.4}, units=5, noise=0.001)
    assert rank(values, largest=False).best == "b"
    mirrored = rank({name: [-value for value in series] for name, series in values.items()})
    assert mirrored.behind["a"] == rank(values, largest=False).behind["a"]


def test_equal_methods_are_called_a_winner_at_most_as_often_as_is_said():
    """Six equal methods, of unequal noise, 2,000 times over 2 to 6 seeds: 5 %, and three standard errors of the count."""
    generator = np.random.default_rng(1)
    wins = 0
    for _ in range(2000):
        units = int(generator.integers(2, 7))
        noise = generator.uniform(0.1, 3.0, size=6)
        table = generator.normal(size=units) + noise[:, None] * generator.normal(size=(6, units))
        wins += len(rank({str(number): list(series) for number, series in enumerate(table)}).tied) == 1
    assert wins / 2000 <= 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5


def test_the_best_is_among_those_that_tie_as_often_as_is_said():
    """The best is ahead by a little: it may not be the one with the best mean, but then it ties with it."""
    missed = sum("a" not in rank(drawn({"a": 0.2, "b": 0.0, "c": 0.0, "d": -1.0}, 4, 0.5, seed)).tied for seed in range(1000))
    assert missed / 1000 <= 0.05


def test_neither_the_order_of_units_nor_that_of_methods_matters_nor_a_shift_of_all():
    values = drawn({"a": 0.5, "b": 0.49, "c": 0.1}, units=6, noise=0.02)
    found = rank(values)
    order = np.random.default_rng(3).permutation(6)
    other = rank({name: [values[name][place] + 7.0 for place in order] for name in reversed(values)})
    assert other.tied == found.tied
    for name, behind in found.behind.items():
        assert (other.behind[name].low, other.behind[name].high) == (pytest.approx(behind.low), pytest.approx(behind.high))


def test_noise_makes_ties_of_wins():
    wins = [sum(len(rank(drawn({"a": 0.5, "b": 0.4}, 4, noise, seed)).tied) == 1 for seed in range(100)) for noise in (0.001, 0.05, 1.0)]
    assert wins[0] == 100 > wins[1] > wins[2]
    assert wins[2] <= 10


def test_a_copy_of_the_best_ties_with_it_and_one_unit_says_nothing():
    values = drawn({"a": 0.5, "b": 0.1}, units=5, noise=0.001)
    assert set(rank(values | {"copy": values["a"]}).tied) == {"a", "copy"}
    alone = rank({"a": [0.9], "b": [0.1]})
    assert (alone.best, alone.behind["b"].low, alone.tied) == ("a", None, ["a", "b"])


def test_two_seeds_that_count_the_same_difference_by_chance_are_no_proof():
    """Accuracies of 200 messages come in steps of 0.005: an estimate of no spread at all is no spread of zero."""
    values = {"a": [0.805, 0.705], "b": [0.8, 0.7]}
    assert rank(values).tied == ["a"]
    assert rank(values, rounding=0.005 / 6**0.5).tied == ["a", "b"]


@pytest.mark.parametrize("values", [{}, {"a": []}, {"a": [1.0], "b": [1.0, 2.0]}])
def test_units_that_do_not_match_are_refused(values):
    with pytest.raises(ValueError, match="values must have the same units"):
        rank(values)
