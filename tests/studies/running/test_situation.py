"""What a transmitter knows of the channels of a cell."""

from typing import get_args

import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.linear.csi_names import NAMES as CSI_NAMES
from latentlink.power import AllocatedWord
from latentlink.studies.methods.method import Run
from latentlink.studies.result_files import Results
from latentlink.studies.rows import COLUMNS
from latentlink.studies.running.runner import Runner
from latentlink.studies.running.situation import draw_situation
from latentlink.studies.sections import CsiAt
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from studies.examples import write_study

CPU = torch.device("cpu")
CHANNEL = {"model": "tdl-a", "antennas": 2, "uses": 3, "draws": 20, "gain": 1.0}
ROBUST = [{"name": "closed-form", "robust": [False, True]}]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))


def links(tmp_path, **changes):
    fixed = {"seeds": [1], "snr": {"snr_db": 10}, "methods": ROBUST, "channel": CHANNEL}
    study = read_study(write_study(tmp_path, **{**fixed, **changes}))
    return study, [cell for cell in cells(study) if cell.method.family != "reference"]


def rows(tmp_path, **changes):
    study, _ = links(tmp_path, metrics=["accuracy", "mse", "power"], **changes)
    results, failures = Results(tmp_path / "results"), []
    Runner(results, 1).run(cells(study), lambda cell, reason: failures.append(reason))
    assert not any(failures), failures
    return results.table(study, cells(study)).filter(pl.col("family") != "reference")


@pytest.mark.parametrize(
    ("model", "estimator", "delay_ms"), [("tdl-a", "ls", 0), ("tdl-a", "lmmse", 4), ("rayleigh", "ls", 4), ("rayleigh", "lmmse", 0)]
)
def test_estimates_err_as_much_as_they_say(tmp_path, model, estimator, delay_ms):
    """Within 25 %: 150 channels × 4 pairs × up to 3 elements, for robust and naive designs alike."""
    _, some = links(tmp_path, channel={**CHANNEL, "model": model, "draws": 150}, ofdm={"subcarriers": 72, "speed_kmh": 30},
                    csi={"known": "both-ends", "estimator": estimator, "pilot_snr_db": 10, "delay_ms": delay_ms})  # fmt: skip
    for cell in some:
        there = draw_situation(cell, CPU)
        measured = (there.estimate.h - there.truth.h).abs().square().mean().item()
        assert measured == pytest.approx(there.estimate.error_variance.mean().item(), rel=0.25)


def test_all_designs_meet_the_same_truth_and_estimates(tmp_path):
    _, (naive, robust) = links(tmp_path, csi={"known": "both-ends", "estimator": "lmmse"})
    one, other = draw_situation(naive, CPU), draw_situation(robust, CPU)
    assert torch.equal(one.truth.h, other.truth.h)
    assert torch.equal(one.estimate.h, other.estimate.h)


def test_every_case_spends_its_budget_and_knowing_more_is_better(tmp_path):
    cases = ["both-ends", "transmitter", "transmitter-only", "receiver-only", "unaware"]
    seen = rows(tmp_path, csi={"known": [*cases, "perfect"], "pilot_snr_db": 0})
    assert set(seen["csi"]) == {*cases, "perfect"}
    assert ((seen["power"] - 1).abs() < 0.02).all()
    mean = dict(seen.group_by("csi").agg(pl.col("mse").mean()).iter_rows())
    assert all(mean["perfect"] < mean[case] for case in cases)
    assert (seen.filter(knowledge="aware")["expected_mse"] > 0).all()


def test_unaware_cells_say_so_and_claim_nothing(tmp_path):
    seen = rows(tmp_path, csi={"known": ["unaware", "perfect"]}, methods=[{"name": "closed-form"}, {"name": "eigen-k"}])
    unaware = seen.filter(knowledge="unaware")
    assert unaware["csi"].unique().to_list() == ["unaware"]
    assert unaware["status"].unique().to_list() == [ll.Status.BASELINE.name]
    assert unaware["expected_mse"].null_count() == len(unaware) > 0
    assert COLUMNS["csi"].describe("unaware") == "CSI at neither end"
    assert set(get_args(CsiAt.model_fields["known"].annotation)) == set(COLUMNS["csi"].values)


def test_robust_designs_beat_naive_ones_where_both_ends_know_the_same_estimate(tmp_path):
    seen = rows(tmp_path, csi={"known": "both-ends", "pilot_snr_db": -5, "estimator": ["ls", "lmmse"]})
    mean = {
        (method, estimator): mse for method, estimator, mse in seen.group_by("method", "estimator").agg(pl.col("mse").mean()).iter_rows()
    }
    for estimator in ("ls", "lmmse"):
        assert mean["exact, widely linear", estimator] < mean["exact, widely linear, naive", estimator]


@pytest.mark.parametrize("known", ["both-ends", "receiver-only"])
def test_every_power_limit_of_the_closed_form_goes_with_csi_of_every_limit(tmp_path, known):
    words = list(get_args(AllocatedWord))
    few = {**CHANNEL, "antennas": 1, "draws": 1}
    seen = rows(tmp_path, channel=few, csi={"known": known, "pilot_snr_db": 10}, methods=[{"name": "closed-form", "power": words}])
    assert len(seen["method"].unique()) == len(words)
    assert (seen["power"] < 1.02).all()
    assert seen["mse"].is_finite().all()


def test_feedback_in_few_bits_costs(tmp_path):
    seen = rows(tmp_path, csi={"known": "transmitter", "pilot_snr_db": 40, "feedback_bits": [1, 8]})
    mean = dict(seen.group_by("feedback_bits").agg(pl.col("mse").mean()).iter_rows())
    assert mean[8] < mean[1]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"csi": {"known": "transmitter"}, "methods": [{"name": "first-k"}]}, "csi.known transmitter needs closed-form"),
        ({"csi": {"known": "transmitter"}, "methods": [{"name": "closed-form", "power": "equal"}]}, "power must be mean"),
        ({"csi": {"known": "both-ends", "feedback_bits": 4}}, "csi.feedback_bits must be null"),
        ({"csi": {"known": "transmitter"}, "channel": {**CHANNEL, "model": "kronecker"}}, "must be perfect or unaware for kronecker"),
        ({"csi": {"known": "unaware"}, "channel": {**CHANNEL, "model": "umi"}, "ofdm": {"normalisation": "path-loss"}}, "must be perfect"),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        links(tmp_path, **changes)


@pytest.mark.parametrize(
    ("known", "changes", "count"),
    [
        ("unaware", {"delay_ms": [0, 5], "pilot_snr_db": [0, 10], "estimator": ["ls", "lmmse"]}, 1),
        ("receiver-only", {"delay_ms": [0, 5], "feedback_bits": [2, 4]}, 1),
        ("transmitter-only", {"delay_ms": [0, 5]}, 2),
        ("transmitter", {"delay_ms": [0, 5]}, 4),
    ],
)
def test_what_makes_no_difference_makes_no_other_cell(tmp_path, known, changes, count):
    """Else equal rows would be averaged as if they were independent."""
    assert len(links(tmp_path, csi={"known": known, **changes})[1]) == count


@pytest.mark.parametrize("model", ["tdl-a", "rayleigh"])
def test_cells_of_one_name_meet_the_same_channels(tmp_path, model):
    csi = {"known": "receiver-only", "pilot_snr_db": 10}
    at = {"channel": {**CHANNEL, "model": model}, "ofdm": {"subcarriers": 72}, "methods": [{"name": "closed-form"}]}
    (one,), (other,) = (links(tmp_path, csi={**csi, "delay_ms": delay}, **at)[1] for delay in (0, 5))
    assert one.id == other.id
    here, there = draw_situation(one, CPU), draw_situation(other, CPU)
    assert torch.equal(here.truth.h, there.truth.h)
    assert torch.equal(here.received.h, there.received.h)


def test_an_older_estimate_is_worse_at_the_transmitter_only(tmp_path):
    seen = rows(tmp_path, csi={"known": "transmitter-only", "pilot_snr_db": 30, "delay_ms": [0, 10]}, ofdm={"speed_kmh": 30})
    mean = dict(seen.group_by("delay_ms").agg(pl.col("mse").mean()).iter_rows())
    assert mean[0] < mean[10]
    assert seen["status"].unique().to_list() == [ll.Status.BASELINE.name]


@pytest.mark.parametrize("known", [word for word, case in CSI_NAMES.items() if "seed" in getattr(case, "__dataclass_fields__", {})])
def test_seeds_of_a_study_share_no_draws_of_a_design_and_a_seed_has_the_same_again(tmp_path, known):
    """A default seed of the case would be that of all cells, whose designs would then not be independent."""
    _, cells_of = links(tmp_path, csi={"known": known}, seeds=[0, 1, 2], methods=[{"name": "closed-form"}])
    cases = [[cell.method.csi_case(draw_situation(cell, CPU), Run(cell.seed, CPU)) for cell in cells_of] for _ in range(2)]
    assert cases[0] == cases[1]
    assert len({case.seed for case in cases[0]}) == 3
    assert CSI_NAMES[known]().seed not in {case.seed for case in cases[0]}
