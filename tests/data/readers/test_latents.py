"""Latents: every format, shards, tokens, and what is refused; each error begins with the file and names the remedy."""

import sys
import warnings

import h5py
import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from latentlink.data.readers.containers import MAPPED_BYTES
from latentlink.data.readers.latents import latent_shards, read_latents
from written_files import TABLES, WRITE, written

GENERATOR = np.random.default_rng(0)
LATENTS = GENERATOR.standard_normal((6, 3))
LABELS = np.array([3, 0, 1, 1, 2, 9])


@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_latents_go_round(tmp_path, suffix, dtype):
    read = read_latents(written(tmp_path, suffix, y=LATENTS.astype(dtype)))
    assert read.numpy().dtype == dtype
    np.testing.assert_array_equal(read.numpy(), LATENTS.astype(dtype))
    read.mul_(2)  # own memory, writable


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("header", [True, False])
def test_numbers_in_text_go_round_with_and_without_a_header(tmp_path, separator, header):
    path = tmp_path / "x.csv"
    np.savetxt(path, LATENTS, delimiter=separator, header=separator.join("abc") if header else "", comments="", fmt="%.17g")
    np.testing.assert_array_equal(read_latents(path).numpy(), LATENTS)


def test_a_header_that_counts_the_columns_is_no_latent(tmp_path):
    pl.DataFrame(LATENTS, schema=["0", "1", "2"]).write_csv(tmp_path / "x.csv")
    with pytest.warns(UserWarning, match=r"x\.csv: the first row, 0, 1, 2, was taken for the numbers of the columns"):
        np.testing.assert_array_equal(read_latents(tmp_path / "x.csv").numpy(), LATENTS)


@pytest.mark.parametrize("header", ["", "f0;f1\n", "# f0;f1\n"])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas(tmp_path, header, separator):
    (tmp_path / "x.csv").write_text((header + "1,5;2,25\n-3,0;4\n").replace(";", separator))
    assert read_latents(tmp_path / "x.csv").tolist() == [[1.5, 2.25], [-3.0, 4.0]]


def test_commas_that_may_be_decimal_ones_are_told(tmp_path):
    (tmp_path / "x.csv").write_text("1,5\n2,5\n")
    with pytest.warns(UserWarning, match=r"x\.csv: was read as two columns of integers; if commas are decimal ones, write points"):
        assert read_latents(tmp_path / "x.csv").tolist() == [[1.0, 5.0], [2.0, 5.0]]
    (tmp_path / "x.csv").write_text("f0\n1,5\n2,5\n")
    with pytest.raises(ValueError, match=r"x\.csv: the first row is 'f0', and the next '1,5' has more columns: if commas are decimal"):
        read_latents(tmp_path / "x.csv")


@pytest.mark.parametrize("comment", ["", "made by a script, on a Monday\nof March", "a b c"])
@pytest.mark.parametrize("separator", [" ", ",", "\t", ";"])
def test_padded_numbers_and_comments_of_numpy_are_read(tmp_path, comment, separator):
    np.savetxt(tmp_path / "x.txt", LATENTS, fmt="%10.5f", delimiter=separator, header=comment.replace(" ", separator))
    np.testing.assert_array_equal(read_latents(tmp_path / "x.txt").numpy(), LATENTS.round(5))
    if comment == "a b c":
        np.testing.assert_array_equal(read_latents(tmp_path / "x.txt", columns=["c"]).numpy(), LATENTS[:, 2:].round(5))


@pytest.mark.parametrize("missing", ["nan", "NaN", "inf", "-inf", "", "NA", "<NA>"])
@pytest.mark.parametrize("first", [True, False])
def test_numbers_of_text_that_are_missing_are_named_by_their_row(tmp_path, missing, first):
    rows = ["1.5,2", "3,4.5"]
    rows.insert(0 if first else 2, f"{missing},3")
    (tmp_path / "x.csv").write_text("\n".join(rows))
    with pytest.raises(ValueError, match=rf"x\.csv: .*1 (values are NaN|missing values).*the first in row {0 if first else 2}"):
        read_latents(tmp_path / "x.csv")


def test_names_in_a_comment_or_a_header_keep_ids_outside(tmp_path):
    for text, message in (
        ("#id,f0,f1\n1,2,3\n4,5,6\n", "id .Int64. stand beside"),
        ("id,id,f0\n1,2,3\n4,5,6\n", "2 columns are named 'id'"),
    ):
        (tmp_path / "x.csv").write_text(text)
        with pytest.raises(ValueError, match=message):
            read_latents(tmp_path / "x.csv")


def test_text_of_two_bytes_a_character_is_told(tmp_path):
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding=encoding)
        with pytest.raises(ValueError, match=r"x\.csv: is encoded as UTF-16, or is no text: save it as UTF-8"):
            read_latents(tmp_path / "x.csv")


def test_integers_that_are_too_large_for_numpy_are_floats(tmp_path):
    (tmp_path / "x.csv").write_text("123456789012345678901234567890,2,3\n1,3,4\n")
    assert read_latents(tmp_path / "x.csv")[0, 0] == pytest.approx(1.2345678901234568e29)


def test_files_of_arrays_and_tables_are_not_mixed(tmp_path):
    np.save(tmp_path / "x.npy", LATENTS)
    pl.DataFrame({"y": list(LATENTS)}).write_parquet(tmp_path / "y.parquet")
    for source in ([tmp_path / "x.npy", tmp_path / "y.parquet"], [tmp_path / "y.parquet", tmp_path / "x.npy"]):
        with pytest.raises(ValueError, match=r"x\.npy holds an array and .*y\.parquet a table, expected shards of one format"):
            read_latents(source)


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITE if suffix != ".npy" and suffix not in TABLES])
def test_containers_with_several_arrays_want_a_key(tmp_path, suffix):
    path = written(tmp_path, suffix, latent=LATENTS, label=LABELS)
    np.testing.assert_array_equal(read_latents(path, key="latent").numpy(), LATENTS)
    np.testing.assert_array_equal(read_latents(f"{path}::latent").numpy(), LATENTS)
    with pytest.raises(ValueError, match=r"a key .*(?:label.*latent|latent.*label)") as caught:
        read_latents(path)
    assert str(path) in str(caught.value)
    with pytest.raises(ValueError, match="no array 'other'; its keys are"):
        read_latents(path, key="other")


@pytest.mark.parametrize("suffix", TABLES)
def test_the_only_column_of_lists_is_taken_for_the_latents(tmp_path, suffix):
    path = written(tmp_path, suffix, latent=LATENTS, label=LABELS)
    for read in (read_latents(path), read_latents(path, key="latent"), read_latents(f"{path}::latent"), read_latents(path, columns="lat*")):
        np.testing.assert_array_equal(read.numpy(), LATENTS)
    with pytest.raises(ValueError, match="no array 'other'; its keys are: latent, label"):
        read_latents(path, key="other")


def test_two_keys_contradict_each_other(tmp_path):
    path = written(tmp_path, ".npz", a=LATENTS, b=LATENTS)
    with pytest.raises(ValueError, match="names the key 'a', got key 'b'"):
        read_latents(f"{path}::a", key="b")


def test_one_bare_array_wants_no_key(tmp_path):
    torch.save(torch.from_numpy(LATENTS), tmp_path / "bare.pt")
    np.testing.assert_array_equal(read_latents(tmp_path / "bare.pt").numpy(), LATENTS)
    for path in (tmp_path / "bare.pt", written(tmp_path, ".npy", y=LATENTS)):
        with pytest.raises(ValueError, match="without a name, got key 'y'"):
            read_latents(path, key="y")
        with pytest.raises(ValueError, match="columns are those of a table"):
            read_latents(path, columns="f*")


def test_shards_are_joined_in_the_order_of_their_numbers(tmp_path):
    for number in range(12):
        np.save(tmp_path / f"part-{number}.npy", np.full((2, 3), float(number)))
    (tmp_path / "README.md").write_text("not a shard")
    expected = np.repeat(np.arange(12.0), 2)
    files = [tmp_path / f"part-{number}.npy" for number in range(12)]
    for source in (tmp_path, str(tmp_path / "part-*.npy"), files):
        assert read_latents(source)[:, 0].tolist() == expected.tolist()
    assert [len(shard) for _, shard in latent_shards(tmp_path)] == [2] * 12


def test_an_empty_shard_is_skipped_and_an_uneven_one_refused(tmp_path):
    np.save(tmp_path / "a.npy", LATENTS)
    np.save(tmp_path / "b.npy", LATENTS[:0])
    assert len(read_latents(tmp_path)) == 6
    np.save(tmp_path / "c.npy", LATENTS[:, :2])
    with pytest.raises(ValueError, match=r"c\.npy: has 2 dimensions, expected 3 as in .*a\.npy"):
        read_latents(tmp_path)


def test_folders_and_patterns_that_hold_no_one_array(tmp_path):
    with pytest.raises(ValueError, match="a folder without shards"):
        read_latents(tmp_path)
    with pytest.raises(FileNotFoundError, match="no file matches"):
        read_latents(tmp_path / "*.npy")
    np.save(tmp_path / "a.npy", LATENTS)
    np.savez(tmp_path / "b.npz", y=LATENTS)
    with pytest.raises(ValueError, match=r"several formats \(\.npy, \.npz\); say which"):
        read_latents(tmp_path)


def test_a_file_whose_name_is_a_pattern_is_that_file(tmp_path):
    np.save(tmp_path / "x[1].npy", LATENTS)
    assert len(read_latents(tmp_path / "x[1].npy")) == 6


def test_narrow_numbers_become_float32(tmp_path):
    for dtype in (np.float16, np.int8, np.int64, ">f4", "<f2"):
        read = read_latents(written(tmp_path, ".npy", y=np.arange(6).reshape(3, 2).astype(dtype)))
        assert read.dtype == torch.float32
        assert read.tolist() == [[0, 1], [2, 3], [4, 5]]
    for suffix in (".pt", ".safetensors"):
        brain = {"y": torch.arange(6).reshape(3, 2).bfloat16()}
        path = tmp_path / f"brain{suffix}"
        torch.save(brain, path) if suffix == ".pt" else save_file(brain, path)
        assert read_latents(path).dtype == torch.float32
    assert read_latents(written(tmp_path, ".npy", y=LATENTS.astype(">f8"))).dtype == torch.float64
    np.testing.assert_array_equal(read_latents(written(tmp_path, ".npy", y=np.asfortranarray(LATENTS)[::-1])).numpy(), LATENTS[::-1])
    assert read_latents(written(tmp_path, ".h5", y=LATENTS.astype(">f4"))).dtype == torch.float32


def test_lists_of_links_that_lead_back_to_themselves_have_an_end(tmp_path):
    """HDF5's own walk over all names did not come back from such files, with a damaged pointer or a group that holds itself."""
    content = bytearray(written(tmp_path, ".h5", y=LATENTS).read_bytes())
    node = content.index(b"TREE")
    content[node + 16 : node + 24] = node.to_bytes(8, "little")  # the next node of the list
    (tmp_path / "damaged.h5").write_bytes(content)
    with h5py.File(tmp_path / "loop.h5", "w") as file:
        file["group/y"] = LATENTS
        file["group/again"] = file["group"]
        file["soft"] = h5py.SoftLink("/group/y")
    for name in ("damaged", "loop"):
        assert torch.equal(read_latents(tmp_path / f"{name}.h5").double(), torch.from_numpy(LATENTS).double())
    assert torch.equal(read_latents(tmp_path / "loop.h5::soft").double(), torch.from_numpy(LATENTS).double())


def test_bits_of_half_precision_that_are_read_as_integers_are_refused(tmp_path):
    bits = torch.from_numpy(LATENTS).bfloat16().view(torch.uint16).numpy()
    with pytest.raises(ValueError, match="bits of bfloat16"):
        read_latents(written(tmp_path, ".npy", y=bits))
    assert read_latents(written(tmp_path, ".npy", y=np.arange(6, dtype=np.uint16).reshape(3, 2))).shape == (3, 2)
    raw = np.zeros((3, 2), dtype="|V2")
    with pytest.raises(ValueError, match="bfloat16: save it as float32"):
        read_latents(written(tmp_path, ".npy", y=raw))


TOKENS = GENERATOR.standard_normal((6, 4, 3))
MAPS = GENERATOR.standard_normal((6, 3, 2, 5))


@pytest.mark.parametrize(
    ("array", "pool", "expected"),
    [
        (TOKENS, "cls", TOKENS[:, 0]),
        (TOKENS, "mean", TOKENS.mean(1)),
        (TOKENS, "max", TOKENS.max(1)),
        (TOKENS, "flatten", TOKENS.reshape(6, 12)),
        (TOKENS[:, :1], None, TOKENS[:, 0]),
        (MAPS, "mean", MAPS.mean((2, 3))),
        (MAPS, "max", MAPS.max((2, 3))),
        (MAPS, "flatten", MAPS.reshape(6, 30)),
        (MAPS[:, :, :1, :1], None, MAPS[:, :, 0, 0]),
        (LATENTS, "mean", LATENTS),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_tokens_and_feature_maps_are_pooled(tmp_path, suffix, array, pool, expected):
    np.testing.assert_allclose(read_latents(written(tmp_path, suffix, y=array), pool=pool).numpy(), expected, rtol=1e-12)


def test_tokens_in_nested_lists_are_pooled(tmp_path):
    path = tmp_path / "x.parquet"
    for kind in (pl.List(pl.List(pl.Float64)), pl.Array(pl.Float64, (4, 3)), pl.List(pl.Array(pl.Float64, 3))):
        pl.DataFrame({"tokens": pl.Series(TOKENS.tolist(), dtype=kind)}).write_parquet(path)
        np.testing.assert_allclose(read_latents(path, pool="mean").numpy(), TOKENS.mean(1))


def test_means_of_half_precision_do_not_overflow(tmp_path):
    tokens = np.full((2, 8, 3), 6e4, np.float16)
    assert read_latents(written(tmp_path, ".npy", y=tokens), pool="mean").max() == np.float16(6e4)


@pytest.mark.parametrize(
    ("array", "pool", "message"),
    [
        (TOKENS, None, "choose pool='cls', 'mean', 'max' or 'flatten'"),
        (MAPS, None, "choose pool='mean', 'max' or 'flatten'"),
        (MAPS, "cls", "no class token"),
        (LATENTS[0], "mean", r"got shape \(3,\), expected \(n, d\)"),
        (LATENTS, "median", "pool must be one of cls, mean, max, flatten"),
    ],
)
def test_pooling_that_is_not_said_or_makes_no_sense(tmp_path, array, pool, message):
    with pytest.raises(ValueError, match=message):
        read_latents(written(tmp_path, ".npy", y=array), pool=pool)


def test_a_large_file_is_mapped_and_changes_stay_private(tmp_path):
    path = tmp_path / "large.npy"
    rows = MAPPED_BYTES // (4 * 256) + 8
    stored = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, 256))
    stored[-1] = 7.0
    stored.flush()
    read = read_latents(path)
    assert read[-1].unique().tolist() == [7.0]
    read[-1] = 1.0
    assert np.load(path, mmap_mode="r")[-1, 0] == 7.0


def test_a_header_that_declares_more_than_the_file_holds_takes_no_memory(tmp_path):
    path = written(tmp_path, ".npy", y=LATENTS)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"(6, 3)", b"(6000000000000, 3)".ljust(6))[:128] + content[128:])
    with pytest.raises(ValueError, match="damaged"):
        read_latents(path)


def test_lists_of_batches_are_joined(tmp_path):
    batches = [torch.from_numpy(LATENTS[:4]), torch.from_numpy(LATENTS[4:])]
    for content in (batches, {"z": batches}, {"z": tuple(batches), "epoch": 3}):
        torch.save(content, tmp_path / "x.pt")
        np.testing.assert_array_equal(read_latents(tmp_path / "x.pt").numpy(), LATENTS)
    torch.save([batches[0], batches[1].float()], tmp_path / "x.pt")
    with pytest.raises(ValueError, match="list of 2 tensors of several kinds"):
        read_latents(tmp_path / "x.pt")
    torch.save([1, 2], tmp_path / "x.pt")
    with pytest.raises(ValueError, match="holds a list"):
        read_latents(tmp_path / "x.pt")


def test_sparse_tensors_are_refused_with_the_remedy(tmp_path):
    torch.save(torch.from_numpy(LATENTS).to_sparse(), tmp_path / "x.pt")
    with pytest.raises(ValueError, match=r"to_dense\(\)"):
        read_latents(tmp_path / "x.pt")


NAN = np.where(np.arange(18).reshape(6, 3) == 10, np.nan, LATENTS)
BAD_LATENTS = {
    "complex": (LATENTS + 0j, "got complex128, expected real"),
    "booleans": (LATENTS > 0, "got bool"),
    "words": (np.array([["a"]]), "expected real"),
    "one axis": (LATENTS[0], r"got shape \(3,\), expected \(n, d\)"),
    "none": (LATENTS[:0], "holds nothing"),
    "no dimension": (LATENTS[:, :0], "holds nothing"),
    "nan": (NAN, "1 values are NaN or infinite, the first in row 3"),
    "infinity": (np.where(np.isnan(NAN), -np.inf, NAN), "first in row 3"),
}


@pytest.mark.parametrize("name", BAD_LATENTS)
def test_arrays_that_are_no_latents(tmp_path, name):
    array, message = BAD_LATENTS[name]
    path = written(tmp_path, ".npy", y=array)
    with pytest.raises(ValueError, match=message) as caught:
        read_latents(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_damaged_files(tmp_path, suffix, damage, capfd):
    path = tmp_path / f"file{suffix}"
    WRITE[suffix](path, {"y": np.tile(LATENTS, (50, 1))})
    content = path.read_bytes()
    path.write_bytes({"truncated": content[: len(content) // 2], "garbage": bytes(range(256)) * 8, "empty": b""}[damage])
    with pytest.raises(ValueError, match=r"damaged|empty file") as caught:
        read_latents(path)
    assert str(path) in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_nothing_is_unpickled_and_the_remedy_is_named(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([print, None], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "objects.npz", y=np.array([{}], dtype=object))
    torch.save({"y": Exception("anything")}, tmp_path / "objects.pt")
    torch.save({"y": LATENTS}, tmp_path / "array.pt")
    for path, remedy in (
        ("objects.npy", "np.stack"),
        ("objects.npz", "np.stack"),
        ("objects.pt", "not unpickled"),
        ("array.pt", "NumPy array"),
    ):
        with pytest.raises(ValueError, match=remedy) as caught:
            read_latents(tmp_path / path)
        assert str(tmp_path / path) in str(caught.value)
        assert "weights_only" not in str(caught.value)
    np.savez(tmp_path / "mixed.npz", x=LATENTS, names=np.array(["a"], object))
    np.testing.assert_array_equal(read_latents(tmp_path / "mixed.npz", key="x").numpy(), LATENTS)  # the other array is not touched


def test_absent_unknown_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.npy"):
        read_latents(tmp_path / "absent.npy")
    (tmp_path / "file.docx").write_bytes(b"1")
    with pytest.raises(ValueError, match=r"suffix '\.docx' cannot be read here, expected one of \.npy, \.npz"):
        read_latents(str(tmp_path / "file.docx"))
    with pytest.raises(ValueError, match="null character"):
        read_latents("a\0b.npy")
    for source in (None, 3, LATENTS, [], {}):
        with pytest.raises((ValueError, FileNotFoundError), match=r"path must be|no file was given"):
            read_latents(source)


def test_formats_without_their_package_name_the_extra(tmp_path, monkeypatch):
    for suffix, package, extra in ((".h5", "h5py", "hdf5"), (".mat", "scipy.io", "hdf5"), (".parquet", "polars", "lab")):
        path = written(tmp_path, suffix, y=LATENTS)
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, package, None)
            with pytest.raises(ImportError, match=rf"pip install latentlink\[{extra}\]"):
                read_latents(path)


@pytest.fixture(autouse=True)
def _no_warning_is_lost():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
