import pytest

from latentlink.report.arrange import arrange
from latentlink.report.columns import describe_source, prepare
from latentlink.report.curves import average_curves
from latentlink.report.figures import draw_wide
from latentlink.report.plots import plot_accuracy
from report.rows import REFERENCES, frame, reference, row

METHODS = {"complex-linear, MSE": "exact", "goal-oriented": "exact", "codec, one network for all": "codec"}


def demo_rows(channels=11):
    links = [
        row(method, n, family=family, channel=number, accuracy=0.1 * place + 0.01 * number, accuracy_bound=0.85)
        for place, (method, family) in enumerate(METHODS.items(), 1)
        for n in (1, 4)
        for number in range(channels)
    ]
    return frame(links + [reference(name) for name in REFERENCES])


def plot():
    (found,) = plot_accuracy(arrange(demo_rows(), "antennas"), channels=True)
    return found


def test_the_band_holds_95_percent_of_the_channels():
    curves = {curve.label: curve for curve in average_curves(arrange(demo_rows(), "antennas"), "accuracy", channels=True)}
    point = curves["goal-oriented"].points[1]
    assert (point.x, point.at["antennas"], point.rows) == (4.0, "4×4", 11)
    assert point.mean == pytest.approx(0.25)
    assert (point.low, point.high) == pytest.approx((0.2 + 0.1 * 0.025, 0.2 + 0.1 * 0.975))


def test_every_kind_of_file_is_drawn_with_the_same_looks_as_before(tmp_path):
    draw_wide(plot(), [tmp_path / "a.png", tmp_path / "a.pdf", tmp_path / "a.svg"], "title")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    drawn = (tmp_path / "a.svg").read_text()
    legend = ("goal-oriented", "Gaussian OPTA", "bound by capacity", "aligned, no channel (0.830)")
    for words in ("1×1", "4×4", "antennas, 1 channel use", *legend):
        assert f"<!-- {words}" in drawn  # matplotlib keeps the words of its outlines as comments
    assert all(colour in drawn for colour in ("#00798c", "#d1495b", "#6a3d9a"))


def test_small_print_says_what_was_measured():
    assert describe_source(prepare(demo_rows())) == (
        "a → b, Toy at 8 px, pilots: 420 (42 per class), channel: Rayleigh, gain 0.5, 1×1, 4×4 antennas, seeds: 1"
    )


def test_an_unwritable_figure_leaves_what_was_there(tmp_path):
    kept = tmp_path / "a.png"
    kept.write_text("old")
    with pytest.raises(ValueError, match="bmpx"):
        draw_wide(plot(), [tmp_path / "a.bmpx"], "title")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]
    assert kept.read_text() == "old"


def test_the_callers_backend_and_figures_are_left_alone(tmp_path, monkeypatch):
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    monkeypatch.setitem(mpl.rcParams, "backend", "svg")
    mine = plt.figure()
    draw_wide(plot(), [tmp_path / "a.png"], "title")
    assert mpl.rcParams["backend"] == "svg"
    assert plt.get_fignums() == [mine.number]
    plt.close(mine)
