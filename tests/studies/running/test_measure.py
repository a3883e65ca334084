from dataclasses import replace

import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.baselines.top_k import TopK
from latentlink.studies.methods.linear import ClosedFormMethod
from studies.examples import run, write_study


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """The rows of the small study."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTLINK_CACHE", str(folder / "cache"))
        return run(write_study(folder), folder / "r")


def test_rows_say_what_was_measured(rows):
    links = rows.filter(pl.col("family") != "reference")
    exact = links.filter(pl.col("method").str.starts_with("exact"))
    assert (links["accuracy_low"] <= links["accuracy"]).all()
    assert (links["accuracy"] <= links["accuracy_high"]).all()
    assert (links["mse"] > 0.98 * links["exact_mse"]).all()  # no linear link is below it, but for the noise of 90 messages
    assert (exact["mse"] < 1.5 * exact["exact_mse"]).all()
    assert (links["opta"] > 0).all()
    assert links["power"].is_between(0.995, 1.005).all()  # equal power, whatever the method
    torch.testing.assert_close(torch.tensor(links["antenna_power"].list.sum().to_list()), torch.tensor(links["power"].to_list()))
    assert exact.filter(pl.col("n_tx") == 2)["compression"].unique().to_list() == [2 / 5]
    assert exact.filter(pl.col("n_tx") == 2)["flops"].unique().to_list() == [2 * 4 * 9 + 2 * 4 * 7]


def test_rows_name_the_encoders_that_were_used(rows):
    for name in ("transmitter", "receiver"):
        assert rows[name].unique().to_list() == [f"train-{name}.npy"]
    assert rows["image_size_px"].null_count() == len(rows)


def test_what_top_k_expects_is_measured_once_a_cell(tmp_path, monkeypatch):
    measure, calls = TopK.expected_mse, []

    def counted(self, *arguments):
        calls.append(1)
        return measure(self, *arguments)

    monkeypatch.setattr(TopK, "expected_mse", counted)
    methods = [{"name": "top-k", "align": ["before", "after"]}]
    rows = run(write_study(tmp_path, methods=methods, seeds=[1], snr={"snr_db": 10}), tmp_path / "r")
    links = rows.filter(pl.col("family") == "baseline")
    assert len(calls) == len(links)
    assert links["expected_mse"].is_finite().all()


def test_operations_of_a_silent_network_are_those_of_what_is_left(tmp_path):
    neural = {"name": "neural", "hidden_tx": 4, "hidden_rx": 4, "epochs": 1, "pruning": "hard", "strength": 1e6}
    study = write_study(tmp_path, methods=[neural], seeds=[1], channel={"antennas": 2}, snr={"snr_db": 0})
    row = run(study, tmp_path / "r").filter(pl.col("family") == "neural")
    assert row["power"].to_list() == [0.0]
    assert row["status"].to_list() == [ll.Status.NOTHING_TO_SEND.name]
    assert row["flops"].item() == 2 * 9 + 6 * 2 + 1 + 2 * 7  # centre, scale, and what is left of the decoder: its mean
    assert row["density"].item() == 0.0


@pytest.mark.parametrize("one_at_a_time", [False, True])
def test_each_row_has_the_name_of_the_status_of_its_own_channel(tmp_path, monkeypatch, one_at_a_time):
    design, gains = ClosedFormMethod.design_for, []

    def by_gain(self, known, there, run):
        gains.append(there.truth.h.abs().square().mean((-3, -2, -1)))
        status = torch.where(gains[-1] > 1.0, ll.Status.OPTIMAL.code, ll.Status.BASELINE.code)
        return replace(design(self, known, there, run), status=status)

    monkeypatch.setattr(ClosedFormMethod, "design_for", by_gain)
    monkeypatch.setattr(ClosedFormMethod, "one_channel_at_a_time", one_at_a_time)
    study = write_study(tmp_path, methods=[{"name": "closed-form"}], seeds=[1], channel={"antennas": 1, "draws": 6}, snr={"snr_db": 0})
    rows = run(study, tmp_path / "r").filter(pl.col("family") == "exact").sort("channel")
    each = dict.fromkeys(torch.cat(gains).tolist())  # in the order of the channels, however often they were designed for
    expected = ["optimal" if gain > 1.0 else "baseline" for gain in each]
    assert rows["status"].to_list() == expected
    assert len(set(expected)) == 2


def test_methods_and_snrs_meet_the_same_channels(rows):
    links = rows.filter(pl.col("family") != "reference")
    same = links.filter(pl.col("snr_db") == 20).group_by("n_tx", "seed").agg(pl.col("opta").n_unique())
    assert same["opta"].to_list() == [1] * 4


def test_receive_snr_does_not_grow_with_antennas(tmp_path):
    rows = run(write_study(tmp_path, seeds=[1], snr={"snr_db": 10, "snr_reference": ["transmit", "receive"]}), tmp_path / "r")
    rows = rows.filter(pl.col("family") != "reference")
    received = rows.with_columns(db=10 * (pl.col("gain") / pl.col("noise_variance")).log10())
    assert received.filter(pl.col("snr_reference") == "receive")["db"].is_close(10.0).all()
    per_antenna = received.filter(pl.col("snr_reference") == "transmit").with_columns(
        pl.col("db") - 10 * (pl.col("n_tx") * pl.col("gain")).log10()
    )
    assert per_antenna["db"].is_close(10.0).all()


def test_draws_of_a_cell_are_rows(tmp_path):
    rows = run(write_study(tmp_path, channel={"antennas": 2, "draws": 3}, snr={"snr_db": 10}), tmp_path / "r")
    rows = rows.filter(pl.col("family") != "reference")
    assert rows.group_by("cell").agg(pl.col("channel").sort())["channel"].to_list() == [[0, 1, 2]] * 4
    assert rows["mse"].n_unique() == len(rows)
