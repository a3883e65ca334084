"""A sample of pairs: evenly from all rows, whatever the shards, with their labels and the digests of all."""

import numpy as np
import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.data.sharded.paired_rows import pair_rows
from latentlink.data.sharded.sample import draw_sample
from latentlink.storage.provenance import digest_of

N = 20_000
ROW = np.arange(N, dtype=np.float64)
X = np.stack([ROW, -ROW], 1)
LABELS = np.arange(N) * 10 // N  # sorted by class


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("y.npy", 2 * X)
    for number, part in enumerate(np.array_split(2 * X, 7)):
        np.save(f"part-{number}.npy", part)
    np.save("labels.npy", LABELS)
    return tmp_path


def test_rows_stay_paired_and_come_evenly_from_all_whatever_the_shards(files):
    some = ll.data.sample_pairs("x.npy", "y.npy", "labels.npy", count=2000)
    assert len(some) == 2000
    rows = some.x[:, 0]
    assert len(rows.unique()) == 2000
    assert torch.equal(some.y, 2 * some.x)
    assert some.labels.tolist() == LABELS[rows.long()].tolist()
    counts = some.labels.bincount()
    assert (counts - 200).abs().max() < 5 * 180**0.5
    again = ll.data.sample_pairs("x.npy", "part-*.npy", count=2000)
    assert torch.equal(again.x, some.x)
    assert not torch.equal(ll.data.sample_pairs("x.npy", "y.npy", count=2000, seed=1).x, some.x)
    assert len(ll.data.sample_pairs("x.npy", "y.npy", count=10**9)) == N


def test_digests_are_those_of_all_latents_in_memory(files):
    sample = draw_sample(pair_rows("x.npy", "part-*.npy"), None, 10, 0, lambda done, total: None)
    assert sample.digests == (digest_of(torch.from_numpy(X)), digest_of(torch.from_numpy(2 * X)))


def test_labels_of_tables_come_along_and_have_to_agree(files):
    words = np.array(["cat", "dog"])[np.arange(N) % 2]
    tx = pl.DataFrame({"id": np.arange(N), "label": words, "e": list(X)})
    rx = pl.DataFrame({"id": np.arange(N), "label": words, "e": list(2 * X)})
    some = ll.data.sample_pairs(tx, rx, count=100)
    assert some.labels.tolist() == (some.x[:, 0] % 2).long().tolist()
    with pytest.raises(ValueError, match="hold different labels in 20000 of 20000 rows"):
        ll.data.sample_pairs(tx, rx.with_columns(label=pl.Series(words[::-1])), count=100)
    with pytest.warns(UserWarning, match="19000 pairs are left"):
        some = ll.data.sample_pairs(tx, rx[1000:], "labels.npy", count=100)
    assert some.labels.tolist() == LABELS[some.x[:, 0].long()].tolist()
    np.save("few.npy", LABELS[:5])
    with pytest.raises(ValueError, match="labels: got 5, expected 20000"):
        ll.data.sample_pairs(tx, rx, "few.npy")
