"""Where the latents of a study come from: images and encoders by name, files, or code of one's own."""

import hashlib
from pathlib import Path
from typing import Any

from latentlink.data.cache import EncodingProgress
from latentlink.data.encoders.image_encoder import Encoder
from latentlink.data.pairs import DevicePair, device_pair
from latentlink.data.readers.files import read_labels, read_latents
from latentlink.latents.pilots import Pilots
from latentlink.storage.artifacts import load_if_there
from latentlink.storage.folders import cache_folder
from latentlink.studies.sections import Data, Encoders
from latentlink.studies.spec.plug_in import accepts, blame, is_plug_in, load_attribute
from latentlink.tasks.heads import SoftmaxHead, fit_head

_HEAD_VERSION = 1  # raise it when `fit_head` gives another head
_FORMATS = (".npy", ".npz", ".safetensors", ".parquet", ".pt", ".csv", ".txt")


def fit_receiver_head(candidates: Pilots) -> SoftmaxHead:
    """The receiver's classifier, fitted to all its training latents, once on this machine."""
    digest = hashlib.sha256(candidates.y.cpu().contiguous().numpy().data)
    digest.update(candidates.require_labels().cpu().contiguous().numpy().data)
    path = cache_folder() / "heads" / f"{digest.hexdigest()}-{_HEAD_VERSION}.safetensors"
    if (before := load_if_there(path, SoftmaxHead)) is not None:
        return before.to(candidates.y.device)
    head = fit_head(candidates.y, candidates.require_labels())
    head.save(path)
    return head


def load_pair(data: Data, encoders: Encoders, device: str, progress: EncodingProgress | None) -> DevicePair:
    """Candidates for pilots and test latents, with the names of data and encoders."""
    if data.dataset == "files":
        folder = Path(data.folder or ".")
        train, test = _from_files(folder, "train"), _from_files(folder, "test")
        return DevicePair(train[: data.train], test[: data.test], "file", "file", f"latents of {folder.name}")
    return device_pair(
        _dataset(data.dataset),
        _encoder(encoders.transmitter, encoders.image_size_px),
        _encoder(encoders.receiver, encoders.image_size_px),
        pilots=data.train,
        test=data.test,
        image_size=encoders.image_size_px,
        device=device,
        progress=progress,
        folder=data.folder,
    )


def _dataset(name: str) -> Any:
    """A name for `device_pair`, or the function `module:attribute` that returns the images of a split."""
    if not is_plug_in(name):
        return name

    def load(split: str) -> Any:
        with blame(name):
            return load_attribute(name)(split)

    return load


def _encoder(name: str, size: int | None) -> Any:
    """A name for `device_pair`, or the encoder that `module:attribute` is or makes."""
    if not is_plug_in(name):
        return name
    made = load_attribute(name)
    if isinstance(made, Encoder):
        return made
    with blame(name):
        encoder = made(**({"size": size} if accepts(made, "size") and size is not None else {}))
    if not isinstance(encoder, Encoder):
        raise ValueError(f"{name}: expected a latentlink Encoder (see latentlink.data.from_callable), got {type(encoder).__name__}")
    return encoder


def _from_files(folder: Path, split: str) -> Pilots:
    """Latents and labels of one split."""

    def find(role: str) -> Path:
        paths = [folder / f"{split}-{role}{suffix}" for suffix in _FORMATS]
        found = [path for path in paths if path.is_file()]
        if not found:
            raise ValueError(f"data.folder must hold {paths[0].name} (or {', '.join(_FORMATS[1:])}), got {folder.resolve()}")
        if len(found) > 1:
            raise ValueError(f"data.folder must hold one file of {split}-{role}, got {', '.join(path.name for path in found)} in {folder}")
        return found[0]

    return Pilots(read_latents(find("transmitter")), read_latents(find("receiver")), read_labels(find("labels")))
