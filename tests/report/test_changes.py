"""The first screen: what was measured, and what is otherwise than the study file says."""

import re

import pytest

from latentlink.report.arrange import arrange_all
from latentlink.report.changes import list_changes
from latentlink.report.columns import list_setup, prepare
from latentlink.report.page import ReportMeta, make_page, plot_all, render_page
from latentlink.studies.experiments import open_experiment
from report.rows import compression_study, fading_study, snr_study
from studies.examples import write_study

SMALL = {"pilots.per_class": 10, "seeds": [1], "snr.snr_db": [0], "methods.first-k.k": 2, "data.test": 50}


def changes(tmp_path, *overrides):
    return list_changes(open_experiment(write_study(tmp_path), overrides, output=tmp_path / "r"))


def test_a_study_as_its_file_has_it_changes_nothing(tmp_path):
    assert changes(tmp_path) == []


def test_the_quick_form_says_what_is_smaller(tmp_path):
    path = write_study(tmp_path, quick=SMALL)
    assert set(list_changes(open_experiment(path, quick=True, output=tmp_path / "r"))) == {
        "pilots per class 10 instead of 20",
        "seeds 1 instead of 1, 2",
        "SNR in dB 0 instead of 0, 20",
        "k of first-k 2 instead of null",
        "test messages 50 instead of all",
    }


def test_overrides_and_methods_that_are_left_out_are_changes_too(tmp_path):
    assert changes(tmp_path, "~methods.first-k", "channel.gain=0.5") == ["channel gain 0.5 instead of 1", "without first-k"]


def page(rows, axis, **more):
    study = arrange_all(rows, axis)
    about = ReportMeta("toy", "Toy", "", axis, "name: toy", "latentlink study run toy.yaml", 1.0, 4, 0, 0, **more)
    return render_page(make_page(study, about, plot_all(study), []))


def first_screen(text):
    return re.sub(r"<[^>]*>", "", text.partition("<header>")[2].partition("</header>")[0])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"quick": True, "changes": ("seeds 1 instead of 1, 2",)}, "QUICK, smaller than the study: seeds 1 instead of 1, 2"),
        ({"changes": ("seeds 1 instead of 1, 2",)}, "not as in the study file: seeds 1 instead of 1, 2"),
        ({}, "in full, as in the study file"),
    ],
)
def test_the_first_screen_says_which_form_it_is_and_ends_with_findings(more, words):
    seen = first_screen(page(snr_study(), "snr", **more))
    assert words in seen
    assert seen.index(words) < seen.index("Findings") < seen.index("has the highest accuracy") < seen.index("Brackets are intervals")
    assert seen.rstrip().endswith("tell the two apart.")


def test_the_first_screen_says_encoders_data_pilots_channel_snr_and_seeds():
    seen = dict(list_setup(prepare(compression_study())))
    assert seen["encoders"] == "a → b"
    assert seen["data"] == "Toy at 8 px"
    assert seen["pilots"] == "420 (42 per class), 420 (420 per class)"  # the rows of this toy
    assert seen["test messages"] == "1000"
    assert seen["channel"] == "Rayleigh, gain 0.5, 1×1, 4×4, 16×16 antennas"
    assert seen["SNR"] == "20 dB per transmit antenna, P / (n_tx σ²) and per receive antenna, gain · P / σ²"
    assert seen["seeds"] == "3 (1, 2, 3)"
    assert "100 per seed" in dict(list_setup(prepare(fading_study())))["channel"]


def test_many_settings_are_folded():
    rows = fading_study(draws=20, seeds=(1, 2), speed_kmh=tuple(map(float, range(5))))
    text = page(rows, "outage")
    assert "2 more settings" in text
    assert text.count("<details>") == text.count("</details>") - text.count("<details open>")
