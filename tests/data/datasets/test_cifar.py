import io
import os
import pickle
import tarfile

import numpy as np
import pytest
import torch

from latentlink.data.datasets.cifar import CIFAR10_CLASSES, cifar10
from latentlink.data.datasets.images import DatasetNotFound

PYTHON, BINARY = "cifar-10-batches-py", "cifar-10-batches-bin"
PER_BATCH = 3
BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def batch(index):
    generator = np.random.default_rng(index)
    return generator.integers(0, 256, (PER_BATCH, 32, 32, 3), dtype=np.uint8), generator.integers(0, 10, PER_BATCH).tolist()


def planes(images):
    """Rows as published: red, then green, then blue."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def python_2_pickle(data, labels):
    """A batch as Python 2 wrote it: protocol 2, text as byte strings, and NumPy's old names."""

    def text(value):
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + len(value).to_bytes(4, "little") + value

    def number(value):
        return b"J" + value.to_bytes(4, "little", signed=True)

    dtype = b"cnumpy\ndtype\n" + text(b"u1") + number(0) + number(1) + b"\x87R"
    dtype += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"\x87R"
    array += b"(" + number(1) + number(len(data)) + number(data.shape[1]) + b"\x86" + dtype + b"\x89" + text(data.tobytes()) + b"tb"
    listed = b"](" + b"".join(number(label) for label in labels) + b"e"
    entries = text(b"data") + array + text(b"labels") + listed + text(b"batch_label") + text(b"testing batch 1 of 1")
    return b"\x80\x02}(" + entries + text(b"filenames") + b"](" + text(b"a.png") + b"eu."


def python_content(index, protocol="2 by Python 2"):
    images, labels = batch(index)
    if protocol == "2 by Python 2":
        return python_2_pickle(planes(images), labels)
    return pickle.dumps({b"data": planes(images), b"labels": labels, b"filenames": [b"a.png"]}, protocol)


def binary_content(index):
    images, labels = batch(index)
    return np.concatenate([np.array(labels, np.uint8)[:, None], planes(images)], 1).tobytes()


def files(version, protocol="2 by Python 2"):
    if version == PYTHON:
        return {f"{PYTHON}/{name}": python_content(index, protocol) for index, name in enumerate(BATCHES)} | {
            f"{PYTHON}/batches.meta": b"x"
        }
    return {f"{BINARY}/{name}.bin": binary_content(index) for index, name in enumerate(BATCHES)} | {f"{BINARY}/readme.html": b"x"}


def lay_out(folder, version, packed, content=None):
    """Write the archive, or what it holds; returns the path of the archive or of its folder."""
    content = files(version) if content is None else content
    folder.mkdir(parents=True, exist_ok=True)
    if not packed:
        for name, value in content.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(value)
        return folder / version
    path = folder / {PYTHON: "cifar-10-python.tar.gz", BINARY: "cifar-10-binary.tar.gz"}[version]
    with tarfile.open(path, "w:gz") as archive:
        for name, value in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(value)
            archive.addfile(member, io.BytesIO(value))
    return path


def is_right(train, test):
    images, labels = zip(*(batch(index) for index in range(6)), strict=True)
    assert torch.equal(train.images, torch.as_tensor(np.concatenate(images[:5])))
    assert train.labels.tolist() == [label for some in labels[:5] for label in some]
    assert torch.equal(test.images, torch.as_tensor(images[5]))
    assert test.labels.tolist() == labels[5]
    assert (train.name, test.name) == ("cifar-10-train", "cifar-10-test")
    assert train.classes == CIFAR10_CLASSES


both_versions = pytest.mark.parametrize("version", [PYTHON, BINARY])
packed_or_not = pytest.mark.parametrize("packed", [False, True])


@both_versions
@packed_or_not
@pytest.mark.parametrize("named", ["the folder it is in", "itself", "LATENTLINK_DATA", "cifar-10 below LATENTLINK_DATA"])
def test_every_published_form_gives_the_same_images(tmp_path, monkeypatch, version, packed, named):
    below = tmp_path / "cifar-10" if named.startswith("cifar-10") else tmp_path
    path = lay_out(below, version, packed)
    monkeypatch.setenv("LATENTLINK_DATA", str(tmp_path) if "LATENTLINK_DATA" in named else str(tmp_path / "nothing"))
    folder = {"the folder it is in": tmp_path, "itself": path}.get(named)
    is_right(cifar10("train", folder), cifar10("test", folder))
    assert sorted(found.name for found in below.iterdir()) == [path.name]  # nothing was written


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_batches_pickled_again_by_python_3_are_read_too(tmp_path, protocol):
    lay_out(tmp_path, PYTHON, False, files(PYTHON, protocol))
    is_right(cifar10("train", tmp_path), cifar10("test", tmp_path))


def test_text_keys_and_columns_first(tmp_path):
    images, labels = batch(5)
    for protocol in (2, 5):
        content = pickle.dumps({"data": np.asfortranarray(planes(images)), "labels": labels}, protocol)
        lay_out(tmp_path, PYTHON, False, {f"{PYTHON}/test_batch": content})
        assert torch.equal(cifar10("test", tmp_path).images, torch.as_tensor(images))


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


@packed_or_not
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_no_code_in_a_pickle_is_run(tmp_path, packed, protocol):
    target = tmp_path / "made-by-the-pickle"
    content = pickle.dumps({b"data": Evil(str(target)), b"labels": [1]}, protocol)
    lay_out(tmp_path, PYTHON, packed, {f"{PYTHON}/test_batch": content})
    with pytest.raises(ValueError, match=rf"test_batch: refused: it asks for {os.mkdir.__module__}\.mkdir"):
        cifar10("test", tmp_path)
    assert not target.exists()


@pytest.mark.parametrize(
    "name", ["builtins\neval", "os\nsystem", "numpy\nload", "numpy.core.multiarray\nfromstring", "numpy._core.numeric\nones"]
)
def test_nothing_but_arrays_is_known_to_the_unpickler(tmp_path, name):
    lay_out(tmp_path, PYTHON, False, {f"{PYTHON}/test_batch": f"c{name}\n.".encode()})
    with pytest.raises(ValueError, match="refused"):
        cifar10("test", tmp_path)


def test_an_array_of_objects_is_no_batch(tmp_path):
    content = pickle.dumps({b"data": np.empty((1, 3072), object), b"labels": [1]}, 2)
    lay_out(tmp_path, PYTHON, False, {f"{PYTHON}/test_batch": content})
    with pytest.raises(ValueError, match="expected \\(n, 3072\\) unsigned bytes"):
        cifar10("test", tmp_path)


def test_members_that_point_elsewhere_are_read_in_memory_and_links_not_at_all(tmp_path):
    inside = tmp_path / "inside"
    path = lay_out(inside, BINARY, True, {"../../escaped/test_batch.bin": binary_content(5)})
    assert torch.equal(cifar10("test", inside).images, torch.as_tensor(batch(5)[0]))
    assert sorted(found.name for found in tmp_path.rglob("*")) == ["cifar-10-binary.tar.gz", "inside"]
    (tmp_path / "secret").write_bytes(binary_content(1))
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        with tarfile.open(path, "w:gz") as archive:
            link = tarfile.TarInfo(f"{BINARY}/test_batch.bin")
            link.type, link.linkname = kind, str(tmp_path / "secret")
            archive.addfile(link)
        with pytest.raises(ValueError, match=r"cifar-10-binary\.tar\.gz: has no test_batch\.bin"):
            cifar10("test", inside)


IMAGES, LABELS = batch(5)
PICKLED = python_content(5)
BAD_PICKLES = {
    "no bytes": (b"", "cannot be unpickled"),
    "truncated": (PICKLED[: len(PICKLED) // 2], "cannot be unpickled"),
    "text": (b"<html>404</html>", "cannot be unpickled"),
    "a list": (pickle.dumps([1]), "holds a list, expected a dict"),
    "other keys": (pickle.dumps({b"fine_labels": [1]}), "holds fine_labels, expected data"),
    "no labels": (pickle.dumps({b"data": planes(IMAGES)}, 2), "holds data, expected data"),
    "labels too few": (pickle.dumps({b"data": planes(IMAGES), b"labels": LABELS[:2]}, 2), "2 labels for 3 images"),
    "label too large": (pickle.dumps({b"data": planes(IMAGES), b"labels": [0, 10, 1]}, 2), "holds label 10, CIFAR-10 has 0 to 9"),
    "label below": (pickle.dumps({b"data": planes(IMAGES), b"labels": [0, -1, 1]}, 2), "holds label -1"),
    "label no number": (pickle.dumps({b"data": planes(IMAGES), b"labels": [0, "1", 1]}, 2), "holds label '1'"),
    "label true": (pickle.dumps({b"data": planes(IMAGES), b"labels": [0, True, 1]}, 2), "holds label True"),
    "floats": (pickle.dumps({b"data": planes(IMAGES).astype(float), b"labels": LABELS}, 2), "unsigned bytes"),
    "other size": (pickle.dumps({b"data": planes(IMAGES)[:, :3000], b"labels": LABELS}, 2), r"data has shape \(3, 3000\)"),
    "no images": (pickle.dumps({b"data": planes(IMAGES)[:0], b"labels": []}), r"data has shape \(0, 3072\)"),
    "one axis": (pickle.dumps({b"data": planes(IMAGES)[0], b"labels": LABELS}, 2), r"data has shape \(3072,\)"),
}


@packed_or_not
@pytest.mark.parametrize("name", BAD_PICKLES)
def test_damaged_python_batches_are_named(tmp_path, packed, name):
    content, message = BAD_PICKLES[name]
    path = lay_out(tmp_path, PYTHON, packed, {f"{PYTHON}/test_batch": content})
    with pytest.raises(ValueError, match=message) as caught:
        cifar10("test", tmp_path)
    assert str(path) in str(caught.value)
    assert "test_batch" in str(caught.value)


@packed_or_not
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes, expected a multiple of 3073"),
        (binary_content(5)[:-1], "9218 bytes"),
        (b"\x0a" + binary_content(5)[1:], "holds label 10"),
    ],
)
def test_damaged_binary_batches_are_named(tmp_path, packed, content, message):
    path = lay_out(tmp_path, BINARY, packed, {f"{BINARY}/test_batch.bin": content})
    with pytest.raises(ValueError, match=message) as caught:
        cifar10("test", tmp_path)
    assert str(path) in str(caught.value)


@both_versions
@packed_or_not
def test_an_incomplete_training_set_says_what_is_missing(tmp_path, version, packed):
    content = {name: value for name, value in files(version).items() if "data_batch_4" not in name}
    path = lay_out(tmp_path, version, packed, content)
    with pytest.raises(ValueError, match="has no data_batch_4") as caught:
        cifar10("train", tmp_path)
    assert str(path) in str(caught.value)
    assert len(cifar10("test", tmp_path)) == PER_BATCH


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[: len(raw) // 2], lambda raw: b"<html>", lambda raw: b"", lambda raw: raw[:-9] + b"\0" * 9]
)
def test_damaged_archives_are_named(tmp_path, damage):
    path = lay_out(tmp_path, BINARY, True)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="cannot be read as an archive") as caught:
        cifar10("train", tmp_path)
    assert str(path) in str(caught.value)


def test_a_member_that_claims_to_be_huge_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("latentlink.data.datasets.cifar.LARGEST", 1000)
    lay_out(tmp_path, BINARY, True)
    with pytest.raises(ValueError, match=r"test_batch\.bin has 9219 bytes, more than 1000"):
        cifar10("test", tmp_path)


@pytest.mark.parametrize("named", ["argument", "variable", "none"])
def test_a_missing_set_says_where_it_was_sought(tmp_path, monkeypatch, named):
    monkeypatch.setenv("LATENTLINK_DATA", str(tmp_path / "mine") if named == "variable" else "")
    with pytest.raises(DatasetNotFound, match=r"cifar-10-python\.tar\.gz.*cifar-10-batches-bin.*LATENTLINK_DATA") as caught:
        cifar10("train", tmp_path / "asked" if named == "argument" else None)
    sought = {"argument": [tmp_path / "asked"], "variable": [tmp_path / "mine", tmp_path / "mine" / "cifar-10"], "none": []}[named]
    assert all(str(place) in str(caught.value) for place in sought)
    assert (len(sought) == 0) == ("has no folder to be read from" in str(caught.value))


def test_unknown_split(tmp_path):
    with pytest.raises((ValueError, TypeError)):
        cifar10("validation", tmp_path)


def test_a_memo_number_that_asks_for_gigabytes_is_refused(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "test_batch").write_bytes(b"\x80\x02Nr\xff\xff\xff\x3f.")
    with pytest.raises(ValueError, match=r"test_batch.*memo number 1073741823"):
        cifar10("test", tmp_path)
