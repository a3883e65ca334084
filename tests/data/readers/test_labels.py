"""Labels: integers, names of classes, lines and columns; and what is refused."""

import numpy as np
import pandas
import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.data.readers.labels import read_labels, read_named_labels
from written_files import WRITE, written

LABELS = np.array([3, 0, 1, 1, 2, 9])
WORDS = np.array(["dog", "cat", "bird", "bird", "cow", "yak", "dog"])


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
    pl.DataFrame({"fine_label": WORDS, "id": range(7)}).write_parquet(tmp_path / "l.parquet")
    (tmp_path / "l.csv").write_text("label\n" + "\n".join(WORDS))
    (tmp_path / "l.txt").write_text("\n".join(WORDS))
    np.save(tmp_path / "l.npy", WORDS)
    for name in ("l.parquet", "l.csv", "l.txt", "l.npy"):
        read = read_named_labels(tmp_path / name)
        assert read.names == ("bird", "cat", "cow", "dog", "yak")
        assert read.numbers.tolist() == [3, 1, 0, 0, 2, 4, 3]


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
@pytest.mark.parametrize("text", ["label\n3\n0\n1\n", "3\n0\n1", "\ufeff3\r\n0\r\n1\r\n\r\n", "class\n3.0\n0\n1e0\n", "animal\n3\n0\n1"])
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
        (b"\xff\xfe1\n", "UTF-16.*save it as UTF-8"),
        (b"1\n\xff\n", "damaged"),
        (b"1\n\n2\n", "line 2 is ''"),
    ],
)
def test_lines_that_are_no_labels(tmp_path, content, message):
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_labels(path)
    assert str(path) in str(caught.value)


MISSING = (float("nan"), None, "", "nan", "NA", "<NA>")


@pytest.mark.parametrize("missing", MISSING)
def test_what_is_missing_is_no_class(tmp_path, missing):
    words = ["a", "b", missing, "a"]
    y = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    for labels in (words, np.array(words, object), pandas.Series(words), tuple(words)):
        for take in (lambda labels: ll.fit_head(y, labels), lambda labels: ll.read_pairs(y_file(tmp_path, y), y_file(tmp_path, y), labels)):
            with pytest.raises(ValueError, match=r"labels: row 2 is .*, expected a class in every row: drop the rows"):
                take(labels)
    for frame in (pl.DataFrame({"label": words}, strict=False), pandas.DataFrame({"label": words})):
        with pytest.raises(ValueError, match=r"row 2"):
            read_labels(frame)


def y_file(folder, y):
    np.save(folder / "y.npy", y.numpy())
    return folder / "y.npy"


@pytest.mark.parametrize("missing", ["nan", "NA", '""', "", "<NA>"])
@pytest.mark.parametrize("kind", [["a", "b", "a"], ["0", "1", "0"]])
def test_missing_labels_of_text_files_are_named_by_their_place(tmp_path, missing, kind):
    (tmp_path / "l.csv").write_text("\n".join(["label", kind[0], kind[1], missing, kind[2]]) + "\n")
    with pytest.raises(ValueError, match=r"l\.csv.*(line 4|row 2)"):
        read_labels(tmp_path / "l.csv")
    (tmp_path / "l.csv").write_text("\n".join(["id,label", f"1,{kind[0]}", f"2,{kind[1]}", f"3,{missing}", f"4,{kind[2]}"]) + "\n")
    with pytest.raises(ValueError, match=r"l\.csv.*(row 2|label 2)"):
        read_labels(tmp_path / "l.csv")


def test_a_long_word_takes_its_own_length_alone(tmp_path):
    (tmp_path / "l.txt").write_text("a\n" * 20000 + "b" * 200_000)
    found = read_named_labels(tmp_path / "l.txt")
    assert found.numbers.sum() == 1
    words = ["a"] * 20000 + ["b" * 200_000]
    assert ll.Pilots(torch.zeros(20001, 1), torch.zeros(20001, 1), words).names == found.names
    frame = pl.DataFrame({"id": words[-10:], "label": words[-10:], "f": range(10)}).with_columns(
        id=pl.col("label") + pl.int_range(10).cast(str)
    )
    assert ll.read_pairs(frame, frame).names == found.names


def test_class_labels_of_hugging_face_keep_their_names_and_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    import datasets

    features = datasets.Features({"label": datasets.ClassLabel(names=["dog", "cat", "yak"]), "e": datasets.List(datasets.Value("float32"))})
    data = datasets.Dataset.from_dict({"label": [1, 0, 1], "e": [[0.0], [1.0], [2.0]]}, features=features)
    data.to_parquet(tmp_path / "l.parquet")
    plain = pl.DataFrame({"label": [1, 0, 1], "e": [[0.0], [1.0], [2.0]]})
    for source in (data, tmp_path / "l.parquet"):
        for other in (data, plain, plain.with_columns(label=pl.Series(["cat", "dog", "cat"]))):
            for pilots in (ll.read_pairs(source, other), ll.read_pairs(other, source), ll.data.sample_pairs(other, source)):
                assert (pilots.names, pilots.labels.tolist()) == (("dog", "cat", "yak"), [1, 0, 1])
            ll.data.moments_of_shards(source, other)
        assert read_named_labels(source, names=("cat", "yak", "dog")).numbers.tolist() == [0, 2, 0]
        with pytest.raises(ValueError, match="hold different labels in 3 of 3"):
            ll.read_pairs(source, plain.with_columns(label=1 - pl.col("label")))


def test_the_first_word_is_a_header_only_where_that_is_sure(tmp_path):
    path = tmp_path / "l.txt"

    def read(*lines):
        path.write_text("\n".join(lines))
        found = read_named_labels(path)
        return [word if found.names is None else found.names[word] for word in found.numbers.tolist()]

    assert read("y", "n", "y", "n") == ["y", "n", "y", "n"]
    assert read("label", "n", "y") == ["n", "y"]
    assert read("target", "name", "target") == ["target", "name", "target"]
    assert read("# animals", "cat", "dog", "cat") == ["cat", "dog", "cat"]
    assert read("species", "3", "0") == [3, 0]
    for first in ("species", "y"):
        with pytest.warns(UserWarning, match=rf"l\.txt: the first line, '{first}', occurs nowhere else .* write label instead"):
            assert read(first, "setosa", "virginica", "setosa")[0] == first
