import sys

import h5py
import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from latentlink.data.readers.files import read_channels, read_labels, read_latents

GENERATOR = np.random.default_rng(0)
LATENTS = GENERATOR.standard_normal((6, 3))
LABELS = np.array([3, 0, 1, 1, 2, 9])
CHANNELS = GENERATOR.standard_normal((5, 4, 2, 3)) + 1j * GENERATOR.standard_normal((5, 4, 2, 3))


def tensors(arrays):
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


def frame(arrays):
    return pl.DataFrame({name: list(array) if array.ndim == 2 else array for name, array in arrays.items()})


WRITE = {
    ".npz": lambda path, arrays: np.savez(path, **arrays),
    ".safetensors": lambda path, arrays: save_file(tensors(arrays), path),
    ".pt": lambda path, arrays: torch.save(tensors(arrays), path),
    ".pth": lambda path, arrays: torch.save(tensors(arrays), path),
    ".parquet": lambda path, arrays: frame(arrays).write_parquet(path),
    ".npy": lambda path, arrays: np.save(path, next(iter(arrays.values()))),
}


def written(folder, suffix, **arrays):
    path = folder / f"file{suffix}"
    WRITE[suffix](path, arrays)
    return path


@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_latents_go_round(tmp_path, suffix, dtype):
    read = read_latents(written(tmp_path, suffix, y=LATENTS.astype(dtype)))
    assert read.numpy().dtype == dtype
    np.testing.assert_array_equal(read.numpy(), LATENTS.astype(dtype))
    read.mul_(2)  # own memory, writable


@pytest.mark.parametrize("suffix", WRITE)
def test_labels_go_round(tmp_path, suffix):
    for stored in (LABELS, LABELS.astype(np.int32), LABELS.astype(np.uint8), LABELS.astype(np.float32), LABELS.reshape(-1, 1)):
        read = read_labels(written(tmp_path, suffix, labels=stored))
        assert read.dtype == torch.int64
        assert read.tolist() == LABELS.tolist()


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITE if suffix != ".npy"])
def test_containers_with_several_arrays_want_a_key(tmp_path, suffix):
    path = written(tmp_path, suffix, latent=LATENTS, label=LABELS)
    np.testing.assert_array_equal(read_latents(path, "latent").numpy(), LATENTS)
    assert read_labels(path, key="label").tolist() == LABELS.tolist()
    with pytest.raises(ValueError, match=r"a key .*(?:label.*latent|latent.*label)") as caught:
        read_latents(path)
    assert str(path) in str(caught.value)
    with pytest.raises(ValueError, match="no array 'other'; its keys are"):
        read_latents(path, "other")


def test_one_bare_array_wants_no_key(tmp_path):
    torch.save(torch.from_numpy(LATENTS), tmp_path / "bare.pt")
    np.testing.assert_array_equal(read_latents(tmp_path / "bare.pt").numpy(), LATENTS)
    for path in (tmp_path / "bare.pt", written(tmp_path, ".npy", y=LATENTS)):
        with pytest.raises(ValueError, match="without a name, got key 'y'"):
            read_latents(path, "y")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ValueError, match="holds a list"):
        read_latents(tmp_path / "list.pt")


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


def test_parquet_takes_lists_arrays_and_plain_columns(tmp_path):
    path = tmp_path / "y.parquet"
    pl.DataFrame({"y": pl.Series(LATENTS.tolist(), dtype=pl.Array(pl.Float32, 3))}).write_parquet(path)
    np.testing.assert_array_equal(read_latents(path).numpy(), LATENTS.astype(np.float32))
    pl.DataFrame({f"d{i}": LATENTS[:, i] for i in range(3)}).write_parquet(path)
    np.testing.assert_array_equal(read_latents(path).numpy(), LATENTS)


BAD_TABLES = {
    "ragged": ({"y": [[1.0, 2.0], [3.0]]}, "1 to 2 values"),
    "no numbers in the lists": ({"y": [[], []]}, "expected"),
    "hole in a list": ({"y": [[1.0, None], [3.0, 4.0]]}, "1 missing"),
    "missing list": ({"y": [[1.0], None]}, "1 missing"),
    "missing number": ({"a": [1.0, None], "b": [1.0, 2.0]}, "column a has 1 missing"),
    "words": ({"y": ["a", "b"]}, "expected numbers or lists of numbers"),
    "words beside numbers": ({"y": ["a", "b"], "z": [1.0, 2.0]}, "y .String., z .Float64."),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_tables_that_are_no_latents(tmp_path, name):
    columns, message = BAD_TABLES[name]
    pl.DataFrame(columns).write_parquet(tmp_path / "y.parquet")
    with pytest.raises(ValueError, match=message) as caught:
        read_latents(tmp_path / "y.parquet")
    assert str(tmp_path / "y.parquet") in str(caught.value)


NAN = np.where(np.arange(18).reshape(6, 3) == 10, np.nan, LATENTS)
BAD_LATENTS = {
    "complex": (LATENTS + 0j, "got complex128, expected real"),
    "booleans": (LATENTS > 0, "got bool"),
    "words": (np.array([["a"]]), "expected real"),
    "one axis": (LATENTS[0], r"got shape \(3,\), expected \(n, d\)"),
    "three axes": (LATENTS[None], r"got shape \(1, 6, 3\)"),
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


BAD_LABELS = {
    "negative": (LABELS - 1, "label 1 is -1"),
    "broken": (LABELS + 0.5, "label 0 is 3.5"),
    "not a number": (np.array([1.0, np.nan]), "first in row 1"),
    "complex": (LABELS + 0j, "expected integers"),
    "two columns": (np.stack([LABELS, LABELS], 1), r"got shape \(6, 2\)"),
    "none": (LABELS[:0], "no labels"),
    "huge": (np.array([1, 2**63], dtype=np.uint64), "expected an integer"),
}


@pytest.mark.parametrize("name", BAD_LABELS)
def test_arrays_that_are_no_labels(tmp_path, name):
    array, message = BAD_LABELS[name]
    path = written(tmp_path, ".npy", y=array)
    with pytest.raises(ValueError, match=message) as caught:
        read_labels(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
@pytest.mark.parametrize("text", ["label\n3\n0\n1\n", "3\n0\n1", "\ufeff3\r\n0\r\n\r\n1\r\n", "class\n3.0\n0\n1e0\n"])
def test_labels_from_lines(tmp_path, suffix, text):
    path = tmp_path / f"labels{suffix}"
    path.write_text(text, encoding="utf-8")
    assert read_labels(path).tolist() == [3, 0, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"label\n1\ntwo\n", "line 3 is 'two'"),
        (b"1\n2,3\n", "line 2"),
        (b"label\n", "no labels"),
        (b"1\n-2\n", "-2"),
        (b"\xff\xfe1\n", "damaged"),
    ],
)
def test_lines_that_are_no_labels(tmp_path, content, message):
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_labels(path)
    assert str(path) in str(caught.value)
    with pytest.raises(ValueError, match=r"suffix '\.csv' cannot be read here"):
        read_latents(path)


READ = {
    **dict.fromkeys(WRITE, read_latents),
    ".h5": read_channels,
    ".mat": read_channels,
}


@pytest.mark.parametrize("suffix", READ)
@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_damaged_files(tmp_path, suffix, damage, capfd):
    path = tmp_path / f"file{suffix}"
    if suffix in WRITE:
        WRITE[suffix](path, {"y": np.tile(LATENTS, (50, 1))})
    else:
        write_matlab(path, CHANNELS)
    content = path.read_bytes()
    path.write_bytes({"truncated": content[: len(content) // 2], "garbage": bytes(range(256)) * 8, "empty": b""}[damage])
    with pytest.raises(ValueError, match=r"damaged|empty file") as caught:
        READ[suffix](path)
    assert str(path) in str(caught.value)


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([print, None], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "objects.npz", y=np.array([{}], dtype=object))
    torch.save({"y": Exception("anything")}, tmp_path / "objects.pt")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(ValueError, match="cannot be read") as caught:
            read_latents(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("read", [read_latents, read_labels, read_channels])
def test_absent_unknown_and_folders(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r"absent\.npy"):
        read(tmp_path / "absent.npy")
    (tmp_path / "file.docx").write_bytes(b"1")
    with pytest.raises(ValueError, match=r"suffix '\.docx' cannot be read here, expected one of \.npy, \.npz"):
        read(str(tmp_path / "file.docx"))
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(ValueError, match="not a file"):
        read(tmp_path / "folder.npy")


def write_matlab(path, h, name="h", fields=("real", "imag")):
    """As MATLAB's save -v7.3: a block of its own first, axes reversed, pairs of numbers, the class as an attribute."""
    stored = np.empty(h.T.shape, dtype=[(fields[0], "<f8"), (fields[1], "<f8")])
    stored[fields[0]], stored[fields[1]] = h.T.real, h.T.imag
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset(name, data=stored).attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))


@pytest.mark.parametrize("fields", [("real", "imag"), ("r", "i")])
@pytest.mark.parametrize("h", [CHANNELS, CHANNELS[:, 0]])
def test_matlab_axes_are_put_right(tmp_path, h, fields):
    write_matlab(tmp_path / "h.mat", h, fields=fields)
    read = read_channels(tmp_path / "h.mat")
    np.testing.assert_array_equal(read.numpy(), h if h.ndim == 4 else h[:, None])
    assert read.is_contiguous()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5", ".hdf5"])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("h", [CHANNELS, CHANNELS[:, 0]])
def test_channels_go_round(tmp_path, suffix, h, dtype):
    path = tmp_path / f"h{suffix}"
    if suffix in WRITE:
        WRITE[suffix](path, {"h": h.astype(dtype)})
    else:
        with h5py.File(path, "w") as file:
            file["measured/h"] = h.astype(dtype)
    read = read_channels(path)
    assert read.dtype == torch.complex128
    assert read.shape == ((5, 4, 2, 3) if h.ndim == 4 else (5, 1, 2, 3))
    np.testing.assert_array_equal(read.numpy(), h.astype(dtype).reshape(read.shape))


def test_plain_hdf5_pairs_are_not_transposed(tmp_path):
    stored = np.empty(CHANNELS.shape, dtype=[("real", "<f4"), ("imag", "<f4")])
    stored["real"], stored["imag"] = CHANNELS.real, CHANNELS.imag
    with h5py.File(tmp_path / "h.h5", "w") as file:
        file["h"] = stored
    np.testing.assert_array_equal(read_channels(tmp_path / "h.h5").numpy(), CHANNELS.astype(np.complex64))


def test_hdf5_with_several_datasets_wants_a_key(tmp_path):
    with h5py.File(tmp_path / "h.h5", "w") as file:
        file["site/a"], file["b"], file["#refs#/x"] = CHANNELS, CHANNELS * 2, [1]
        file["note"] = "measured on the roof"
    with pytest.raises(ValueError, match="its keys are: b, note, site/a"):
        read_channels(tmp_path / "h.h5")
    for key in ("site/a", "/site/a"):
        np.testing.assert_array_equal(read_channels(tmp_path / "h.h5", key).numpy(), CHANNELS)
    with pytest.raises(ValueError, match="no array 'site'"):
        read_channels(tmp_path / "h.h5", "site")
    with pytest.raises(ValueError, match="expected a complex array"):
        read_channels(tmp_path / "h.h5", "note")


@pytest.mark.parametrize("start", [b"MATLAB 5.0 MAT-file, Platform: PCWIN64", b"\0\0\0\0 something before 5.0"])
def test_matlab_before_7_3_says_what_to_do(tmp_path, start):
    (tmp_path / "h.mat").write_bytes(start.ljust(600, b" "))
    with pytest.raises(ValueError, match=r"older than v7\.3.*'-v7\.3'"):
        read_channels(tmp_path / "h.mat")


BAD_CHANNELS = {
    "real": (CHANNELS.real, "got float64, expected a complex array"),
    "two axes": (CHANNELS[0, 0], r"got shape \(2, 3\), expected \(N, rx, tx\) or \(N, uses, rx, tx\)"),
    "five axes": (CHANNELS[None], r"got shape \(1, 5, 4, 2, 3\)"),
    "none": (CHANNELS[:0], "holds nothing"),
    "infinite": (np.where(np.arange(5).reshape(5, 1, 1, 1) == 2, np.inf, CHANNELS), "first in row 2"),
}


@pytest.mark.parametrize("name", BAD_CHANNELS)
def test_arrays_that_are_no_channels(tmp_path, name):
    array, message = BAD_CHANNELS[name]
    path = written(tmp_path, ".npy", h=array)
    with pytest.raises(ValueError, match=message) as caught:
        read_channels(path)
    assert str(path) in str(caught.value)


def test_hdf5_without_h5py_names_the_extra(tmp_path, monkeypatch):
    write_matlab(tmp_path / "h.mat", CHANNELS)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install latentlink\[hdf5\]"):
        read_channels(tmp_path / "h.mat")
