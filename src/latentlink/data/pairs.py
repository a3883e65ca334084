"""Two devices that see the same images: pilots and test latents of a pair of encoders, from what this machine has."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from latentlink.data.cache import encode
from latentlink.data.datasets.cifar import cifar10
from latentlink.data.datasets.images import DatasetNotFound, ImageSet, digits, fashion_mnist
from latentlink.data.encoders.catalogue import Encoder, encoder
from latentlink.data.encoders.small import small_digit_encoders
from latentlink.latents.pilots import Pilots

Dataset = Literal["auto", "fashion-mnist", "cifar-10", "digits"]


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
    pilots: int | None = 12_000,
    test: int | None = 4_000,
    image_size: int | None = None,
    device: str = "cpu",
    progress: bool = True,
    folder: Path | str | None = None,
) -> DevicePair:
    """Encode (or find in the cache) the first images of the training and test set with both encoders.

    The pilots are what can be chosen from: `PilotSelection(...).choose(pair.pilots)` takes so many of each class.

    Args:
        dataset: "auto" takes Fashion-MNIST, and digits with two small encoders trained on the spot where it is absent.
        transmitter, receiver: encoders by name (see `encoder`); digits have their own.
        pilots, test: number of images; fewer where the set has fewer, None takes all.
        image_size: px the images are scaled to; 64 or more is advised. None is each encoder's own: 64, and for timm's what they were
            trained at.
        device: torch device the encoders run on; latents come back on the CPU.
        progress: show bars.
        folder: where the files of Fashion-MNIST or CIFAR-10 are; without it where LATENTLINK_DATA says.

    Raises:
        DatasetNotFound: the data set that is named is not on this machine.
        ImportError: an encoder's package is missing (extra `encoders` or `timm`).
        ValueError: unknown data set or encoder, fewer than one image asked for, or a damaged file.
    """
    for name, count in (("pilots", pilots), ("test", test)):
        if count is not None and count < 1:
            raise ValueError(f"pilots and test must be at least 1, got {name}={count}")
    if dataset not in get_args(Dataset):
        raise ValueError(f"dataset must be one of {', '.join(get_args(Dataset))}, got {dataset!r}")
    parts = slice(0, pilots), slice(0, test)
    if dataset == "digits":
        if folder is not None:
            raise ValueError(f"folder: got {str(folder)!r} for digits, which come with scikit-learn; expected none")
        return _digits(parts, device, progress, "")
    try:
        read = cifar10 if dataset == "cifar-10" else fashion_mnist
        sets = read("train", folder).subset(parts[0]), read("test", folder).subset(parts[1])
    except DatasetNotFound as missing:
        if dataset != "auto":
            raise
        return _digits(parts, device, progress, f"Fashion-MNIST was not found, so this is digits with two small encoders. {missing}")
    encoders = tuple(encoder(name, image_size).to(device) for name in (transmitter, receiver))
    sizes = dict.fromkeys(str(e.size) for e in encoders if e.size is not None)
    words = "CIFAR-10" if dataset == "cifar-10" else "Fashion-MNIST"
    return _paired(sets, encoders, f"{words} at {' and '.join(sizes)} px" if sizes else words, "", progress)


def _digits(parts: tuple[slice, slice], device: str, progress: bool, note: str) -> DevicePair:
    train = digits("train")
    encoders = tuple(e.to(device) for e in small_digit_encoders(train))
    sets = train.subset(parts[0]), digits("test").subset(parts[1])
    return _paired(sets, encoders, "scikit-learn's digits at 8 px", note, progress)


def _paired(sets: tuple[ImageSet, ImageSet], encoders: tuple[Encoder, ...], dataset: str, note: str, progress: bool) -> DevicePair:
    transmitter, receiver = encoders
    pilots, test = (
        Pilots(encode(transmitter, images, progress=progress), encode(receiver, images, progress=progress), images.labels)
        for images in sets
    )
    return DevicePair(pilots, test, transmitter.name, receiver.name, dataset, note)
