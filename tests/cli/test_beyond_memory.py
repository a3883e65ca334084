"""`latentlink fit` of latents that are read block by block gives the link of all of them, and judges it by rows that it has not seen."""

from pathlib import Path

import numpy as np
import polars as pl
import polars.testing
import pytest
import torch

import latentlink as ll
from latentlink.cli.beyond_memory import is_beyond_memory
from latentlink.cli.evaluate import evaluate
from latentlink.cli.fit import fit
from latentlink.cli.inspect import inspect
from latentlink.cli.moments import moments
from one_cause import latents_of_one_cause

GENERATOR = np.random.default_rng(0)
N = 9000
X, Y, LABELS = latents_of_one_cause(GENERATOR, N, 6, 5)
SMALL = {"n_tx": 2, "n_rx": 2}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, array in (("x", X), ("y", Y), ("labels", LABELS)):
        np.save(f"{name}.npy", array)
    for number, part in enumerate(np.array_split(Y, 4)):
        np.save(f"part-{number}.npy", part)
    return tmp_path


@pytest.mark.parametrize("goal", ["fisher", "mse"])
def test_the_link_is_that_of_all_pilots_in_memory(files, goal, capsys):
    fit("x.npy", "y.npy", "labels.npy", goal=goal, output=files / "whole", **SMALL)
    whole = capsys.readouterr()
    fit("x.npy", "part-*.npy", "labels.npy", goal=goal, output=files / "streamed", stream=True, **SMALL)
    streamed = capsys.readouterr()
    assert "pairs in all" in streamed.out
    assert "9000, of which 9000 are looked at below" in streamed.out
    assert streamed.err == whole.err == ""
    assert "accuracy (receiver's own latents)" in streamed.out
    links = [ll.load(files / name / "pair.safetensors", ll.SemanticModes) for name in ("whole", "streamed")]
    torch.testing.assert_close(*(link.synthesis @ link.analysis for link in links), rtol=1e-8, atol=1e-8)
    assert ll.load(files / "streamed" / "moments.safetensors", ll.Moments).count == N


def test_moments_that_are_there_are_taken_up_and_others_refused(files, capsys):
    fit("x.npy", "y.npy", stream=True, **SMALL)
    written = (files / "link" / "moments.safetensors").stat().st_mtime_ns
    fit("x.npy", "y.npy", stream=True, snr_db=3.0, **SMALL)
    assert (files / "link" / "moments.safetensors").stat().st_mtime_ns == written
    np.save("y.npy", Y[::-1])
    with pytest.raises(ValueError, match=r"rows that were read have changed in y\.npy\. Delete it to begin anew"):
        fit("x.npy", "y.npy", stream=True, **SMALL)


def test_moments_are_a_command_of_their_own_that_fit_takes_up(files, capsys):
    moments("x.npy", "part-*.npy", output=files / "link" / "moments.safetensors")
    assert "9000" in capsys.readouterr().out
    written = (files / "link" / "moments.safetensors").stat().st_mtime_ns
    fit("x.npy", "part-*.npy", stream=True, **SMALL)
    assert (files / "link" / "moments.safetensors").stat().st_mtime_ns == written
    capsys.readouterr()
    inspect(str(files / "link" / "moments.safetensors"))
    told = " ".join(capsys.readouterr().out.split())
    assert "all that a linear design needs" in told
    assert "part-0.npy … part-3.npy, 4 files" in told
    assert "made from latents at the transmitter x.npy latents at the receiver" in told
    assert "how good it was" not in told  # moments are neither good nor bad


def test_messages_are_sent_block_by_block_with_the_same_figures(files, capsys):
    fit("x.npy", "y.npy", "labels.npy", **SMALL)
    sources = (files / "link", "x.npy", "part-*.npy", "labels.npy")
    evaluate(*sources, output=files / "whole.parquet")
    capsys.readouterr()
    evaluate(*sources, output=files / "streamed.parquet", stream=True, checkpoint=files / "seen.safetensors")
    shown = capsys.readouterr()
    assert "class 3" in shown.out
    assert "measured power" in shown.out
    assert shown.err == ""
    whole, streamed = (pl.read_parquet(files / f"{name}.parquet") for name in ("whole", "streamed"))
    pl.testing.assert_frame_equal(streamed, whole, rel_tol=1e-6)
    for option in ({"retrieval": True}, {"calibrate": True}):
        with pytest.raises(ValueError, match=f"--{next(iter(option))} takes all latents in memory"):
            evaluate(*sources, stream=True, **option)


def test_small_files_are_read_whole_and_only_files_of_this_machine_have_a_size(files):
    assert not is_beyond_memory("x.npy", "part-*.npy")
    assert not is_beyond_memory("hf://datasets/lab/pets", "y.npy")
    with Path("huge.npy").open("wb") as file:
        file.truncate(2**40)  # takes no blocks on the disk
    assert is_beyond_memory("huge.npy", "y.npy")
