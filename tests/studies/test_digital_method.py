"""The digital competitor in a study: rows say what was sent and lost, and cells that share pilots share its tables."""

import polars as pl
import pytest

from latentlink.studies.digital_method import DigitalMethod
from latentlink.studies.runner import run
from latentlink.studies.spec import load_study
from studies.examples import write_study


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digital")
    methods = [
        {"name": "closed-form"},
        {"name": "digital"},
        {"name": "digital", "align": "receiver"},
        {"name": "digital", "adaptation": "genie"},
    ]
    path = write_study(folder, methods=methods, seeds=[1], snr={"snr_db": [15]}, pilots={"per_class": 50})
    return run(load_study(path), folder / "results.parquet")


def test_rows_tell_payload_and_lost_blocks(rows):
    digital = rows.filter(pl.col("family") == "digital")
    assert set(digital["method"]) == {"digital", "digital, aligned after", "digital, genie-aided"}
    assert digital["message_bits"].is_not_null().all()
    assert digital["block_error"].is_between(0, 1).all()
    assert digital["flops"].is_not_null().all()
    analogue = rows.filter(pl.col("family") == "exact")
    assert analogue["message_bits"].is_null().all()


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"align": "receiver", "goal": "fisher"}, "goal"), ({"target_bler": 0.7}, "target_bler"), ({"align": "x"}, "align")],
)
def test_bad_settings_are_named(settings, name):
    with pytest.raises(ValueError, match=name):
        DigitalMethod(**settings)


def test_names_tell_methods_apart():
    names = [DigitalMethod(**settings).title for settings in ({}, {"goal": "fisher"}, {"align": "receiver"}, {"adaptation": "genie"})]
    assert names == ["digital", "digital, goal-oriented", "digital, aligned after", "digital, genie-aided"]
