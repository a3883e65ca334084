"""Interference, sensors and primaries on Fashion-MNIST: `python benchmarks/several.py [PART] …` with parts from `PARTS`.

Latents and goals are those of `fashion.py`, channels Rayleigh, SNR per transmit antenna. J is the users' weighted error above what no
channel could avoid, but for sensors, where it is the whole weighted error. Accuracy is on 4,000 test images and the first 12 draws, over
links of the users by themselves, in which others' signals are Gaussian interference. Tables go to results/bench/several-*.json. One thread.
"""

import sys
import time
from collections.abc import Sequence

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import latentlink as ll
from fashion import ENCODERS, drawn, latents, network, pair_modes
from record import record

nw = ll.networks
console = Console(width=160)
PAIRS = (("mobilenet", "lite0"), ("lite0", "lite2"), ("lite1", "mobilenet"))
DRAWS = 12


def shown(title: str, columns: Sequence[str]) -> Table:
    """A table with these columns."""
    return Table(*columns, title=title)


def kept(table: Table, name: str) -> None:
    """Print a table and keep it."""
    console.print(table)
    record(f"several-{name}", table, threads=1)


def of_first(link: ll.LinearTransceiver) -> ll.LinearTransceiver:
    """The link over the first draws."""
    return link.each(lambda value: value[:DRAWS] if value.ndim > 2 or value.shape[:1] == link.batch else value)


def accuracy(links: Sequence[ll.LinearTransceiver], x: Sequence[Tensor], y: Sequence[str]) -> str:
    """The accuracy in % of each user's link over the first draws."""
    found = []
    for k, link in enumerate(links):
        some = ll.Channel(
            link.channel.h[:DRAWS], link.channel.noise_variance[:DRAWS], link.channel.power[:DRAWS],
            interference=None if link.channel.interference is None else link.channel.interference[:DRAWS],
        )  # fmt: skip
        of = latents(y[k])
        own = of_first(link)
        e = ll.evaluate(own, x[k], of.test, channel=some, head=of.head, labels=of.labels, generator=0)
        assert e.accuracy is not None
        found.append(100 * float(e.accuracy.mean()))
    return " ".join(f"{each:.1f}" for each in found)


def interference() -> None:
    """Row c of the floors: the selfish game, cooperation, and each alone."""
    modes = network([a for a, _ in PAIRS], [b for _, b in PAIRS], "own")
    table = shown(
        "Three pairs, 4×4, 100 draws", ["SNR/INR dB", "design", "J", "settled", "rounds: median, most", "ms a channel", "accuracy"]
    )
    for snr, inr in ((10.0, 0.0), (10.0, 10.0), (20.0, 20.0)):
        h, cross = drawn(*[(4, 4)] * 9), 10 ** ((inr - snr) / 20)
        links = nw.Links.from_snr([[h[3 * k + t] * (1.0 if t == k else cross) for t in range(3)] for k in range(3)], snr)
        designs = {
            "game, sequential": nw.SemanticGame(),
            "game, simultaneous": nw.SemanticGame(order="simultaneous"),
            "game, widely linear, 30 rounds": nw.SemanticGame(proper=False, rounds=30),
            "cooperative, 60 steps from the game": nw.Cooperative(starts=1, polish=0),
            "cooperative, 30 rounds of prices": nw.Cooperative(starts=1, polish=0, method="prices", steps=30),
            "cooperative": nw.Cooperative(),
            "fair": nw.Fair(by=nw.Cooperative(starts=1)),
        }
        nash = None
        for name, design in designs.items():
            start = time.perf_counter()
            solution = design.design(modes, links)
            cost = 10 * (time.perf_counter() - start)
            J = solution.trace["objective"]
            nash = J if nash is None else nash
            settled, rounds = "", ""
            if "gain" in solution.trace:
                settled = f"{100 * float((solution.trace['gain'] <= 1e-10).double().mean()):.0f} %"
                rounds = f"{float(solution.trace['rounds'].median()):.0f}, {float(solution.trace['rounds'].max()):.0f}"
            elif name != "fair":
                settled = f"below the game: {100 * float((nash > J).double().mean()):.0f} %"
            right = accuracy([solution.user(k) for k in range(3)], [latents(a).test for a, _ in PAIRS], [b for _, b in PAIRS])
            table.add_row(f"{snr:g}/{inr:g}", name, f"{J.mean():.4f}", settled, rounds, f"{cost:.1f}", right)
        table.add_row(f"{snr:g}/{inr:g}", "bound", f"{(nw.Cooperative(starts=1).design(modes, links).bound - modes.rest.sum()).mean():.4f}")
    kept(table, "interference")


def half(side: str, name: str) -> tuple[Tensor, Tensor]:
    """Latents of pilots and test images of which an encoder sees one half; the other is black."""

    def seen(split: str, count: int) -> Tensor:
        images = ll.data.fashion_mnist(split).subset(slice(count))  # type: ignore[arg-type]
        pixels = images.images.clone()
        pixels[:, :, slice(14, None) if side == "left" else slice(0, 14)] = 0
        half = ll.data.ImageSet(f"{images.name}, {side} half", pixels, images.labels, images.classes)
        return ll.data.encode(ll.data.encoder(ENCODERS[name]), half).double()

    return seen("train", 12000), seen("test", 4000)


def sensors() -> None:
    """Row b of the floors: two sensors, one receiver; whole weighted errors."""
    table = shown("Two sensors → Lite1, 2×2, two uses, 100 draws", ["sees", "SNR dB", "design", "weighted error", "bound", "accuracy"])
    whole = [(latents(name).pilots, latents(name).test) for name in ("mobilenet", "lite0")]
    for sees, pairs in {"halves": [half("left", "mobilenet"), half("right", "lite0")], "whole": whole}.items():
        of = latents("lite1")
        modes = nw.network_modes(nw.NetworkMoments.from_pilots([each[0] for each in pairs], [of.pilots]), of.goal)
        h = [each.expand(-1, 2, -1, -1) for each in drawn((2, 2), (2, 2))]
        for snr in (0.0, 10.0):
            links = nw.Links.from_snr([h], snr)
            designs = {
                "own designs, decoded together": nw.MultipleAccess(starts=1, steps=0, polish=0),
                "joint, 60 steps": nw.MultipleAccess(starts=1, polish=0),
                "joint": nw.MultipleAccess(),
                "joint, one budget": nw.MultipleAccess(budget="sum"),
            }
            for name, design in designs.items():
                solution = design.design(modes, links)
                right = accuracy([solution.user(0)], [torch.cat([each[1] for each in pairs], -1)], ["lite1"])
                table.add_row(sees, f"{snr:g}", name, f"{solution.weighted.sum(-1).mean():.4f}", f"{solution.bound.mean():.4f}", right)
        table.add_row(sees, "", "no channel", f"{modes.rest.sum():.4f}")
    kept(table, "sensors")


def primaries() -> None:
    """Limits at a primary user with two antennas, 4×4 at 10 dB."""
    modes = pair_modes()
    channel = ll.Channel.from_snr(drawn((4, 4), batch=40)[0].squeeze(1), 10.0)
    primary = drawn((2, 4), batch=40, seed=1)[0]
    rest = modes.weighted_variance - modes.strength.square().sum()
    table = shown("A primary with two antennas, 40 draws", ["cap", "J", "gap, largest", "optimal", "J, scaled down", "ms a channel"])
    plain = ll.ClosedForm().design(modes, channel).transceiver
    S = ll.power.Leakage(primary, 1.0).correlation(channel)
    F = plain.precoder.squeeze(-3)
    slots = F.shape[-1]
    for cap in (torch.inf, 0.5, 0.1, 0.01, 1e-4, 0.0):
        start = time.perf_counter()
        solution = ll.ClosedForm(leakage=[ll.power.Leakage(primary, cap)]).design(modes, channel)
        cost = 25 * (time.perf_counter() - start)
        share = (cap / ((S @ F) * F).sum((-2, -1))).clamp(max=1.0)
        powers = plain.scaled(share).stream_gram().diagonal(dim1=-2, dim2=-1)
        h = torch.linalg.svdvals(channel.h).flatten(-2).repeat_interleave(2, -1)[..., :slots]
        b, N = modes.strength, channel.noise_variance.unsqueeze(-1) / 2
        s = powers.shape[-1]
        scaled = (b[:s].square() / (1 + powers * h[..., :s].square() / N)).sum(-1) + b[s:].square().sum()
        J = (solution.trace["error"] - rest) / modes.weighted_variance
        closed = float((solution.status == ll.Status.OPTIMAL.code).double().mean())
        row = [f"{float(J.mean()):.4f}", f"{float(solution.trace['gap'].max()):.1e}", f"{100 * closed:.0f} %"]
        table.add_row(f"{cap:g}", *row, f"{float((scaled / modes.weighted_variance).mean()):.4f}", f"{cost:.1f}")
    kept(table, "primaries")


PARTS = {part.__name__: part for part in (interference, sensors, primaries)}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for wanted in sys.argv[1:] or PARTS:
        PARTS[wanted]()
