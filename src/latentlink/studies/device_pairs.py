"""The pair of devices that a study names: latents of files, or observations and encoders by name or of one's own code."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from latentlink.data.cache import EncodingProgress
from latentlink.data.datasets.images import ImageSet
from latentlink.data.datasets.texts import Observations
from latentlink.data.encoders.catalogue import encoder as encoder_named
from latentlink.data.encoders.image_encoder import Encoder, fingerprint
from latentlink.data.pairs import DevicePair, device_pair, observations_of
from latentlink.execution.executor import Executor
from latentlink.numerics.doors import check_instance, finite
from latentlink.studies.drift import Changed, changed
from latentlink.studies.drift_at import DriftAt
from latentlink.studies.latent_files import find_file, read_splits
from latentlink.studies.sections import Data, Encoders, identify
from latentlink.studies.spec.plug_in import accepts, blame, is_plug_in, load_attribute


def load_pair(
    data: Data, encoders: Encoders, device: str, progress: EncodingProgress | None, executor: Executor | None = None
) -> DevicePair:
    """Candidates for pilots and test latents, with the names of data and encoders."""
    if data.dataset == "files":
        folder = data.place or Path()
        train, test = read_splits(folder)
        transmitter = data.transmitter or find_file(folder, "train-transmitter").name
        receiver = data.receiver or find_file(folder, "train-receiver").name
        return DevicePair(train[: data.train], test[: data.test], transmitter, receiver, data.name or folder.resolve().name)
    pair = device_pair(
        _dataset(data.dataset),
        make_encoder(encoders.transmitter, encoders.image_size_px),
        make_encoder(encoders.receiver, encoders.image_size_px),
        pilots=data.train,
        test=data.test,
        image_size=encoders.image_size_px,
        device=device,
        progress=progress,
        folder=data.place,
        executor=executor,
    )
    return pair if data.name is None else replace(pair, dataset=data.name)


def load_changed(drift: DriftAt, pair: DevicePair, data: Data, encoders: Encoders, device: str, **encoding: Any) -> Changed:
    """What the transmitter of a loaded pair sees after a change; `encoding` are arguments of `data.encode`.

    Raises:
        ValueError: the observations are no images.
    """
    train, test = load_images(data, (len(pair.pilots), len(pair.test)), f"drift must be left out, got {drift.words}")
    images = {"train": train, "test": test}
    there = make_encoder(drift.transmitter or encoders.transmitter, encoders.image_size_px)
    used = encoder_named(there, encoders.image_size_px) if isinstance(there, str) else there
    return changed(drift, pair, images, used.to(device), **encoding)


def load_images(data: Data, counts: tuple[int, int], remedy: str) -> tuple[ImageSet, ImageSet]:
    """The first images of the splits train and test; a ValueError with the remedy where the observations are no images."""
    loaded, found = observations_of(_dataset(data.dataset), data.place), []
    for seen, count in zip((loaded["train"], loaded["test"]), counts, strict=True):
        part = seen.subset(slice(count))
        if not isinstance(part, ImageSet):
            raise ValueError(f"{remedy}: data.dataset {data.dataset} has no images")
        found.append(part)
    return found[0], found[1]


def _dataset(name: str) -> Any:
    """A name for `device_pair`, or the function `module:attribute` that returns the observations of a split."""
    if not is_plug_in(name):
        return name

    def load(split: str) -> Any:
        with blame(name):
            seen: Observations = load_attribute(name)(split)
            if not isinstance(seen, Observations):
                check_instance("what is returned", seen, ImageSet, "latentlink.data.ImageSet(...) or TextSet(...)")
            return seen

    return load


@dataclass(frozen=True)
class _OwnEncoder(Encoder):
    """An encoder outside of the package; its failures name its `module:attribute`, `own`."""

    own: str = ""
    asked_size: int | None = None  # pixels

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        """The encoder is made anew where it is loaded, as its function may be of a module that has no name there."""
        return _own_encoder_at, (self.own, self.asked_size, str(self.device))

    def __call__(self, images: Tensor | Sequence[str]) -> Tensor:
        """Encode images or texts as `Encoder` does; a PlugInError where the function fails, or returns no finite latents."""
        with blame(self.own):
            return finite("latents", super().__call__(images))


def make_encoder(name: str, size: int | None) -> Any:
    """A name for `device_pair`, or the encoder that `module:attribute` is or makes."""
    if not is_plug_in(name):
        return name
    made = load_attribute(name)
    with blame(name):
        if not isinstance(made, Encoder):
            made = made(**({"size": size} if size is not None and accepts(made, "size") else {}))
        check_instance("encoder", made, Encoder, "latentlink.data.from_callable(...)")
    identity = fingerprint({}, made.fingerprint, *identify(name))  # other code is another encoder
    return _OwnEncoder(made.name, made.dim, identity, made.function, made.device, made.size, made.sees, name, size)


def _own_encoder_at(name: str, size: int | None, device: str) -> Encoder:
    made: Encoder = make_encoder(name, size)
    return made.to(device)
