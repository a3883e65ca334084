"""What channels a cell meets, and what is measured on them."""

import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.studies.channels import channel_of
from latentlink.studies.result_files import Results
from latentlink.studies.running.runner import Runner
from latentlink.studies.seeding import Draw
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from studies.examples import write_study

CHANNEL = {"model": "tdl-a", "antennas": 2, "uses": 3, "draws": 4, "gain": 1.0}
METRICS = ["accuracy", "mse", "limits", "power", "papr", "flops"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))


def study(tmp_path, *overrides, **changes):
    return read_study(write_study(tmp_path, **{"seeds": [1], "snr": {"snr_db": 10}, "metrics": METRICS, **changes}), overrides)


def rows(tmp_path, *overrides, **changes):
    one, failures = study(tmp_path, *overrides, **changes), []
    results = Results(tmp_path / "results")
    Runner(results, 1).run(cells(one), lambda cell, reason: failures.append(reason))
    assert not any(failures), failures
    return results.table(one, cells(one)).filter(pl.col("family") != "reference")


def links(one):
    return [cell for cell in cells(one) if cell.method.family != "reference"]


def test_a_3gpp_cell_meets_the_channels_of_its_bank(tmp_path):
    cell = links(study(tmp_path, channel=CHANNEL, ofdm={"subcarriers": 60, "placement": "frequency", "speed_kmh": 36}))[0]
    channel = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, torch.device("cpu"))
    elements = ll.channels.ResourceElements.over_frequency(3, 60)
    h = ll.tr38901.generate("TDL-A", 2, 2, batch=4, elements=elements, seed=Draw.CHANNELS.seed(1), speed_mps=10.0)
    assert torch.equal(channel.h, h)
    torch.testing.assert_close(channel.snr_db, torch.full((4,), 10.0, dtype=torch.float64))


def test_placements_and_models_make_other_cells_and_flat_channels_take_no_notice(tmp_path):
    placed = links(study(tmp_path, channel=CHANNEL, ofdm={"placement": ["contiguous", "frequency", "slots"]}))
    assert len({cell.id for cell in placed}) == len(placed) == 6
    tapped = links(study(tmp_path, channel=CHANNEL, ofdm={"polarisation": ["single", "dual"], "slots": [1, 2]}))
    assert len({cell.id for cell in tapped}) == 2  # of two methods: TDL has no arrays, and a band no slots
    flat = {**CHANNEL, "model": "rayleigh"}
    one, other = (links(study(tmp_path, channel=flat, ofdm={"delay_spread_ns": spread}))[0] for spread in (10, 300))
    assert one.id == other.id


def test_every_limit_is_in_the_rows_and_in_order(tmp_path):
    seen = rows(tmp_path, channel=CHANNEL, methods=[{"name": "closed-form"}, {"name": "closed-form", "power": "equal"}])
    assert len(seen) == 8
    assert (seen["opta"] <= seen["separation"]).all()
    assert (seen["opta"] <= seen["exact_mse"] * (1 + 1e-9)).all()
    assert ((seen["opta_db"] - 10 * (seen["mse"] / seen["opta"]).log10()).abs() < 1e-5).all()
    assert (seen["capacity"] > 0).all()
    assert (seen["papr_db"] >= seen["antenna_papr_db"].list.max() - 1e-6).all()
    assert set(seen["method"]) == {"exact, widely linear", "linear, widely linear, equal power per use"}
    pooled, equal = (seen.filter(pl.col("method").str.starts_with(name)).sort("channel")["exact_mse"] for name in ("exact", "linear"))
    assert pooled.to_list() == equal.to_list()  # the limit is that of the channel, whatever is measured on it


def test_clipping_cuts_peaks_and_power(tmp_path):
    seen = rows(
        tmp_path, channel={**CHANNEL, "model": "rayleigh", "uses": 1, "clipping_db": [None, 0.0]}, methods=[{"name": "closed-form"}]
    )
    free, cut = seen.filter(pl.col("clipping_db").is_null()), seen.filter(pl.col("clipping_db") == 0)
    assert (cut["power"] < free["power"]).all()
    assert (cut["peak_power"] <= 1 + 1e-5).all()
    assert (cut["papr_db"] < free["papr_db"]).all()


@pytest.mark.parametrize("method", [{"name": "top-k"}, {"name": "first-k"}, {"name": "neural", "epochs": 1}])
def test_any_link_may_be_clipped(tmp_path, method):
    flat = {**CHANNEL, "model": "rayleigh", "uses": 1, "draws": 2, "clipping_db": [None, -3.0]}
    seen = rows(tmp_path, channel=flat, methods=[method])
    free, cut = seen.filter(pl.col("clipping_db").is_null()), seen.filter(pl.col("clipping_db") == -3)
    assert (cut["power"] < free["power"]).all()
    assert cut["flops"].to_list() == free["flops"].to_list()


def test_drops_keep_path_loss_only_with_the_transmitters_snr(tmp_path):
    with pytest.raises(ValueError, match=r"snr\.snr_reference must be transmit"):
        cells(study(tmp_path, channel={**CHANNEL, "model": "umi"}, ofdm={"normalisation": "path-loss"}, snr={"snr_reference": "receive"}))
    seen = rows(tmp_path, channel={**CHANNEL, "model": "umi"}, ofdm={"normalisation": "path-loss"}, snr={"snr_db": 125.0},
                methods=[{"name": "closed-form"}])  # fmt: skip
    assert seen["capacity"].max() > 1.5 * seen["capacity"].min()  # near and far users


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"channel": {**CHANNEL, "model": "cdl-a", "antennas": 3}}, "ofdm.polarisation must be single for an odd number"),
        ({"channel": CHANNEL, "ofdm": {"normalisation": "path-loss"}}, "needs a drop"),
        ({"channel": {**CHANNEL, "uses": 40}, "ofdm": {"subcarriers": 24}}, "subcarriers must be at least 40"),
        ({"channel": {**CHANNEL, "model": "cdl-z"}}, "channel.model"),
    ],
)
def test_mistakes_are_told_before_anything_runs(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        cells(study(tmp_path, **changes))


def test_limits_by_few_test_latents_are_not_too_good_to_be_true(tmp_path):
    """With 12 test latents of 9 dimensions their own moments explain all; with those of training the optimum stays near that of many."""
    channel = {**CHANNEL, "model": "rayleigh", "draws": 20}
    many, few = (rows(tmp_path / str(test), data={"test": test}, channel=channel, methods=[{"name": "closed-form"}]) for test in (None, 12))
    assert few["exact_mse"].mean() == pytest.approx(many["exact_mse"].mean(), rel=0.2)
