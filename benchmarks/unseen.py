"""Links from few pairs or none on encoders and data that nothing was tuned on: `python benchmarks/unseen.py nouns [draws=5]`.

Chosen before anything was measured on them, and measured once with all defaults:

- `nouns`: WordLlama → all-MiniLM-L6-v2 on glosses of WordNet's nouns in their twelve largest lexicographer files, 1,000 + 200 of each, as
  `studies/benchmark/text.py` makes them;
- `verbs`, in reserve: all-MiniLM-L6-v2 → WordLlama on glosses of verbs, 375 + 75 of each class, made by the same script with `--wordnet
  data.verb --train 375 --test 75`. It is looked at only if `nouns` fails and a default is mended.

Latents are taken whole. The transmitter has x of the first half of the training rows and the receiver y of the second, so that no text is
at both ends; pilots are drawn from the first half. The head is fitted on all labelled y of training; the goal is its Fisher metric at
temperature 3. Eight Rayleigh channels at 20 dB, 4×4 (seed 1) and 8×8 (seed 2). What is held: a link from labels alone within 0.02 of one
from all pairs, and the graph as prior never more than 0.005 below `Moments.from_pairs` on the same random pilots.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import latentlink as ll
from alignment import ANTENNAS, COUNTS, Setting, floors_table
from record import record

LATENTS = Path("studies/benchmark/latents")
SETS = {"nouns": "wordllama-to-minilm", "verbs": "verbs/minilm-to-wordllama"}
NAMES = [f"{antennas}×{antennas}" for antennas, _ in ANTENNAS]
METHODS = ("pairs alone", "ridge", "graph", "medoids, graph", "herding, graph")
WITHIN, LOSS = 0.02, 0.005


def setting(folder: Path) -> Setting:
    """The pair of encoders of a folder as `studies/benchmark/text.py` writes it."""
    words = {split: (folder / f"{split}-labels.txt").read_text(encoding="utf-8").split() for split in ("train", "test")}
    number = {name: place for place, name in enumerate(sorted(set(words["train"])))}
    labels = {split: torch.tensor([number[word] for word in of]) for split, of in words.items()}
    x, y, test_x, test_y = (
        torch.as_tensor(np.load(folder / f"{split}-{end}.npy")).double()
        for split in ("train", "test")
        for end in ("transmitter", "receiver")
    )
    head = ll.fit_head(y, labels["train"])
    goal = ll.Goal.fisher(head, y, temperature=3.0, fidelity=0.01)
    return Setting(x, y, labels["train"], test_x, test_y, labels["test"], head, goal)


def labels_alone(at: Setting, name: str) -> list[tuple[str, float, float, bool]]:
    """Links from labels at both ends beside the link of all pairs."""
    half = len(at.x) // 2
    tx = ll.alignment.Concepts.from_labels(at.x[:half], at.labels[:half])
    rx = ll.alignment.Concepts.from_labels(at.y[half:], at.labels[half:])
    found = {
        "labels, no pair": at.evaluated(ll.Moments.from_concepts(tx, rx, goal=at.goal)),
        f"all {len(at.x):,} pairs": at.evaluated(ll.Moments.from_pairs(at.x, at.y)),
    }
    table = Table("design", *(f"{size} {what}" for size in NAMES for what in ("accuracy", "NMSE")), title=f"Labels at both ends, {name}")
    for design, sizes in found.items():
        table.add_row(design, *(f"{value:.4f}" for size in sizes for value in size[:2]))
    Console().print(table)
    record(f"unseen-{name}-labels", table)
    alone, full = found.values()
    return [(f"labels − all pairs, {size}", a[0] - b[0], -WITHIN, True) for size, a, b in zip(NAMES, alone, full, strict=True)]


def few(at: Setting, name: str, draws: int) -> list[tuple[str, float, float, bool]]:
    """Links from few pairs; every design of a draw has the same random pilots, and the last two choose their own."""
    half = len(at.x) // 2
    own, spread = at.x[:half], ll.alignment.Spread(at.x[:half])
    ends = [ll.alignment.Marginal.from_latents(latents) for latents in (own, at.y[half:])]
    found = torch.full((len(METHODS), len(COUNTS), draws, len(ANTENNAS)), torch.nan, dtype=torch.float64)
    for column, count in enumerate(COUNTS):
        for draw in range(draws):
            for place, method in enumerate(METHODS):
                chosen = {"medoids, graph": "medoid", "herding, graph": "herding"}.get(method, "random")
                if chosen == "herding" and draw:
                    continue  # it draws nothing
                rows = ll.PilotSelection(count=count, method=chosen, seed=draw).indices(own)  # type: ignore[arg-type]
                pilots = ll.Pilots(own[rows], at.y[rows])
                if method == "pairs alone":
                    moments = ll.Moments.from_pairs(pilots.x, pilots.y)
                else:
                    moments = ll.alignment.FewPairs(None if method == "ridge" else spread).fit(pilots, ends[0], ends[1], at.goal)
                found[place, column, draw] = torch.tensor([size[0] for size in at.evaluated(moments)])
        Console().print(f"{count} pilots: {dict(zip(METHODS, found[:, column].nanmean(1)[:, 0].tolist(), strict=True))}")
    rows_of_floors = []
    for size, antennas in enumerate(NAMES):
        table = Table("method", *map(str, COUNTS), title=f"Few pairs, {name}, accuracy at {antennas}, {draws} draws")
        for place, method in enumerate(METHODS):
            table.add_row(method, *(f"{value:.3f}" for value in found[place, :, :, size].nanmean(1).tolist()))
        gain = found[METHODS.index("graph"), :, :, size] - found[METHODS.index("pairs alone"), :, :, size]
        error = gain.std(1) / draws**0.5
        table.add_row("graph − pairs alone", *(f"{m:+.3f} ± {e:.3f}" for m, e in zip(gain.mean(1).tolist(), error.tolist(), strict=True)))
        Console().print(table)
        record(f"unseen-{name}-few-{antennas[0]}x{antennas[0]}", table)
        rows_of_floors += [
            (f"graph − pairs alone, {count}, {antennas}", float(mean), -LOSS, True)
            for count, mean in zip(COUNTS, gain.mean(1), strict=True)
        ]
    return rows_of_floors


if __name__ == "__main__":
    wanted = [word for word in sys.argv[1:] if "=" not in word] or ["nouns"]
    given = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    torch.set_num_threads(1)
    for chosen_set in wanted:
        pair = setting(Path(given.get("latents", LATENTS)) / SETS[chosen_set])
        floors_table(f"unseen-{chosen_set}", labels_alone(pair, chosen_set) + few(pair, chosen_set, int(given.get("draws", 5))))
