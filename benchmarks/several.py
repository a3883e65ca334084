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
from latentlink.networks.problem import Problem
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
    columns = ["SNR/INR dB", "design", "J", "settled", "rounds: median, most", "game over it: mean, most", "worse off", "ms a channel"]
    table = shown("Three pairs, 4×4, 100 draws", [*columns, "accuracy"])
    for snr, inr in ((10.0, 0.0), (10.0, 10.0), (20.0, 20.0)):
        h, cross = drawn(*[(4, 4)] * 9), 10 ** ((inr - snr) / 20)
        links = nw.Links.from_snr([[h[3 * k + t] * (1.0 if t == k else cross) for t in range(3)] for k in range(3)], snr)
        designs = {
            "game, sequential": nw.SemanticGame(),
            "game, sequential, best answers only": nw.SemanticGame(damping=0.0),
            "game, simultaneous": nw.SemanticGame(order="simultaneous"),
            "game, widely linear, 30 rounds": nw.SemanticGame(proper=False, rounds=30),
            "cooperative, 60 steps from the game": nw.Cooperative(starts=1, polish=0),
            "cooperative, 30 rounds of prices": nw.Cooperative(starts=1, polish=0, method="prices", steps=30),
            "cooperative": nw.Cooperative(),
            "fair": nw.Fair(by=nw.Cooperative(starts=1)),
        }
        for name, design in designs.items():
            start = time.perf_counter()
            solution = design.design(modes, links)
            cost = 10 * (time.perf_counter() - start)
            J = solution.trace["objective"]
            if name == "game, sequential":
                nash, selfish = J, solution.weighted
            settled, rounds = "", ""
            over = f"{(nash / J).mean():.2f}, {(nash / J).max():.2f}"
            worse = f"{100 * float((solution.weighted > selfish * (1 + 1e-3)).double().mean()):.0f} % of users"
            if "gain" in solution.trace:
                settled = f"{100 * float((solution.trace['gain'] <= 1e-10).double().mean()):.0f} %"
                rounds = f"{float(solution.trace['rounds'].median()):.0f}, {float(solution.trace['rounds'].max()):.0f}"
            elif name != "fair":
                settled = f"below the game: {100 * float((nash > J).double().mean()):.0f} %"
            right = accuracy([solution.user(k) for k in range(3)], [latents(a).test for a, _ in PAIRS], [b for _, b in PAIRS])
            table.add_row(f"{snr:g}/{inr:g}", name, f"{J.mean():.4f}", settled, rounds, over, worse, f"{cost:.1f}", right)
        table.add_row(f"{snr:g}/{inr:g}", "bound", f"{(nw.Cooperative(starts=1).design(modes, links).bound - modes.rest.sum()).mean():.4f}")
    kept(table, "interference")


def parallel() -> None:
    """The condition of games of powers beside what games on parallel uses do: three pairs of one antenna, eight uses."""
    modes = network([a for a, _ in PAIRS], [b for _, b in PAIRS], "own")
    columns = ["SNR/INR dB", "ρ: median", "ρ < 1", "settled", "of these with ρ < 1", "best answers only", "rounds: median, most"]
    table = shown("Three pairs of one antenna, eight uses, 100 draws", columns)
    h = drawn(*[(8, 1, 1)] * 9)
    for snr, inr in ((0.0, -20.0), (0.0, -10.0), (10.0, -20.0), (10.0, -10.0), (10.0, 0.0), (10.0, 10.0)):
        cross = 10 ** ((inr - snr) / 20)
        links = nw.Links.from_snr([[h[3 * k + t] * (1.0 if t == k else cross) for t in range(3)] for k in range(3)], snr)
        radius = nw.power_game_contraction(links)
        solution, plain = (nw.SemanticGame(damping=share).design(modes, links) for share in (0.5, 0.0))
        settled, sure = solution.trace["gain"] <= 1e-10, radius < 1
        counts = [int(each.sum()) for each in (sure, settled, settled & sure, plain.trace["gain"] <= 1e-10)]
        rounds = f"{float(solution.trace['rounds'].median()):.0f}, {float(solution.trace['rounds'].max()):.0f}"
        table.add_row(f"{snr:g}/{inr:g}", f"{float(radius.median()):.2f}", *map(str, counts), rounds)
    kept(table, "parallel")


def half(side: str, name: str) -> tuple[Tensor, Tensor]:
    """Latents of pilots and test images of which an encoder sees one half; the other is black."""

    def seen(split: str, count: int) -> Tensor:
        images = ll.data.fashion_mnist(split).subset(slice(count))  # type: ignore[arg-type]
        pixels = images.images.clone()
        pixels[:, :, slice(14, None) if side == "left" else slice(0, 14)] = 0
        half = ll.data.ImageSet(f"{images.name}, {side} half", pixels, images.labels, images.classes)
        return ll.data.encode(ll.data.encoder(ENCODERS[name]), half).double()

    return seen("train", 12000), seen("test", 4000)


def of_sensors(sees: str) -> tuple[list[tuple[Tensor, Tensor]], nw.NetworkModes]:
    """Pilots and test latents of MobileNetV2 and Lite0, and the modes of a receiver that wants Lite1's."""
    whole = [(latents(name).pilots, latents(name).test) for name in ("mobilenet", "lite0")]
    pairs = [half("left", "mobilenet"), half("right", "lite0")] if sees == "halves" else whole
    of = latents("lite1")
    return pairs, nw.network_modes(nw.NetworkMoments.from_pilots([each[0] for each in pairs], [of.pilots]), of.goal)


def turns(h: list[Tensor]) -> list[Tensor]:
    """Channels of two uses in which each sensor is heard in a use of its own, with the energy of both."""
    return [each * (torch.arange(2) == t)[:, None, None] for t, each in enumerate(h)]


def sensors() -> None:
    """Row b of the floors: two sensors, one receiver; whole weighted errors."""
    table = shown(
        "Two sensors → Lite1, 2×2, two uses, 100 draws", ["sees", "SNR dB", "design", "weighted error", "bound", "gap", "accuracy"]
    )
    h = [each.expand(-1, 2, -1, -1) for each in drawn((2, 2), (2, 2))]
    for sees in ("halves", "whole"):
        pairs, modes = of_sensors(sees)
        of = latents("lite1")
        alone = [nw.network_modes(nw.NetworkMoments.from_pilots([each[0]], [of.pilots]), of.goal) for each in pairs]
        for snr in (0.0, 10.0):
            links = nw.Links.from_snr([h], snr)
            cases = {
                **{f"sensor {t + 1} alone": (nw.MultipleAccess(), alone[t], nw.Links.from_snr([[h[t]]], snr), [t]) for t in (0, 1)},
                "own designs, decoded together": (nw.MultipleAccess(starts=1, steps=0, polish=0), modes, links, [0, 1]),
                "a use for each, designed together": (nw.MultipleAccess(), modes, nw.Links.from_snr([turns(h)], snr), [0, 1]),
                "joint, 60 steps": (nw.MultipleAccess(starts=1, polish=0), modes, links, [0, 1]),
                "joint": (nw.MultipleAccess(), modes, links, [0, 1]),
                "joint, one budget": (nw.MultipleAccess(budget="sum"), modes, links, [0, 1]),
            }
            for name, (design, wanted, over, heard) in cases.items():
                solution = design.design(wanted, over)
                right = accuracy([solution.user(0)], [torch.cat([pairs[t][1] for t in heard], -1)], ["lite1"])
                error, bound = solution.weighted.sum(-1), solution.bound
                gap = f"{100 * float((error / bound - 1).mean()):.1f} %"
                table.add_row(sees, f"{snr:g}", name, f"{error.mean():.4f}", f"{bound.mean():.4f}", gap, right)
        table.add_row(sees, "", "no channel", f"{modes.rest.sum():.4f}")
    kept(table, "sensors")


def phases() -> None:
    """What a phase between sensors costs that the design does not know: halves, 2×2, 0 dB, 24 draws of channels, 8 of phases each."""
    _, modes = of_sensors("halves")
    h = [each[:24].expand(-1, 2, -1, -1) for each in drawn((2, 2), (2, 2))]
    links = nw.Links.from_snr([h], 0.0)
    joint, apart = (nw.MultipleAccess().design(modes, each) for each in (links, nw.Links.from_snr([turns(h)], 0.0)))
    problem = Problem.of(modes, links)
    G, _ = problem.lmmse(joint.precoder)
    source = torch.Generator().manual_seed(1)
    table = shown(
        f"Phase errors between two sensors; a use for each of them: {apart.weighted.sum(-1).mean():.4f}",
        ["phase error, degrees", "decoder of what arrives", "decoder that is not told"],
    )
    for spread in (0.0, 10.0, 20.0, 45.0, 90.0, None):
        told, untold = [], []
        for _ in range(8):
            angle = torch.randn(24, generator=source) * torch.pi * (spread or 0.0) / 180
            angle = 2 * torch.pi * torch.rand(24, generator=source) if spread is None else angle
            turned = nw.Links.from_snr([[h[0], h[1] * torch.exp(1j * angle.double())[:, None, None, None]]], 0.0)
            told.append(joint.matched_to(turned).weighted.sum(-1).mean())
            M = Problem.of(modes, turned).received(joint.precoder)
            eye = torch.eye(M.shape[-2], dtype=M.dtype)
            explained = 2 * (G * (M @ problem.B.mT).mT).sum((-2, -1)) - ((G @ (M @ problem.C @ M.mT + eye)) * G).sum((-2, -1))
            untold.append((modes.weighted_variance - explained).sum(-1).mean())
        row = [f"{float(torch.stack(each).mean()):.4f}" for each in (told, untold)]
        table.add_row("uniform" if spread is None else f"{spread:g}", *row)
    kept(table, "phases")


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


PARTS = {part.__name__: part for part in (interference, parallel, sensors, phases, primaries)}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for wanted in sys.argv[1:] or PARTS:
        PARTS[wanted]()
