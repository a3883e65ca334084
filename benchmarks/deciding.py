"""Codec, decision sent, and a gate over both, at one antenna: `python benchmarks/deciding.py`.

The demo's pair, 12,000 pilots and codec (trained once, some minutes, and stored), 40 channels a row, all 4,000 test images, at equal
measured power. The gate looks at the 1,200 pilots that the codec's training held back, over 384 Rayleigh channels of −10 to 30 dB; a
decision is fitted to the 10,800 others, by their pairs or by their labels. Test images are for the table alone.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import latentlink as ll
from latentlink.neural.codec.examples import split
from latentlink.studies.methods.codec import CodecMethod
from latentlink.studies.methods.method import Run
from latentlink.studies.shared import fit_receiver_head
from record import record

COUNT = 40
DRAWS = ll.channels.ChannelDraws(antennas=(1, 2), uses=(1, 2))  # for the gate
ROWS = {
    **{f"Rayleigh, gain {gain:g}, {snr_db} dB": (snr_db, gain, "rayleigh") for gain in (1.0, 0.5) for snr_db in (0, 10, 20)},
    **{f"Rician, K = 10, {snr_db} dB": (snr_db, 1.0, "rician") for snr_db in (0, 20)},
    **{f"TDL-C, two uses over the band, {snr_db} dB": (snr_db, 1.0, "TDL-C") for snr_db in (0, 20)},
}


def channels(snr_db: float, gain: float, model: str) -> ll.Channel:
    """The channels of a row, at one antenna."""
    if model == "TDL-C":
        standard = ll.tr38901.StandardDraws(model=ll.tr38901.Model("TDL-C"), antennas=(1,), uses=(2,), snr_db=(snr_db, snr_db))
        return standard.draw(COUNT, torch.Generator().manual_seed(7))[0]
    settings: dict[str, Any] = {"gain": gain, "batch": (COUNT,), "generator": 7}
    h = ll.channels.rician(1, 1, 10.0, **settings) if model == "rician" else ll.rayleigh(1, 1, **settings)
    return ll.Channel.from_snr(h, snr_db=snr_db)


def designs(pilots: ll.Pilots, head: ll.SoftmaxHead) -> tuple[dict[str, ll.baselines.Gated], ll.Pilots]:
    """The codec with each of two decisions, from pairs and from labels, behind a gate."""
    method = CodecMethod.model_validate({"rounds": 15, "folds": 10, "draws": {"antennas": [1, 2, 4, 8, 16], "uses": [1]}})  # the demo's
    codec = method.codec(ll.studies.PilotKnowledge(pilots, head), Run(0, torch.device("cpu")))
    training = method.training(0)
    rest, held = (pilots[rows] for rows in split(len(pilots), training.validation, training.seed))
    own = ll.fit_head(rest.x, rest.require_labels())
    found = {}
    for name, classifier in (("pairs", None), ("labels", own)):
        decision = ll.baselines.DecisionLink(head, classifier).fitted(rest)
        both: dict[str, Callable[[ll.Channel], Any]] = {"codec": codec.design, "decision": partial(decision.design, rest)}
        found[name] = ll.baselines.Gated.choose(both, held, head, DRAWS, channels=384)
        console.print(name, found[name].serves.tolist())
    return found, held


def compare() -> Table:
    """Accuracy of the codec, of either decision, and of the gate over the codec and that decision."""
    titles = (
        "1×1",
        "codec",
        *(f"{word}, {name}" for name in ("pairs", "labels") for word in ("decision", "gate over both", "share of it")),
    )
    table = Table(*titles, title="Codec, decision and a gate over both, accuracy at one antenna")
    pair = ll.data.device_pair("fashion-mnist")
    pilots, test, head = pair.pilots, pair.test, fit_receiver_head(pair.pilots)
    assert isinstance(head, ll.SoftmaxHead)
    gates, _ = designs(pilots, head)
    for title, row in ROWS.items():
        channel = channels(*row)
        cells: list[str] = []
        for gate in gates.values():
            link = gate.design(channel).transceiver
            alone = torch.stack([accuracies(one, test, head, channel) for one in link.links], -1)
            served = alone.gather(-1, link.serves.unsqueeze(-1))  # the gate's: what it sends and decodes is what the one that serves does
            means = [*alone.mean(0).tolist()[1 if cells else 0 :], float(served.mean())]
            cells += [*(f"{mean:.3f}" for mean in means), f"{float(link.serves.double().mean()):.0%}"]
        table.add_row(title, *cells)
        console.print(title, *cells)
    return table


def accuracies(link: ll.Transceiver, test: ll.Pilots, head: ll.SoftmaxHead, channel: ll.Channel) -> torch.Tensor:
    """Accuracy over each channel, at the power budget and with the same noise for every link."""
    link = link.to(torch.float32).calibrated(test.x)
    seen = ll.evaluate(link, test.x, test.y, channel=channel, head=head, labels=test.labels, generator=0, entries=2**31 - 1)
    assert seen.accuracy is not None
    return seen.accuracy


console = Console()

if __name__ == "__main__":
    made = compare()
    console.print(made)
    record("deciding", made)
