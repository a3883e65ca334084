"""The design from labels alone, as a method of studies: it takes no pair, and decides as the design from pairs does."""

import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.studies.methods.labels_only import LabelsOnlyMethod
from studies.examples import run, write_study


def known(order=None):
    """Pilots of three classes; `order` permutes the receiver's latents of odd rows."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(300) // 2 % 3  # rows 2i and 2i + 1 share a class
    y = 3 * torch.randn(3, 5, generator=generator)[labels] + torch.randn(300, 5, generator=generator)
    x = y @ torch.randn(5, 7, generator=generator)
    head = ll.fit_head(y, labels)
    if order is not None:
        y, labels = y.clone(), labels.clone()
        y[1::2] = y[1::2][order]
        assert torch.equal(labels[1::2], labels[1::2][order])
    return ll.studies.PilotKnowledge(ll.Pilots(x, y, labels), classifier=head)


@pytest.mark.parametrize("goal", ["none", "fisher", "logits"])
def test_who_belongs_to_whom_makes_no_difference(goal):
    method = LabelsOnlyMethod(goal=goal)
    order = torch.arange(150).reshape(50, 3).roll(7, 0).reshape(-1)  # others of the same class
    modes, moved = (method.modes(known(turned)) for turned in (None, order))
    x = known().pilots.x
    torch.testing.assert_close(modes.align(x), moved.align(x), atol=1e-6, rtol=0)


def test_without_labels_it_says_what_it_needs():
    pilots = known().pilots
    with pytest.raises(ValueError, match="labels"):
        LabelsOnlyMethod().modes(ll.studies.PilotKnowledge(ll.Pilots(pilots.x, pilots.y), classifier=None))


def test_a_study_measures_it_beside_pairs_with_clusters_and_searches(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))
    methods = [{"name": "closed-form", "goal": "fisher"}, {"name": "labels-only", "goal": "fisher"}]
    asked = ["accuracy", "recall", "clustering", "mse", "power"]
    path = write_study(
        tmp_path, methods=methods, metrics=asked, seeds=[1], snr={"snr_db": 20}, channel={"antennas": 2}, pilots={"per_class": None}
    )
    rows = run(path, tmp_path / "r")
    pairs, labels = (rows.row(by_predicate=pl.col("method").str.starts_with(word), named=True) for word in ("exact", "labels only"))
    assert labels["method"] == "labels only, goal-oriented"
    assert labels["accuracy"] > pairs["accuracy"] - 0.05
    assert labels["nmse"] > pairs["nmse"]  # it carries the classes and nothing else
    assert labels["power"] == pytest.approx(1, abs=0.01)
    own = rows.row(by_predicate=pl.col("method") == "receiver's latents", named=True)
    assert own["adjusted_rand"] == own["mutual_information"] == 1
    assert pairs["adjusted_rand"] > 0.3
