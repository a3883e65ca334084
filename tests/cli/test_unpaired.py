"""Test rows that do not belong together, and names for a head of numbers, are told."""

import numpy as np
import pytest
import torch

import latentlink as ll
from latentlink.cli.evaluate import evaluate
from latentlink.cli.fit import fit
from one_cause import latents_of_one_cause

X, Y, LABELS = latents_of_one_cause(np.random.default_rng(0), 200, 6, 5)


@pytest.mark.parametrize("stream", [False, True])
def test_unpaired_test_rows_are_told(tmp_path, monkeypatch, capsys, stream):
    monkeypatch.chdir(tmp_path)
    for name, array in (("x", X), ("y", Y), ("reversed", Y[::-1].copy())):
        np.save(f"{name}.npy", array)
    fit("x.npy", "y.npy", n_tx=4, n_rx=4, output=tmp_path / "a")
    capsys.readouterr()
    evaluate(tmp_path / "a", "x.npy", "y.npy", stream=stream)
    assert "worse than one that sends nothing" not in "".join(capsys.readouterr())
    evaluate(tmp_path / "a", "x.npy", "reversed.npy", stream=stream)
    told = " ".join("".join(capsys.readouterr()).split())
    assert "worse than one that sends nothing" in told
    assert ("are the rows" if stream else "row i of both must be the same observation") in told


def test_names_for_a_head_of_numbers_are_told_where_they_are_numbered_otherwise():
    y = torch.eye(3, dtype=torch.float64).repeat(60, 1) + 0.01 * torch.randn(180, 3, generator=torch.Generator().manual_seed(0))
    numbers = torch.arange(3).repeat(60)
    head = ll.fit_head(y, numbers)
    names = [("cat", "ant", "bee")[number] for number in numbers.tolist()]  # they sort otherwise
    with pytest.warns(UserWarning, match="numbered differently"):
        ll.metrics.accuracy(head, y, names)
