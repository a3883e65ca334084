import pytest
import torch

from latentlink.data import pairs
from latentlink.data.datasets import DatasetNotFound
from latentlink.data.files import read_images, read_labels, read_latents, write_array
from latentlink.data.pairs import device_pair


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LATENTLINK_DATA", str(tmp_path / "nothing-here"))


def test_without_fashion_mnist_digits_and_two_small_encoders_stand_in_and_say_so():
    pair = device_pair(pilots=300, test=100, progress=False)
    assert "digits with two small encoders" in pair.note
    assert "LATENTLINK_DATA" in pair.note
    assert (pair.pilots.x.shape, pair.pilots.y.shape, len(pair.test)) == ((300, 96), (300, 128), 100)
    asked_for = device_pair("digits", pilots=300, test=100, progress=False)
    assert asked_for.note == ""
    assert torch.equal(asked_for.pilots.x, pair.pilots.x)


def test_what_is_asked_for_by_name_is_not_replaced():
    with pytest.raises(DatasetNotFound, match="nothing-here"):
        device_pair("fashion-mnist", progress=False)
    with pytest.raises(ValueError, match="pilots and test must be at least 1"):
        device_pair("digits", pilots=0, progress=False)


def test_pairs_show_the_same_images(monkeypatch):
    seen = []
    monkeypatch.setattr(pairs, "encode", lambda encoder, images, progress: seen.append(images) or torch.ones(len(images), 3))
    device_pair("digits", pilots=10, test=5, progress=False)
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
