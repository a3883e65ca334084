"""What commands write: places are checked before the work, no file of the user's is written over, and refusals of the system are told."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import latentlink as ll
from latentlink.cli.design import design
from latentlink.cli.fit import fit
from latentlink.cli.inspect import inspect
from latentlink.cli.moments import moments
from latentlink.studies.spec.reading import read_study

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((100, 6))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("y.npy", X[:, :5])
    return tmp_path


@pytest.mark.parametrize("place", ["loop.npy", "x.npy", "n" * 300])
def test_places_are_refused_before_anything_is_read(folder, place):
    (folder / "loop.npy").symlink_to("loop.npy")
    inner = f"{place}/link.safetensors"
    for run in (
        lambda: fit("absent.npy", "y.npy", n_tx=2, n_rx=2, output=folder / place),
        lambda: design(folder / "absent.safetensors", output=folder / inner),
        lambda: moments("absent.npy", "y.npy", output=folder / inner),
    ):
        with pytest.raises(OSError, match=r"could not write .*: name another place"):
            run()


def test_a_card_writes_over_no_file_but_a_card(folder):
    fit("x.npy", "y.npy", n_tx=2, n_rx=2, output=folder / "a")
    (folder / "a" / "link.safetensors").rename("notes.safetensors")
    inspect("notes.safetensors", card=True)
    inspect("notes.safetensors", card=True)
    (folder / "notes.md").write_text("my notes")
    with pytest.raises(ValueError, match=r"--card would write over .*notes\.md, which is no card of latentlink: move that file"):
        inspect("notes.safetensors", card=True)
    assert (folder / "notes.md").read_text() == "my notes"


@pytest.mark.parametrize("read", [ll.read_latents, ll.read_channels, ll.load, read_study])
def test_refusals_of_the_system_name_the_file_and_the_remedy(folder, read):
    with pytest.raises(OSError, match=r"nnn….*: cannot be opened .*: give it a shorter name"):
        read(folder / f"{'n' * 300}.npy")
    if read in (ll.load, read_study):
        with pytest.raises(NotADirectoryError, match=r"x\.npy/s\.yaml: cannot be opened .*: a part of its path is a file"):
            read(folder / "x.npy" / "s.yaml")
    if os.geteuid():
        (folder / "x.npy").chmod(0)
        with pytest.raises(PermissionError, match=r"x\.npy: cannot be opened .*chmod"):
            read(folder / "x.npy")


def test_a_long_name_of_a_checkpoint_is_told(folder):
    with pytest.raises(OSError, match=r"shorter name|name another place"):
        ll.data.moments_of_shards("x.npy", "y.npy", checkpoint=folder / ("n" * 300))


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [((50, 2, 2, 2), r"last axis .* h\[\.\.\., 0\] \+ 1j \* h\[\.\.\., 1\]"), ((2, 50, 4, 3), r"first axis .* h\[0\] \+ 1j \* h\[1\]")],
)
def test_parts_of_complex_channels_along_an_axis_are_to_be_joined(folder, shape, remedy):
    np.save("h.npy", np.ones(shape))
    with pytest.raises(ValueError, match=remedy):
        ll.read_channels("h.npy")


@pytest.mark.filterwarnings("ignore")
def test_nested_tensors_are_refused_by_name():
    for layout in (torch.strided, torch.jagged):
        nested = torch.nested.nested_tensor([torch.ones(3), torch.ones(4)], layout=layout)
        for run in (
            lambda x: ll.look(x, torch.ones(2, 3)),
            lambda x: ll.Moments.from_pairs(torch.ones(2, 3), x),
            lambda x: ll.Channel(x, 1.0, 1.0),
            ll.fidelity if hasattr(ll, "fidelity") else lambda x: ll.look(torch.ones(2, 3), torch.ones(2, 3), x),
        ):
            with pytest.raises((ValueError, TypeError), match=r"nested|dense|must be") as caught:
                run(nested)
            assert "aten::" not in str(caught.value)


def test_an_interruption_during_imports_is_one_line():
    process = subprocess.Popen([sys.executable, "-m", "latentlink", "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode in (0, 130, -signal.SIGINT)
    assert process.returncode != 130 or "interrupted" in errors
