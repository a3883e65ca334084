import numpy as np
import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.studies.accuracy import (
    ALIGNED,
    CAPACITY,
    COMPLEX_LINEAR,
    GOAL_ORIENTED,
    OPTA,
    OWN,
    UNALIGNED,
    WIDELY_LINEAR,
    AccuracyStudy,
    accuracy_rows,
    designed_modes,
    reference_rows,
)

STUDY = AccuracyStudy(antennas=(1, 2, 4), channels=5, snr_db=15.0, seed=3)


@pytest.fixture(scope="module")
def results():
    generator = torch.Generator().manual_seed(0)
    cause = torch.randn(3000, 12, dtype=torch.float64, generator=generator)
    labels = (cause[:, :2] > 0).long() @ torch.tensor([2, 1])

    def encoded(dim):
        noise = 0.2 * torch.randn(3000, dim, dtype=torch.float64, generator=generator)
        return cause @ torch.randn(12, dim, dtype=torch.float64, generator=generator) + noise

    x, y = encoded(24), encoded(18)
    pilots, test = ll.Pilots(x[:2000], y[:2000], labels[:2000]), ll.Pilots(x[2000:], y[2000:], labels[2000:])
    head = ll.fit_head(pilots.y, pilots.labels)
    moments = ll.Moments.from_pairs(pilots.x, pilots.y, folds=4)
    designs = designed_modes(STUDY, moments, head, pilots.y)
    rows = [*accuracy_rows(STUDY, test, head, designs, moments), reference_rows(STUDY, test, head, designs[WIDELY_LINEAR][0])]
    return pl.concat(rows, how="diagonal")


def mean(results, method, column="accuracy"):
    return results.filter(method=method).group_by("antennas").agg(pl.col(column).mean()).sort("antennas")[column].to_numpy()


def test_every_method_has_a_row_for_every_channel_of_every_point(results):
    counts = results.group_by("method", "antennas").len()
    per_channel = counts.filter(pl.col("method").is_in([COMPLEX_LINEAR, WIDELY_LINEAR, GOAL_ORIENTED, OPTA, CAPACITY]))["len"]
    once = counts.filter(pl.col("method").is_in([OWN, ALIGNED, UNALIGNED]))["len"]
    assert set(per_channel) == {STUDY.channels}
    assert set(once) == {1}
    assert len(counts) == 8 * len(STUDY.antennas)


def test_no_link_that_codes_the_head_s_decision_is_above_the_bound_of_capacity(results):
    assert (mean(results, CAPACITY, "accuracy") <= mean(results, OWN)[-1] + 1e-9).all()
    assert (np.diff(mean(results, CAPACITY, "accuracy")) >= -1e-9).all()
    assert (mean(results, GOAL_ORIENTED) <= mean(results, CAPACITY) + 0.02).all()


def test_methods_stand_in_the_order_of_the_theory(results):
    assert (mean(results, WIDELY_LINEAR, "nmse") <= mean(results, COMPLEX_LINEAR, "nmse")).all()
    assert (mean(results, WIDELY_LINEAR, "nmse") <= mean(results, GOAL_ORIENTED, "nmse") + 1e-3).all()
    assert (mean(results, OPTA, "nmse") < mean(results, WIDELY_LINEAR, "nmse")).all()  # the latents are Gaussian here
    assert (mean(results, GOAL_ORIENTED) >= mean(results, WIDELY_LINEAR) - 0.01).all()
    assert mean(results, GOAL_ORIENTED)[-1] > mean(results, ALIGNED)[-1] - 0.02
    assert (mean(results, OWN) >= mean(results, ALIGNED) - 0.02).all()
    assert (mean(results, UNALIGNED) < 0.5).all()


def test_power_measured_on_unseen_latents_is_the_budget(results):
    power = results.filter(pl.col("power").is_not_null())
    error = 3 * (2 / 1000 + 2 / 400) ** 0.5  # of the power of one Gaussian stream on 1,000 test latents, calibrated on 400 held out
    assert power["power"].is_between(1 - error, 1 + error).all()
    predicted = (power["mse"] / power["expected_mse"]).to_numpy()
    assert (abs(predicted - 1) < error).all()


def test_impossible_settings_are_refused():
    for settings, name in (({"antennas": ()}, "antennas"), ({"antennas": (0, 1)}, "antennas"), ({"channels": 0}, "channels")):
        with pytest.raises(ValueError, match=name):
            AccuracyStudy(**settings)


def test_the_same_seed_gives_the_same_channels_for_every_method(results):
    again = STUDY.channel(2, torch.device("cpu"))
    assert torch.equal(again.h, STUDY.channel(2, torch.device("cpu")).h)
    assert not torch.equal(again.h, AccuracyStudy(antennas=(2,), channels=5, seed=4).channel(2, torch.device("cpu")).h)
