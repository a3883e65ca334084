import polars as pl
import pytest

from latentlink.report.arrange import arrange
from latentlink.report.curves import Curve
from latentlink.report.digital import find_digital_wins
from latentlink.report.palette import assign_looks
from latentlink.report.tables import compare_methods, tabulate_papr
from report.rows import fading_study, snr_study

SWEPT = {"speed_kmh": (3.0, 30.0)}
WINNER = (pl.col("family") == "digital") & (pl.col("speed_kmh") == 30.0)


def test_it_is_said_where_digital_wins():
    rows = fading_study(draws=10, seeds=(1, 2, 3), **SWEPT)
    rows = rows.with_columns(accuracy=pl.when(WINNER).then(pl.col("accuracy") + 0.5).otherwise("accuracy"))
    found = find_digital_wins(arrange(rows, "speed"))
    assert found.text.startswith("In 1 of 4 comparisons")
    (line,) = found.lines
    assert line.startswith("30 km/h: digital, adaptive has accuracy ")
    assert "the best analogue one, codec, " in line
    for axis in ("compression", "outage"):
        (line,) = find_digital_wins(arrange(rows, axis)).lines
        assert "30 km/h" in line


def test_it_is_said_where_digital_wins_nowhere_and_within_the_interval_is_no_victory():
    rows = fading_study(draws=10, seeds=(1, 2, 3), **SWEPT)
    assert find_digital_wins(arrange(rows, "speed")).text.startswith("Nowhere: in none of 4 comparisons")
    mean = {family: rows.filter(pl.col("family") == family)["accuracy"].mean() for family in ("codec", "digital")}
    little = mean["codec"] - mean["digital"] + 0.01  # above the codec, by less than the interval over seeds
    near = rows.with_columns(accuracy=pl.when(WINNER).then(pl.col("accuracy") + little).otherwise("accuracy"))
    assert find_digital_wins(arrange(near, "speed")).lines == ()


def test_less_error_is_a_victory_too_and_there_must_be_something_to_compare():
    rows = fading_study(draws=4, **SWEPT)
    found = find_digital_wins(arrange(rows.with_columns(nmse=pl.when(WINNER).then(0.01).otherwise("nmse")), "speed"))
    assert "has NMSE 0.010 [0.010, 0.010]" in found.lines[0]
    alone = rows.filter(pl.col("family").is_in(["digital", "reference"]))
    assert find_digital_wins(arrange(alone, "speed")).text.startswith("No analogue method was measured")
    assert find_digital_wins(arrange(snr_study(), "snr")).text == ""


def test_block_errors_and_bits_are_in_tables():
    (comparison,) = compare_methods(arrange(fading_study(draws=4, **SWEPT), "speed"))
    tables = {table.title: table for table in comparison.tables}
    ((name, entries),) = tables["Bits per message"].rows
    assert (name, entries[0].text, entries[0].best) == ("digital, adaptive", "24.0", False)
    assert tables["Block error rate"].rows[0][1][0].text == "0.0938"


def test_digital_methods_look_like_no_others():
    families = {"a": "digital", "b": "digital", "c": "digital", "d": "baseline", "e": "codec", "f": "exact", "g": "admm", "h": "neural"}
    found = assign_looks(Curve(label, family, "aware", (), ()) for label, family in families.items())
    others = {look for label, look in found.items() if families[label] != "digital"}
    digital = {look for label, look in found.items() if families[label] == "digital"}
    for own in ("colour", "marker", "symbol"):
        assert len({getattr(look, own) for look in digital}) == 3
        assert not {getattr(look, own) for look in digital} & {getattr(look, own) for look in others}


def test_peaks_of_links_and_antennas_are_in_a_table():
    rows = fading_study(draws=4)
    table = tabulate_papr(arrange(rows, "speed"))
    entries = [entry.text for entry in dict(table.rows)["codec"]]
    assert entries == ["7.62", "8.00", "6.00", "8.00", "3.0"]
    assert tabulate_papr(arrange(snr_study(), "snr")).rows == ()
    bare = tabulate_papr(arrange(rows.drop("antenna_papr_db", "peak_power"), "speed"))
    assert [entry.text for entry in bare.rows[0][1][2:]] == ["–"] * 3


def test_a_lone_digital_method_is_no_error():
    rows = fading_study(draws=1, seeds=(1,), methods=("digital, adaptive",))
    assert find_digital_wins(arrange(rows, "speed")).lines == ()
    with pytest.raises(ValueError, match="axis must be one of"):
        find_digital_wins(arrange(rows, "time"))
