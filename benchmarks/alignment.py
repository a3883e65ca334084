"""Links from few pairs or none, on the demo's encoders: `python benchmarks/alignment.py concepts pairs draws=3`.

The transmitter has x of images 0–5,999 and the receiver y of images 6,000–11,999, so that no image is at both ends; pairs are drawn from
the first half. The head is fitted on all 12,000 labelled y; the goal is its Fisher metric at temperature 3. Eight Rayleigh channels at
20 dB, seeds 1 (4×4) and 2 (8×8), 4,000 test images. `concepts` takes full latents; `pairs` takes 300 principal components at each end, with
the design of pairs alone in all dimensions beside. `many-draws draws=10 counts=10,42,100` repeats a part of that over more draws of pilots.
Tables and floors go to results/bench/alignment-*.json. Nothing is chosen here.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import latentlink as ll
from latentlink.latents.without_pairs import WithoutPairs
from record import record

HALF, COMPONENTS, COUNTS, SNR_DB = 6000, 300, (10, 20, 42, 100, 420), 20.0
ANTENNAS = ((4, 1), (8, 2))


@dataclass
class Setting:
    """Latents of both ends, and what the receiver makes of them."""

    x: Tensor
    y: Tensor
    labels: Tensor
    test_x: Tensor
    test_y: Tensor
    test_labels: Tensor
    head: ll.SoftmaxHead
    goal: ll.Goal

    @classmethod
    def demo(cls) -> "Setting":
        """The demo's pair of encoders."""
        pair = ll.data.device_pair("fashion-mnist")
        pilots, test = pair.pilots, pair.test
        head = ll.fit_head(pilots.y, pilots.require_labels())
        goal = ll.Goal.fisher(head, pilots.y, temperature=3.0, fidelity=0.01)
        ends = (pilots.x.double(), pilots.y.double(), pilots.require_labels(), test.x.double(), test.y.double(), test.require_labels())
        return cls(*ends, head, goal)

    def in_components(self, count: int) -> "Setting":
        """The same in the leading principal components of what each end has."""
        (mean_x, Vx), (mean_y, Vy) = leading(self.x[:HALF], count), leading(self.y[HALF:], count)
        head = ll.SoftmaxHead(count, self.head.out_features).double()
        with torch.no_grad():
            head.weight.copy_(self.head.weight.double() @ Vy)
            head.bias.copy_(self.head.weight.double() @ mean_y + self.head.bias.double())
        x, test_x = ((x - mean_x) @ Vx for x in (self.x, self.test_x))
        y, test_y = ((y - mean_y) @ Vy for y in (self.y, self.test_y))
        goal = ll.Goal(self.goal.weight @ Vy, self.goal.fidelity)
        return Setting(x, y, self.labels, test_x, test_y, self.test_labels, head, goal)

    def evaluated(self, moments: WithoutPairs, sizes: tuple[tuple[int, int], ...] = ANTENNAS) -> list[tuple[float, float, float]]:
        """Accuracy, NMSE and power for each number of antennas."""
        assert isinstance(moments, ll.Moments)
        modes, found = ll.semantic_modes(moments, self.goal), []
        for antennas, seed in sizes:
            channel = ll.Channel.from_snr(ll.rayleigh(antennas, antennas, batch=(8,), generator=seed), snr_db=SNR_DB)
            solution = ll.ClosedForm().design(modes, channel)
            e = ll.evaluate(solution, self.test_x, self.test_y, channel=channel, head=self.head, labels=self.test_labels, generator=0)
            assert e.accuracy is not None
            found.append((float(e.accuracy.mean()), float(e.nmse.mean()), float(e.power.mean())))
        return found


def leading(latents: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The mean and the leading principal components (d, count)."""
    mean = latents.mean(0)
    return mean, torch.linalg.eigh((latents - mean).mT @ (latents - mean)).eigenvectors.flip(-1)[:, :count]


def floors_table(name: str, rows: list[tuple[str, float, float, bool]]) -> None:
    """Print and keep what was reached beside the floors; the last entry says whether larger is better."""
    table = Table("what", "measured", "floor", "met", title=f"Floors: {name}")
    for what, measured, floor, larger in rows:
        table.add_row(what, f"{measured:.4f}", f"{'≥' if larger else '≤'} {floor}", "yes" if (measured >= floor) == larger else "NO")
    Console().print(table)
    record(f"{name}-floors", table)


def concepts(at: Setting) -> None:
    """Links from labels at both ends, with and without pairs for the rest."""
    tx = ll.alignment.Concepts.from_labels(at.x[:HALF], at.labels[:HALF])
    rx = ll.alignment.Concepts.from_labels(at.y[HALF:], at.labels[HALF:])
    table = Table("pairs", "4×4 accuracy", "NMSE", "8×8 accuracy", "NMSE", "power", title="Labels at both ends")
    found = {}
    for count in (0, 42, 420, 12_000):
        start = time.perf_counter()
        if count == 12_000:
            moments = ll.Moments.from_pairs(at.x, at.y)
        else:
            rows = ll.PilotSelection(count=max(count, 1)).indices(at.x[:HALF])
            moments = ll.Moments.from_concepts(tx, rx, goal=at.goal)
            if count:
                rest = ll.alignment.FewPairs(prior=moments).fit(ll.Pilots(at.x[rows], at.y[rows]), tx, rx)
                moments = ll.Moments.from_concepts(tx, rx, rest, goal=at.goal)
        four, eight = found[count] = at.evaluated(moments)
        table.add_row(f"{count:,}", *(f"{value:.4f}" for value in (*four[:2], *eight)))
        Console().print(f"{count} pairs: {four} {eight} in {time.perf_counter() - start:.0f} s")
    Console().print(table)
    record("alignment-concepts", table)
    moved = [abs(found[count][size][0] - found[0][size][0]) for count in (42, 420) for size in (0, 1)]
    floors_table(
        "alignment-concepts",
        [
            ("no pairs, 4×4", found[0][0][0], 0.825, True),
            ("no pairs, 8×8", found[0][1][0], 0.835, True),
            ("accuracy moved by pairs as rest, at most", max(moved), 0.002, False),
            ("8×8 NMSE, 42 pairs as rest", found[42][1][1], 0.69, False),
            ("8×8 NMSE, 420 pairs as rest", found[420][1][1], 0.62, False),
        ],
    )


def estimates(at: Setting, count: int, draw: int, spread: ll.alignment.Spread, ends: tuple) -> Iterator[tuple[str, WithoutPairs]]:
    """Moments of every method from this number of pilots."""
    tx, rx, deciding = ends
    own, alignment = at.x[:HALF], ll.alignment

    def chosen(method: str) -> ll.Pilots:
        rows = ll.PilotSelection(count=count, method=method, seed=draw).indices(own)  # type: ignore[arg-type]
        return ll.Pilots(own[rows], at.y[rows])

    pilots, medoids = chosen("random"), chosen("medoid")
    yield "pairs alone", ll.Moments.from_pairs(pilots.x, pilots.y)
    yield "ridge", alignment.FewPairs().fit(pilots, tx, rx, at.goal)
    yield "graph", alignment.FewPairs(spread).fit(pilots, tx, rx, at.goal)
    yield "medoids, pairs alone", ll.Moments.from_pairs(medoids.x, medoids.y)
    yield "medoids, graph", alignment.FewPairs(spread).fit(medoids, tx, rx, at.goal)
    if draw == 0:
        yield "herding, graph", alignment.FewPairs(spread).fit(chosen("herding"), tx, rx, at.goal)
    decided = alignment.DecisionPilots(pilots.x, at.head(pilots.y).argmax(1))
    means = decided.pairs(deciding)
    yield "decisions, ridge", alignment.FewPairs().fit(means, tx, rx, at.goal)
    yield "decisions, graph", alignment.FewPairs(spread).fit(means, tx, rx, at.goal)
    if len(decided.decisions.unique()) == len(deciding.counts):  # every class is among the pilots
        yield "decisions, concepts", ll.Moments.from_concepts(decided.concepts(spread), deciding, goal=at.goal)
    yield "whitened Procrustes", alignment.WhitenedProcrustes().fit(pilots, tx, rx, at.goal)
    yield "Parseval frame", alignment.ParsevalFrame().fit(pilots, tx, rx, at.goal)
    yield "relative", alignment.RelativeRepresentation().fit(pilots, tx, rx, at.goal)


def pairs(full: Setting, draws: int) -> None:
    """Links from few pairs, without labels at the transmitter."""
    at = full.in_components(COMPONENTS)
    spread = ll.alignment.Spread(at.x[:HALF])
    ends = [ll.alignment.Marginal.from_latents(latents) for latents in (at.x[:HALF], at.y[HALF:])]
    deciding = ll.alignment.Concepts.from_labels(at.y[HALF:], at.head(at.y[HALF:]).argmax(1))
    found: dict[str, dict[int, list[float]]] = {}
    for count in COUNTS:
        start = time.perf_counter()
        for draw in range(draws):
            drawn = ll.PilotSelection(count=count, seed=draw).indices(full.x[:HALF])
            alone = full.evaluated(ll.Moments.from_pairs(full.x[drawn], full.y[drawn]), ANTENNAS[:1])[0][0]
            found.setdefault("pairs alone, all dimensions", {}).setdefault(count, []).append(alone)
            for name, moments in estimates(at, count, draw, spread, (*ends, deciding)):
                found.setdefault(name, {}).setdefault(count, []).append(at.evaluated(moments, ANTENNAS[:1])[0][0])
        shown = {name: round(sum(by[count]) / len(by[count]), 3) for name, by in found.items() if count in by}
        Console().print(f"{count} pilots in {time.perf_counter() - start:.0f} s: {shown}")
    mean = {name: {count: sum(values) / len(values) for count, values in by.items()} for name, by in found.items()}
    table = Table("method", *map(str, COUNTS), title="Few pairs, accuracy at 4×4, 300 components")
    for name, by in mean.items():
        table.add_row(name, *(f"{by[count]:.3f}" if count in by else "" for count in COUNTS))
    Console().print(table)
    record("alignment-pairs", table)
    rows = [(f"medoids, graph, {count}", mean["medoids, graph"][count], floor, True) for count, floor in MEDOIDS.items()]
    for beside in ("pairs alone, all dimensions", "pairs alone"):
        gains = GAINS if "," in beside else dict.fromkeys(COUNTS, -0.005)  # in the same coordinates it must not lose
        rows += [(f"graph − {beside}, {count}", mean["graph"][count] - mean[beside][count], floor, True) for count, floor in gains.items()]
    rows += [(f"decisions, ridge, {count}", mean["decisions, ridge"][count], floor, True) for count, floor in DECISIONS.items()]
    floors_table("alignment-pairs", rows)


def many_draws(full: Setting, draws: int, counts: tuple[int, ...]) -> None:
    """The graph beside pairs alone over many draws of pilots: how far chance explains a floor that few draws miss."""
    at = full.in_components(COMPONENTS)
    own, spread = at.x[:HALF], ll.alignment.Spread(at.x[:HALF])
    tx, rx = (ll.alignment.Marginal.from_latents(latents) for latents in (own, at.y[HALF:]))
    names = (
        "pairs alone, all dimensions",
        "pairs alone",
        "graph",
        "medoids, graph",
        "graph − pairs alone, all dimensions",
        "graph − pairs alone",
    )
    for count in counts:
        found = torch.zeros(draws, 4, dtype=torch.float64)
        for draw in range(draws):
            rows, medoids = (ll.PilotSelection(count=count, method=way, seed=draw).indices(own) for way in ("random", "medoid"))
            ways = [
                (full, ll.Moments.from_pairs(full.x[rows], full.y[rows])),
                (at, ll.Moments.from_pairs(own[rows], at.y[rows])),
                *((at, ll.alignment.FewPairs(spread).fit(ll.Pilots(own[some], at.y[some]), tx, rx, at.goal)) for some in (rows, medoids)),
            ]
            found[draw] = torch.tensor([where.evaluated(moments, ANTENNAS[:1])[0][0] for where, moments in ways])
            Console().print(f"{count} pilots, draw {draw}: {found[draw].tolist()}")
        every = torch.cat([found, found[:, 2:3] - found[:, :2]], 1)
        table = Table("method", "mean", "standard error", "of one draw", title=f"{count} pilots, {draws} draws, accuracy at 4×4")
        for name, values in zip(names, every.T, strict=True):
            table.add_row(name, f"{values.mean():.4f}", f"{values.std() / draws**0.5:.4f}", f"{values.std():.4f}")
        Console().print(table)
        record(f"alignment-draws-{count}", table)


MEDOIDS = {10: 0.60, 20: 0.69, 42: 0.71, 100: 0.735}
GAINS = {10: 0.08, 42: 0.08, 100: 0.03, 420: -0.005}
DECISIONS = {100: 0.67, 420: 0.76}


if __name__ == "__main__":
    wanted = [word for word in sys.argv[1:] if "=" not in word] or ["concepts", "pairs"]
    given = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    torch.set_num_threads(1)
    demo = Setting.demo()
    if "concepts" in wanted:
        concepts(demo)
    if "pairs" in wanted:
        pairs(demo, int(given.get("draws", 3)))
    if "many-draws" in wanted:
        many_draws(demo, int(given.get("draws", 3)), tuple(map(int, given.get("counts", "10,42,100").split(","))))
