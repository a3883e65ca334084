"""The transmitter's decision as a method of studies: its two classifiers, its power, and what it refuses."""

import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.baselines.decision_link import aligned_classifier
from latentlink.studies.methods.decision import DecisionMethod
from latentlink.studies.methods.method import Run
from latentlink.studies.result_files import Results
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from latentlink.tasks.regression import RegressionHead
from oracles import normal, seeded
from studies.examples import write_study

RUN = Run(0, torch.device("cpu"))


@pytest.fixture(scope="module")
def known():
    labels = torch.arange(300) % 3
    cause = 3 * torch.eye(3, dtype=torch.float64)[labels] + normal(1, 300, 3)
    pilots = ll.Pilots(cause @ normal(2, 3, 7), cause @ normal(3, 3, 5), labels)
    return ll.studies.PilotKnowledge(pilots, ll.fit_head(pilots.y, labels))


def test_rows_of_both_classifiers_stand_beside_the_linear_design_at_equal_power(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))
    methods = [{"name": "closed-form", "goal": "fisher"}, {"name": "decision", "classifier": ["pairs", "labels"]}]
    study = read_study(write_study(tmp_path, methods=methods, seeds=[1], snr={"snr_db": 20}, channel={"antennas": 1, "draws": 4}))
    todo, results = cells(study), Results(tmp_path / "results")
    reasons = []
    Runner(results, 1).run(todo, lambda cell, reason: reasons.append(reason))
    assert not any(reasons)
    rows = results.table(study, todo)
    means = {name: some for (name,), some in rows.group_by("method") if name.startswith(("exact", "decision"))}
    assert set(means) == {"exact, goal-oriented", "decision sent", "decision sent, own labels"}
    exact = means["exact, goal-oriented"]["accuracy"].mean()
    for name in ("decision sent", "decision sent, own labels"):
        assert means[name]["accuracy"].mean() > exact
        assert means[name].select((pl.col("power") - 1).abs().max()).item() < 2e-3


def test_its_link_is_that_of_the_library(known):
    channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(2,), generator=seeded(4)), snr_db=20.0)
    x = known.pilots.x
    for word, classifier in (("pairs", None), ("labels", ll.fit_head(x, known.pilots.labels))):
        mine = DecisionMethod(classifier=word).design(known, channel, RUN).transceiver
        own = ll.baselines.DecisionLink(known.head, classifier).design(known.pilots, channel).transceiver
        torch.testing.assert_close(mine.encode(x), own.encode(x))


def test_the_aligned_classifier_reads_what_the_head_reads_of_aligned_latents(known):
    made, moments, x = aligned_classifier(known.head, known.moments), known.moments, known.pilots.x
    aligned = moments.mean_y + (x - moments.mean_x) @ moments.regression().mT
    torch.testing.assert_close(made(x), known.head(aligned))


def test_what_it_cannot_decide_by_is_refused(known):
    channel = ll.Channel.from_snr(ll.rayleigh(1, 1, generator=seeded(4)), snr_db=20.0)
    unlabelled = ll.studies.PilotKnowledge(ll.Pilots(known.pilots.x, known.pilots.y), known.head)
    with pytest.raises(ValueError, match="labels"):
        DecisionMethod(classifier="labels").design(unlabelled, channel, RUN)
    values = RegressionHead.fit(known.pilots.y, known.pilots.y[:, :2])
    with pytest.raises(ValueError, match="decision needs a receiver's head that is a classifier, got a RegressionHead"):
        DecisionMethod().design(ll.studies.PilotKnowledge(known.pilots, values), channel, RUN)
    with pytest.raises(ValueError, match="classifier"):
        DecisionMethod(classifier="mine")


def test_titles_tell_the_classifiers_apart():
    titles = [DecisionMethod(**settings).title for settings in ({}, {"classifier": "labels"}, {"averages": True})]
    assert titles == ["decision sent", "decision sent, own labels", "decision sent, averaged"]
