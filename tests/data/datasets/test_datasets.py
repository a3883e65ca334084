import gzip
import pickle
import struct
import sys

import pytest
import torch

from latentlink.data.datasets import images as datasets
from latentlink.data.datasets.images import DEBIAN_FOLDER, FASHION_CLASSES, DatasetNotFound, ImageSet, digits, fashion_mnist

WRONG = (ValueError, TypeError)  # in pytest the type checker may speak before the door does


def write_idx(path, values, zipped):
    content = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.numpy().tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if zipped else content)


def small_fashion(folder, n=20, n_labels=None, largest=9, zipped=True):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 28, 28), dtype=torch.uint8, generator=generator)
    labels = (torch.arange(n_labels or n) % (largest + 1)).to(torch.uint8)
    ending = ".gz" if zipped else ""
    write_idx(folder / f"t10k-images-idx3-ubyte{ending}", images, zipped)
    write_idx(folder / f"t10k-labels-idx1-ubyte{ending}", labels, zipped)
    return images, labels.to(torch.int64)


@pytest.mark.parametrize(("split", "n"), [("train", 60_000), ("test", 10_000)])
def test_fashion_mnist_is_whole_and_balanced(split, n, tmp_path):
    if not DEBIAN_FOLDER.is_dir():  # a machine without the package: the reader is tested on a folder of the same layout
        images, labels = small_fashion(tmp_path)
        read = fashion_mnist("test", tmp_path)
        assert torch.equal(read.images, images)
        assert torch.equal(read.labels, labels)
        return
    read = fashion_mnist(split, DEBIAN_FOLDER)
    assert len(read) == n
    assert read.images.shape == (n, 28, 28)
    assert read.labels.bincount().tolist() == [n // 10] * 10
    assert read.classes == FASHION_CLASSES
    assert 60 < read.images.float().mean() < 85  # published: 0.286 of 255


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("below", [".", "fashion-mnist"])
def test_the_environment_names_a_folder(tmp_path, monkeypatch, zipped, below):
    images, labels = small_fashion(tmp_path / below, zipped=zipped)
    monkeypatch.setenv("LATENTLINK_DATA", str(tmp_path))
    read = fashion_mnist("test")
    assert torch.equal(read.images, images)
    assert torch.equal(read.labels, labels)


@pytest.mark.parametrize("named", [True, False])
def test_a_missing_set_says_where_it_was_sought_and_how_to_get_it(tmp_path, monkeypatch, named):
    monkeypatch.setenv("LATENTLINK_DATA", str(tmp_path / "mine") if named else "")
    monkeypatch.setattr(datasets, "DEBIAN_FOLDER", tmp_path / "debian")
    with pytest.raises(DatasetNotFound, match="dataset-fashion-mnist") as caught:
        fashion_mnist("train")
    for part in (str(tmp_path / ("mine" if named else "debian")), "LATENTLINK_DATA", "train-images-idx3-ubyte"):
        assert part in str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # survives the way back from a worker process


def test_a_named_folder_is_the_only_place(tmp_path):
    small_fashion(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DatasetNotFound, match=str(tmp_path)):
        fashion_mnist("test", tmp_path)


def test_labels_must_belong_to_the_images(tmp_path):
    small_fashion(tmp_path / "count", n=20, n_labels=19)
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte\.gz: 19 labels for the 20 images"):
        fashion_mnist("test", tmp_path / "count")
    small_fashion(tmp_path / "range", largest=10)
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte\.gz: holds label 10"):
        fashion_mnist("test", tmp_path / "range")


def test_digits_are_split_once_for_all():
    train, test = digits("train"), digits("test")
    assert (len(train), len(test)) == (1200, 597)
    assert train.images.dtype == torch.uint8
    assert (int(train.images.min()), int(train.images.max())) == (0, 255)
    again = digits("train")
    assert torch.equal(train.images, again.images)
    assert torch.equal(train.labels, again.labels)
    assert train.labels[:40].unique().numel() == 10  # shuffled
    total = train.labels.bincount() + test.labels.bincount()
    assert (test.labels.bincount() - total * 597 / 1797).abs().max() <= 1  # stratified
    everything = torch.cat([train.images, test.images]).reshape(1797, -1)
    from sklearn.datasets import load_digits

    original = torch.as_tensor(load_digits().images).mul(255 / 16).round().to(torch.uint8).reshape(1797, -1)
    assert sorted(everything.tolist()) == sorted(original.tolist())


def test_digits_leave_the_global_random_numbers_alone():
    before = torch.get_rng_state()
    digits("test")
    assert torch.equal(before, torch.get_rng_state())


def test_digits_without_scikit_learn_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install latentlink\[eval\]"):
        digits("test")


@pytest.mark.parametrize("read", [digits, fashion_mnist])
def test_unknown_split(read):
    with pytest.raises(WRONG):
        read("validation")


def test_subsets_keep_images_and_labels_together():
    train = digits("train")
    mask = train.labels == 3
    assert (train.subset(mask).labels == 3).all()
    assert torch.equal(train.subset([5, 2]).images, train.images[[5, 2]])
    assert torch.equal(train.subset(slice(10, 20)).labels, train.labels[10:20])
    assert torch.equal(train.subset(torch.tensor([7])).images[0], train.images[7])
    assert len(train.subset(slice(0, 0))) == 0


def test_image_sets_are_checked_at_the_door():
    grey, labels = torch.zeros(3, 4, 4, dtype=torch.uint8), torch.tensor([0, 1, 2])
    classes = ("a", "b", "c")
    assert len(ImageSet("colour", torch.zeros(3, 4, 4, 3, dtype=torch.uint8), labels, classes)) == 3
    for images, given in (
        (grey.float(), labels),
        (grey[0], labels),
        (grey.unsqueeze(1), labels),
        (grey, labels[:2]),
        (grey, labels.float()),
    ):
        with pytest.raises(WRONG):
            ImageSet("wrong", images, given, classes)
    for wrong in (labels + 1, labels - 1):
        with pytest.raises(ValueError, match="must be 0 to 2"):
            ImageSet("wrong", grey, wrong, classes)
