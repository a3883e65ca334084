"""Pairs: rows are joined on their ids, labels come along, and what cannot be paired is refused."""

import numpy as np
import polars as pl
import pytest

import latentlink as ll
from latentlink.data.readers.pairing import read_pairs

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((8, 3)).astype(np.float32)
Y = GENERATOR.standard_normal((8, 2)).astype(np.float32)
LABELS = np.arange(8) % 3
ORDER = GENERATOR.permutation(8)


def semasia(latents, rows, label="label", model="vit"):
    """A table as SEMASIA publishes it."""
    return pl.DataFrame(
        {
            "id": pl.Series(rows, dtype=pl.UInt32),
            label: LABELS[rows],
            "model_name": [model] * len(rows),
            "embedding": list(latents[rows]),
        }
    )


def in_shards(folder, table):
    folder.mkdir()
    for number, start in enumerate(range(0, len(table), 3)):
        table[start : start + 3].write_parquet(folder / f"train-{number:05d}.parquet")
    return folder


@pytest.mark.parametrize("label", ["label", "fine_label"])
def test_tables_of_semasia_are_joined_on_their_ids(tmp_path, label):
    tx = in_shards(tmp_path / "tx", semasia(X, np.arange(8), label))
    rx = in_shards(tmp_path / "rx", semasia(Y, ORDER, label))
    for sources in ((tx, rx), (f"{tx}/*.parquet", f"{rx}/*.parquet"), (f"{tx}::embedding", f"{rx}::embedding")):
        pilots = read_pairs(*sources)
        np.testing.assert_array_equal(pilots.x.numpy(), X)
        np.testing.assert_array_equal(pilots.y.numpy(), Y)
        assert pilots.labels.tolist() == LABELS.tolist()


def test_observations_that_one_end_lacks_are_told_and_left_out(tmp_path):
    with pytest.warns(UserWarning, match="polars DataFrame lacks 3 of the other end's observations; 5 pairs are left"):
        pilots = read_pairs(semasia(X, np.arange(8)), semasia(Y, np.array([6, 4, 2, 0, 7])))
    kept = [0, 2, 4, 6, 7]
    np.testing.assert_array_equal(pilots.x.numpy(), X[kept])
    np.testing.assert_array_equal(pilots.y.numpy(), Y[kept])
    assert pilots.labels.tolist() == LABELS[kept].tolist()


def test_rows_are_joined_on_the_column_that_is_named():
    tx = semasia(X, np.arange(8)).rename({"id": "photo"})
    rx = semasia(Y, ORDER).rename({"id": "photo"})
    np.testing.assert_array_equal(read_pairs(tx, rx, on="photo").y.numpy(), Y)
    with pytest.raises(ValueError, match="no column 'picture' to join rows on"):
        read_pairs(tx, rx, on="picture")


def test_wide_tables_give_their_ids_and_labels_to_their_roles():
    tx = pl.DataFrame({"id": np.arange(8), "label": LABELS, **{f"f{i}": X[:, i] for i in range(3)}})
    rx = pl.DataFrame({"id": ORDER, **{f"f{i}": Y[ORDER, i] for i in range(2)}})
    pilots = read_pairs(tx, rx)
    np.testing.assert_array_equal(pilots.x.numpy(), X)
    np.testing.assert_array_equal(pilots.y.numpy(), Y)
    assert pilots.labels.tolist() == LABELS.tolist()
    with pytest.raises(ValueError, match=r"fold .* no features"):
        read_pairs(tx.with_columns(fold=pl.lit(1)), rx)


def test_arrays_are_paired_by_their_order(tmp_path):
    for name, array in (("x", X), ("y", Y), ("l", LABELS)):
        np.save(tmp_path / f"{name}.npy", array)
    pilots = read_pairs(tmp_path / "x.npy", tmp_path / "y.npy", tmp_path / "l.npy")
    np.testing.assert_array_equal(pilots.y.numpy(), Y)
    assert pilots.labels.tolist() == LABELS.tolist()
    assert read_pairs(tmp_path / "x.npy", tmp_path / "y.npy").labels is None
    np.save(tmp_path / "y.npy", Y[:5])
    with pytest.raises(ValueError, match=r"x\.npy has 8 rows and .*y\.npy 5, and there is no id in both .* was a batch lost"):
        read_pairs(tmp_path / "x.npy", tmp_path / "y.npy")
    np.save(tmp_path / "y.npy", Y)
    np.save(tmp_path / "l.npy", LABELS[:5])
    with pytest.raises(ValueError, match="labels: got 5, expected 8, one for each row"):
        read_pairs(tmp_path / "x.npy", tmp_path / "y.npy", tmp_path / "l.npy")


@pytest.mark.parametrize("first", ["ids", "array"])
def test_ids_at_one_end_alone_are_told_where_they_do_not_ascend(tmp_path, first):
    shuffled = np.random.default_rng(0).permutation(8)
    np.save(tmp_path / "x.npy", X)
    ends = lambda ids: (semasia(Y, ids), tmp_path / "x.npy") if first == "ids" else (tmp_path / "x.npy", semasia(Y, ids))  # noqa: E731
    with pytest.warns(
        UserWarning, match=r"names its rows by id, which does not ascend, and .*x\.npy has no id: rows are paired by their order"
    ):
        assert len(read_pairs(*ends(shuffled)).x) == 8
    assert len(read_pairs(*ends(np.arange(8))).x) == 8  # warnings are errors here


def test_what_cannot_be_joined_is_refused():
    tx = semasia(X, np.arange(8))
    twice = pl.concat([semasia(Y, ORDER), semasia(Y, ORDER[:1], model="resnet")])
    with pytest.raises(ValueError, match=r"comes 2 times .*several models or splits"):
        read_pairs(tx, twice)
    with pytest.raises(ValueError, match="have no id in common"):
        read_pairs(tx, semasia(Y, ORDER).with_columns(pl.col("id") + 100))
    with pytest.raises(ValueError, match="hold different labels in"):
        read_pairs(tx, semasia(Y, ORDER).with_columns(label=pl.Series(LABELS)))


def test_unpaired_tables_without_ids_are_betrayed_by_their_labels():
    tx = semasia(X, np.arange(8)).drop("id")
    with pytest.raises(ValueError, match="the rows are not paired"):
        read_pairs(tx, semasia(Y, ORDER).drop("id"))


def test_names_of_classes_are_numbered():
    words = np.array(["dog", "cat", "yak"])[LABELS]
    tx = semasia(X, np.arange(8)).with_columns(label=pl.Series(words))
    rx = semasia(Y, ORDER).with_columns(label=pl.Series(words[ORDER]))
    assert read_pairs(tx, rx).labels.tolist() == [["cat", "dog", "yak"].index(word) for word in words]
    assert read_pairs(tx, rx, names=("yak", "dog", "cat")).labels.tolist() == [["yak", "dog", "cat"].index(word) for word in words]


def test_roles_of_columns_know_no_capitals():
    tx = semasia(X, np.arange(8)).rename({"id": "ID", "label": "Label"})
    rx = semasia(Y, ORDER).rename({"id": "Id", "label": "LABEL"})
    pilots = read_pairs(tx, rx)
    np.testing.assert_array_equal(pilots.y.numpy(), Y)
    assert pilots.labels.tolist() == LABELS.tolist()
    assert ll.data.read_labels(tx).tolist() == LABELS.tolist()
    with pytest.raises(ValueError, match="columns ID and id differ in capitals alone"):
        read_pairs(tx.with_columns(id=pl.col("ID")), rx)


def test_a_shard_without_what_the_others_have_is_named(tmp_path):
    tx = in_shards(tmp_path / "tx", semasia(X, np.arange(8)))
    rx = in_shards(tmp_path / "rx", semasia(Y, ORDER))
    last = tx / "train-00002.parquet"
    for lost in ("id", "label"):
        whole = pl.read_parquet(last)
        whole.drop(lost).write_parquet(last)
        for read in (read_pairs, ll.data.moments_of_shards):
            with pytest.raises(ValueError, match=rf"train-00002\.parquet: lacks the columns {lost}, unlike .*train-00000"):
                read(tx, rx)
        with pytest.raises(ValueError, match=rf"train-00002\.parquet: has no column '{lost}', which .*train-00000\.parquet has"):
            read_pairs(f"{tx}::embedding", f"{rx}::embedding")
        whole.write_parquet(last)


LARGE = 2**53


@pytest.mark.parametrize("kinds", [(pl.Int64, pl.UInt64), (pl.UInt64, pl.Int64), (pl.Int64, pl.Int128), (pl.Decimal(38, 0), pl.UInt64)])
def test_ids_of_different_types_are_compared_without_rounding(kinds):
    ids = [LARGE + number for number in range(8)]
    if pl.Int64 not in kinds:
        ids = [2**63 + number for number in range(8)]
    tx = pl.DataFrame({"id": pl.Series(ids, dtype=pl.Int128).cast(kinds[0]), "e": list(X)})
    rx = pl.DataFrame({"id": pl.Series([ids[row] for row in ORDER], dtype=pl.Int128).cast(kinds[1]), "e": list(Y[ORDER])})
    np.testing.assert_array_equal(read_pairs(tx, rx).y.numpy(), Y)
    if pl.Int64 in kinds:
        assert len(ll.data.moments_of_shards(tx, rx[np.argsort(ORDER)]).mean_x) == 3


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            [float(LARGE + 2 * row) for row in range(8)],
            r"polars DataFrame: column id holds 9007199254740992\.0 in row 0.*store them as integers",
        ),
        ([row + 0.5 for row in range(8)], r"column id holds 0\.5 in row 0"),
        ([f"{row:03}" for row in range(8)], "holds numbers such as 0 and polars DataFrame holds words such as 000; store both"),
        ([[row] for row in range(8)], r"column id is List\(Int64\), and on must name a column of one number or one word a row"),
    ],
)
def test_ids_that_cannot_be_compared_are_refused(ids, message):
    tx = pl.DataFrame({"id": range(8), "e": list(X)})
    for read in (read_pairs, ll.data.moments_of_shards):
        with pytest.raises(ValueError, match=message):
            read(tx, pl.DataFrame({"id": ids, "f": Y[:, 0]}))


def test_integers_that_a_float_holds_are_the_same_ids():
    tx = pl.DataFrame({"id": range(8), "e": list(X)})
    rx = pl.DataFrame({"id": ORDER.astype(np.float64), "e": list(Y[ORDER])})
    np.testing.assert_array_equal(read_pairs(tx, rx).y.numpy(), Y)
