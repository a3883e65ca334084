"""What pilots cost is told between two fits, over the points that a method has at every number of pilots."""

import math

import pytest

from latentlink.report.arrange import arrange, arrange_all
from latentlink.report.page import make_page, plot_all, render_page
from latentlink.report.pilot_prices import tabulate_pilot_costs
from report.rows import frame, row
from report.test_page import META

COUNTS = (100, 400, 1600)


def study(error, accuracy=lambda n: 0.8 - 10 / n, methods=("exact, goal-oriented",), counts=COUNTS):
    """Rows at several numbers of pilots, with two SNRs and seeds."""
    return [
        row(m, 4, snr_db, seed, pilots=n, pilots_per_class=n // 10, nmse=error(n), accuracy=accuracy(n))
        for m in methods
        for n in counts
        for snr_db in (10.0, 20.0)
        for seed in (1, 2)
    ]


def costs(rows):
    return tabulate_pilot_costs(arrange(frame(rows), "snr"))


@pytest.mark.parametrize(("exponent", "end"), [(1.0, 0), (0.5, 1)])
def test_a_law_of_one_of_both_orders_is_told_exactly(exponent, end):
    (table,), _ = costs(study(lambda n: 0.4 + 5 * n**-exponent))
    ((_, entries),) = table.rows
    for entry, n in zip(entries, COUNTS, strict=True):
        assert float(entry.text.split(" to ")[end]) == pytest.approx(10 * math.log10(1 + 12.5 * n**-exponent), abs=0.006)


def test_the_handshake_is_that_of_the_further_pilots():
    """From 100 to 400 pilots: 300 · 100 numbers in 8 a use, for 0.075 of accuracy."""
    _, (table,) = costs(study(lambda n: 0.4 + 5 / n))
    first = table.rows[0][1][0]
    assert table.columns[0] == "100 → 400 pilots"
    assert first.text == f"{3750 / 0.075:,.0f}"
    assert first.remark == "3,750 uses, +0.075"
    _, (table,) = costs(study(lambda n: 0.4 + 5 / n, accuracy=lambda n: 0.5))
    assert table.rows[0][1][0].text == "never"


def test_methods_are_compared_where_they_have_all_numbers_of_pilots():
    rows = study(lambda n: 0.4 + 5 / n)
    assert costs(study(lambda n: 0.4, counts=COUNTS[:2])) == ((), ())
    (table,), _ = costs(rows + [each for each in study(lambda n: 0.5, methods=("neural",)) if each["pilots"] == 100])
    assert [name for name, _ in table.rows] == ["exact, goal-oriented"]
    more = [row("exact, goal-oriented", 4, 30.0, 1, pilots=100, pilots_per_class=10, nmse=9.0)]  # a point of one number of pilots alone
    assert costs(rows + more) == costs(rows)
    (table,), _ = costs(study(lambda n: 0.4 + n / 1e5))
    assert {entry.remark for entry in table.rows[0][1]} == {"no gain"}


def test_the_page_has_a_part_on_pilots_where_a_study_has_several_numbers_of_them():
    def page(rows):
        study = arrange_all(frame(rows), "snr")
        return render_page(make_page(study, META, plot_all(study), []))

    assert "What pilots cost" in page(study(lambda n: 0.4 + 5 / n))
    assert "What pilots cost" not in page(study(lambda n: 0.4 + 5 / n, counts=COUNTS[:1]))
