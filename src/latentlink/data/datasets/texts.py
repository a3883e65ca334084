"""Labelled texts, and images with their titles: what encoders of sentences, and pairs of an image's and a text's encoder, observe."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Int64
from torch import Tensor

from latentlink.data.datasets.images import ImageSet, check_classes
from latentlink.numerics.reprs import Summarised

Sense = Literal["images", "texts"]


@dataclass(frozen=True)
class TextSet(Summarised):
    """Texts, with their classes where these are known.

    Attributes:
        name: shown in reports and messages.
        texts: n strings, none of them empty.
        labels: (n,), indices into `classes`, or None where the classes are not known.
        classes: names of the classes, in the order of their labels.

    Raises:
        ValueError: what is given for texts are no such strings, or labels are not one class number for each text.

    Example:
        >>> import torch, latentlink as ll
        >>> texts = ll.data.TextSet("beasts", ("a bird of prey", "a small rodent"), torch.tensor([0, 1]), ("bird", "mammal"))
        >>> len(texts.subset(slice(1))), texts.classes
        (1, ('bird', 'mammal'))
    """

    name: str
    texts: tuple[str, ...]
    labels: Int64[Tensor, "n"] | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.texts, tuple) or not all(isinstance(text, str) for text in self.texts):
            raise ValueError(f"texts of {self.name} must be a tuple of strings, got {type(self.texts).__name__}: tuple(texts)")
        empty = next((number for number, text in enumerate(self.texts) if not text.strip()), None)
        if empty is not None:
            raise ValueError(f"texts of {self.name} must not be empty, got {self.texts[empty]!r} as number {empty}; leave it out")
        check_classes(self.name, self.labels, len(self.texts), self.classes, "texts")

    def __len__(self) -> int:
        return len(self.texts)

    def subset(self, indices: slice | Sequence[int] | Tensor) -> "TextSet":
        """Select texts by a slice, by their indices (in that order) or by a boolean mask (n,).

        Raises:
            IndexError: there is no such text, or the mask has another length.
        """
        chosen = indices if isinstance(indices, slice | Tensor) else torch.as_tensor(indices, dtype=torch.int64, device="cpu")
        try:
            rows = torch.arange(len(self), device="cpu")[chosen]
        except IndexError as error:
            raise IndexError(f"indices must be a slice, text numbers below {len(self)} or a mask of all texts: {error}") from error
        texts = tuple(self.texts[row] for row in rows.tolist())
        return replace(self, texts=texts, labels=None if self.labels is None else self.labels[rows])


@dataclass(frozen=True)
class TitledImages(Summarised):
    """Images with a title each: an encoder of images sees the one, an encoder of texts the other.

    Attributes:
        images: n images, with their labels.
        titles: their titles, in the same order and with the same labels.

    Raises:
        ValueError: the two are not equally many, or do not have the same labels.

    Example:
        >>> import torch, latentlink as ll
        >>> images = ll.data.ImageSet("black", torch.zeros(2, 8, 8, dtype=torch.uint8))
        >>> titled = ll.data.TitledImages(images, ll.data.TextSet("titles", ("a cave", "a night")))
        >>> titled.subset([1]).titles.texts
        ('a night',)
    """

    images: ImageSet
    titles: TextSet

    def __post_init__(self) -> None:
        if len(self.images) != len(self.titles):
            raise ValueError(f"titles must be as many as images, one each, got {len(self.titles)} titles of {len(self.images)} images")
        one, other = self.images.labels, self.titles.labels
        if (one is None) != (other is None) or (one is not None and other is not None and not torch.equal(one.cpu(), other.cpu())):
            raise ValueError(f"titles must have the labels of their images, got others for {self.name}")

    @property
    def name(self) -> str:
        return self.images.name

    @property
    def labels(self) -> Int64[Tensor, "n"] | None:
        return self.images.labels

    @property
    def classes(self) -> tuple[str, ...]:
        return self.images.classes

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, indices: slice | Sequence[int] | Tensor) -> "TitledImages":
        """Select images with their titles, as `ImageSet.subset` does."""
        return TitledImages(self.images.subset(indices), self.titles.subset(indices))


Observations = ImageSet | TextSet | TitledImages


def seen_by(sense: Sense, observations: Observations, encoder: str) -> ImageSet | TextSet:
    """The images or the texts of a set, whichever an encoder (named in the error) takes; a ValueError where the set has none."""
    if isinstance(observations, TitledImages):
        return observations.images if sense == "images" else observations.titles
    if isinstance(observations, TextSet) != (sense == "texts"):
        has = "texts" if isinstance(observations, TextSet) else "images"
        raise ValueError(f"encoder {encoder} takes {sense}, got the {has} of {observations.name}: name an encoder of {has}")
    return observations
