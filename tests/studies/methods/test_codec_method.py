"""Codecs in studies: trained once for all channels of the cells that share pilots, the same in any company."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from latentlink.neural.codec import training as fitting
from latentlink.studies.averages import summarise
from latentlink.studies.methods.codec import Draws
from latentlink.studies.result_files import Results
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from studies.examples import write_study

SMALL = {"name": "codec", "rounds": 2, "width": 8, "modes": 7, "max_symbols": 2, "draws": {"antennas": [1, 2], "uses": [1]}}
CHANNELS = {"antennas": [1, 2], "draws": 20}
CLOCK = ("started", "wall_s", "design_s", "encode_us", "decode_us", "encode_batch_us", "decode_batch_us", "form_us", "form_batch_us")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))
    usual = fitting.CodecTraining.__init__

    def small(self, *arguments, **settings):
        usual(self, *arguments, **{"bank": (300, 16, 100), "steps": 10, **settings})

    monkeypatch.setattr(fitting.CodecTraining, "__init__", small)


def run(path, folder, jobs=1, overrides=()):
    study = read_study(path, overrides)
    todo, results = cells(study), Results(folder)
    ended = []
    runner = Runner(results, jobs)
    prices = [runner.estimated_seconds(cell) for cell in todo]
    runner.run(todo, lambda cell, reason: ended.append(reason))
    assert not any(ended), ended
    return results.table(study, todo), prices


def trainings(monkeypatch):
    """How often a codec is trained from now on."""
    count = []
    usual = fitting.CodecTraining.fit

    def counted(self, *arguments, **settings):
        count.append(self)
        return usual(self, *arguments, **settings)

    monkeypatch.setattr(fitting.CodecTraining, "fit", counted)
    return count


def test_one_training_serves_all_channels_and_is_kept(tmp_path, monkeypatch):
    count = trainings(monkeypatch)
    path = write_study(tmp_path, methods=[SMALL, {"name": "closed-form", "goal": "fisher"}], channel=CHANNELS)
    rows, prices = run(path, tmp_path / "one", jobs=2)
    assert len(count) == 2  # one for each seed, for 2 sizes × 2 SNRs
    assert all(price > 0 for price in prices)
    codec = rows.filter(family="codec")
    assert len(codec) == 2 * 2 * 2 * 20
    assert codec["method"].unique().to_list() == ["codec"]
    assert codec["power"].is_between(0.9, 1.1).all()
    assert set(codec["status"]) <= {"codec", "linear"}
    assert codec["accuracy_bound"].is_between(0.0, 1.0).all()
    some = ("snr.snr_db=20",)
    again, _ = run(path, tmp_path / "two", overrides=some)
    assert len(count) == 2  # kept on this machine
    same = rows.filter(pl.col("cell").is_in(again["cell"].to_list()))
    assert_frame_equal(same.drop(CLOCK, strict=False), again.drop(CLOCK, strict=False), check_exact=True)
    for file in (tmp_path / "cache" / "codecs").iterdir():
        file.unlink()
    anew, _ = run(path, tmp_path / "three", jobs=2, overrides=some)
    assert len(count) == 4
    assert_frame_equal(same.drop(CLOCK, strict=False), anew.drop(CLOCK, strict=False), check_exact=True)
    table = summarise(rows)
    worst = codec.filter(n_tx=1, snr_db=20.0)["accuracy"].bottom_k(2).mean()  # 5 % of the channels
    assert table.filter(method="codec", n_tx=1, snr_db=20.0)["accuracy_worst"].item() == pytest.approx(worst)
    assert table.filter(method="unaligned")["accuracy_worst"].null_count() == 1


def test_budgets_and_channels_to_train_on_tell_codecs_apart(tmp_path, monkeypatch):
    count = trainings(monkeypatch)
    methods = [{**SMALL, "flops": [600, 900]}, {**SMALL, "label": "correlated", "draws": {**SMALL["draws"], "model": "kronecker"}}]
    path = write_study(
        tmp_path, methods=methods, seeds=1, channel={**CHANNELS, "model": "kronecker", "correlation": 0.5}, snr={"snr_db": 20}
    )
    rows, _ = run(path, tmp_path / "r")
    assert len(count) == 3
    codec = rows.filter(family="codec")
    assert codec["correlation"].unique().to_list() == [0.5]
    assert set(codec["method"]) == {"codec", "correlated"}
    budgets = codec.filter(method="codec", n_tx=2).group_by("parameters").agg(pl.col("flops").max())["flops"]
    assert sorted(budgets) == sorted(set(budgets))
    assert max(budgets) <= 900


def test_what_no_codec_can_be_is_refused(tmp_path):
    for change, message in (
        ({"flops": 900, "microseconds": 3.0}, "budgets for the same link"),
        ({"objective": "rank"}, "objective"),
        ({"draws": {"antenas": [1]}}, "unknown key"),
        ({"dropout": 1.0}, "dropout"),
    ):
        with pytest.raises(ValueError, match=message):
            cells(read_study(write_study(tmp_path, methods=[{**SMALL, **change}])))


def test_kronecker_channels_keep_the_names_of_other_cells(tmp_path):
    study = read_study(write_study(tmp_path))
    ids = {cell.id for cell in cells(study)}
    other = read_study(write_study(tmp_path), ("channel.correlation=0.3",))
    assert {cell.id for cell in cells(other)} == ids  # ignored by rayleigh fading
    kronecker = [
        {
            cell.id
            for cell in cells(read_study(write_study(tmp_path), ("channel.model=kronecker", f"channel.correlation={c}")))
            if cell.method.name != "reference"  # latents that pass no channel
        }
        for c in (0.3, 0.6)
    ]
    assert not kronecker[0] & kronecker[1]


def test_codecs_of_two_seeds_are_trained_on_other_channels_of_a_3gpp_model():
    draws = Draws.model_validate({"model": "cdl-c"})
    assert draws.source(1) == draws.source(1) != draws.source(2)


def test_behind_a_gate_it_shares_its_training_and_gains_by_decisions(tmp_path, monkeypatch):
    count = trainings(monkeypatch)
    gated = SMALL | {"name": "codec-or-decision", "gate_channels": 200}
    fading = {"antennas": 1, "draws": 20}
    path = write_study(tmp_path, methods=[SMALL, gated, {"name": "decision"}], channel=fading, snr={"snr_db": 10}, seeds=[1])
    rows, _ = run(path, tmp_path / "results")
    assert len(count) == 1
    means = {name: some["accuracy"].mean() for (name,), some in rows.group_by("method")}
    assert means["codec"] < means["codec or decision"] <= means["decision sent"]  # which serves some of the channels, by few pilots
