"""A Dask cluster as an executor, with schedulers and workers that are processes of their own and die as processes do."""

import os
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import dask
import numpy as np
import pytest
import torch

import latentlink as ll
from clusters import cluster, is_root
from execution.work import Slowly, environment, fatal, inverse, until_given_up
from latentlink.execution import ClusterLost, Threads, at_worker, connect
from processes import SOURCE


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Two workers that nothing happens to."""
    with cluster(tmp_path_factory.mktemp("cluster")) as started, connect(started.address) as executor:
        yield executor


def test_items_end_once_with_the_values_and_errors_that_threads_give(running):
    ended = sorted(running.run(inverse, [1, 0, 2, 4]), key=lambda each: each.number)
    here = sorted(Threads(2).run(inverse, [1, 0, 2, 4]), key=lambda each: each.number)
    assert [(each.number, each.value, repr(each.error)) for each in ended] == [(each.number, each.value, repr(each.error)) for each in here]


def test_a_function_is_sent_to_each_worker_once_and_keeps_its_state_there(running):
    assert running.width == 2
    found = [ended.result() for ended in running.run(Slowly(0.02), range(30), group=lambda number: number // 15)]
    assert sorted(value for value, _, _ in found) == [2 * number for number in range(30)]
    calls = Counter(pid for _, pid, _ in found)
    assert len(calls) == 2
    for pid, count in calls.items():
        assert sorted(call for _, worker, call in found if worker == pid) == list(range(1, count + 1))


def test_moments_of_shards_are_those_of_one_process(running, tmp_path):
    x, y = (torch.randn(500, d, generator=torch.Generator().manual_seed(d)).numpy() for d in (4, 3))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    made = [ll.data.moments_of_shards(tmp_path / "x.npy", tmp_path / "y.npy", folds=3, executor=each) for each in (running, None)]
    assert all(torch.equal(getattr(made[0], name), getattr(made[1], name)) for name in ("mean_x", "cov_x", "cov_yx", "cov_y"))


def test_a_loop_that_is_left_gives_up_the_rest_and_what_is_under_way_may_know_it(running, tmp_path):
    file = tmp_path / "file"

    def wait_for(word):
        end = time.monotonic() + 60
        while not (file.exists() and file.read_text() == word):
            assert time.monotonic() < end
            time.sleep(0.02)

    left = running.run(until_given_up, ["", str(file)])
    assert next(left).number == 0
    wait_for("begun")
    left.close()
    wait_for("given up")
    assert len(list(running.run(inverse, [1]))) == 1  # nothing stands in its way


def test_workers_of_other_versions_are_refused_by_name(tmp_path):
    other = tmp_path / "other"
    shutil.copytree(Path(SOURCE.split(os.pathsep)[0]) / "latentlink", other / "latentlink", ignore=shutil.ignore_patterns("__pycache__"))
    (other / "latentlink" / "power.py").write_text("raise SystemExit")
    with cluster(tmp_path, workers=1, env={"PYTHONPATH": str(other)}, prefix=("nice",)) as started:
        source = at_worker.describe()["latentlink's source"]
        with pytest.raises(ValueError, match=rf"worker at tcp://.* has latentlink's source \w+ instead of {source}: install the same"):
            connect(started.address).__enter__()


def test_what_a_worker_cannot_load_is_named_with_the_worker(running, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("class Item:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    (ended,) = running.run(id, [only_here.Item()])
    assert "the worker at tcp://127.0.0.1" in str(ended.error)
    assert "No module named 'only_here'" in str(ended.error)


def test_a_worker_that_is_killed_loses_its_item_only_and_another_may_come(tmp_path):
    with cluster(tmp_path) as started, connect(started.address) as executor:
        found = []
        for ended in executor.run(Slowly(0.1), range(60)):
            found.append((ended.number, *ended.result()))
            if len(found) == 5:
                started.workers[0].kill()
                started.add_worker()
        assert sorted(number for number, _, _, _ in found) == list(range(60))
        assert all(value == 2 * number for number, value, _, _ in found)
        assert {worker.pid for worker in started.workers} == {pid for _, _, pid, _ in found}


def test_an_item_that_kills_workers_fails_alone(tmp_path):
    with cluster(tmp_path, env={"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}) as started, connect(started.address) as executor:
        ended = {each.number: each for each in executor.run(fatal, range(10))}
        assert sorted(ended) == list(range(10))
        assert [number for number, each in ended.items() if each.error] == [3]
        assert "1 workers died while they computed this" in str(ended[3].error)


def take(ended, accident):
    """What is yielded until the cluster is lost by an accident after the fifth item, and the seconds between."""
    found, lost_at = [], 0.0
    try:
        for each in ended:
            found.append(each.result()[0])
            if len(found) == 5:
                accident()
                lost_at = time.monotonic()
    except ClusterLost as error:
        return sorted(found), str(error), time.monotonic() - lost_at
    return found, "", 0.0


def test_a_scheduler_that_is_lost_ends_the_run_with_its_address_as_soon_as_patience_ends(tmp_path):
    with cluster(tmp_path) as started, connect(started.address, 2.0) as executor:
        found, reason, seconds = take(executor.run(Slowly(0.1), range(1000)), started.scheduler.kill)
    assert len(set(found)) == len(found) >= 5
    assert reason == f"the Dask scheduler at {started.address} does not answer any more"
    assert seconds < 30  # 2 where nothing else runs


def test_where_no_scheduler_answers_it_is_said_at_once(tmp_path):
    with pytest.raises(ConnectionError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9 within 0\.5 s: start one"):
        connect("tcp://127.0.0.1:9", patience_s=0.5).__enter__()


def test_workers_that_are_started_here_keep_freed_memory():
    with connect(1) as executor:
        assert [ended.result() for ended in executor.run(environment, ["MALLOC_TRIM_THRESHOLD_"])] == [None]


@pytest.mark.parametrize("address", ["host", "", True, 1.5, None])
def test_what_is_no_cluster_is_refused(address):
    with pytest.raises(ValueError, match="cluster must be"):
        connect(address).__enter__()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_tls_goes_through_by_dasks_own_configuration(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=test",
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    subprocess.run(make, check=True, capture_output=True)
    roles = {f"{role}__{part}": path for role in ("SCHEDULER", "WORKER") for part, path in (("KEY", key), ("CERT", certificate))}
    env = {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(path) for name, path in {"CA_FILE": certificate, **roles}.items()}
    here = {"distributed.comm.tls.ca-file": str(certificate), "distributed.comm.tls.client": {"key": str(key), "cert": str(certificate)}}
    with cluster(tmp_path, workers=1, env=env) as started:
        assert started.address.startswith("tls://")
        with dask.config.set(here), connect(started.address) as executor:
            assert sorted(ended.result()[0] for ended in executor.run(Slowly(), range(3))) == [0, 2, 4]
        with pytest.raises((ValueError, ConnectionError), match=r"tls://127\.0\.0\.1"):
            connect(started.address, patience_s=0.5).__enter__()


NAMESPACE = "latentlink-test"
LINK = (
    ("ip", "netns", "add", NAMESPACE),
    ("ip", "link", "add", "latentlink0", "type", "veth", "peer", "name", "latentlink1", "netns", NAMESPACE),
    ("ip", "address", "add", "198.18.213.1/30", "dev", "latentlink0"),
    ("ip", "link", "set", "latentlink0", "up"),
    ("ip", "-n", NAMESPACE, "address", "add", "198.18.213.2/30", "dev", "latentlink1"),
    ("ip", "-n", NAMESPACE, "link", "set", "latentlink1", "up"),
    ("ip", "-n", NAMESPACE, "link", "set", "lo", "up"),
)


@pytest.fixture
def other_machine():
    """A network namespace of its own, with a cable to this one."""
    if not is_root() or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    try:
        for command in LINK:
            if subprocess.run(command, capture_output=True, check=False).returncode:
                pytest.skip(f"not allowed here: {' '.join(command)}")
        yield ("ip", "netns", "exec", NAMESPACE)
    finally:
        subprocess.run(("ip", "link", "delete", "latentlink0"), capture_output=True, check=False)
        subprocess.run(("ip", "netns", "delete", NAMESPACE), capture_output=True, check=False)


def test_a_cluster_behind_a_network_computes_and_a_cut_cable_is_told(tmp_path, other_machine):
    def cut():
        subprocess.run(("ip", "link", "set", "latentlink0", "down"), check=True)

    with cluster(tmp_path, workers=1, host="198.18.213.2", prefix=other_machine) as started, connect(started.address, 2.0) as executor:
        found, reason, seconds = take(executor.run(Slowly(0.05), range(1000)), cut)
    assert len(set(found)) == len(found) >= 5
    assert "scheduler at tcp://198.18.213.2" in reason
    assert seconds < 30  # 2 to 4 where nothing else runs
