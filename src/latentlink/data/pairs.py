"""Two devices that observe the same: pilots and test latents of a pair of encoders, from the data sets on this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import torch

from latentlink.data.cache import EncodingProgress, encode
from latentlink.data.datasets.cifar import cifar10
from latentlink.data.datasets.clip_art import clip_art
from latentlink.data.datasets.images import DatasetNotFound, Split, digits, fashion_mnist
from latentlink.data.datasets.texts import Observations
from latentlink.data.datasets.wordnet import wordnet
from latentlink.data.encoders.catalogue import encoder
from latentlink.data.encoders.image_encoder import Encoder
from latentlink.data.encoders.small import small_digit_encoders
from latentlink.execution.executor import Executor
from latentlink.latents.pilots import Pilots
from latentlink.numerics.doors import choice, integer
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call

Dataset = Literal["auto", "fashion-mnist", "cifar-10", "digits", "wordnet", "clip-art"]
Loader = Callable[[Split], Observations]

_WORDS = {
    "fashion-mnist": "Fashion-MNIST",
    "cifar-10": "CIFAR-10",
    "digits": "scikit-learn's digits at 8 px",
    "wordnet": "WordNet's definitions",
    "clip-art": "clip art with titles",
}
_FROM_FOLDERS: dict[str, Callable[[Split, Path | str | None], Observations]] = {
    "fashion-mnist": fashion_mnist,
    "cifar-10": cifar10,
    "wordnet": wordnet,
    "clip-art": clip_art,
}


@dataclass(frozen=True, eq=False)
class DevicePair(Summarised):
    """The paired latents of a transmitter and a receiver.

    Attributes:
        pilots: training latents at both ends, with labels.
        test: unseen latents at both ends, with labels.
        transmitter: name of the transmitter's encoder.
        receiver: name of the receiver's encoder.
        dataset: the observations, described in words.
        note: one sentence on what was missing and what replaced it; empty if nothing was.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> ll.data.DevicePair(ll.Pilots(x[:400], y[:400]), ll.Pilots(x[400:], y[400:]), "vit", "resnet", "pictures of mine").test
        Pilots(100 pairs, 8 → 6, no labels)
    """

    pilots: Pilots
    test: Pilots
    transmitter: str
    receiver: str
    dataset: str
    note: str = ""


@validate_call
def device_pair(
    dataset: Dataset | Loader = "auto",
    transmitter: str | Encoder = "mobilenet-v2",
    receiver: str | Encoder = "efficientnet-lite0",
    *,
    pilots: int | None = 12_000,
    test: int | None = 4_000,
    image_size: int | None = None,
    device: str | torch.device = "cpu",
    progress: EncodingProgress | None = None,
    folder: Path | str | None = None,
    executor: Executor | None = None,
) -> DevicePair:
    """Encode (or find in the cache) the first observations of the training and test set with both encoders.

    The pilots are the candidates for a selection: `PilotSelection(42).choose(pair.pilots)` takes 42 of each class.

    Args:
        dataset: a name, or a function that returns the `ImageSet`, `TextSet` or `TitledImages` of the split "train" or "test". "auto" is
            Fashion-MNIST where it is installed, and otherwise digits; "wordnet" has texts, and "clip-art" images with titles, of which
            each encoder sees what it takes.
        transmitter: an `Encoder`, or the name of one (see `encoder`). Digits come with two small encoders, whatever is given here.
        receiver: likewise.
        pilots: number of training observations, fewer if the set has fewer; None takes all.
        test: number of test observations, likewise.
        image_size: pixels to which images are scaled; 64 or more is advised. None is each encoder's own size: 64, and for timm's models
            the size that they were trained at. It applies to encoders that are given by name.
        device: torch device of the encoders; latents are returned on the CPU.
        progress: callback, called after each batch with (description, images done, images to compute).
        folder: where the files of the data set are, of any but digits; without it the folder that LATENTLINK_DATA names.
        executor: computes several shards of latents at a time, for instance on a cluster (see `encode`).

    Raises:
        DatasetNotFound: the data set is not on this machine.
        ImportError: an encoder's package is missing (extra `encoders`, `text` or `timm`).
        ValueError: an unknown data set or encoder, an encoder of texts for images alone (or the other way round), fewer than one
            observation asked for, or a damaged file.

    Example:
        >>> import torch, latentlink as ll
        >>> def load(split):
        ...     return ll.data.ImageSet(f"ramps-{split}", torch.arange(6400).reshape(100, 8, 8).to(torch.uint8))
        >>> flat = ll.data.from_callable("flat", lambda images: images.flatten(1).float(), dim=64, version="1")
        >>> means = ll.data.from_callable("means", lambda images: images.float().mean(1), dim=8, version="1")
        >>> ll.data.device_pair(load, flat, means, test=50).test
        Pilots(50 pairs, 64 → 8, no labels)
    """
    first_pilots = slice(0, None if pilots is None else integer("pilots", pilots))
    first_test = slice(0, None if test is None else integer("test", test))
    note = ""
    if not callable(dataset):
        choice("dataset", dataset, get_args(Dataset))
    try:
        seen = observations_of(dataset, folder)
    except DatasetNotFound as missing:
        if dataset != "auto":
            raise
        dataset = "digits"
        note = f"Fashion-MNIST was not found, so this is digits with two small encoders. {missing}"
        seen = observations_of(dataset, None)
    name = seen["train"].name.removesuffix("-train")
    words = _WORDS.get(name, name)
    if dataset == "digits":
        encoders = _digit_encoders()
    else:
        encoders = _encoder(transmitter, image_size), _encoder(receiver, image_size)
        sizes = dict.fromkeys(str(used.size) for used in encoders if used.size is not None)
        words = f"{words} at {' and '.join(sizes)} px" if sizes else words
    at_transmitter, at_receiver = (used.to(device) for used in encoders)

    def paired(images: Observations) -> Pilots:
        x, y = (encode(used, images, progress=progress, executor=executor) for used in (at_transmitter, at_receiver))
        return Pilots(x, y, images.labels, names=images.classes if images.labels is not None else None)

    return DevicePair(
        pilots=paired(seen["train"].subset(first_pilots)),
        test=paired(seen["test"].subset(first_test)),
        transmitter=at_transmitter.name,
        receiver=at_receiver.name,
        dataset=words,
        note=note,
    )


@cache
def _digit_encoders() -> tuple[Encoder, Encoder]:
    """Train the small encoders of digits, once in a process: the same images give the same encoders."""
    return small_digit_encoders(digits("train"))


def observations_of(dataset: Dataset | Loader, folder: Path | str | None) -> dict[Split, Observations]:
    """The training and test observations of a data set; a folder is refused where none is read."""
    named = "fashion-mnist" if dataset == "auto" else dataset
    if isinstance(named, str) and named in _FROM_FOLDERS:
        return {split: _FROM_FOLDERS[named](split, folder) for split in get_args(Split)}
    if folder is not None:
        raise ValueError(f"folder must not be given for {dataset}, which reads no files of a data set, got {str(folder)!r}")
    return {split: dataset(split) if callable(dataset) else digits(split) for split in get_args(Split)}


def _encoder(named: str | Encoder, image_size: int | None) -> Encoder:
    return encoder(named, image_size) if isinstance(named, str) else named
