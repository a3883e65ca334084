"""A codec from the classes at both ends, with few pairs or none: `python benchmarks/codec_without_pairs.py [0] [42] [420] [all]`.

On the demo's encoders. As in benchmarks/alignment.py, the transmitter has labelled x of images 0–5,999 and the receiver labelled y of
images 6,000–11,999; pairs are drawn from the first half. The linear design is of `Moments.from_concepts`, and the codec is trained on
`pseudo_pairs` in 32 modes for 5 rounds, else with the demo's settings. Beside them stand the design and the codec of 12,000 pairs (`all`,
128 modes, 10 rounds). A fifth case, `shuffled`, is a trap: labels that were shuffled at the transmitter. 20 Rayleigh channels of gain 1 at
20 dB of each size, seeds 101 to 108, noise of seed 0; 4,000 test images, which decide nothing. A codec is saved in results/bench/codecs as
soon as it is trained, and read from there by the next run; an interrupted training goes on from its last round. Each takes one or two
minutes of one core.
"""

import sys
from dataclasses import replace
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import latentlink as ll
from alignment import HALF, SNR_DB, Setting
from latentlink.storage.artifacts import load_if_there
from record import FOLDER, record

SIZES, CHANNELS, FIRST_SEED = (1, 2, 4, 8), 20, 100
DRAWS = ll.channels.ChannelDraws(antennas=(1, 2, 4, 8, 16), uses=(1,))
FROM_PAIRS = ll.CodecTraining(rounds=10, folds=10, draws=DRAWS)
# of more coordinates the networks learn the labels by heart
FROM_CLASSES = replace(FROM_PAIRS, modes=32, rounds=5, bank=(16384, 128, 1024))


class Known(NamedTuple):
    """What both links are made of: moments for the linear design, pilots to train the codec on."""

    moments: ll.Moments
    pilots: ll.Pilots


def from_classes(at: Setting, count: int, labels: Tensor) -> Known:
    """Classes at both ends, by these labels (6000,) at the transmitter, and `count` pairs for the rest."""
    x, alignment = at.x[:HALF], ll.alignment
    tx, rx = alignment.Concepts.from_labels(x, labels), alignment.Concepts.from_labels(at.y[HALF:], at.labels[HALF:])
    classes = ll.Moments.from_concepts(tx, rx, goal=at.goal)
    if not count:
        return Known(classes, alignment.pseudo_pairs(x, labels, rx))
    rows = ll.PilotSelection(count=count).indices(x)
    rest = alignment.FewPairs(prior=classes).fit(ll.Pilots(x[rows], at.y[rows]), tx, rx)
    filled = ll.Moments.from_concepts(tx, rx, rest, goal=at.goal)
    return Known(filled, alignment.pseudo_pairs(x, labels, rx, classes, filled))


def known(at: Setting, case: str) -> Known:
    """What is known in a case that is named on the command line."""
    if case == "all":
        return Known(ll.Moments.from_pairs(at.x, at.y), ll.Pilots(at.x, at.y))
    labels = at.labels[:HALF]
    if case == "shuffled":
        return from_classes(at, 0, labels[torch.randperm(HALF, generator=torch.Generator().manual_seed(0))])
    return from_classes(at, int(case), labels)


def codec_of(at: Setting, case: str, modes: ll.SemanticModes, pilots: ll.Pilots) -> ll.Codec:
    """The codec of a case, trained unless it is stored."""
    objective = ll.objectives.HeadDivergence(at.head)
    training = FROM_PAIRS if case == "all" else FROM_CLASSES
    path = FOLDER / "codecs" / f"{training.identity(modes, pilots, objective)}.safetensors"
    if (stored := load_if_there(path, ll.Codec)) is not None:
        return stored
    path.parent.mkdir(parents=True, exist_ok=True)
    fit = training.fit(modes, pilots, objective, checkpoint=path.with_suffix(".training"))
    scores = ", ".join(f"{score:.3f}" for score in fit.trace["validation_score"].tolist())
    Console().print(f"{case}: scores by round {scores}; open on {float(fit.trace['open']):.0%} of channels")
    fit.codec.save(path)
    return fit.codec


def cells(at: Setting, design: ll.Codec | None, modes: ll.SemanticModes) -> list[str]:
    """Accuracy and NMSE at each size, and on how many channels the networks were on."""
    found = []
    for size in SIZES:
        channel = ll.Channel.from_snr(ll.rayleigh(size, size, batch=(CHANNELS,), generator=FIRST_SEED + size), snr_db=SNR_DB)
        solution = ll.ClosedForm().design(modes, channel) if design is None else design.design(channel)
        e = ll.evaluate(solution, at.test_x, at.test_y, channel=channel, head=at.head, labels=at.test_labels, generator=0)
        assert e.accuracy is not None
        on = "" if design is None else f" ({float(solution.trace['active'].double().mean()):.0%})"
        found.append(f"{float(e.accuracy.mean()):.3f} / {float(e.nmse.mean()):.3f}{on}")
        assert float(e.power.mean()) < 1.05, f"power {float(e.power.mean())} of a budget of 1"
    return found


def main(wanted: list[str]) -> None:
    at = Setting.demo()
    sizes = (f"{size}×{size}" for size in SIZES)
    table = Table("from", "link", *sizes, title="Accuracy / NMSE, and the share of channels on which the gate is open")
    for case in wanted:
        moments, pilots = known(at, case)
        modes = ll.semantic_modes(moments, at.goal)
        names = {"all": "12,000 pairs", "shuffled": "shuffled classes"}
        for link, design in (("linear", None), ("codec", codec_of(at, case, modes, pilots))):
            row = cells(at, design, modes)
            table.add_row(names.get(case, f"classes, {case} pairs"), link, *row)
            Console().print(case, link, *row)
    Console().print(table)
    record("codec-without-pairs", table)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:] or ["0", "42", "420", "all", "shuffled"])
