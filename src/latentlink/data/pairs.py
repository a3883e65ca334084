"""Two devices that see the same images: pilots and test latents of a pair of encoders, from what this machine has."""

from dataclasses import dataclass
from typing import Literal

from latentlink.data.cache import encode
from latentlink.data.datasets import DatasetNotFound, ImageSet, digits, fashion_mnist
from latentlink.data.encoders import Encoder, encoder
from latentlink.data.small_encoders import small_digit_encoders
from latentlink.latents.pilots import Pilots

Dataset = Literal["auto", "fashion-mnist", "digits"]


@dataclass(frozen=True, eq=False)
class DevicePair:
    """What a transmitter and a receiver have in common.

    Attributes:
        pilots, test: latents at both ends.
        transmitter, receiver: names of the encoders. dataset: where the images come from, in words.
        note: what had to be done without, in one sentence; empty if nothing.
    """

    pilots: Pilots
    test: Pilots
    transmitter: str
    receiver: str
    dataset: str
    note: str = ""


def device_pair(
    dataset: Dataset = "auto",
    transmitter: str = "mobilenet-v2",
    receiver: str = "efficientnet-lite0",
    pilots: int = 12_000,
    test: int = 4_000,
    image_size: int = 64,
    device: str = "cpu",
    progress: bool = True,
) -> DevicePair:
    """Encode (or find in the cache) the first images of the training and test set with both encoders.

    Args:
        dataset: "auto" takes Fashion-MNIST, and digits with two small encoders trained on the spot where it is absent.
        transmitter, receiver: encoders for Fashion-MNIST, by name.
        pilots, test: number of images; fewer where the set has fewer.
        image_size: px the images are scaled to; 64 or more is advised.
        device: torch device the encoders run on; latents come back on the CPU.
        progress: show bars.

    Raises:
        DatasetNotFound: dataset is "fashion-mnist" and it is not on this machine.
        ImportError: an encoder's package is missing (extra `encoders`).
        ValueError: unknown encoder, or fewer than one image asked for.
    """
    if pilots < 1 or test < 1:
        raise ValueError(f"pilots and test must be at least 1, got {pilots} and {test}")
    if dataset == "digits":
        return _digits(pilots, test, device, progress, "")
    try:
        sets = fashion_mnist("train").subset(slice(0, pilots)), fashion_mnist("test").subset(slice(0, test))
    except DatasetNotFound as missing:
        if dataset != "auto":
            raise
        return _digits(pilots, test, device, progress, f"Fashion-MNIST was not found, so this is digits with two small encoders. {missing}")
    encoders = tuple(encoder(name, image_size).to(device) for name in (transmitter, receiver))
    return _paired(sets, encoders, f"Fashion-MNIST at {image_size} px", "", progress)


def _digits(pilots: int, test: int, device: str, progress: bool, note: str) -> DevicePair:
    train = digits("train")
    encoders = tuple(e.to(device) for e in small_digit_encoders(train))
    sets = train.subset(slice(0, pilots)), digits("test").subset(slice(0, test))
    return _paired(sets, encoders, "scikit-learn's digits at 8 px", note, progress)


def _paired(sets: tuple[ImageSet, ImageSet], encoders: tuple[Encoder, ...], dataset: str, note: str, progress: bool) -> DevicePair:
    transmitter, receiver = encoders
    pilots, test = (
        Pilots(encode(transmitter, images, progress=progress), encode(receiver, images, progress=progress), images.labels)
        for images in sets
    )
    return DevicePair(pilots, test, transmitter.name, receiver.name, dataset, note)
