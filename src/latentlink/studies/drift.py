"""What the transmitter sees after a change: test latents that are measured, and observations from which a repair may learn."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from latentlink.data.cache import encode
from latentlink.data.datasets.changes import CHANGES
from latentlink.data.datasets.images import ImageSet
from latentlink.data.pairs import DevicePair
from latentlink.latents.pilots import Pilots
from latentlink.studies.drift_at import DriftAt
from latentlink.studies.spec.plug_in import blame, is_plug_in, load_attribute


@dataclass(frozen=True, eq=False)
class News:
    """Observations after a change.

    Attributes:
        pairs: latents of both ends.
        before: latents (n, d) of the same observations as the transmitter saw them before.
    """

    pairs: Pilots
    before: Tensor

    def __getitem__(self, rows: Any) -> "News":
        return News(self.pairs[rows], self.before[rows])

    def to(self, device: str) -> "News":
        """The same on another device."""
        return News(self.pairs.to(device), self.before.to(device))


@dataclass(frozen=True, eq=False)
class Changed:
    """A pair of devices after a change at the transmitter.

    Attributes:
        known: from which a repair may learn.
        measured: test observations, and how the transmitter saw them before.
    """

    known: News
    measured: News

    def to(self, device: str) -> "Changed":
        """The same on another device."""
        return Changed(self.known.to(device), self.measured.to(device))


def changed(drift: DriftAt, pair: DevicePair, images: dict[str, ImageSet], encoder: Any, **encoding: Any) -> Changed:
    """Encode what the transmitter sees after a change.

    Args:
        drift: what has changed.
        pair: latents before.
        images: of the splits train and test, as many as the pair has.
        encoder: of the transmitter, the new one where it has changed.
        encoding: arguments of `data.encode`.

    Raises:
        PlugInError: code outside of the package fails.
        ValueError: there are fewer than two test observations to divide.
    """

    def seen(split: str, as_before: Pilots) -> News:
        x = encode(encoder, _change(drift, images[split]), **encoding)
        return News(Pilots(x, as_before.y, as_before.labels, names=as_before.names), as_before.x)

    test = seen("test", pair.test)
    if drift.transmitter is not None:
        return Changed(seen("train", pair.pilots), test)
    half = len(pair.test) // 2
    if half == 0:
        raise ValueError(f"data.test must be at least 2 where drift.kind is {drift.kind}: its halves are learnt from and measured")
    return Changed(test[:half], test[half:])


def _change(drift: DriftAt, images: ImageSet) -> ImageSet:
    if drift.transmitter is not None:
        return images
    if not is_plug_in(drift.kind):
        return replace(images, images=CHANGES[drift.kind][0](images.images, 1.0 if drift.strength is None else drift.strength))
    with blame(drift.kind):
        found = load_attribute(drift.kind)(images.images)
        if not isinstance(found, Tensor) or found.shape != images.images.shape or found.dtype != torch.uint8:
            raise ValueError(f"drift.kind must return uint8 images of shape {tuple(images.images.shape)}")
        return replace(images, images=found)
