"""Studies of searches, regressions and embeddings alone: what is measured, summarised and reported where there are no classes."""

import numpy as np
import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.nn import RegressionHead
from latentlink.studies.averages import summarise, summarise_points
from latentlink.studies.result_files import Results
from latentlink.studies.rows import SCHEMA
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from studies.examples import run, write_study

METRICS = ["accuracy", "mse", "cosine", "recall", "limits", "power"]
SMALL = {"seeds": [1], "snr": {"snr_db": [0, 20]}, "channel": {"antennas": 2}, "metrics": METRICS}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))


def write(folder, kind, **changes):
    """The small study, whose latents have labels, names, targets or nothing beside them."""
    path = write_study(folder, **{**SMALL, **changes})
    for split in ("train", "test"):
        labels = folder / "latents" / f"{split}-labels.npy"
        numbers, y = np.load(labels), np.load(folder / "latents" / f"{split}-receiver.npy")
        if kind == "names":
            np.save(labels, np.array(["owl", "ape", "cat"])[numbers])
        if kind in ("targets", "nothing"):
            labels.unlink()
        if kind == "targets":
            np.save(folder / "latents" / f"{split}-targets.npy", y[:, :2] @ np.array([[1.0, 2.0], [-1.0, 0.0]]) + 0.1 * y[:, 2:4])
    return path


def test_searches_and_angles_are_measured_where_they_are_asked_for(tmp_path):
    rows = run(write(tmp_path, "labels"), tmp_path / "r")
    links, own = rows.filter(pl.col("family") != "reference"), rows.filter(pl.col("method") == "receiver's latents")
    assert own["recall_at_1"].to_list() == own["cosine"].round(9).to_list() == [1.0]
    assert links["recall_at_1"].is_between(0, 1).all()
    assert (links["recall_at_1"] <= links["recall_at_10"]).all()
    better = links.filter(method="exact, widely linear").sort("snr_db")
    assert better["cosine"][0] < better["cosine"][1]
    assert better["recall_at_10"][0] < better["recall_at_10"][1]
    assert rows["r2"].null_count() == len(rows)
    plain = run(write(tmp_path / "plain", "labels", metrics=["accuracy"]), tmp_path / "s")
    assert plain["recall_at_1"].null_count() == plain["cosine"].null_count() == len(plain)


def test_clusters_are_compared_where_it_is_asked_for(tmp_path):
    methods = [
        {"name": "closed-form"},
        {"name": "closed-form", "estimator": "concepts", "at": {"pilots.unpaired": "all"}, "label": "labels"},
    ]
    asked = ["accuracy", "clustering", "mse"]
    path = write(tmp_path, "labels", metrics=asked, methods=methods, snr={"snr_db": 20}, pilots={"per_class": None})
    rows = run(path, tmp_path / "r")
    found = dict(rows.select("method", "adjusted_rand").iter_rows())
    assert found["receiver's latents"] == 1
    assert found["exact, widely linear"] > 0.3
    assert found["labels"] > 0.15  # the classes are clusters here
    assert rows["mutual_information"].is_between(0, 1).all()
    assert "adjusted_rand" in summarise(rows).columns


def test_names_of_classes_change_no_figure(tmp_path):
    numbered, named = (run(write(tmp_path / kind, kind), tmp_path / f"r-{kind}") for kind in ("labels", "names"))
    for figure in ("accuracy", "agreement", "nmse"):
        np.testing.assert_allclose(named[figure].to_list(), numbered[figure].to_list(), atol=0.02)
    assert named["accuracy_bound"].drop_nulls().to_list() == pytest.approx(numbered["accuracy_bound"].drop_nulls().to_list(), abs=0.02)


METHODS = {
    "targets": [{"name": "closed-form", "goal": ["none", "logits"]}, {"name": "first-k"}],
    "nothing": [{"name": "closed-form"}, {"name": "first-k"}],
}


@pytest.mark.parametrize("kind", METHODS)
def test_without_classes_there_is_no_accuracy_and_a_report_all_the_same(tmp_path, kind):
    path = write(tmp_path, kind, methods=METHODS[kind], pilots={"per_class": None}, snr={"snr_db": 20})
    rows = ll.studies.run(path, output=tmp_path)
    assert rows["accuracy"].null_count() == len(rows)
    assert {"recall_at_1", "cosine", "nmse"} <= set(summarise(rows).columns)
    assert "accuracy" not in summarise(rows).columns
    assert len(summarise_points(rows))
    page, *figures = ll.studies.report(path, output=tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "Recall@10" in text
    assert ("R² of the targets" in text) == (kind == "targets")
    assert any(figure.name.startswith("tasks-vs-compression") for figure in figures)


def test_a_regression_is_measured_by_its_targets(tmp_path):
    path = write(tmp_path, "targets", methods=METHODS["targets"], pilots={"per_class": None})
    rows = run(path, tmp_path / "r")
    links = rows.filter(pl.col("family") == "exact", pl.col("snr_db") == 20)
    goal, plain = (links.filter(pl.col("parameters").str.contains(f'"goal":"{word}"')) for word in ("logits", "none"))
    assert goal["r2"].item() > plain["r2"].item()
    assert goal["output_nmse"].item() < 0.5 * plain["output_nmse"].item()
    latents = tmp_path / "latents"
    head = RegressionHead.fit(*(np.load(latents / f"train-{role}.npy") for role in ("receiver", "targets")))
    y, t = (torch.as_tensor(np.load(latents / f"test-{role}.npy")) for role in ("receiver", "targets"))
    own = rows.filter(pl.col("method") == "receiver's latents")
    expected = 1 - (head(y) - t).square().mean(0) / t.var(0, correction=0)
    assert own["r2"].item() == pytest.approx(float(expected.mean()))
    assert own["output_nmse"].item() == pytest.approx(0.0, abs=1e-9)


def test_the_report_of_a_regression_speaks_of_its_targets(tmp_path):
    path = write(tmp_path, "targets", metrics=["accuracy", "mse", "flops", "latency", "power"], seeds=[1, 2, 3], pilots={"per_class": None})
    ll.studies.run(path, output=tmp_path / "r")
    page = ll.studies.report(path, output=tmp_path / "r")[0].read_text(encoding="utf-8")
    assert "has the highest R²" in page
    for wrong in ("not measured: accuracy", "without an accuracy", "Neither FLOPs nor latency"):
        assert wrong not in page, wrong


def test_pilots_of_each_class_take_classes(tmp_path):
    path = write(tmp_path, "targets", pilots={"per_class": 20}, methods=[{"name": "closed-form"}])
    with pytest.raises(ValueError, match="per_class must be null where the data have no labels, which takes all pilots, got 20"):
        ll.studies.run(path, output=tmp_path / "r")


def test_what_a_regression_cannot_be_designed_for_costs_its_own_cells(tmp_path):
    methods = [{"name": "closed-form", "goal": ["fisher", "logits"]}]
    reasons = []
    path = write(tmp_path, "targets", methods=methods, pilots={"per_class": None}, snr={"snr_db": 20})
    run(path, tmp_path / "r", done=lambda cell, reason: reasons.append(reason))
    assert len([reason for reason in reasons if "goal must be logits" in reason]) == 1
    np.save(tmp_path / "latents" / "train-labels.npy", np.arange(150) % 3)
    with pytest.raises(ValueError, match=r"must hold labels .* or targets .*, got both"):
        run(path, tmp_path / "s")


def test_results_of_before_are_read_without_the_new_columns(tmp_path):
    path = write(tmp_path, "labels", metrics=["accuracy", "mse"])
    run(path, tmp_path / "r")
    study = read_study(path)
    results = Results(tmp_path / "r")
    for cell in cells(study):
        rows = pl.read_parquet(results.path(cell))
        assert not {"recall_at_1", "cosine", "r2"} & set(rows.columns)
        results.write(cell, rows)
    table = results.table(study, cells(study))
    assert set(SCHEMA) <= set(table.columns)
    assert table["cosine"].null_count() == len(table)
