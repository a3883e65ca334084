"""Studies from Python."""

import numpy as np
import pytest
import torch
import yaml
from jaxtyping import TypeCheckError
from polars.testing import assert_frame_equal

import latentlink as ll
from latentlink.cli.study import keep, keep_experiment
from latentlink.cli.study import run as run_command
from studies.examples import write_study

FAST = {"seeds": [1], "snr": {"snr_db": 10}, "channel": {"antennas": 2}, "references": False}
CLOCK = ("started", "wall_s", "design_s")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_a_file_a_mapping_and_a_study_give_the_same_rows(tmp_path):
    path, calls = write_study(tmp_path, **FAST), []
    rows = ll.studies.run(path, ["snr.snr_db=20"], progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
    assert rows["snr_db"].unique().to_list() == [20.0]
    content = yaml.safe_load(path.read_text())
    mapped = ll.studies.run(content, ["snr.snr_db=20"], output="other")
    made = ll.studies.run(ll.studies.read_study(path, ("snr.snr_db=20",)), output="third")
    for other in (mapped, made, ll.studies.results(path, ["snr.snr_db=20"])):
        assert_frame_equal(rows.drop(CLOCK), other.drop(CLOCK), check_exact=True)
    assert content["snr"] == {"snr_db": 10}  # the mapping is left as it is
    assert set(ll.studies.summarise(rows)["method"]) == {"exact, widely linear", "First-K"}


def test_failed_cells_are_warned_of_and_the_others_kept(tmp_path):
    path = write_study(tmp_path, **{**FAST, "pilots": {"per_class": [20, 5000]}})
    with pytest.warns(UserWarning, match=r"2 of 4 cells failed.*pilots\.per_class must be at most 50"):
        rows = ll.studies.run(path, jobs=1)
    assert len(rows) == 2
    with pytest.raises(ValueError, match="nothing is done yet"):
        ll.studies.results(path, output="nowhere")
    with pytest.raises(ValueError, match="overrides and quick change a file"):
        ll.studies.run(ll.studies.read_study(path), ["seeds=1"])
    with pytest.raises(ValueError, match="a study must be a mapping"):
        ll.studies.make_study([1])


def test_a_mapping_may_hold_numpy_s_numbers_arrays_and_paths(tmp_path):
    content = yaml.safe_load(write_study(tmp_path, **FAST).read_text())
    content["data"]["folder"] = tmp_path / "latents"
    content |= {"snr": {"snr_db": np.arange(0.0, 20.0, 10.0)}, "channel": {"antennas": (np.int64(1), 2)}, "seeds": torch.tensor([1])}
    rows = ll.studies.run(content, jobs=1)
    assert sorted(rows["snr_db"].unique()) == [0.0, 10.0]
    assert sorted(rows["n_tx"].unique()) == [1, 2]
    assert ll.studies.run({**content, "snr": {"snr_db": np.float64(10)}}, jobs=1)["snr_db"].unique().to_list() == [10.0]


@pytest.mark.parametrize(
    ("study", "overrides", "settings", "complaint"),
    [
        (None, [], {}, "study"),
        ({"name": "toy", "methods": object()}, [], {}, r"study\.methods must be a number, text, a list or a mapping.*got a object"),
        ("FOLDER", [], {}, "must be a study file, got a folder"),
        ("FILE", "seeds=1", {}, r"overrides must be a sequence of words, got 'seeds=1': write \['seeds=1'\]"),
        ("FILE", [], {"device": "foo"}, "device 'foo' cannot be used here"),
        ("FILE", [], {"output": "toy.yaml"}, "output must be a folder, got the file toy.yaml"),
        ("FILE", ["pilots.per_class=5000"], {}, r"all 2 cells failed: .*pilots\.per_class must be at most 50"),
    ],
)
def test_what_is_no_study_is_refused_in_a_sentence(tmp_path, study, overrides, settings, complaint):
    path = write_study(tmp_path, **FAST)
    places = {"FILE": path, "FOLDER": tmp_path}
    with pytest.raises((ValueError, TypeCheckError), match=complaint):
        ll.studies.run(places.get(study, study) if isinstance(study, str) else study, overrides, jobs=1, **settings)


def test_the_report_is_written_and_what_the_documentation_shows_is_kept(tmp_path):
    docs = {"figures": ["accuracy-*.png"]}
    path = write_study(tmp_path, **{**FAST, "references": True, "snr": {"snr_db": [0, 10]}, "axis": "snr", "docs": docs})
    ll.studies.run(path)
    page, *figures = ll.studies.report(path)
    assert page.name == "report.html"
    assert {figure.suffix for figure in figures} == {".pdf", ".png"}
    keep_experiment(ll.studies.open_experiment(path), tmp_path / "docs", tmp_path / "archive")
    kept = sorted(file.name for file in (tmp_path / "docs").iterdir())
    assert kept == ["toy-accuracy-vs-snr.png", "toy.csv", "toy.md"]
    assert (tmp_path / "archive" / "toy.parquet").is_file()


def test_rows_of_references_hold_nothing_of_a_channel(tmp_path):
    rows = ll.studies.run(write_study(tmp_path, **{**FAST, "references": True}))
    references = rows.filter(family="reference")
    assert len(references) == 3
    for name in ("n_tx", "n_rx", "snr_db", "gain", "channel_model", "uses", "csi", "knowledge", "noise_variance"):
        assert references[name].null_count() == 3, name


def test_all_files_are_read_before_any_is_run(tmp_path):
    good = write_study(tmp_path, **FAST)
    bad = write_study(tmp_path / "bad", **FAST, docs={"overrides": ["methods.0.no_such_key=1"]})
    with pytest.raises(ValueError, match="no_such_key"):
        keep(good, bad, docs=tmp_path / "docs", archive=tmp_path / "archive")
    assert not (tmp_path / "results").exists()
    assert not (tmp_path / "docs").exists()


def test_the_command_prints_each_reason_of_failures_once(tmp_path, capsys):
    path = write_study(tmp_path, **{**FAST, "seeds": [1, 2], "pilots": {"per_class": [5000, 6000]}})
    with pytest.raises(ValueError, match="8 of 8 cells failed"):
        run_command(path, jobs=1)
    shown = " ".join(capsys.readouterr().err.split())
    assert shown.count("4 cells failed: ValueError: pilots.per_class must be at most 50") == 2
    assert shown.count("traceback in") == 2
