"""Studies of links without pairs and of links that live: their cells design what the public estimators and repairs make."""

import textwrap

import pytest
import torch

import latentlink as ll
from latentlink.studies.drift import _change
from latentlink.studies.drift_at import DriftAt
from latentlink.studies.experiments import open_experiment
from latentlink.studies.running.workbench import Workbench
from studies.examples import write_latents

QUIET = {"references": False, "seeds": [1], "channel": {"antennas": 2}, "snr": {"snr_db": 10}, "metrics": ["accuracy", "mse"]}
FISHER = {"name": "closed-form", "goal": "fisher"}
LAB = """
    import torch
    import latentlink as ll

    def load(split):
        generator = torch.Generator().manual_seed({"train": 0, "test": 1}[split])
        labels = torch.arange(300) % 3
        bars = 60 + 30 * torch.eye(3)[labels].repeat_interleave(3, 1)[:, :, None].expand(-1, -1, 2)
        images = bars + 8 * torch.randn(300, 9, 2, generator=generator)
        return ll.data.ImageSet(f"bars-{split}", images.clamp(0, 255).to(torch.uint8), labels, ("a", "b", "c"))

    def flat(images):
        return images.flatten(1).float() / 32

    TURN = torch.linalg.qr(torch.randn(18, 18, generator=torch.Generator().manual_seed(2)))[0]
    old = ll.data.from_callable("old", flat, dim=18, version="1")
    receiver = ll.data.from_callable("means", lambda images: images.float().mean(2) / 32, dim=9, version="1")
    new = ll.data.from_callable("new", lambda images: flat(images) @ TURN + 1, dim=18, version="1")

    def brighter(images):  # where the first class is bright; none is near white
        return torch.cat([images[:, :3] + 60, images[:, 3:]], 1)

    class Nothing:
        def fit(self, pilots, tx, rx, goal):
            return torch.zeros(len(rx.mean), len(tx.mean), dtype=torch.float64)
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))


def measured(study, folder=None):
    """The rows of each cell."""
    experiment = open_experiment(study if folder is None else ll.studies.make_study({**QUIET, **study, "name": "live"}, folder=folder))
    bench = Workbench("cpu", None)
    results = [bench(cell) for cell in experiment.cells]
    assert all(found.measured is not None for found in results), results[0].reason
    return [found.measured.rows for found in results], experiment.cells, bench


def of_files(folder, methods, **more):
    write_latents(folder / "latents")
    return {"data": {"dataset": "files", "folder": str(folder / "latents"), "test": None}, "methods": methods, **more}


def test_estimators_are_those_of_the_package(tmp_path):
    names = ["pairs", "few-pairs", "spread", "concepts", "concepts-and-pairs"]
    study = of_files(tmp_path, [{**FISHER, "estimator": names}], pilots={"count": 20, "unpaired": "halves"})
    _, cells, bench = measured(study, tmp_path)
    scenario = bench.scenario(cells[0])
    everything, known = scenario.candidates, scenario.known(cells[0].pilots, 1)
    tx = ll.alignment.Concepts.from_labels(everything.x[:75], everything.labels[:75])
    rx = ll.alignment.Concepts.from_labels(everything.y[75:], everything.labels[75:])
    goal = ll.Goal.fisher(scenario.head, everything.y[75:], 3.0, 0.01)
    concepts = ll.Moments.from_concepts(tx, rx, goal=goal)
    rest = ll.alignment.FewPairs(prior=concepts).fit(known.pilots, tx, rx)
    expected = {
        "pairs": ll.Moments.from_pairs(known.pilots.x, known.pilots.y),
        "few-pairs": ll.alignment.FewPairs().fit(known.pilots, tx, rx, goal),
        "spread": ll.alignment.FewPairs(ll.alignment.Spread(everything.x[:75])).fit(known.pilots, tx, rx, goal),
        "concepts": concepts,
        "concepts-and-pairs": ll.Moments.from_concepts(tx, rx, rest, goal=goal),
    }
    for cell in cells:
        modes, wanted = cell.method.modes(known), ll.semantic_modes(expected[cell.method.estimator], goal)
        torch.testing.assert_close(modes.align(scenario.test.x), wanted.align(scenario.test.x), msg=cell.method.estimator)


def test_no_pair_is_a_number_of_pilots_and_decisions_are_answers(tmp_path):
    methods = [
        {**FISHER, "estimator": "concepts"},
        {**FISHER, "estimator": "few-pairs", "answers": "decisions", "at": {"pilots.count": 42}},
    ]
    rows, _, _ = measured(of_files(tmp_path, methods, pilots={"count": 0, "unpaired": "halves"}), tmp_path)
    assert [(each["pilots"].item(), each["pilot_count"].item()) for each in rows] == [(0, 0), (42, 42)]
    assert all(each["accuracy"].item() > 0.6 for each in rows)


def test_an_estimator_may_be_code_of_ones_own(tmp_path):
    (tmp_path / "lab_estimator.py").write_text(textwrap.dedent(LAB))
    study = of_files(tmp_path, [{**FISHER, "estimator": "lab_estimator:Nothing"}], pilots={"count": 20, "unpaired": "all"})
    rows, cells, _ = measured(study, tmp_path)
    assert rows[0]["nmse"].item() == pytest.approx(1, abs=0.1)  # the mean is all that is known
    assert cells[0].method.title == "exact, goal-oriented, Nothing"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"pilots": {"count": 0}}, "unpaired must be all or halves where count is 0"),
        ({"pilots": {"count": 0, "unpaired": "all"}}, "pilots.count must be at least 2 for estimator pairs.*estimator concepts takes none"),
        ({"pilots": {"count": 5, "per_class": 5}}, "per_class must be null where count"),
        ({"pilots": {"method": "medoid"}}, "method medoid needs a count"),
        ({"pilots": {"count": 5, "method": "centroid"}}, "method centroid goes with per_class"),
        ({"pilots": {"count": -1}}, "pilots.count"),
        ({"methods": [{**FISHER, "estimator": "spread"}]}, "pilots.unpaired must be all or halves for estimator spread"),
        ({"methods": [{**FISHER, "estimator": "nosuch"}]}, "estimator"),
        ({"methods": [{**FISHER, "answers": "decisions"}]}, "answers must be latents for estimator pairs"),
        (
            {"methods": [{"name": "closed-form", "estimator": "concepts-and-pairs"}], "pilots": {"unpaired": "all"}},
            "goal must be fisher or logits",
        ),
        (
            {"methods": [{"name": "first-k"}], "pilots": {"count": 0, "unpaired": "all"}},
            "pilots.count must be at least 1 for First-K.*closed-form and admm",
        ),
        ({"drift": {"new": 5}}, "kind or transmitter must say what has changed"),
        ({"drift": {"kind": "inverted", "amount": 2}}, "amount goes with kind rotated, noise or dimmed"),
        ({"drift": {"kind": "noise", "amount": -5}}, "amount must be at least 0 for kind noise, got -5"),
        ({"drift": {"kind": "noise", "alarm_every": 5}, "metrics": ["alarms"]}, "alarm_every must be from 10 to 100000"),
        ({"drift": {"kind": "rotated", "transmitter": "mobilenet-v2"}}, "kind must be none where transmitter names"),
        ({"drift": {"transmitter": "nosuch"}}, "drift.transmitter must be one of"),
        ({"drift": {"kind": "rotated"}, "data": {"dataset": "digits"}}, "drift must be left out where data.dataset is digits"),
        ({"methods": [{**FISHER, "repair": "fresh"}]}, "drift.kind or drift.transmitter must say what has changed for repair fresh"),
        ({"methods": [{**FISHER, "repair": "remembered"}], "drift": {"kind": "noise", "new": 3}}, "drift.new must be at least 6"),
        (
            {"methods": [{**FISHER, "repair": "re-encoded"}], "drift": {"kind": "noise", "new": 9}},
            "drift.transmitter must name a new encoder",
        ),
        ({"drift": {"kind": "noise", "alarm_every": 100}}, "drift.alarm_every and the metric alarms go together"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        open_experiment({"name": "live", "methods": [FISHER], "references": False, **changes})


def drifting(tmp_path, methods, **drift):
    (tmp_path / "lab_drift.py").write_text(textwrap.dedent(LAB))
    return {
        "data": {"dataset": "lab_drift:load", "train": None, "test": None},
        "encoders": {"transmitter": "lab_drift:old", "receiver": "lab_drift:receiver"},
        "methods": methods,
        "drift": drift,
    }


def test_a_new_encoder_that_is_an_affine_map_of_the_old_one_changes_nothing(tmp_path):
    methods = [
        {**FISHER, "at": {"drift.transmitter": None, "drift.new": 0}},
        FISHER,
        {**FISHER, "repair": "re-encoded"},
    ]
    rows, _, _ = measured(drifting(tmp_path, methods, transmitter="lab_drift:new", new=200), tmp_path)
    before, stale, composed = (each["nmse"].item() for each in rows)
    assert composed == pytest.approx(before, rel=0.02)
    assert stale > 2 * before
    assert rows[2]["drift"].item() == "lab_drift:new at the transmitter"


@pytest.mark.parametrize(("kind", "same"), [("rotated", True), ("noise", True), ("dimmed", False)])
def test_an_amount_of_zero_is_taken_at_its_word(kind, same):
    images = torch.randint(0, 256, (2, 5, 5), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    seen = _change(DriftAt(kind=kind, amount=0), ll.data.ImageSet("two", images, torch.zeros(2, dtype=torch.int64), ("a",))).images
    assert torch.equal(seen, images if same else torch.zeros_like(images))


def test_a_brighter_scene_is_mended_by_its_mean_and_by_new_pairs(tmp_path):
    repairs = ["stale", "recentred", "remembered", "kept", "fresh"]
    rows, cells, _ = measured(drifting(tmp_path, [{**FISHER, "repair": repairs}], kind="lab_drift:brighter", new=60), tmp_path)
    nmse = {cell.method.repair: each["nmse"].item() for cell, each in zip(cells, rows, strict=True)}
    assert {each["messages"].item() for each in rows} == {150}  # the other half is what repairs learn from
    assert all(nmse[repair] < 0.7 * nmse["stale"] for repair in ("recentred", "remembered", "fresh")), nmse


def test_a_watch_tells_a_change_long_before_it_is_wrong(tmp_path):
    study = drifting(tmp_path, [FISHER], kind="lab_drift:brighter", alarm_every=50)
    rows, _, _ = measured({**study, "metrics": ["accuracy", "alarms"], "snr": {"snr_db": 0}}, tmp_path)
    delay, interval = rows[0]["alarm_delay"].item(), rows[0]["alarm_interval"].item()
    assert interval > 15
    assert delay is None or delay > 0
