import pytest

from latentlink.report.arrange import arrange
from latentlink.report.curves import average_curves
from latentlink.report.overview import describe_rows, draw_overview
from report.rows import REFERENCES, compression_study, frame, reference, row

METHODS = {"complex-linear, MSE": "exact", "goal-oriented": "exact", "codec, one network for all": "codec"}


def demo_rows(channels=11):
    links = [
        row(method, n, family=family, channel=number, accuracy=0.1 * place + 0.01 * number, accuracy_bound=0.85)
        for place, (method, family) in enumerate(METHODS.items(), 1)
        for n in (1, 4)
        for number in range(channels)
    ]
    return frame(links + [reference(name) for name in REFERENCES])


def test_the_band_holds_95_percent_of_the_channels():
    curves = {curve.label: curve for curve in average_curves(arrange(demo_rows(), "antennas"), "accuracy", channels=True)}
    point = curves["goal-oriented"].points[1]
    assert (point.x, point.at["antennas"], point.rows) == (4.0, "4×4", 11)
    assert point.mean == pytest.approx(0.25)
    assert (point.low, point.high) == pytest.approx((0.2 + 0.1 * 0.025, 0.2 + 0.1 * 0.975))


def test_every_kind_of_file_is_drawn_with_the_same_looks_as_before(tmp_path):
    draw_overview(demo_rows(), [tmp_path / "a.png", tmp_path / "a.pdf", tmp_path / "a.svg"])
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    drawn = (tmp_path / "a.svg").read_text()
    legend = ("goal-oriented", "Gaussian OPTA", "bound by capacity", "aligned, no channel (0.830)")
    for words in ("1×1", "4×4", "antennas, 1 channel use", *legend):
        assert f"<!-- {words}" in drawn  # matplotlib keeps the words of its outlines as comments
    assert "exact optimum" not in drawn
    assert all(colour in drawn for colour in ("#00798c", "#d1495b", "#6a3d9a"))


def test_the_title_says_what_was_measured():
    first, second = describe_rows(demo_rows()).split("\n")
    assert first == "a → b, Toy at 8 px, 420 pilots, Rayleigh channels of gain 0.5, 20 dB"
    assert second == "mean and 95 % band over 11 channels, 1000 unseen messages each"


def test_several_conditions_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"rows must have one condition to draw, got 3 \(42 pilots per class, SNR per transmit antenna; "):
        draw_overview(compression_study(), [tmp_path / "a.png"])
    with pytest.raises(ValueError, match=r"got 0 \(no finished cell\)"):
        draw_overview(demo_rows().head(0), [tmp_path / "a.png"])
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_figure_leaves_what_was_there(tmp_path):
    kept = tmp_path / "a.png"
    kept.write_text("old")
    with pytest.raises(ValueError, match="bmpx"):
        draw_overview(demo_rows(), [tmp_path / "a.bmpx"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]
    assert kept.read_text() == "old"
