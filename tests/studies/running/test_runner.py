import threading

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from latentlink.studies import knowledge, shared
from latentlink.studies.result_files import Results
from latentlink.studies.running.runner import Runner
from latentlink.studies.running.workbench import Quiet
from studies.examples import CLOCK, run, write_study


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """The small study, and its rows after a run."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTLINK_CACHE", str(folder / "cache"))
        path = write_study(folder)
        return path, run(path, folder / "r")


def test_jobs_change_nothing_to_the_last_bit(tmp_path):
    methods = [{"name": "closed-form"}, {"name": "admm", "max_iterations": 5}, {"name": "top-k"}]
    path = write_study(tmp_path, methods=methods, snr={"snr_db": 20})
    serial, parallel = run(path, tmp_path / "1"), run(path, tmp_path / "3", jobs=3)
    assert_frame_equal(serial.drop(CLOCK, strict=False), parallel.drop(CLOCK, strict=False), check_exact=True)
    assert len(serial) == 3 * 2 * 2 + 3 * 2


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


def test_a_cell_does_not_depend_on_its_company(tmp_path, everything):
    path, rows = everything
    alone = run(path, tmp_path / "one", overrides=("seeds=2", "channel.antennas=2", "snr.snr_db=20", "methods=[{name: first-k}]"))
    same = rows.filter(pl.col("cell").is_in(alone["cell"].to_list()))
    assert_frame_equal(same.drop(CLOCK, strict=False), alone.drop(CLOCK, strict=False), check_exact=True, check_row_order=False)


def test_an_interruption_keeps_what_was_done_and_the_next_run_goes_on(tmp_path, everything):
    (path, rows), ended = everything, []

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
    assert_frame_equal(whole.drop(CLOCK, strict=False), rows.drop(CLOCK, strict=False), check_exact=True)


def test_what_cells_share_is_made_once(tmp_path, monkeypatch):
    counts = {"modes": 0, "heads": 0}

    def counted(name, function):
        def wrapper(*args, **kwargs):
            counts[name] += 1
            return function(*args, **kwargs)

        return wrapper

    for module in (shared, knowledge):
        monkeypatch.setattr(module, "semantic_modes", counted("modes", module.semantic_modes))
    monkeypatch.setattr(shared, "fit_head", counted("heads", shared.fit_head))
    run(write_study(tmp_path), tmp_path / "r", jobs=2)
    assert counts == {"modes": 2 + 1, "heads": 1}  # for each seed, and of the test latents


def test_too_few_observations_are_told_in_the_study_s_words(tmp_path):
    reasons = []
    run(write_study(tmp_path, pilots={"per_class": 60}), tmp_path / "r", done=lambda cell, reason: reasons.append(reason))
    assert set(reasons) == {
        "ValueError: pilots.per_class must be at most 50, the observations of class 0 among the 150 that data.train leaves, "
        "or null for all of them, got 60"
    }


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
    with pytest.raises(ValueError, match="jobs must be an integer >= 1, got 0"):
        Runner(Results(tmp_path), 0)


def test_a_cell_that_fails_is_kept_apart_and_tried_again(tmp_path):
    path, reasons = write_study(tmp_path), []
    labels = tmp_path / "latents" / "train-labels.npy"
    kept = np.load(labels)
    np.save(labels, np.where(np.arange(len(kept)) < 100, kept, 3))  # too few of class 0 for 40 pilots
    rows = run(path, tmp_path / "r", overrides=("pilots.per_class=20,40",), done=lambda cell, reason: reasons.append(reason))
    failed = [reason for reason in reasons if reason]
    assert 0 < len(failed) < len(reasons)
    assert all("pilots.per_class must be at most" in reason for reason in failed)
    assert len(list((tmp_path / "r" / "cells").glob("*.error.txt"))) == len(failed)
    again = []
    assert_frame_equal(
        run(path, tmp_path / "r", overrides=("pilots.per_class=20,40",), done=lambda cell, reason: again.append(reason)), rows
    )
    assert len(again) == len(failed)
