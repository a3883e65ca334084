"""Labels: integers, names of classes, lines and columns; and what is refused."""

import numpy as np
import polars as pl
import pytest
import torch

from latentlink.data.readers.labels import read_labels, read_named_labels
from written_files import WRITE, written

LABELS = np.array([3, 0, 1, 1, 2, 9])
WORDS = np.array(["dog", "cat", "bird", "bird", "cow", "yak"])


@pytest.mark.parametrize("suffix", WRITE)
def test_labels_go_round(tmp_path, suffix):
    for stored in (LABELS, LABELS.astype(np.int32), LABELS.astype(np.uint8), LABELS.astype(np.float32), LABELS.reshape(-1, 1)):
        if suffix == ".mat" and stored.ndim == 1:
            continue  # MATLAB has no arrays of one axis: a row of labels is told as such below
        read = read_labels(written(tmp_path, suffix, labels=stored))
        assert read.dtype == torch.int64
        assert read.tolist() == LABELS.tolist()


def test_a_row_of_labels_of_matlab_is_a_column(tmp_path):
    assert read_labels(written(tmp_path, ".mat", labels=LABELS)).tolist() == LABELS.tolist()


def test_names_of_classes_are_numbered_as_they_sort(tmp_path):
    pl.DataFrame({"fine_label": WORDS, "id": range(6)}).write_parquet(tmp_path / "l.parquet")
    (tmp_path / "l.csv").write_text("label\n" + "\n".join(WORDS))
    (tmp_path / "l.txt").write_text("\n".join(WORDS))
    np.save(tmp_path / "l.npy", WORDS)
    for name in ("l.parquet", "l.csv", "l.txt", "l.npy"):
        read = read_named_labels(tmp_path / name)
        assert read.names == ("bird", "cat", "cow", "dog", "yak")
        assert read.numbers.tolist() == [3, 1, 0, 0, 2, 4]


def test_names_of_training_number_the_test_set(tmp_path):
    np.save(tmp_path / "test.npy", WORDS[:2])
    assert read_labels(tmp_path / "test.npy", names=("bird", "cat", "cow", "dog", "yak")).tolist() == [3, 1]
    with pytest.raises(ValueError, match=r"test\.npy: 1 of 2 labels are classes that training did not have \(dog\)"):
        read_labels(tmp_path / "test.npy", names=("bird", "cat"))


def test_the_column_of_labels_is_found_by_name(tmp_path):
    pl.DataFrame({"id": range(6), "label": LABELS, "f0": np.zeros(6)}).write_csv(tmp_path / "l.csv")
    assert read_labels(tmp_path / "l.csv").tolist() == LABELS.tolist()
    assert read_labels(f"{tmp_path}/l.csv::id").tolist() == list(range(6))
    pl.DataFrame({"a": LABELS, "b": LABELS}).write_csv(tmp_path / "l.csv")
    with pytest.raises(ValueError, match="a column named label or a key that says which; its keys are: a, b"):
        read_labels(tmp_path / "l.csv")


def test_shards_of_labels(tmp_path):
    np.save(tmp_path / "l-0.npy", LABELS[:4])
    np.save(tmp_path / "l-1.npy", LABELS[4:])
    assert read_labels(tmp_path).tolist() == LABELS.tolist()
    np.save(tmp_path / "l-2.npy", WORDS)
    with pytest.raises(ValueError, match="hold numbers and names"):
        read_labels(tmp_path)


BAD_LABELS = {
    "negative": (LABELS - 1, r"label 1 is -1.*1 such labels: if they mark unlabelled observations, drop those rows"),
    "broken": (LABELS + 0.5, "label 0 is 3.5"),
    "not a number": (np.array([1.0, np.nan]), "first in row 1"),
    "complex": (LABELS + 0j, "expected integers"),
    "one-hot": (np.eye(6), r"got shape \(6, 6\).*argmax"),
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
@pytest.mark.parametrize("text", ["label\n3\n0\n1\n", "3\n0\n1", "\ufeff3\r\n0\r\n\r\n1\r\n", "class\n3.0\n0\n1e0\n", "animal\n3\n0\n1"])
def test_labels_from_lines(tmp_path, suffix, text):
    path = tmp_path / f"labels{suffix}"
    path.write_text(text, encoding="utf-8")
    assert read_labels(path).tolist() == [3, 0, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"label\n1\ntwo\n", "line 3 is 'two'"),
        (b"1\n2,3\n", "line 2"),
        (b"1\n1_0\n", "line 2 is '1_0'"),
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
