"""The Open Clip Art Library: drawings with their titles, read from PNG files whose folders are the classes.

A title is the words of a file's name. Artists wrote their names at its end, cut where it grew long ("cigno_architetto_frances_01"), and a
search by title would then find the artist and not the drawing. The artist is known from the file itself (its entry `Author`), so he is
taken out: the longest end of the name that his name begins with, and every word of it. Numbers are taken out as well. Of what has the same
title then, or nearly the same picture (`_alike`), the first alone is kept.
"""

import hashlib
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from latentlink.data.datasets.images import DATA_VARIABLE, DatasetNotFound, ImageSet, Split, places_of
from latentlink.data.datasets.texts import TextSet, TitledImages
from latentlink.numerics.doors import choice
from latentlink.numerics.extras import import_extra
from latentlink.numerics.progress import on_terminal
from latentlink.numerics.validation import validate_call
from latentlink.storage.atomic import write_atomically
from latentlink.storage.folders import cache_folder

DEBIAN_FOLDER = Path("/usr/share/openclipart/png")
UNSORTED = "unsorted"  # a folder that says nothing of its drawings
SIDE = 96  # pixels of the square that drawings are scaled to, on white
SMALLEST_CLASS, LARGEST_CLASS = 80, 400  # drawings: smaller classes are left out, and of larger ones a part
TEST_EVERY = 4  # each fourth drawing is for test
MOST_PIXELS = 3_000_000  # of a file: few are larger, and take seconds each
SIGNED = {"gerald_g": ("ganson",)}  # artists who sign file names by another name
_HASH = 8  # differences in a row and rows of the perceptual hash
_ALIKE = 4  # of its 64 bits, in which two pictures of the same thing may differ
_CLEAR = 2  # levels of 255, beyond what scaling changes in one colour
_VERSION = 1  # raise it when the same files give another choice or other pictures
Picture = UInt8[np.ndarray, "side side 3"]


@dataclass(frozen=True)
class Drawing:
    """A file of the library.

    Attributes:
        path: the file.
        kind: the folder below the library's root, its class.
        title: its words, without the artist.
    """

    path: Path
    kind: str
    title: str


@validate_call
def clip_art(split: Split, folder: Path | str | None = None) -> TitledImages:
    """Some 2,000 drawings of the Open Clip Art Library with their titles, in the classes of its largest folders.

    Artists are taken out of titles, equal titles and pictures that are nearly equal are kept once, and no class has more than 400 of them.
    The choice, its order and which quarter of it is for test are always the same.

    Args:
        split: "train" (three quarters) or "test".
        folder: where the library's folders (`animals`, `food`, …) are. Without it: the folder that the environment variable LATENTLINK_DATA
            names (or its `clip-art`), or, if that is not set, the one of Debian's package openclipart-png.

    Returns:
        Images (n, 96, 96, 3) on white with titles, labels and the names of the classes.

    Raises:
        DatasetNotFound: none of these folders has drawings.
        ImportError: Pillow, which reads them, is not installed (extra `plot`).
        ValueError: too few drawings are left for two classes.

    Example:
        >>> import latentlink as ll
        >>> ll.data.clip_art("test").titles.texts[0]  # doctest: +SKIP
        'cards hearts'
    """
    choice("split", split, get_args(Split))
    places = places_of("clip-art", folder) or [DEBIAN_FOLDER]
    root = next((place for place in reversed(places) if any(place.glob("*/**/*.png"))), None)
    if root is None:
        raise DatasetNotFound(
            f"no folders of PNG drawings in {', '.join(map(str, places))}: install Debian's package openclipart-png (131 MB), or point the "
            f"environment variable {DATA_VARIABLE} to the folder that has them"
        )
    return _split(split, *_chosen_once(root))


def _split(split: Split, drawings: list[Drawing], pictures: UInt8[Tensor, "n side side 3"]) -> TitledImages:
    """Every fourth of the drawings for test, the others for training, as tensors."""
    classes = tuple(sorted({drawing.kind for drawing in drawings}))
    mine = [i for i in range(len(drawings)) if (i % TEST_EVERY == 0) == (split == "test")]
    labels = torch.tensor([classes.index(drawings[i].kind) for i in mine], dtype=torch.int64, device="cpu")
    words = tuple(kind.replace("_", " ") for kind in classes)
    images = ImageSet(f"clip-art-{split}", pictures[mine], labels, words)
    return TitledImages(images, TextSet(f"clip-art-titles-{split}", tuple(drawings[i].title for i in mine), labels, words))


def _chosen_once(root: Path) -> tuple[list[Drawing], UInt8[Tensor, "n side side 3"]]:
    """The drawings that are kept, shuffled, with their pictures, which are read once: half a minute."""
    files = [(path.relative_to(root).as_posix(), path.stat()) for path in sorted(root.glob("*/**/*.png"))]
    facts = [_VERSION, *((name, known.st_size, known.st_mtime_ns) for name, known in files)]
    path = cache_folder() / "clip-art" / f"{hashlib.sha256(json.dumps(facts).encode()).hexdigest()}.safetensors"
    try:
        with safe_open(path, framework="pt") as file:
            listed = json.loads((file.metadata() or {})["drawings"])
            return [Drawing(root / name, kind, title) for name, kind, title in listed], file.get_tensor("pictures")
    except (SafetensorError, OSError, KeyError, ValueError):  # absent, or damaged
        drawings, pictures = _chosen(root)
        stacked = torch.from_numpy(np.stack(pictures))
        listed = [(drawing.path.relative_to(root).as_posix(), drawing.kind, drawing.title) for drawing in drawings]
        write_atomically(path, save({"pictures": stacked}, {"drawings": json.dumps(listed)}))
        return drawings, stacked


def _chosen(root: Path) -> tuple[list[Drawing], list[Picture]]:
    """The same, read from their files."""
    generator, shown = np.random.default_rng(0), on_terminal("drawings of the Open Clip Art Library")
    pictures, kept, hashes = [], [], np.zeros((0, _HASH * _HASH), dtype=bool)
    found = sorted(_first_of_each_title(root), key=lambda drawing: str(drawing.path))
    size, taken = Counter(drawing.kind for drawing in found), Counter[str]()
    for done, number in enumerate(generator.permutation(len(found)), start=1):
        shown(done, len(found))
        drawing = found[number]
        if size[drawing.kind] < SMALLEST_CLASS or taken[drawing.kind] == LARGEST_CLASS:
            continue
        picture = read_picture(drawing.path)
        mark = difference_hash(picture)
        if not bool(((hashes != mark).sum(1) <= _ALIKE).any()):
            kept.append(drawing)
            pictures.append(picture)
            taken[drawing.kind] += 1
            hashes = np.concatenate([hashes, mark[None]])
    if len(taken) < 2:
        raise ValueError(f"{root}: expected at least two folders of {SMALLEST_CLASS} drawings with titles of their own, got fewer")
    return kept, pictures


def _first_of_each_title(root: Path) -> Iterator[Drawing]:
    """The drawings of the library with a title, the first file of each title."""
    pillow, titles = import_extra("PIL.Image", "plot"), set()
    for path in sorted(root.glob("*/**/*.png")):
        kind = path.relative_to(root).parts[0]
        if kind == UNSORTED:
            continue
        try:
            with warnings.catch_warnings(action="ignore"), pillow.open(path) as file:  # the header alone
                width, height = file.size
                artist = str(file.info.get("Author", ""))
        except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError):  # no picture, or a huge one
            continue
        title = title_of(path.stem, artist)
        if title and title not in titles and width * height <= MOST_PIXELS:
            titles.add(title)
            yield Drawing(path, kind, title)


def title_of(stem: str, artist: str) -> str:
    """The words of a file's name without its number and its artist; "" where nothing else is left.

    Args:
        stem: of the file, words joined by underscores or hyphens, the artist's name last and perhaps cut short.
        artist: his name as the file tells it, or "".
    """
    by = _words(artist)
    words = _words(re.sub(r"[\W_]*\d+[a-z]?$", "", stem.lower()))
    name = "_".join(by)
    signed = next((i for i in range(len(words)) if name.startswith("_".join(words[i:]))), len(words)) if name else len(words)
    his = {word for word in by if len(word) > 2} | set(SIGNED.get(name, ()))
    bare = [re.sub(r"\d+", "", word) for word in words[:signed] if word not in his]
    title = " ".join(word for word in bare if word)
    return title if len(title) > 1 else ""


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def read_picture(path: Path) -> Picture:
    """Read a picture as it looks on white paper, its longer side scaled to 96 pixels, in the middle of a white square."""
    pillow = import_extra("PIL.Image", "plot")
    with pillow.open(path) as file:
        drawn: Any = file.convert("RGBA")
    paper = pillow.new("RGBA", drawn.size, "white")
    paper.alpha_composite(drawn)
    scale = SIDE / max(drawn.size)
    small = paper.convert("RGB").resize([max(1, round(scale * side)) for side in drawn.size], pillow.Resampling.BOX, reducing_gap=2.0)
    square = pillow.new("RGB", (SIDE, SIDE), "white")
    square.paste(small, ((SIDE - small.width) // 2, (SIDE - small.height) // 2))
    return np.asarray(square)


def difference_hash(picture: Picture) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return 64 bits, which mean shades are clearly brighter than their right neighbours; scaling and colour hardly change them."""
    pillow = import_extra("PIL.Image", "plot")
    shades = np.asarray(pillow.fromarray(picture).convert("L").resize((_HASH + 1, _HASH), pillow.Resampling.BOX), dtype=np.int16)
    return (shades[:, :-1] - shades[:, 1:] > _CLEAR).reshape(-1)
