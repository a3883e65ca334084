import threading
import time

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from latentlink.baselines import top_k
from latentlink.studies import shared
from latentlink.studies.results import Results, as_text, summary
from latentlink.studies.running import cost as pricing
from latentlink.studies.running import measure as measuring
from latentlink.studies.running import runner as module
from latentlink.studies.running.runner import Quiet, Runner
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.study import read_study
from studies.examples import write_latents, write_study


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))


CLOCK = ("started", "wall_s", "design_s", "encode_us", "decode_us", "encode_batch_us", "decode_batch_us")


def run(path, folder, jobs=1, overrides=(), done=lambda cell, reason: None):
    study = read_study(path, overrides)
    todo, results = cells(study), Results(folder)
    Runner(results, jobs).run(todo, done)
    return results.table(study, todo)


def test_jobs_change_nothing_to_the_last_bit(tmp_path):
    path = write_study(tmp_path, methods=[{"name": "closed-form"}, {"name": "admm", "max_iterations": 5}, {"name": "top-k"}])
    serial, parallel = run(path, tmp_path / "1"), run(path, tmp_path / "3", jobs=3)
    assert_frame_equal(serial.drop(CLOCK, strict=False), parallel.drop(CLOCK, strict=False), check_exact=True)
    assert len(serial) == 3 * 2 * 2 * 2 + 3 * 2


def test_a_rerun_does_only_what_is_missing(tmp_path):
    path = write_study(tmp_path)
    first = run(path, tmp_path / "r")
    files = sorted((tmp_path / "r" / "cells").iterdir())
    before = {file: file.stat().st_mtime_ns for file in files}
    files[3].unlink()
    ended = []
    second = run(path, tmp_path / "r", done=lambda cell, reason: ended.append(cell))
    assert len(ended) == 1
    assert_frame_equal(first.drop(CLOCK, strict=False), second.drop(CLOCK, strict=False), check_exact=True)
    assert sum(file.stat().st_mtime_ns != before[file] for file in files) == 1
    ended.clear()
    run(path, tmp_path / "r", overrides=("snr.snr_db=0,20,30",), done=lambda cell, reason: ended.append(cell))
    assert {cell.snr.snr_db for cell in ended} == {30.0}


def test_a_cell_does_not_depend_on_its_company(tmp_path):
    path = write_study(tmp_path)
    everything = run(path, tmp_path / "all")
    alone = run(path, tmp_path / "one", overrides=("seeds=2", "channel.antennas=2", "snr.snr_db=20", "methods=[{name: first-k}]"))
    same = everything.filter(pl.col("cell").is_in(alone["cell"].to_list()))
    assert_frame_equal(same.drop(CLOCK, strict=False), alone.drop(CLOCK, strict=False), check_exact=True, check_row_order=False)


def test_an_interruption_keeps_what_was_done_and_the_next_run_goes_on(tmp_path):
    path, ended = write_study(tmp_path), []

    def interrupt(cell, reason):
        ended.append(cell)
        if len(ended) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path, tmp_path / "r", done=interrupt)
    assert len(list((tmp_path / "r" / "cells").glob("*.parquet"))) == 4
    more = []
    whole = run(path, tmp_path / "r", done=lambda cell, reason: more.append(cell))
    assert len(more) == len(whole) - 4
    assert_frame_equal(whole.drop(CLOCK, strict=False), run(path, tmp_path / "fresh").drop(CLOCK, strict=False), check_exact=True)


def test_a_cell_that_fails_is_kept_apart_and_tried_again(tmp_path, monkeypatch):
    path, reasons = write_study(tmp_path), []
    real = module.measured

    def failing(cell, world, how):
        if cell.method.name == "first-k" and cell.seed == 1:
            raise RuntimeError("out of luck")
        return real(cell, world, how)

    monkeypatch.setattr(module, "measured", failing)
    rows = run(path, tmp_path / "r", done=lambda cell, reason: reasons.append(reason))
    assert sorted(reasons)[-4:] == ["RuntimeError: out of luck"] * 4
    assert "" in reasons
    assert len(list((tmp_path / "r" / "cells").glob("*.error.txt"))) == 4
    monkeypatch.setattr(module, "measured", real)
    assert len(run(path, tmp_path / "r")) == len(rows) + 4
    assert not list((tmp_path / "r" / "cells").glob("*.error.txt"))


def test_what_cells_share_is_made_once(tmp_path, monkeypatch):
    counts = {"modes": 0, "heads": 0}

    def counted(name, function):
        def wrapper(*args, **kwargs):
            counts[name] += 1
            return function(*args, **kwargs)

        return wrapper

    monkeypatch.setattr(shared, "semantic_modes", counted("modes", shared.semantic_modes))
    monkeypatch.setattr(shared, "fit_head", counted("heads", shared.fit_head))
    run(write_study(tmp_path), tmp_path / "r", jobs=2)
    assert counts == {"modes": 2 + 1, "heads": 1}  # for each seed, and of the test latents


def test_rows_say_what_was_measured(tmp_path):
    rows = run(write_study(tmp_path), tmp_path / "r")
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


def test_rows_name_the_encoders_that_were_used(tmp_path):
    rows = run(write_study(tmp_path), tmp_path / "r")
    for name in ("transmitter", "receiver"):
        assert rows[name].unique().to_list() == ["file"]
    assert rows["image_size_px"].null_count() == len(rows)


def test_too_few_observations_are_told_in_the_study_s_words(tmp_path):
    reasons = []
    run(write_study(tmp_path, pilots={"per_class": 60}), tmp_path / "r", done=lambda cell, reason: reasons.append(reason))
    assert set(reasons) == {
        "ValueError: pilots.per_class must be at most 50, the observations of class 0 among the 150 that data.train leaves, "
        "or null for all of them, got 60"
    }


def test_design_time_is_that_of_one_design_also_where_nothing_is_corrected(tmp_path, monkeypatch):
    made = shared.semantic_modes

    def slow(*arguments, **options):
        time.sleep(0.3)
        return made(*arguments, **options)

    monkeypatch.setattr(shared, "semantic_modes", slow)
    monkeypatch.setattr(measuring, "_POWER_TOLERANCE", torch.inf)
    rows = run(write_study(tmp_path, methods=[{"name": "closed-form"}], seeds=[1]), tmp_path / "r")
    assert rows["design_s"].drop_nulls().max() < 0.2


def test_what_top_k_expects_is_measured_once_a_cell(tmp_path, monkeypatch):
    measured, calls = top_k._measured_error, []

    def counted(*arguments):
        calls.append(1)
        return measured(*arguments)

    monkeypatch.setattr(top_k, "_measured_error", counted)
    rows = run(write_study(tmp_path, methods=[{"name": "top-k", "align": ["before", "after"]}]), tmp_path / "r")
    links = rows.filter(pl.col("family") == "baseline")
    assert len(calls) == len(links)
    assert links["expected_mse"].is_finite().all()


def test_operations_of_a_silent_network_are_those_of_what_is_left(tmp_path):
    neural = {"name": "neural", "hidden_tx": 4, "hidden_rx": 4, "epochs": 1, "pruning": "hard", "strength": 1e6}
    study = write_study(tmp_path, methods=[neural], seeds=[1], channel={"antennas": 2}, snr={"snr_db": 0})
    row = run(study, tmp_path / "r").filter(pl.col("family") == "neural")
    assert row["power"].to_list() == [0.0]
    assert row["status"].str.contains("nothing was sent").all()
    assert row["flops"].item() == 2 * 9 + 6 * 2 + 1 + 2 * 7  # centre, scale, and what is left of the decoder: its mean
    assert row["density"].item() == 0.0


@pytest.mark.parametrize("jobs", [1, 3])
def test_training_is_priced_with_all_that_comes_with_it(tmp_path, monkeypatch, jobs):
    path = write_study(tmp_path, methods=[{"name": "neural", "strength": [0, 1]}, {"name": "closed-form"}], metrics=["accuracy", "latency"])
    monkeypatch.setattr(pricing.Neural, "estimated_seconds", lambda self, pilots, channel: 10.0)
    monkeypatch.setattr(pricing, "_message", lambda network, pilots, channel: 1e-3)
    todo = cells(read_study(path, ("channel.antennas=2", "channel.draws=2")))
    runner = Runner(Results(tmp_path / "r"), jobs)
    assert {runner.price(cell) for cell in todo if cell.method.name == "closed-form"} == {pricing.LINEAR_S}
    (price,) = {runner.price(cell) for cell in todo if cell.method.name == "neural"}
    assert price == pytest.approx(2 * (10 + 90e-3 + jobs * measuring.CLOCKED * 1e-3))
    untimed = cells(read_study(path, ("metrics=[accuracy]",)))
    assert {runner.price(cell) for cell in untimed if cell.method.name == "neural"} == {10 + 90e-3}


def test_methods_and_snrs_meet_the_same_channels(tmp_path):
    rows = run(write_study(tmp_path), tmp_path / "r").filter(pl.col("family") != "reference")
    same = rows.filter(pl.col("snr_db") == 20).group_by("n_tx", "seed").agg(pl.col("opta").n_unique())
    assert same["opta"].to_list() == [1] * 4


def test_receive_snr_does_not_grow_with_antennas(tmp_path):
    rows = run(write_study(tmp_path, snr={"snr_db": 10, "snr_reference": ["transmit", "receive"]}), tmp_path / "r")
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


def test_changed_result_files_are_named_and_cut_ones_are_run_again(tmp_path):
    path = write_study(tmp_path)
    whole = run(path, tmp_path / "r")
    file = next((tmp_path / "r" / "cells").glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:100])
    assert_frame_equal(run(path, tmp_path / "r").drop(CLOCK, strict=False), whole.drop(CLOCK, strict=False))
    file.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(ValueError, match=file.name):
        run(path, tmp_path / "r")


def test_alone_is_alone():
    quiet, inside, clashes = Quiet(), [], []

    def work(number):
        for _ in range(50):
            with quiet.alone() if number % 3 == 0 else quiet.busy():
                inside.append(number)
                if number % 3 == 0 and len(inside) != 1:
                    clashes.append(tuple(inside))
                inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not clashes
    assert not any(thread.is_alive() for thread in threads)


def test_jobs_must_be_some(tmp_path):
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        Runner(Results(tmp_path), 0)


def test_other_files_of_latents_are_other_cells_and_moved_ones_are_not(tmp_path):
    path = write_study(tmp_path / "one")
    ids = {cell.id for cell in cells(read_study(path))}
    assert {cell.id for cell in cells(read_study(write_study(tmp_path / "two")))} == ids
    write_latents(tmp_path / "three" / "latents", test=60)
    other = tmp_path / "three" / "latents"
    assert not {cell.id for cell in cells(read_study(path, (f"data.folder={other}",)))} & ids


def test_only_what_is_asked_for_is_in_the_rows(tmp_path):
    rows = run(write_study(tmp_path, metrics=["accuracy"]), tmp_path / "r")
    for name in ("mse", "power", "opta", "flops", "encode_us"):
        assert rows[name].null_count() == len(rows)
    assert rows["accuracy"].null_count() == 0


def test_summaries_never_average_what_differs(tmp_path):
    methods = [{"name": "admm", "max_iterations": [1, 50]}, {"name": "closed-form", "goal": "fisher", "temperature": [1.0, 10.0]}]
    rows = run(write_study(tmp_path, methods=methods, channel={"antennas": 2, "gain": [0.5, 1.0]}, snr={"snr_db": 10}), tmp_path / "r")
    table = summary(rows)
    links = table.filter(~pl.col("method").str.contains("latents|aligned|unaligned"))
    assert len(links) == 2 * 2 * 2
    assert links["rows"].to_list() == [2] * 8
    assert "ADMM, widely linear (max_iterations 50)" in links["method"].to_list()
    assert links.filter(pl.col("method").str.starts_with("ADMM"))["gap"].is_not_null().all()
    assert table.schema["flops"] == pl.Int64
    assert as_text((1234567, 20.0, 0.5, 0.0123456, None), ("flops", "snr_db", "accuracy", "gap", "nmse")) == [
        "1234567", "20", "0.500", "0.0123", "",
    ]  # fmt: skip
