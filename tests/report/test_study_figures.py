import struct

import polars as pl
import pytest

from latentlink.report.study_curves import curves
from latentlink.report.study_figures import colours, draw_study, short, variants
from report.study_rows import METHODS, frame, references, row, study


@pytest.mark.parametrize("axis", ["compression", "snr", "flops"])
def test_figures_are_a_column_wide_and_the_same_bytes_every_time(tmp_path, axis):
    rows = study(axis)
    files = draw_study(rows, axis, "a b", "Title", tmp_path / "one")
    again = draw_study(rows.reverse(), axis, "a b", "Title", tmp_path / "two")
    assert [path.name for path in files] == ["a-b-transmit.pdf", "a-b-transmit.png"]
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in again]
    pdf, png = (path.read_bytes() for path in files)
    assert pdf.startswith(b"%PDF")
    assert b"CreationDate" not in pdf
    assert struct.unpack(">I", png[16:20])[0] == 1050  # 3.5 inches at 300 dpi
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(path.name for path in files)


def test_one_figure_for_each_snr_reference(tmp_path):
    rows = pl.concat([study("snr"), study("snr", snr_reference="receive", references_too=False)])
    names = [path.name for path in draw_study(rows, "snr", "s", "t", tmp_path)]
    assert names == ["s-transmit.pdf", "s-transmit.png", "s-receive.pdf", "s-receive.png"]


@pytest.mark.parametrize("axis", ["compression", "snr", "flops"])
@pytest.mark.parametrize(
    "rows",
    [
        frame([row()]),
        frame([row("_hidden $x_1^ <b>", "odd", accuracy=None, mse=float("nan")), row("b", snr_db=None)]),
        frame([row(f"method {n}", "exact", pilots_per_class=n % 5, knowledge=("aware", "unaware")[n % 2], mse=5000.0) for n in range(12)]),
        study().drop("opta", "opta_nmse", "exact_mse", "flops", "power", "pruning", "status", "versions"),
    ],
    ids=["one point", "nulls and signs", "many methods", "missing columns"],
)
def test_whatever_is_there_can_be_drawn(tmp_path, rows, axis):
    assert all(path.stat().st_size > 1000 for path in draw_study(rows, axis, "s", "A title $ that is _ odd", tmp_path))


def test_without_links_there_is_no_figure(tmp_path):
    assert draw_study(pl.DataFrame(), "snr", "s", "t", tmp_path) == []
    assert draw_study(frame(references()), "snr", "s", "t", tmp_path) == []


def test_a_figure_that_cannot_be_written_leaves_the_old_one(tmp_path):
    (tmp_path / "s-transmit.png").mkdir()
    with pytest.raises(OSError, match="nothing was changed"):
        draw_study(study(), "compression", "s", "t", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s-transmit.pdf", "s-transmit.png"]


def test_a_method_keeps_its_colour_whoever_is_beside_it():
    alone = colours(curves(study(methods=METHODS[:1]), "compression", "accuracy"))
    beside = colours(curves(study(methods=[*METHODS, ("my own", "baseline"), ("another", "neural")]), "compression", "accuracy"))
    assert alone.items() <= beside.items()
    assert len(set(beside.values())) == 4


def test_settings_tell_only_what_differs_and_the_commonest_is_first():
    rows = frame([row(), row("b"), row("Top-K", antennas=2), row("b", pilots_per_class=None)])
    assert list(variants(curves(rows, "snr", "accuracy")).values()) == [
        "all pilots, 4×4",
        "42 pilots per class, 4×4",
        "42 pilots per class, 2×2",
    ]
    assert list(variants(curves(study(), "compression", "accuracy")).values()) == [""]


def test_ticks_are_short():
    assert [short(x) for x in (0.156, 12.5, 61440.0, 2e6)] == ["0.156", "12.5", "61.4 k", "2 M"]
