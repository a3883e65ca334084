"""The digital competitor in a study: rows say what was sent and lost, and cells that share pilots share its tables."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from latentlink.studies.methods.digital import DigitalMethod
from latentlink.studies.result_files import Results
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from studies.examples import write_study

CLOCK = ("started", "wall_s", "design_s")
METHODS = [
    {"name": "closed-form"},
    {"name": "digital"},
    {"name": "digital", "align": "receiver"},
    {"name": "digital", "adaptation": "genie"},
]


def run(path, folder, jobs):
    study = read_study(path)
    todo, results = cells(study), Results(folder)
    ended = []
    Runner(results, jobs).run(todo, lambda cell, reason: ended.append(reason))
    assert not any(ended), ended
    return results.table(study, todo)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("digital")
        patch.setenv("LATENTLINK_CACHE", str(folder / "cache"))
        yield write_study(folder, methods=METHODS, seeds=[1], snr={"snr_db": [5, 15]}, pilots={"per_class": 50})


@pytest.fixture(scope="module")
def rows(path):
    return run(path, path.parent / "one", 1)


def test_jobs_change_nothing_to_the_last_bit(path, rows):
    assert_frame_equal(rows.drop(CLOCK), run(path, path.parent / "two", 2).drop(CLOCK), check_exact=True)


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
