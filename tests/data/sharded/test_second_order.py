"""Moments and marginals of sources beyond memory: those of all rows, to the bit the same however the files are cut."""

import itertools
import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

import latentlink as ll
from latentlink.data.sharded.paired_rows import PairedRows, pair_rows
from latentlink.data.sharded.second_order import moments_of_rows
from latentlink.execution import Threads
from written_files import WRITE, matlab, written

GENERATOR = np.random.default_rng(0)
N = 9000  # more than two chunks
X = (GENERATOR.standard_normal((N, 3)) + 4).astype(np.float32)
Y = (X @ GENERATOR.standard_normal((3, 2)) + GENERATOR.standard_normal((N, 2))).astype(np.float32)
FIELDS = ("mean_x", "mean_y", "cov_x", "cov_yx", "cov_y")
CUTS = [0, 1, 17, 4096, 4097, 8000, 8000, N]


def quiet(done, total):
    pass


def equal(a, b):
    return a.count == b.count and all(torch.equal(getattr(a, name), getattr(b, name)) for name in FIELDS)


def assert_close(a, b):
    assert a.count == b.count
    for name in FIELDS:
        torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=1e-12, atol=1e-13)


def assert_same(a, b, compare):
    assert len(a.folds) == len(b.folds)
    for one, other in zip((a, *a.folds), (b, *b.folds), strict=True):
        compare(one, other)


def cut(folder, array, suffix, cuts=CUTS):
    folder.mkdir(parents=True)
    for number, (start, stop) in enumerate(itertools.pairwise(cuts)):
        written(folder, suffix, y=array[start:stop]).rename(folder / f"part-{number}{suffix}")
    return folder


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("y.npy", Y)
    return tmp_path


@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize("folds", [1, 4])
def test_are_those_of_all_pairs_in_every_format_and_however_files_are_cut(files, suffix, folds):
    cuts = CUTS if suffix not in (".parquet", ".arrow", ".feather") else [0, 1, 17, 4096, 4097, 8000, N]
    whole = ll.data.moments_of_shards("x.npy", "y.npy", folds=folds)
    assert_same(whole, ll.Moments.from_pairs(X, Y, folds), assert_close)
    tx, rx = cut(files / "tx", X, suffix, cuts), cut(files / "rx", Y, suffix, [0, 5000, N])
    shards = ll.data.moments_of_shards(tx, f"{rx}/*", folds=folds)
    assert_same(shards, whole, lambda a, b: equal(a, b) or pytest.fail("shards changed the moments"))
    marginal = ll.data.marginal_of_shards(tx)
    assert torch.equal(marginal.mean, ll.data.marginal_of_shards("x.npy").mean)
    torch.testing.assert_close(marginal.covariance, ll.Moments.from_pairs(X, Y).cov_x, rtol=1e-12, atol=1e-13)


def test_frames_data_sets_text_and_streams_of_arrow(files, tmp_path):
    datasets = pytest.importorskip("datasets")
    whole = ll.data.moments_of_shards("x.npy", "y.npy")
    frame = pl.DataFrame({"id": np.arange(N), "embedding": list(X)})
    frame.write_ipc_stream("x.arrow")
    pl.DataFrame(Y, schema=["f0", "f1"]).write_csv("y.csv")
    data = datasets.Dataset.from_polars(frame)
    for tx in (frame, frame.to_pandas(), data, data.select(range(N)), "x.arrow::embedding"):
        assert equal(ll.data.moments_of_shards(tx, "y.npy"), whole)
        torch.testing.assert_close(ll.data.moments_of_shards(tx, "y.csv").cov_yx, whole.cov_yx)  # in decimals


def test_tokens_columns_keys_and_other_layouts_of_arrays(files):
    whole = ll.data.moments_of_shards("x.npy", "y.npy")
    np.save("fortran.npy", np.asfortranarray(X))
    np.save("big-endian.npy", X.astype(">f4"))
    np.save("tokens.npy", np.stack([X, X], 1))
    save_file({"a": torch.from_numpy(X), "b": torch.from_numpy(Y)}, "both.safetensors")
    matlab(files / "cell.mat", X + 0j)
    for tx, options in (("fortran.npy", {}), ("big-endian.npy", {}), ("tokens.npy", {"pool": "max"}), ("both.safetensors::a", {})):
        assert equal(ll.data.moments_of_shards(tx, "both.safetensors::b", **options), whole)
    pl.DataFrame({"row": np.arange(N), **{f"f{i}": X[:, i] for i in range(3)}}).write_parquet("columns.parquet")
    assert torch.equal(
        ll.data.marginal_of_shards("columns.parquet", columns="f*").covariance, ll.data.marginal_of_shards("x.npy").covariance
    )
    with pytest.raises(ValueError, match="row numbers"):
        ll.data.marginal_of_shards("columns.parquet")
    with pytest.raises(ValueError, match="got complex128, expected real"):
        ll.data.marginal_of_shards("cell.mat")


def test_rows_of_matlab_are_those_that_its_reader_returns(files):
    h5py = pytest.importorskip("h5py")
    with h5py.File("x.mat", "w", userblock_size=512) as file:
        file.create_dataset("x", data=X.T).attrs["MATLAB_class"] = np.bytes_("single")
    with Path("x.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(512))
    np.testing.assert_array_equal(ll.read_latents("x.mat").numpy(), X)
    assert torch.equal(ll.data.marginal_of_shards("x.mat").covariance, ll.data.marginal_of_shards("x.npy").covariance)


def test_rows_are_joined_on_ids_that_come_in_the_same_order(files):
    ids = GENERATOR.permutation(2 * N)[:N]
    tx, rx = pl.DataFrame({"id": ids, "label": ids % 3, "e": list(X)}), pl.DataFrame({"id": ids, "label": ids % 3, "e": list(Y)})
    whole = ll.data.moments_of_shards("x.npy", "y.npy", folds=3)
    assert equal(ll.data.moments_of_shards(tx, rx, folds=3), whole)
    kept = np.sort(np.concatenate([np.arange(100), GENERATOR.permutation(np.arange(100, N))[:5000]]))
    with pytest.warns(UserWarning, match="polars DataFrame lacks 3900 of the other end's observations; 5100 pairs are left"):
        some = ll.data.moments_of_shards(tx, rx[kept])
    assert_close(some, ll.Moments.from_pairs(X[kept], Y[kept]))
    with pytest.raises(ValueError, match=r"hold id in another order.*sort both.*\.sort\('id'\)"):
        ll.data.moments_of_shards(tx, rx[::-1])
    with pytest.raises(ValueError, match="has no column 'photo' to join rows on"):
        ll.data.moments_of_shards(tx, rx, on="photo")


def test_pairs_that_read_pairs_refuses_are_refused(files):
    ids = np.arange(N)
    tx, rx = pl.DataFrame({"id": ids, "label": ids % 3, "e": list(X)}), pl.DataFrame({"id": ids, "label": ids % 3, "e": list(Y)})
    twice = pl.Series("id", np.where(ids == N - 1, 0, ids))
    for read in (ll.read_pairs, ll.data.moments_of_shards):
        with pytest.raises(ValueError, match=r"id 0 comes 2 times"):
            read(tx.with_columns(twice), rx.with_columns(twice))
        with pytest.raises(ValueError, match=r"hold different labels in 1 of "):
            read(tx, rx.with_columns(label=pl.when(pl.col("id") == N - 1).then(5).otherwise(pl.col("label"))))
        with pytest.warns(UserWarning, match="lacks"), pytest.raises(ValueError, match=r"hold different labels in "):
            read(tx, rx[10:].with_columns(label=1 - pl.col("label")))


def test_what_cannot_be_paired_or_read_is_refused_with_where_it_is(files):
    np.save("short.npy", Y[:-256])
    with pytest.raises(ValueError, match=r"x\.npy has 9000 rows and short\.npy 8744"):
        ll.data.moments_of_shards("x.npy", "short.npy")
    bad = X.copy()
    bad[7000, 1] = np.nan
    np.save(cut(files / "bad", X[:100], ".npy", [0, 100]) / "part-9.npy", bad)
    with pytest.raises(ValueError, match=r"part-9\.npy: 1 values are NaN or infinite, the first in row 7000"):
        ll.data.marginal_of_shards("bad")
    np.save(cut(files / "uneven", X, ".npy", [0, N]) / "part-9.npy", Y)
    with pytest.raises(ValueError, match=r"part-9\.npy: has 2 dimensions, expected 3 as in .*part-0\.npy"):
        ll.data.marginal_of_shards("uneven")
    np.save("empty.npy", X[:0])
    with pytest.raises(ValueError, match=r"empty\.npy: holds no latents"):
        ll.data.marginal_of_shards("empty.npy")
    with pytest.raises(ValueError, match="folds must be an integer from 1 to 9000"):
        ll.data.moments_of_shards("x.npy", "y.npy", folds=N + 1)
    np.save("large.npy", np.array([[1e200], [-1e200]]))
    with pytest.raises(ValueError, match="overflow"):
        ll.data.marginal_of_shards("large.npy")


def test_what_is_known_of_some_rows_can_be_computed_elsewhere(files):
    pairs = pair_rows("x.npy", "y.npy")
    pairs.read(range(3))  # with an open file
    sent = pickle.loads(pickle.dumps(pairs))
    rows = range(4000, 9000)
    (here,), (there,) = (moments_of_rows(len(each), 1, rows, *each.read(rows)) for each in (pairs, sent))
    assert equal(here, there)
    assert_close(here, ll.Moments.from_pairs(X[4000:], Y[4000:]))


def test_several_blocks_at_a_time_change_no_bit(files, monkeypatch):
    def of_900(pairs, start=0):
        return [range(first, min(first + 900, len(pairs))) for first in range(start, len(pairs), 900)]

    monkeypatch.setattr(PairedRows, "blocks", of_900)
    whole = ll.data.moments_of_shards("x.npy", "y.npy", folds=2, progress=quiet)
    assert_same(ll.data.moments_of_shards("x.npy", "y.npy", folds=2, progress=quiet, executor=Threads(3)), whole, equal)
    begun = []

    class Leaves(Threads):
        def run(self, function, items, group=None):
            begun.append(len(items))
            yield from Threads(1).run(function, items[:3])
            raise ConnectionError("the cluster is lost")

    with pytest.raises(ConnectionError, match="lost"):
        ll.data.moments_of_shards("x.npy", "y.npy", folds=2, progress=quiet, executor=Leaves(1), checkpoint="state.safetensors")
    assert begun == [8]  # a few for each place, not all of them
    again = ll.data.moments_of_shards("x.npy", "y.npy", folds=2, progress=quiet, executor=Threads(2), checkpoint="state.safetensors")
    assert_same(again, whole, equal)


def test_progress_counts_the_rows(files):
    seen = []
    ll.data.moments_of_shards("x.npy", "y.npy", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (N, N)
    assert seen == sorted(seen)
