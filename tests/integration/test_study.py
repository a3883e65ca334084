"""`latentlink study`, as a user runs it."""

import json
import re

import polars as pl
import pytest

from processes import LATENTLINK
from studies.examples import write_study

INTERRUPTED = """
import os, signal, threading, time
from pathlib import Path

def interrupt():
    while len(list(Path({cells!r}).glob("[!.]*.parquet"))) < 3:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Thread(target=interrupt, daemon=True).start()
"""  # once three cells are done, as by Ctrl+C
NEURAL = {"name": "neural", "hidden_tx": 4, "hidden_rx": 4, "epochs": 2, "batch_size": 32}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    methods = [{"name": "closed-form", "goal": "fisher"}, {"name": "closed-form"}, {"name": "eigen-k"}, {"name": "top-k"}, NEURAL]
    metrics = ["accuracy", "mse", "limits", "power", "flops", "latency"]
    write_study(folder, methods=methods, metrics=metrics, quick={"seeds": [1], "snr.snr_db": [20]})
    return folder


@pytest.fixture
def run(forge, home):
    """Runs `latentlink study`."""

    def run(*arguments, status=0, code=LATENTLINK, **settings):
        done = forge.run(code, "study", *arguments, folder=home, **settings)
        assert done.returncode == status, f"{arguments}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run


def test_a_study_from_file_to_report(run, home):
    done = run("run", "toy.yaml", "--quick", "--jobs", 2)
    assert "2 of them are trained: about" in done.stderr
    assert "with 2 jobs for all epochs" in done.stderr
    table = pl.read_parquet(home / "results" / "toy-quick" / "results.parquet")
    assert set(table["method"]) >= {"exact, goal-oriented", "exact, widely linear", "Eigen-K", "Top-K", "neural", "unaligned"}
    links = table.filter(pl.col("family") != "reference")
    for name in ("accuracy", "accuracy_low", "accuracy_high", "mse", "opta", "power", "peak_power", "compression", "flops", "design_s",
                 "encode_us", "decode_us", "encode_batch_us", "decode_batch_us"):  # fmt: skip
        assert links[name].is_not_null().all(), name
    assert json.loads(table["versions"][0]).keys() >= {"latentlink", "torch", "python"}
    again = run("run", "toy.yaml", "--quick")
    assert f"{len(table)} cells, {len(table)} of them done" in again.stderr
    status = run("status", "toy.yaml", "--quick")
    assert "neural" in status.stdout
    shown = run("results", "toy.yaml", "--quick")
    assert "exact, goal-oriented" in shown.stdout
    narrow = run("results", "toy.yaml", "--quick", env={"COLUMNS": "80"})
    assert "…" not in narrow.stdout
    assert max(map(len, narrow.stdout.partition("wrote")[0].splitlines())) <= 80
    assert set(re.findall(r"\d+\.\d+(?:e-\d+)?", shown.stdout)) <= set(re.findall(r"\d+\.\d+(?:e-\d+)?", narrow.stdout))
    run("report", "toy.yaml", "--quick")
    page = (home / "results" / "toy-quick" / "report.html").read_text()
    assert "exact, goal-oriented" in page
    assert list((home / "results" / "toy-quick").glob("*.png"))
    assert list((home / "results" / "toy-quick").glob("*.pdf"))


def test_overrides_make_other_cells(run, home):
    done = run("run", "toy.yaml", "--quick", "channel.antennas=3", "methods=[{name: first-k}]")
    assert "4 cells, 3 of them done" in done.stderr  # the references are those of the study


def test_an_interrupted_study_goes_on(run, home):
    some = ("run", "toy.yaml", "seeds=11,12", "snr.snr_db=20")
    cells = home / "other" / "toy" / "cells"
    long = ("methods.neural.epochs=400", "methods.neural.patience=400", "--output", "other")
    run(*some, *long, code=INTERRUPTED.format(cells=str(cells)) + LATENTLINK, status=130)
    kept = {path.name: path.stat().st_mtime_ns for path in cells.glob("*.parquet")}
    assert len(kept) >= 3
    run(*some, "methods.neural.epochs=1", "methods.neural.patience=1", "--output", "other")
    for name, moment in kept.items():
        assert (cells / name).stat().st_mtime_ns == moment


def test_networks_are_trained_together(run, home):
    methods = "methods=[{name: neural, hidden_tx: 4, hidden_rx: 4, epochs: 2}]"
    done = run("run", "toy.yaml", "--quick", "channel.draws=2", methods, "--together", 2, "--output", "ahead")
    assert "with 2 jobs for all epochs if each network is trained alone" in done.stderr
    table = pl.read_parquet(home / "ahead" / "toy-quick" / "results.parquet")
    assert (table["family"] == "neural").sum() == 4
    assert not list((home / "ahead" / "toy-quick" / "checkpoints").iterdir())


def test_mistakes_are_explained(run, home):
    assert "leave out together (--together)" in run("run", "toy.yaml", "--together", 4, "--cluster", 2, status=1).stderr
    assert "together must be an integer >= 2, got 1" in run("run", "toy.yaml", "--together", 1, status=1).stderr
    assert "did you mean antennas" in run("run", "toy.yaml", "channel.antenas=1", status=1).stderr
    assert "absent.yaml" in run("run", "absent.yaml", status=1).stderr
    assert "nothing is done yet" in run("report", "toy.yaml", "--output", "nowhere", status=1).stderr
    assert "device 'abacus'" in run("run", "toy.yaml", "--device", "abacus", status=1).stderr


def test_a_failed_cell_is_named_and_the_others_are_kept(run, home):
    done = run("run", "toy.yaml", "seeds=1", "pilots.per_class=20,5000", "methods=[{name: closed-form}]", "--output", "bad", status=1)
    assert "pilots.per_class must be at most 50" in done.stderr
    assert "if_short" not in done.stderr
    assert len(list((home / "bad" / "toy" / "cells").glob("*.parquet"))) == 7
