from dataclasses import replace
from functools import partial

import pytest
import torch

from data.digits_pair import trained_pair
from latentlink.data import pairs
from latentlink.data.cache import encode
from latentlink.data.datasets.cifar import cifar10
from latentlink.data.datasets.images import DatasetNotFound, ImageSet, digits
from latentlink.data.encoders.image_encoder import from_callable
from latentlink.data.pairs import device_pair
from latentlink.data.readers.images import read_images
from latentlink.data.readers.labels import read_labels
from latentlink.data.readers.latents import read_latents
from latentlink.data.readers.writing import write_array
from latentlink.latents.pilot_selection import PilotSelection


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Nothing is on this machine, and the two small encoders are trained once for all tests: training them has tests of its own."""
    monkeypatch.setattr(pairs, "small_digit_encoders", lambda images: trained_pair())
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LATENTLINK_DATA", str(tmp_path / "nothing-here"))


def test_without_fashion_mnist_digits_and_two_small_encoders_stand_in_and_say_so():
    pair = device_pair(pilots=300, test=100)
    assert "digits with two small encoders" in pair.note
    assert "LATENTLINK_DATA" in pair.note
    assert (pair.pilots.x.shape, pair.pilots.y.shape, len(pair.test)) == ((300, 96), (300, 128), 100)
    asked_for = device_pair("digits", pilots=300, test=100)
    assert asked_for.note == ""
    assert torch.equal(asked_for.pilots.x, pair.pilots.x)


def test_what_is_asked_for_by_name_is_not_replaced():
    with pytest.raises(DatasetNotFound, match="nothing-here"):
        device_pair("fashion-mnist")
    with pytest.raises(ValueError, match="pilots must be an integer >= 1"):
        device_pair("digits", pilots=0)


def test_pairs_show_the_same_images(monkeypatch):
    seen = []
    monkeypatch.setattr(
        pairs, "encode", lambda encoder, images, progress=None, executor=None: seen.append(images) or torch.ones(len(images), 3)
    )
    device_pair("digits", pilots=10, test=5)
    assert torch.equal(seen[0].images, seen[1].images)
    assert torch.equal(seen[2].images, seen[3].images)
    assert len(seen[0]) == 10
    assert len(seen[2]) == 5


@pytest.mark.parametrize("suffix", [".npy", ".safetensors", ".parquet", ".pt"])
def test_what_is_written_is_read_back(tmp_path, suffix):
    latents, labels = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 3, 1])
    write_array(tmp_path / f"x{suffix}", latents)
    write_array(tmp_path / f"l{suffix}", labels)
    assert torch.equal(read_latents(tmp_path / f"x{suffix}"), latents)
    assert torch.equal(read_labels(tmp_path / f"l{suffix}"), labels)


def test_other_kinds_of_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="xlsx"):
        write_array(tmp_path / "x.xlsx", torch.ones(2, 2))
    assert list(tmp_path.iterdir()) == []
    write_array(tmp_path / "x.npy", torch.ones(2, 2))
    with pytest.raises(ValueError, match="uint8"):
        read_images(tmp_path / "x.npy")


class Plain:
    """An encoder's place: mean shade and something of its own, without any weights."""

    def __init__(self, monkeypatch):
        self.asked = []
        monkeypatch.setattr(pairs, "encoder", self.named)

    def named(self, name, size):
        self.asked.append((name, size))
        own = {"one": 2.0, "two": 3.0}[name]
        found = from_callable(name, lambda images: images.flatten(1)[:, :4].float() * own, 4, f"{size}")
        return replace(found, size=64 if size is None else size)


def small_cifar(folder, counts=(2, 2, 2, 2, 2, 5)):
    """CIFAR-10's binary version of a few images."""
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    for name, count in zip([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"], counts, strict=True):
        records = torch.randint(0, 256, (count, 3073), dtype=torch.uint8, generator=generator)
        records[:, 0] %= 10
        (folder / name).write_bytes(records.numpy().tobytes())


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_cifar_10_by_name(tmp_path, monkeypatch, by):
    plain = Plain(monkeypatch)
    small_cifar(tmp_path / "images" / "cifar-10-batches-bin")
    if by == "variable":
        monkeypatch.setenv("LATENTLINK_DATA", str(tmp_path / "images"))
    folder = tmp_path / "images" if by == "argument" else None
    pair = device_pair("cifar-10", "one", "two", pilots=7, test=None, folder=folder)
    images = cifar10("train", tmp_path / "images").subset(slice(0, 7))
    assert torch.equal(pair.pilots.x, images.images.flatten(1)[:, :4].float() * 2)
    assert torch.equal(pair.pilots.y, images.images.flatten(1)[:, :4].float() * 3)
    assert torch.equal(pair.pilots.labels, images.labels)
    assert (len(pair.test), pair.transmitter, pair.receiver, pair.dataset, pair.note) == (5, "one", "two", "CIFAR-10 at 64 px", "")
    assert plain.asked == [("one", None), ("two", None)]
    sized = device_pair("cifar-10", "one", "two", pilots=None, test=10**9, image_size=96, folder=folder or tmp_path / "images")
    assert (len(sized.pilots), len(sized.test), sized.dataset) == (10, 5, "CIFAR-10 at 96 px")
    with pytest.raises(DatasetNotFound, match="elsewhere"):
        device_pair("cifar-10", "one", "two", folder=tmp_path / "elsewhere")


def test_more_pilots_encode_only_what_was_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "encode", partial(encode, shard_size=2))
    plain, seen = Plain(monkeypatch), []

    def counting(name, size):
        found = plain.named(name, size)
        return replace(found, function=lambda images: seen.append(len(images)) or found.function(images))

    monkeypatch.setattr(pairs, "encoder", counting)
    small_cifar(tmp_path / "cifar-10-batches-bin")
    for pilots, computed in ((4, 4), (8, 4), (10, 2), (6, 0), (None, 0)):
        seen.clear()
        device_pair("cifar-10", "one", "two", pilots=pilots, test=2, folder=tmp_path)
        assert sum(seen) == 2 * (computed + (2 if pilots == 4 else 0))  # at both ends; the test images only the first time


def test_the_pilots_of_a_pair_can_be_chosen_by_class():
    pair = device_pair("digits", pilots=None, test=100)
    chosen = PilotSelection(20, "centroid").choose(pair.pilots)
    assert len(pair.pilots) == 1200
    assert chosen.labels.bincount().tolist() == [20] * 10


def test_what_makes_no_sense_is_refused(tmp_path):
    with pytest.raises(ValueError, match="folder must not be given for digits"):
        device_pair("digits", folder=tmp_path)
    with pytest.raises(ValueError, match="test must be an integer >= 1, got 0"):
        device_pair("digits", test=0)
    with pytest.raises((ValueError, TypeError)):
        device_pair("imagenet")


def test_own_encoders_and_own_images_make_a_pair():
    def load(split):
        images = digits(split).subset(slice(0, 30))
        return ImageSet(f"thirty-{split}", images.images, images.labels, images.classes)

    shades = from_callable("shades", lambda images: images.flatten(1).float(), 64, "1")
    rows = from_callable("rows", lambda images: images.float().sum(1), 8, "1")
    pair = device_pair(load, shades, rows, pilots=20, test=None)
    assert (pair.transmitter, pair.receiver, pair.dataset, pair.note) == ("shades", "rows", "thirty", "")
    assert torch.equal(pair.pilots.x, digits("train").images[:20].flatten(1).float())
    assert torch.equal(pair.test.y, digits("test").images[:30].float().sum(1))
    assert torch.equal(pair.pilots.labels, digits("train").labels[:20])
