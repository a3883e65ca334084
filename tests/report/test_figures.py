import struct

import polars as pl
import pytest
from matplotlib.image import imread

from latentlink.report.arrange import arrange
from latentlink.report.axes import choose_round_ticks, thin_out
from latentlink.report.curves import CAPACITY, OPTA, SEPARATION, Curve
from latentlink.report.figures import draw_figures
from latentlink.report.interactive import make_chart
from latentlink.report.palette import INK_LOOKS, assign_looks
from latentlink.report.plots import plot_accuracy, plot_trade_off
from report.rows import compression_study, frame, reference, row


def draw(rows, axis, folder):
    return draw_figures(plot_accuracy(arrange(rows, axis)), folder / f"accuracy-vs-{axis}", note="where it is from")


def test_every_condition_is_a_figure_one_column_wide(tmp_path):
    files = draw(compression_study(), "compression", tmp_path)
    names = {path.name for path in files}
    assert names == {
        f"accuracy-vs-compression-{condition}.{kind}"
        for kind in ("pdf", "png")
        for condition in (
            "42-pilots-per-class-snr-per-transmit-antenna",
            "420-pilots-per-class-snr-per-transmit-antenna",
            "420-pilots-per-class-snr-per-receive-antenna",
        )
    }
    assert {path.name for path in tmp_path.iterdir()} == names
    for path in files:
        content = path.read_bytes()
        if path.suffix == ".pdf":
            assert content.startswith(b"%PDF")
            assert b"CreationDate" not in content
        else:
            assert struct.unpack(">I", content[16:20])[0] == 1050  # 3.5 in at 300 dpi


@pytest.mark.parametrize("name", ["short", "a method of one's own whose name says all that there is to say of it", "unbroken" * 4])
def test_nothing_is_cut_at_the_edges(tmp_path, name):
    """The legend once was wider than the figure: lines at its left and words at its right were cut."""
    one = compression_study(pilots=(420,)).filter(pl.col("snr_reference").fill_null("transmit") == "transmit")
    rows = one.with_columns(method=pl.when(pl.col("method") == "Eigen-K").then(pl.lit(name)).otherwise("method"))
    unaware = rows.filter(pl.col("snr_db").is_not_null()).with_columns(knowledge=pl.lit("unaware"))
    for path in draw(pl.concat([rows, unaware]), "compression", tmp_path):
        if path.suffix == ".png":
            image = imread(path)
            assert image[:, :3].min() == 1
            assert image[:, -3:].min() == 1


def test_one_point_one_seed_no_limits_and_nothing_at_all(tmp_path):
    lone = frame([row("neural", exact_mse=None, opta=None, opta_nmse=None)])
    for axis in ("compression", "snr", "flops"):
        assert len(draw(lone, axis, tmp_path)) == 2
    assert draw(frame([reference("unaligned")]), "snr", tmp_path) == []
    assert draw(pl.DataFrame(), "snr", tmp_path) == []


def test_a_method_looks_the_same_whatever_else_is_drawn():
    def curve(label, family):
        return Curve(label, family, "aware", (), ())

    alone = assign_looks([curve("Eigen-K", "baseline")])["Eigen-K"]
    others = [curve("disjoint", "baseline"), curve("Arithmetic-K", "baseline"), curve("Eigen-K", "baseline"), curve("neural", "neural")]
    among = assign_looks(others)
    assert among["Eigen-K"] == alone
    assert len({(look.colour, look.marker) for look in among.values()}) == 4
    many = assign_looks([curve(f"method {number}", "exact") for number in range(9)])
    assert len({(look.colour, look.marker) for look in many.values()}) == 9


def test_ticks_leave_each_other_room():
    assert thin_out([1.0, 1.01, 2.0, 4.0, 4.1]) == [1.01, 2.0, 4.1]
    assert thin_out([3.0]) == [3.0]


@pytest.mark.parametrize("ends", [(3e6, 3.1e6), (2.01, 9.99), (900, 1100), (0.03, 0.031), (2.1e6, 2.9e6), (7e3, 6e8)])
def test_axes_have_two_ticks_at_least_among_the_data_however_short_they_are(ends):
    ticks = choose_round_ticks(*ends)
    assert sum(ends[0] <= place <= ends[1] for place in ticks) >= 2
    assert len(set(ticks.values())) == len(ticks) < 12


def test_costs_that_are_nearly_the_same_have_ticks_on_the_page():
    rows = [row("neural", n, flops=flops) for n, flops in ((4, 251_000), (8, 258_000))]
    plots, _ = plot_trade_off(arrange(frame(rows), "antennas"))
    assert make_chart(plots[:1], [""], "trade-off").layout["xaxis"]["ticktext"] == ["252 k", "254 k", "256 k", "258 k"]


def test_limits_and_references_are_distinguishable_lines():
    looks = [INK_LOOKS[name] for name in INK_LOOKS]
    for word in (0, 1):  # of matplotlib and of plotly
        assert len({(str(look.dash[word]), look.width, look.steps) for look in looks}) == len(looks)
    broken = [look.dash for name, look in INK_LOOKS.items() if name in (OPTA, SEPARATION, CAPACITY)]
    assert len({str(dash) for dash in broken}) == 3
