"""Networks that are trained together, ahead of their cells, end as they do in them."""

import signal
import threading
import time

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import latentlink as ll
from latentlink.neural.paper.loop import PairLoop
from latentlink.numerics.threads import one_thread
from latentlink.studies.result_files import Results
from latentlink.studies.running import ahead
from latentlink.studies.running.ahead import batches
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from studies.examples import CLOCK, write_study

NEURAL = {"name": "neural", "hidden_tx": 4, "hidden_rx": 4, "epochs": 6, "batch_size": 16, "precision": "float32"}
METHODS = [
    {"name": "closed-form"},
    {**NEURAL, "at": {"csi.known": ["perfect", "unaware", "both-ends"]}},
    {**NEURAL, "weights": 0.5, "at": {"snr.snr_db": 0}},
    {**NEURAL, "pruning": "hard", "strength": 20.0},
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs hear of none
    with one_thread():  # several that wait for each other take long for networks as small as these
        yield
    signal.signal(signal.SIGINT, before)


def study_of(folder, **changes):
    return write_study(folder, **{"methods": METHODS, "snr": {"snr_db": 20}, "channel": {"antennas": 2, "draws": 2}, **changes})


def run(path, folder, together=None, overrides=(), epochs=None):
    """The rows of the study after a run, and the reasons of failures by cell."""
    study, reasons = read_study(path, overrides), {}
    todo, results = cells(study), Results(folder)
    Runner(results, together=together).run(todo, lambda cell, reason: reasons.setdefault(cell, reason), epochs)
    return results.table(study, todo).drop(CLOCK, strict=False), {cell: reason for cell, reason in reasons.items() if reason}


def assert_same(found, wanted):
    """Rows that agree: the networks up to rounding, everything else to the last bit."""
    networks = pl.col("family") == "neural"
    assert_frame_equal(found.filter(~networks), wanted.filter(~networks), check_exact=True)
    found, wanted = found.filter(networks), wanted.filter(networks)
    errors = ("mse", "nmse", "expected_mse", "opta_db", "accuracy", "accuracy_low", "accuracy_high", "agreement")
    exact = ["cell", "seed", "channel", "n_tx", "n_rx", "snr_db", "csi", "status", "budget", "noise_variance", "error_variance", "opta"]
    assert_frame_equal(found[exact], wanted[exact], check_exact=True)
    for name in errors:
        assert_frame_equal(found[[name]], wanted[[name]], rel_tol=1e-2, abs_tol=2e-2)
    assert_frame_equal(found[["density"]], wanted[["density"]], abs_tol=0.03)


def trainings(monkeypatch):
    """The epochs that cells train by themselves, one entry each."""
    counted, train = [], PairLoop.train
    monkeypatch.setattr(PairLoop, "train", lambda loop: (counted.append(loop), train(loop))[1])
    return counted


def test_rows_agree_with_and_without(tmp_path, monkeypatch):
    path, seen = study_of(tmp_path), []
    alone, failed = run(path, tmp_path / "alone")
    assert not failed
    counted = trainings(monkeypatch)
    together, failed = run(path, tmp_path / "together", 8, epochs=lambda *at: seen.append(at))
    assert not failed
    assert not counted
    assert_same(together, alone)
    assert max(networks for networks, _, _ in seen) == 8
    assert {epochs for _, _, epochs in seen} == {6}
    assert not list((tmp_path / "together" / "checkpoints").iterdir())


def test_batches_have_one_shape_and_few_pilots(tmp_path):
    todo = cells(read_study(study_of(tmp_path), ("channel.antennas=1,2",)))
    found = batches(todo, 8)
    assert all(2 <= sum(cell.channel.draws for cell in batch) <= 8 for batch in found)
    assert sorted(cell.id for batch in found for cell in batch) == sorted(cell.id for cell in todo if cell.method.family == "neural")
    assert all(len({(cell.channel.antennas, cell.csi.estimated) for cell in batch}) == 1 for batch in found)
    seeds = [batch[0].seed for batch in found]
    assert seeds == sorted(seeds)
    assert [len(batch) for batch in batches(todo, 2)] == [1] * sum(cell.method.family == "neural" for cell in todo)
    whole = batches(todo, 1000)
    assert len(whole) == 2 * 2  # sizes, and estimated or not
    one = cells(read_study(study_of(tmp_path), ("channel.draws=1", "methods=[{name: neural}]", "seeds=1")))
    assert not batches(one, 4)  # one network is no batch


@pytest.mark.parametrize("goes_on", [8, None])
def test_an_interrupted_batch_goes_on(tmp_path, monkeypatch, goes_on):
    methods = [{**NEURAL, "epochs": 30, "patience": 30}]
    path = study_of(tmp_path, methods=methods, channel={"antennas": 2})
    whole, _ = run(path, tmp_path / "whole", 8)

    def interrupt(networks, epoch, epochs):
        if epoch == 3:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        if epoch >= 3:
            time.sleep(0.2)

    with pytest.raises(KeyboardInterrupt):
        run(path, tmp_path / "r", 8, epochs=interrupt)
    assert len(list((tmp_path / "r" / "checkpoints").iterdir())) == 2
    counted, seen = trainings(monkeypatch), []
    rows, failed = run(path, tmp_path / "r", goes_on, epochs=lambda *at: seen.append(at))
    assert not failed
    assert_same(rows, whole)
    assert 0 < len(seen if goes_on else counted) <= 2 * (30 - 3)
    assert not list((tmp_path / "r" / "checkpoints").iterdir())


def test_a_cell_that_fails_fails_alone(tmp_path):
    methods = [NEURAL, {**NEURAL, "flops": 20}]
    path = study_of(tmp_path, methods=methods, channel={"antennas": 2}, snr={"snr_db": [0, 20]})
    damaged = next(cell for cell in cells(read_study(path)) if cell.method.family == "neural" and cell.method.flops is None)
    results = Results(tmp_path / "r")
    results.checkpoints.mkdir(parents=True)
    results.checkpoint(damaged).write_bytes(b"no state")
    rows, failed = run(path, tmp_path / "r", 8)
    assert len(failed) == 5
    assert "checkpoint must be one of a training" in failed.pop(damaged)
    assert all(cell.method.flops == 20 and "flops must be" in reason for cell, reason in failed.items())
    assert len(rows.filter(pl.col("family") == "neural")) == 3


def test_where_a_batch_fails_its_cells_train_themselves(tmp_path, monkeypatch):
    path = study_of(tmp_path, methods=[NEURAL], channel={"antennas": 2}, snr={"snr_db": [0, 20]})
    alone, _ = run(path, tmp_path / "alone")

    def fail(*_):
        raise MemoryError("too large")

    monkeypatch.setattr(ahead, "train_ahead", fail)
    with pytest.warns(UserWarning, match="4 networks are trained one after the other, since together they failed: MemoryError: too large"):
        rows, failed = run(path, tmp_path / "together", 8)
    assert not failed
    assert_frame_equal(rows, alone, check_exact=True)


def test_what_is_no_batch_is_refused(tmp_path):
    path = study_of(tmp_path)
    with pytest.raises(ValueError, match="together must be an integer >= 2, got 1"):
        Runner(Results(tmp_path), together=1)
    with pytest.raises(
        ValueError, match=r"together must be left out with a cluster, .*got 4: leave out together \(--together\), or cluster"
    ):
        ll.studies.run(path, together=4, cluster="tcp://nobody:1", output=tmp_path)


def test_the_door_from_python(tmp_path, monkeypatch):
    counted = trainings(monkeypatch)
    path = study_of(tmp_path, methods=[NEURAL], channel={"antennas": 2}, snr={"snr_db": [0, 20]})
    rows = ll.studies.run(path, together=4, output=tmp_path / "r")
    assert len(rows.filter(pl.col("family") == "neural")) == 4
    assert not counted
