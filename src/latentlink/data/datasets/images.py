"""Labelled images: Fashion-MNIST from its IDX files and scikit-learn's digits, with one convention.

Images are uint8, grey (n, H, W) or colour (n, H, W, 3); labels are int64 class numbers. Nothing is downloaded. IDX, the format of MNIST's
family, is two zero bytes, a type (8, unsigned bytes, in image sets), a number of axes, their big-endian lengths, then the values; gzip is
recognised by its content, and a file named .gz must be gzipped.
"""

import gzip
import math
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from latentlink.numerics.doors import choice
from latentlink.numerics.extras import import_extra
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call

Split = Literal["train", "test"]

DATA_VARIABLE = "LATENTLINK_DATA"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
UNSIGNED_BYTE = 8
GZIP_MAGIC = b"\x1f\x8b"
DIGITS_TEST = 597  # of 1,797: leaves 1,200 to fit on


class DatasetNotFound(FileNotFoundError):  # noqa: N818 (named like FileNotFound)
    """The files of a data set are in none of the searched folders, which the message lists.

    Example:
        >>> import latentlink as ll
        >>> ll.data.fashion_mnist("test", folder="nowhere")
        Traceback (most recent call last):
            ...
        latentlink.data.datasets.images.DatasetNotFound: no t10k-images-idx3-ubyte[.gz] ... in nowhere: install ...
    """


@dataclass(frozen=True)
class ImageSet(Summarised):
    """Images, with their classes where these are known.

    Attributes:
        name: shown in reports and messages.
        images: uint8, (n, H, W) grey or (n, H, W, 3) colour.
        labels: (n,), indices into `classes`, or None where the classes are not known.
        classes: names of the classes, in the order of their labels.

    Raises:
        ValueError: images of another shape or type, or labels that are not one class number for each image.

    Example:
        >>> import torch, latentlink as ll
        >>> images = ll.data.ImageSet("squares", torch.zeros(4, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]), ("dark", "bright"))
        >>> len(images.subset(slice(2))), images.classes
        (2, ('dark', 'bright'))
    """

    name: str
    images: UInt8[Tensor, "n ..."]
    labels: Int64[Tensor, "n"] | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if self.images.dtype != torch.uint8 or not (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)):
            raise ValueError(f"images of {self.name} must be uint8 (n, H, W) or (n, H, W, 3), got {self.images.dtype} {shape}")
        check_classes(self.name, self.labels, shape[0], self.classes, "images")

    def __len__(self) -> int:
        return int(self.images.shape[0])

    def subset(self, indices: slice | Sequence[int] | Tensor) -> "ImageSet":
        """Select images by a slice, by their indices (in that order) or by a boolean mask (n,).

        Raises:
            IndexError: there is no such image, or the mask has another length.
        """
        chosen = indices if isinstance(indices, slice | Tensor) else torch.as_tensor(indices, dtype=torch.int64, device="cpu")
        try:
            return replace(self, images=self.images[chosen], labels=None if self.labels is None else self.labels[chosen])
        except IndexError as error:
            raise IndexError(f"indices must be a slice, image numbers below {len(self.images)} or a mask of all images: {error}") from error


def check_classes(name: str, labels: Tensor | None, count: int, classes: tuple[str, ...], what: str) -> None:
    """Check that there is a class number for each observation of a set, and a name for each class; a ValueError says what is wrong."""
    if labels is None:
        return
    if labels.dtype != torch.int64 or labels.shape != (count,):
        got = f"{labels.dtype} {tuple(labels.shape)}"
        raise ValueError(f"labels of {name} must be int64 ({count},), one for each of the {what}, got {got}; one-hot labels? argmax(1)")
    if count and not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
        span = f"{int(labels.min())} to {int(labels.max())}"
        raise ValueError(f"labels of {name} must be 0 to {len(classes) - 1} for {len(classes)} classes, got {span}")


@validate_call
def fashion_mnist(split: Split, folder: Path | str | None = None) -> ImageSet:
    """Zalando's 70,000 grey 28x28 pictures of clothes in ten classes [xiao2017fashion].

    Args:
        split: "train" (60,000) or "test" (10,000).
        folder: where the four IDX files are, gzipped or not. Without it: the folder that the environment variable
            LATENTLINK_DATA names (or its `fashion-mnist`), or, if that is not set, the one of Debian's package dataset-fashion-mnist.

    Returns:
        Images (n, 28, 28) with labels and the names of the classes.

    Raises:
        DatasetNotFound: the images or the labels of the split are missing.
        ValueError: a file is damaged, or the two do not belong together; the message names it.

    Example:
        >>> import latentlink as ll
        >>> ll.data.fashion_mnist("test").images.shape  # doctest: +SKIP
        torch.Size([10000, 28, 28])
    """
    prefix = {"train": "train", "test": "t10k"}[choice("split", split, get_args(Split))]
    places = places_of("fashion-mnist", folder) or [DEBIAN_FOLDER]  # a named folder is not replaced by another
    for place in places:
        images_path = _idx_file(place, f"{prefix}-images-idx3-ubyte")
        labels_path = _idx_file(place, f"{prefix}-labels-idx1-ubyte")
        if images_path is not None and labels_path is not None:
            return _fashion_from(split, images_path, labels_path)
    raise DatasetNotFound(
        f"no {prefix}-images-idx3-ubyte[.gz] with {prefix}-labels-idx1-ubyte[.gz] in {', '.join(str(place) for place in places)}: "
        f"install Debian's package dataset-fashion-mnist, or point the environment variable {DATA_VARIABLE} to the folder that has them"
    )


def places_of(dataset: str, folder: Path | str | None) -> list[Path]:
    """The folders in which a data set is looked for: the one given, or that of the environment variable and the data set's own in it."""
    if folder is not None:
        return [Path(folder)]
    named = os.environ.get(DATA_VARIABLE)
    return [Path(named), Path(named) / dataset] if named else []


def _idx_file(folder: Path, stem: str) -> Path | None:
    return next((path for path in (folder / f"{stem}.gz", folder / stem) if path.is_file()), None)


def _fashion_from(split: Split, images_path: Path, labels_path: Path) -> ImageSet:
    images, labels = read_idx(images_path, ndim=3), read_idx(labels_path, ndim=1)
    if len(images) != len(labels):
        raise ValueError(f"{labels_path}: {len(labels)} labels for the {len(images)} images of {images_path}")
    if len(labels) and int(labels.max()) >= len(FASHION_CLASSES):
        raise ValueError(f"{labels_path}: holds label {int(labels.max())}, Fashion-MNIST has 0 to {len(FASHION_CLASSES) - 1}")
    return ImageSet(f"fashion-mnist-{split}", images, labels.to(torch.int64), FASHION_CLASSES)


def read_idx(path: str | os.PathLike[str], ndim: int) -> UInt8[Tensor, "..."]:
    """Read an IDX file of unsigned bytes.

    Args:
        path: the file, gzipped or raw.
        ndim: the expected number of axes: 3 for grey images (n, H, W), 1 for labels (n,).

    Raises:
        ValueError: the file is named .gz and is not gzipped, is not IDX, has another type or number of axes, is truncated or too long.
        FileNotFoundError: the file is absent.
    """
    path = Path(path)
    content = _content(path)
    start = 4 + 4 * ndim
    if len(content) < start:
        raise ValueError(f"{path}: truncated: {len(content)} bytes, the header alone has {start}")
    zero, kind, axes = struct.unpack(">HBB", content[:4])
    if zero != 0 or kind != UNSIGNED_BYTE or axes != ndim:
        expected = struct.pack(">HBB", 0, UNSIGNED_BYTE, ndim).hex()
        raise ValueError(f"{path}: its first bytes are {content[:4].hex()}, expected {expected} (IDX, unsigned bytes, {ndim} axes)")
    shape = struct.unpack(f">{ndim}I", content[4:start])
    found = len(content) - start
    expected_values = math.prod(shape)
    if found != expected_values:
        what = "truncated" if found < expected_values else "too long"
        raise ValueError(f"{path}: {what}: {found} values, its header announces {shape} = {expected_values}")
    if expected_values == 0:
        return torch.empty(shape, dtype=torch.uint8, device="cpu")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).reshape(shape)


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    if raw[:2] != GZIP_MAGIC:
        if path.suffix == ".gz":
            raise ValueError(f"{path}: not a gzip file, though it is named .gz")
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: damaged or truncated gzip file ({error})") from error


@validate_call
def digits(split: Split) -> ImageSet:
    """Scikit-learn's 1,797 grey 8x8 handwritten digits, always the same 1,200 to train and 597 to test.

    The test set has its share of each class, to within one image; the order is shuffled with a fixed seed. The sixteen shades are stretched
    over 0..255.

    Args:
        split: "train" or "test".

    Returns:
        Images (n, 8, 8) with labels.

    Raises:
        ValueError: split is neither.
        ImportError: scikit-learn is not installed.

    Example:
        >>> import latentlink as ll
        >>> images = ll.data.digits("test")
        >>> images.images.shape, images.labels[:5]
        (torch.Size([597, 8, 8]), tensor([6, 7, 8, 6, 2]))
    """
    choice("split", split, get_args(Split))
    bunch = import_extra("sklearn.datasets", "eval").load_digits()
    images = torch.as_tensor(bunch.images, device="cpu").mul(255 / 16).round().to(torch.uint8)
    labels = torch.as_tensor(bunch.target, dtype=torch.int64, device="cpu")
    n = len(labels)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0), device="cpu")
    by_class = order[labels[order].argsort(stable=True)]
    quota = torch.arange(n + 1, device="cpu") * DIGITS_TEST // n
    in_test = torch.zeros(n, dtype=torch.bool, device="cpu")
    in_test[by_class[quota[1:] > quota[:-1]]] = True
    chosen = order[in_test[order] == (split == "test")]
    return ImageSet(f"digits-{split}", images[chosen], labels[chosen], tuple(str(digit) for digit in range(10)))
