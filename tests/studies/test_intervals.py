import pytest

from latentlink.studies.intervals import interval_of, student, worst


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (5, 2.5706), (9, 2.2622), (60, 2.0003)]
)
def test_students_quantiles_are_those_of_the_tables(freedom, quantile):
    assert student(freedom) == pytest.approx(quantile, abs=4e-3)


def test_an_interval_is_over_seeds_where_there_are_several():
    assert interval_of([1, 1, 2, 2], [0.0, 1.0, 2.0, 3.0]) == (1.5, 0.5, 2.5, "range")
    mean, low, high, rule = interval_of([1, 1, 1], [1.0, 2.0, 3.0])
    assert (mean, rule) == (2.0, "t")
    assert high - mean == pytest.approx(4.3027 / 3**0.5, abs=1e-3)
    assert mean - low == pytest.approx(high - mean)


def test_the_worst_share_is_of_whole_values():
    assert worst([float(i) for i in range(100)], 5) == 2.0
    assert worst([1.0] * 99, 1) is None
