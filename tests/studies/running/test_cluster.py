"""Studies on a Dask cluster: the same bits as here, and nothing lost with a scheduler."""

import multiprocessing
import pickle
import shutil

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

import latentlink as ll
from clusters import cluster
from latentlink.cli.study import run as run_command
from latentlink.data.cache import encode
from latentlink.execution import ClusterLost, connect
from latentlink.studies.result_files import Results
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.plug_in import bind
from latentlink.studies.spec.reading import read_study
from studies.examples import CLOCK, run, write_study

OWN = """
import latentlink as ll
from my_numbers import STRENGTH

class Mine:
    def design(self, known, channel):
        return ll.ClosedForm().design(known.modes(), channel)

class Broken(Mine):
    def design(self, known, channel):
        raise ArithmeticError("division by cucumber")
"""
METHODS = [
    {"name": "closed-form"},
    {"name": "first-k"},
    {"name": "my_lab:Mine"},
    {"name": "my_lab:Broken"},
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    with cluster(folder, env={"LATENTLINK_CACHE": str(folder / "cache")}) as running:
        yield running


def write_own_study(folder):
    """A study of all kinds of methods, its own code beside it."""
    path = write_study(folder, methods=METHODS, snr={"snr_db": 20}, metrics=["accuracy", "mse", "flops", "latency"])
    (folder / "my_lab.py").write_text(OWN)
    (folder / "my_numbers.py").write_text("STRENGTH = 1.0\n")
    return path


def test_rows_are_those_of_threads_to_the_last_bit_and_failures_are_told_alike(tmp_path, started):
    path, here, there = write_own_study(tmp_path), {}, {}
    local = run(path, tmp_path / "local", jobs=2, done=lambda cell, reason: here.setdefault(cell.id, reason))
    todo, results = cells(study := read_study(path)), Results(tmp_path / "cluster")
    with connect(started.address) as workers:
        Runner(results, cluster=workers).run(todo, lambda cell, reason: there.setdefault(cell.id, reason))
    rows = results.table(study, todo)
    assert_frame_equal(local.drop(CLOCK, strict=False), rows.drop(CLOCK, strict=False), check_exact=True)
    assert here == there
    assert sum("division by cucumber" in reason for reason in there.values()) == 4
    assert rows["encode_us"].null_count() == local["encode_us"].null_count()
    assert (rows.filter(pl.col("family") == "exact")["encode_us"] > 0).all()
    (failed, *_) = (cell for cell in todo if there[cell.id])
    assert "at the worker tcp://127.0.0.1" in results.failure(failed).read_text()


def test_the_command_starts_workers_and_ends_them(tmp_path, capsys):
    path, before = write_study(tmp_path, seeds=[1]), set(multiprocessing.active_children())  # of other tests
    run_command(path, cluster="1", output=tmp_path / "r")
    assert "11 cells in" in capsys.readouterr().out
    with pytest.raises(ValueError, match="cluster must be the address of a Dask scheduler, tcp://HOST:PORT, or a number of workers"):
        run_command(path, cluster="somewhere", output=tmp_path / "s")
    assert set(multiprocessing.active_children()) <= before


def test_images_are_encoded_by_workers_to_the_same_latents_as_here(tmp_path, started):
    images = ll.data.digits("test").subset(slice(0, 100))
    shades = ll.data.from_callable("shades", torch.nn.Flatten(), dim=64, version="1")
    calls = []
    with connect(started.address) as workers:
        there = encode(
            shades, images, shard_size=30, folder=tmp_path / "there", executor=workers, progress=lambda *call: calls.append(call)
        )
    assert torch.equal(there, encode(shades, images, shard_size=30, folder=tmp_path / "here"))
    assert sorted(done for _, done, _ in calls)[-1] == 100
    assert torch.equal(there, encode(shades, images, shard_size=30, folder=tmp_path / "there"))  # its shards are whole


def test_own_code_goes_with_its_name_to_machines_that_do_not_have_it(tmp_path):
    home = tmp_path / "study"
    home.mkdir()
    (home / "my_lab.py").write_text(OWN)
    (home / "my_numbers.py").write_text("STRENGTH = 1.0\n")
    sent = pickle.dumps(code := bind("my_lab:Mine", home))
    same = pickle.loads(sent)
    assert (same, same.digest) == ("my_lab:Mine", code.digest)
    assert same.target is code.target  # the folder is here, too
    shutil.rmtree(home)
    elsewhere = pickle.loads(sent)
    assert elsewhere.target.__name__ == "Mine"
    assert elsewhere.target is not code.target
    assert pickle.loads(pickle.dumps(elsewhere)).digest == code.digest


def test_an_installed_module_that_is_missing_elsewhere_is_named(tmp_path, monkeypatch):
    site = tmp_path / "site"
    site.mkdir()
    (site / "their_lab.py").write_text(OWN.replace("from my_numbers import STRENGTH", ""))
    monkeypatch.syspath_prepend(site)
    sent = pickle.dumps(bind("their_lab:Mine"))
    shutil.rmtree(site)
    with pytest.raises(ValueError, match=r"there is no module 'their_lab'.*needed by the worker at this machine: install it there"):
        _ = pickle.loads(sent).target


def test_what_came_before_the_scheduler_died_is_kept_and_the_same_command_goes_on(tmp_path, started):
    neural = {"name": "neural", "hidden_tx": 4, "hidden_rx": 4, "epochs": 1}
    path = write_study(tmp_path, methods=[{"name": "closed-form"}, neural], snr={"snr_db": 20})
    todo, results, ended = cells(study := read_study(path)), Results(tmp_path / "r"), []
    with connect(started.address) as workers:

        def done(cell, reason):
            ended.append(cell.id)
            if len(ended) == 3:
                started.scheduler.kill()  # the last test of this file

        with pytest.raises(ClusterLost, match=started.address):
            Runner(results, cluster=workers).run(todo, done)
    kept = [cell.id for cell in todo if results.done(cell)]
    assert len(kept) >= 3
    rest = []
    rows = run(path, results.folder, done=lambda cell, reason: rest.append(cell.id))
    assert sorted(kept + rest) == sorted(cell.id for cell in todo)
    expected = run(path, tmp_path / "local")
    assert_frame_equal(rows.drop(CLOCK, strict=False), expected.drop(CLOCK, strict=False), check_exact=True)
    assert study.name == "toy"
