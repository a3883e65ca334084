"""WordNet's definitions of nouns, read from its own data file [miller1995wordnet].

Each line of `data.noun` that is not its licence is one meaning: an offset, the number of the lexicographer file that it belongs to, words
and pointers, then " | " and the gloss, which is a definition, a semicolon and examples. The lexicographer files are the classes here:
animal, artifact, plant, …
"""

from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from latentlink.data.datasets.images import DATA_VARIABLE, DatasetNotFound, Split, places_of
from latentlink.data.datasets.texts import TextSet
from latentlink.numerics.doors import choice, integer
from latentlink.numerics.validation import validate_call

DEBIAN_FOLDER = Path("/usr/share/wordnet")
FILE = "data.noun"
CLASSES = 12  # the largest lexicographer files
TRAIN, TEST = 1000, 200  # of each class
# of nouns, by their number in WordNet's data files, from 3: wordnet.princeton.edu/documentation/lexnames5wn
NOUNS = """
    Tops act animal artifact attribute body cognition communication event feeling food group location motive object person phenomenon plant
    possession process quantity relation shape state substance time
"""
LEXICOGRAPHER_FILES = dict(enumerate(NOUNS.split(), start=3))
Gloss = tuple[str, str]  # lexicographer file, definition


@validate_call
def wordnet(split: Split, folder: Path | str | None = None) -> TextSet:
    """Definitions of nouns in WordNet's twelve largest lexicographer files, which are the classes [miller1995wordnet].

    A definition that several meanings share is left out, and none is both in training and in test. The choice and its order are always the
    same.

    Args:
        split: "train" (1,000 of each class, 12,000) or "test" (200 of each, 2,400).
        folder: where `data.noun` is. Without it: the folder that the environment variable LATENTLINK_DATA names (or its `wordnet`), or, if
            that is not set, the one of Debian's package wordnet-base.

    Returns:
        Texts with labels and the names of the classes.

    Raises:
        DatasetNotFound: `data.noun` is in none of these folders.
        ValueError: the file is damaged, something else, or has too few definitions; the message names it.

    Example:
        >>> import latentlink as ll
        >>> ll.data.wordnet("test").texts[0]  # doctest: +SKIP
        'a mountain in the Himalayas in Nepal (27,790 feet high)'
    """
    choice("split", split, get_args(Split))
    places = places_of("wordnet", folder) or [DEBIAN_FOLDER]
    file = next((place / FILE for place in places if (place / FILE).is_file()), None)
    if file is None:
        raise DatasetNotFound(
            f"no {FILE} of WordNet in {', '.join(map(str, places))}: install Debian's package wordnet-base, or point the environment "
            f"variable {DATA_VARIABLE} to the folder that has it"
        )
    try:
        chosen = choose_glosses(read_glosses(file), TRAIN, TEST)[split]
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    classes = tuple(sorted({name for name, _ in chosen}))
    labels = torch.tensor([classes.index(name) for name, _ in chosen], dtype=torch.int64, device="cpu")
    return TextSet(f"wordnet-{split}", tuple(text for _, text in chosen), labels, classes)


def read_glosses(file: Path) -> list[Gloss]:
    """Read (lexicographer file, definition) of every noun; definitions that several meanings share are left out.

    Raises:
        ValueError: a line is none of WordNet's.
    """
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if line.startswith("  "):  # the licence
            continue
        fields, _, gloss = line.partition(" | ")
        kind = fields.split()[1:2]
        if not gloss or not kind or not kind[0].isdecimal() or int(kind[0]) not in LEXICOGRAPHER_FILES:
            raise ValueError(f"line {number} is no noun of WordNet: an offset, a number of 03 to 28, words, and a gloss after ' | '")
        found.append((LEXICOGRAPHER_FILES[int(kind[0])], gloss.split(";")[0].strip()))
    count = Counter(text for _, text in found)
    return [(name, text) for name, text in found if text and count[text] == 1]


def choose_glosses(glosses: list[Gloss], train: int, test: int) -> dict[Split, list[Gloss]]:
    """Choose so many glosses of each of the largest classes for training and for test, in random order, always the same.

    Raises:
        ValueError: a class has fewer, or a number is below one.
    """
    wanted = integer("train", train) + integer("test", test)
    generator = np.random.default_rng(0)
    splits: dict[Split, list[Gloss]] = {"train": [], "test": []}
    for name, size in Counter(name for name, _ in glosses).most_common(CLASSES):
        if size < wanted:
            raise ValueError(f"{name} has {size} glosses, and {train} for training and {test} for test were asked for")
        members = [gloss for gloss in glosses if gloss[0] == name]
        order = [members[i] for i in generator.permutation(size)[:wanted]]
        splits["train"] += order[:train]
        splits["test"] += order[train:]
    return {split: [rows[i] for i in generator.permutation(len(rows))] for split, rows in splits.items()}
