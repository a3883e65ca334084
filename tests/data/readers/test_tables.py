"""Tables: columns that are no features never become dimensions, every list type is read, and frames are tables too."""

import sys
from types import ModuleType

import numpy as np
import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.cli.inspect import inspect
from latentlink.data.readers.labels import read_labels
from latentlink.data.readers.latents import read_latents
from latentlink.data.readers.targets import read_targets

GENERATOR = np.random.default_rng(0)
LATENTS = GENERATOR.standard_normal((6, 3)).astype(np.float32)
WIDE = pl.DataFrame({f"f{i}": LATENTS[:, i] for i in range(3)})


@pytest.mark.parametrize(
    "kind", [pl.List(pl.Float32), pl.Array(pl.Float32, 3), pl.List(pl.Float64), pl.Array(pl.Float16, 3), pl.List(pl.Int8)]
)
@pytest.mark.parametrize("suffix", ["parquet", "arrow", "stream.arrow"])
def test_every_type_of_list_is_read(tmp_path, kind, suffix):
    path = tmp_path / f"y.{suffix}"
    frame = pl.DataFrame({"y": pl.Series((LATENTS * 10).round().tolist(), dtype=pl.List(pl.Float32)).cast(kind)})
    {"parquet": frame.write_parquet, "arrow": frame.write_ipc, "stream.arrow": frame.write_ipc_stream}[suffix](path)
    np.testing.assert_array_equal(read_latents(path).numpy(), (LATENTS * 10).round())


def test_plain_columns_are_read_side_by_side(tmp_path):
    WIDE.write_parquet(tmp_path / "y.parquet")
    np.testing.assert_array_equal(read_latents(tmp_path / "y.parquet").numpy(), LATENTS)
    decimals = WIDE.with_columns(pl.all().cast(pl.Decimal(20, 6)))
    np.testing.assert_allclose(read_latents(decimals).numpy(), LATENTS, atol=1e-6)


def test_an_index_of_pandas_is_left_out_and_named(tmp_path):
    path = tmp_path / "w.parquet"
    WIDE.with_columns(pl.Series("__index_level_0__", np.arange(6))).write_parquet(path)
    with pytest.warns(UserWarning, match=r"w\.parquet: __index_level_0__ is the index of a pandas frame"):
        assert read_latents(path).shape == (6, 3)
    note = '{"index_columns": ["photo"], "columns": []}'
    WIDE.with_columns(pl.Series("photo", np.arange(6.0))).write_parquet(path, metadata={"pandas": note})
    with pytest.warns(UserWarning, match="photo is the index"):
        assert read_latents(path).shape == (6, 3)


STRAYS = {
    "label": np.arange(6) % 2,
    "id": np.arange(6, dtype=np.uint32),
    "split": np.zeros(6, np.int8),
    "fold": np.arange(6),
    "fine_label": np.arange(6),
    "coarse_label": np.arange(6.0),
    "target": np.arange(6.0),
    "sample_id": np.arange(6.0),
    "Unnamed: 0": np.arange(6.0),
    "epoch": np.arange(6),  # an integer among floats, whatever its name
    "": np.arange(6),
}


@pytest.mark.parametrize("name", STRAYS)
@pytest.mark.parametrize("suffix", ["parquet", "csv", "feather"])
def test_columns_that_are_no_features_are_refused_by_name(tmp_path, name, suffix):
    path = tmp_path / f"w.{suffix}"
    frame = WIDE.with_columns(pl.Series(name, STRAYS[name]))
    {"parquet": frame.write_parquet, "csv": frame.write_csv, "feather": frame.write_ipc}[suffix](path)
    with pytest.raises(ValueError, match=r"no features: name the features by columns") as caught:
        read_latents(path)
    assert (name or "(no name)") in str(caught.value)
    np.testing.assert_allclose(read_latents(path, columns="f*").numpy(), LATENTS, rtol=1e-6)
    np.testing.assert_allclose(read_latents(path, columns=["f0", "f2"]).numpy(), LATENTS[:, [0, 2]], rtol=1e-6)


def test_columns_are_taken_in_the_order_that_is_asked_for(tmp_path):
    np.testing.assert_array_equal(read_latents(WIDE, columns=["f2", "f*"]).numpy(), LATENTS[:, [2, 0, 1]])
    with pytest.raises(ValueError, match=r"no column matches 'g\*'; its columns are: f0, f1, f2"):
        read_latents(WIDE, columns="g*")
    with pytest.raises(ValueError, match="expected one of them"):
        read_latents(WIDE, key="f0", columns="f*")


def test_tables_of_integers_alone_are_features():
    codes = pl.DataFrame({f"q{i}": np.arange(6, dtype=np.int8) for i in range(3)})
    assert read_latents(codes).dtype == torch.float32


BAD_TABLES = {
    "ragged": ({"y": [[1.0, 2.0], [3.0]]}, "1 to 2 values"),
    "no numbers in the lists": ({"y": [[], []]}, "expected"),
    "hole in a list": ({"y": [[1.0, None], [3.0, 4.0]]}, "1 missing"),
    "missing list": ({"y": [[1.0], None]}, "1 missing"),
    "missing number": ({"a": [1.0, None], "b": [1.0, 2.0]}, "column a has 1 missing"),
    "words": ({"y": ["a", "b"]}, "y .String."),
    "words beside numbers": ({"y": ["a", "b"], "z": [1.0, 2.0]}, "y .String., z .Float64."),
    "two columns of lists": ({"a": [[1.0]], "b": [[1.0]]}, "a .List.Float64.., b"),
    "lists beside numbers": ({"a": [[1.0]], "b": [1.0]}, "a key that says which"),
    "lists of words": ({"y": [["a"], ["b"]]}, "expected numbers or lists of numbers"),
    "nothing": ({}, "it has: nothing"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_tables_that_are_no_latents(tmp_path, name):
    columns, message = BAD_TABLES[name]
    pl.DataFrame(columns).write_parquet(tmp_path / "y.parquet")
    with pytest.raises(ValueError, match=message) as caught:
        read_latents(tmp_path / "y.parquet")
    assert str(tmp_path / "y.parquet") in str(caught.value)


def test_frames_of_polars_and_pandas_are_tables():
    import pandas

    lists = pl.DataFrame({"id": np.arange(6), "embedding": list(LATENTS)})
    frame = pandas.DataFrame({"id": np.arange(6), "embedding": list(LATENTS)}, index=[5, 4, 3, 2, 1, 0])
    for source in (lists, lists.lazy(), frame, WIDE, pandas.DataFrame({f"f{i}": LATENTS[:, i] for i in range(3)})):
        np.testing.assert_array_equal(read_latents(source).numpy(), LATENTS)
    with pytest.raises(ValueError, match=r"pandas DataFrame: label .* no features"):
        read_latents(pandas.DataFrame({"f0": LATENTS[:, 0], "label": np.arange(6)}))


def test_data_sets_of_hugging_face_are_tables(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    import datasets

    data = datasets.Dataset.from_dict({"id": list(range(6)), "embedding": LATENTS.tolist()})
    np.testing.assert_array_equal(read_latents(data).numpy(), LATENTS)
    np.testing.assert_array_equal(read_latents(data.with_format("torch"), key="embedding").numpy(), LATENTS)
    with pytest.raises(ValueError, match=r"several splits \(train\)"):
        read_latents(datasets.DatasetDict({"train": data}))
    with pytest.raises(ValueError, match="without streaming"):
        read_latents(data.to_iterable_dataset())


def test_addresses_of_the_hub_go_to_hugging_face(monkeypatch):
    asked = []

    def load_dataset(kind, data_files, split):
        asked.append((kind, data_files, split))
        return WIDE.with_columns(kind=pl.Series([0, 1, 1, 0, 0, 1]))

    hub = ModuleType("datasets")
    hub.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", hub)
    assert read_latents("hf://datasets/lab/pets/vit/*.parquet", columns="f*").shape == (6, 3)
    assert read_latents("hf://datasets/lab/pets/vit/*.parquet", columns="f1").shape == (6, 1)
    assert asked[0] == ("parquet", "hf://datasets/lab/pets/vit/*.parquet", "train")
    assert read_labels("hf://datasets/lab/pets/vit/*.parquet::kind").tolist() == [0, 1, 1, 0, 0, 1]
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r"pip install latentlink\[huggingface\]"):
        read_latents("hf://datasets/lab/pets/vit/*.parquet")


def write(frame, path):
    {"parquet": frame.write_parquet, "csv": frame.write_csv, "arrow": frame.write_ipc}[path.suffix[1:]](path)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "arrow"])
@pytest.mark.parametrize("columns", [None, "f*"])
def test_shards_are_joined_by_the_names_of_their_columns(tmp_path, suffix, columns):
    write(WIDE[:2], tmp_path / f"p-0.{suffix}")
    write(WIDE[2:].select("f2", "f0", "f1"), tmp_path / f"p-1.{suffix}")
    np.testing.assert_allclose(read_latents(tmp_path, columns=columns).numpy(), LATENTS, rtol=1e-6)
    np.testing.assert_allclose(ll.data.marginal_of_shards(tmp_path, columns=columns).mean, LATENTS.mean(0), rtol=1e-5)
    write(WIDE[2:].rename({"f0": "g0"}), tmp_path / f"p-1.{suffix}")
    for read in (read_latents, ll.data.marginal_of_shards):
        with pytest.raises(ValueError, match=rf"p-1\.{suffix}: lacks the columns f0 and has the columns g0, unlike .*p-0"):
            read(tmp_path, columns=columns)
    write(WIDE[2:].with_columns(f0=pl.lit("word")), tmp_path / f"p-1.{suffix}")
    with pytest.raises(ValueError, match=rf"p-1\.{suffix}: column f0 is String, expected Float.. as in .*p-0"):
        read_latents(tmp_path, columns=columns)


@pytest.mark.parametrize("name", ["imageId", "sampleID", "rowIndex", "classLabel", "IMAGE_ID", "image-id", "imageUUID", "y", "Id"])
@pytest.mark.parametrize("kind", [pl.Float32, pl.Int8])
def test_names_in_camel_case_are_those_of_ids_too(name, kind):
    frame = WIDE.select(pl.all().cast(kind)).with_columns(pl.Series(name, np.arange(6)).cast(kind))
    with pytest.raises(ValueError, match=rf"{name} .* no features"):
        read_latents(frame)
    assert read_latents(frame, columns="*").shape == (6, 3)


def test_coordinates_and_words_that_end_alike_are_features():
    for names in (["x", "y", "z"], ["valid", "grid", "arrow"]):
        assert read_latents(pl.DataFrame({name: np.arange(6.0) for name in names})).shape == (6, 3)


def test_columns_of_pandas_that_share_a_name_are_refused():
    import pandas

    for names in ([1, "1"], ["a", "a"]):
        frame = pandas.DataFrame(LATENTS[:, :2], columns=names)
        with pytest.raises(ValueError, match=rf"tx: pandas DataFrame: 2 columns are named '{names[1]}', expected one"):
            ll.read_pairs(frame, frame)
        with pytest.raises(ValueError, match=r"pandas DataFrame: 2 columns are named"):
            read_latents(frame)


TENSORS = GENERATOR.standard_normal((6, 2, 3)).astype(np.float32)


def arrow_types():
    import pyarrow as pa

    rows = LATENTS.tolist()
    turned = pa.fixed_shape_tensor(pa.float32(), (3, 2), permutation=[1, 0])
    stored = pa.array(TENSORS.transpose(0, 2, 1).reshape(6, 6).tolist(), pa.list_(pa.float32(), 6))
    straight = pa.FixedShapeTensorArray.from_numpy_ndarray(TENSORS)
    return {
        "list_view": (pa.array(rows, pa.list_view(pa.float32())), LATENTS),
        "large_list_view": (pa.array(rows, pa.large_list_view(pa.float32())), LATENTS),
        "tensor": (straight, TENSORS.reshape(6, 6)),
        "permuted tensor": (pa.ExtensionArray.from_storage(turned, stored), TENSORS.reshape(6, 6)),
        "lists of list_view": (pa.array(TENSORS.tolist(), pa.list_view(pa.list_view(pa.float32()))), TENSORS.reshape(6, 6)),
        "decimal256": (pa.array([1, 2, 3, 4, 5, 6], pa.decimal256(50, 2)), np.arange(1.0, 7)[:, None]),
    }


@pytest.mark.parametrize("name", arrow_types())
def test_types_of_arrow_that_polars_lacks_are_read(tmp_path, name, capfd):
    import pyarrow as pa

    array, expected = arrow_types()[name]
    table = pa.table({"e": array})
    with pa.ipc.new_file(tmp_path / "e.arrow", table.schema) as file:
        file.write_table(table)
    pool = "flatten" if expected.shape[1] == 6 else None
    np.testing.assert_array_equal(read_latents(tmp_path / "e.arrow", pool=pool).numpy(), expected)
    np.testing.assert_allclose(ll.data.marginal_of_shards(tmp_path / "e.arrow", pool=pool).mean, expected.mean(0), rtol=1e-5)
    assert capfd.readouterr().err == ""


def test_types_of_arrow_that_hold_no_numbers_are_named(tmp_path, capfd):
    import pyarrow as pa

    intervals = pa.array([(1, 2, 3)] * 6, pa.month_day_nano_interval())
    union = pa.UnionArray.from_sparse(pa.array([0] * 6, pa.int8()), [pa.array(range(6))])
    for array in (intervals, union):
        table = pa.table({"f": LATENTS[:, 0], "odd": array})
        with pa.ipc.new_file(tmp_path / "e.arrow", table.schema) as file:
            file.write_table(table)
        with pytest.raises(ValueError, match=r"e\.arrow: column odd is of Arrow's type .*, which cannot be read: leave it out"):
            read_latents(tmp_path / "e.arrow")
    assert capfd.readouterr().err == ""


def test_arrays_of_hugging_face_are_tokens(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    import datasets

    features = datasets.Features({"e": datasets.Array2D((2, 3), "float32")})
    data = datasets.Dataset.from_dict({"e": TENSORS.tolist()}, features=features)
    data.to_parquet(tmp_path / "e.parquet")
    for source in (data, tmp_path / "e.parquet"):
        np.testing.assert_array_equal(read_latents(source, pool="flatten").numpy(), TENSORS.reshape(6, 6))


def test_addresses_of_the_hub_that_cannot_be_read_are_told_with_the_path(monkeypatch):
    class ConnectError(Exception):  # of an HTTP library, and no OSError
        pass

    def load_dataset(kind, data_files, split):
        raise ConnectError("Name or service not known")

    hub = ModuleType("datasets")
    hub.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", hub)
    for reader in (read_latents, read_targets, read_labels, lambda path: ll.read_pairs(path, path), inspect):
        with pytest.raises(OSError, match=r"^hf://datasets/a/b/c.parquet: cannot be read from .*Name or service not known.*OWNER/NAME"):
            reader("hf://datasets/a/b/c.parquet")
