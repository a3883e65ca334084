"""Codecs for the users of one transmitter, beside linear designs: `python benchmarks/user_codecs.py [PART] …`, parts from `PARTS`.

Latents and goals are those of `fashion.py`, MobileNetV2 for three users with EfficientNet-Lite0, 1 and 2; one codec for each pair, trained
on single links and kept in results/codecs. Channels are Rayleigh of gain 1 where nothing else is said, SNR per transmit antenna; 24 draws,
1,000 test images, which are others for each user where messages are private. All codecs' signals are sent at once. Tables go to
results/bench/user-codecs-*.json. One thread.
"""

import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import latentlink as ll
from fashion import drawn, latents, network
from latentlink.neural.codec.gate import Gate
from record import record

nw = ll.networks
console = Console(width=160)
SOURCE, USERS, DRAWS, IMAGES = "mobilenet", ("lite0", "lite1", "lite2"), 24, 1000
TRAINING = ll.CodecTraining(
    modes=64,
    width=128,
    max_symbols=6,
    rounds=20,
    draws=ll.channels.ChannelDraws(antennas=(1, 2, 3, 4, 6), uses=(1,), snr_db=(-10.0, 30.0)),
)
PRIVATE = ((6, 0.0), (6, 10.0), (8, 10.0), (4, 0.0), (4, 10.0), (2, 10.0))  # transmit antennas for three users with two each, SNR in dB
COMMON: dict[str, tuple[int, int, int, float]] = {
    "4×4, −5 dB": (4, 4, 1, -5.0), "4×4, 0 dB": (4, 4, 1, 0.0), "4×4, 10 dB": (4, 4, 1, 10.0), "4×2, 0 dB": (2, 4, 1, 0.0),
    "4×2, 10 dB": (2, 4, 1, 10.0), "2×2, three uses, 0 dB": (2, 2, 3, 0.0), "2×2, three uses, 10 dB": (2, 2, 3, 10.0),
    "4×4, 10, 0 and −10 dB": (4, 4, 1, 10.0),
}  # fmt: skip
Links = Sequence[ll.BaseTransceiver]


@cache
def codec(user: str) -> ll.Codec:
    """The codec of a pair, trained once."""
    path = Path(f"results/codecs/{SOURCE}-{user}.safetensors")
    if not path.exists():
        a, b = latents(SOURCE), latents(user)
        modes = ll.semantic_modes(ll.Moments.from_pairs(a.pilots, b.pilots), b.goal)
        objective = ll.objectives.HeadDivergence(b.head, fidelity=0.05)
        start = time.perf_counter()
        found = TRAINING.fit(modes, ll.Pilots(a.pilots.float(), b.pilots.float()), objective).codec
        console.print(f"{SOURCE} → {user}: trained in {time.perf_counter() - start:.0f} s")
        path.parent.mkdir(parents=True, exist_ok=True)
        found.save(path)
    return ll.load(path, ll.Codec)


@cache
def pairs() -> tuple[ll.Moments, ...]:
    return tuple(ll.Moments.from_pairs(latents(SOURCE).pilots, latents(user).pilots) for user in USERS)


@cache
def images(private: bool) -> list[Tensor]:
    """The numbers of the test images that each user is sent."""
    source = torch.Generator().manual_seed(0)
    every = len(latents(SOURCE).test)
    orders = [torch.randperm(every, generator=source)[:IMAGES] for _ in USERS]
    return orders if private else [orders[0]] * len(USERS)


def links(n_rx: int, n_tx: int, snr_db: float, uses: int = 1, sources: int = 1, far_db: float = 0.0) -> nw.Links:
    """Rayleigh channels to users in turn, each so many dB weaker than the one before."""
    drawn_h = drawn(*[(n_rx, n_tx)] * len(USERS), batch=DRAWS)
    h = [[10 ** (-far_db * k / 20) * each.expand(-1, uses, -1, -1)] for k, each in enumerate(drawn_h)]
    return nw.Links.from_snr(h, snr_db, transmitter_of=(0,) * sources)


def accuracies(users: Links, received: Sequence[Tensor], rows: Sequence[Tensor]) -> list[float]:
    """The accuracy in % of every user; Ψ is merged with its head, so that no latents are made."""
    right = []
    for name, link, r, order in zip(USERS, users, received, rows, strict=True):
        head = latents(name).head
        weight, bias = head.weight.detach().double(), head.bias.detach().double()
        logits = link.receive(r).double() @ (weight @ link.synthesis.double()).mT + weight @ link.mean_y.double() + bias
        right.append(100 * float((logits.argmax(-1) == latents(name).labels[order]).double().mean()))
    return right


def of_linear(solution: nw.NetworkSolution, over: nw.Links, rows: Sequence[Tensor]) -> list[float]:
    """The accuracies of a linear design; its links are those that users listen to."""
    sent = solution.transmitters[0].encode(*(latents(SOURCE).test[order] for order in rows[: solution.modes.sources]))
    right = []
    for name, receiver, r, order in zip(USERS, solution.receivers, over.apply([sent], 0), rows, strict=True):
        head = latents(name).head
        weight, bias = head.weight.detach().double(), head.bias.detach().double()
        stacked = torch.cat([r.real.flatten(-2), r.imag.flatten(-2)], -1)
        logits = stacked @ (weight @ receiver.synthesis @ receiver.decoder).mT + weight @ receiver.mean_y + bias
        right.append(100 * float((logits.argmax(-1) == latents(name).labels[order]).double().mean()))
    return right


def of_codecs(solution: nw.UserCodecsSolution, over: nw.Links, rows: Sequence[Tensor], sources: int) -> list[float]:
    sent = solution.encode(*(latents(SOURCE).test[order].float() for order in rows[:sources]))
    return accuracies(solution.users, over.apply([sent], 0), rows)


def words(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.1f} ({' '.join(f'{value:.1f}' for value in values)})"


def shown(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title)
    for column in columns:
        table.add_column(column)
    return table


def done(table: Table, name: str) -> None:
    console.print(table)
    record(f"user-codecs-{name}", table, threads=1)


def private() -> None:
    """A message for each user: linear designs, codecs by them, and the same with networks off."""
    columns = ["setting", "design", "linear", "codecs", "networks off", "on", "rounds", "unsettled", "ms a channel"]
    table = shown(f"A message for each of three users with two antennas, accuracy in %, {DRAWS} draws", columns)
    modes = network([SOURCE] * 3, list(USERS), "own")
    codecs = [codec(user) for user in USERS]
    silent = [each.with_gate(Gate(torch.zeros_like(each.gate.open))) for each in codecs]
    rows = images(True)
    for n_tx, snr_db in PRIVATE:
        over = links(2, n_tx, snr_db, sources=3)
        designs = {"block diagonal": nw.BlockDiagonal(), "SLNR": nw.Slnr(), "broadcast": nw.Broadcast()}
        for name, design in designs.items():
            if n_tx < 6 and name == "block diagonal":
                continue
            linear = design.design(modes, over)
            start = time.perf_counter()
            solution = nw.UserCodecs(codecs, by=Given(linear)).design(modes, over)
            spent = 1e3 * (time.perf_counter() - start) / DRAWS
            off = nw.UserCodecs(silent, by=Given(linear)).design(modes, over)
            table.add_row(
                f"{n_tx}×2, {snr_db:g} dB", name, words(of_linear(linear, over, rows)), words(of_codecs(solution, over, rows, 3)),
                words(of_codecs(off, over, rows, 3)), f"{float(solution.trace['active'].double().mean()):.0%}",
                str(int(solution.trace["rounds"])), f"{float(solution.trace['unsettled'].max()):.0e}", f"{spent:.1f}",
            )  # fmt: skip
    done(table, "private")


class Given:
    """A design that was made before."""

    def __init__(self, solution: nw.NetworkSolution) -> None:
        self.solution = solution

    def design(self, modes: nw.NetworkModes, links: nw.Links) -> nw.NetworkSolution:
        return self.solution


def common() -> None:
    """One latent for three users: the linear broadcast, one codec for all of them, and a codec for each in uses of its own."""
    columns = ["setting", "broadcast, linear", "one codec for all", "time division, linear", "time division, codecs", "each alone, codecs"]
    table = shown(f"One latent for three users, accuracy in %, {DRAWS} draws", columns)
    modes = network([SOURCE], list(USERS))
    rows = images(False)
    for setting, (n_rx, n_tx, uses, snr_db) in COMMON.items():
        over = links(n_rx, n_tx, snr_db, uses, far_db=10.0 if "and" in setting else 0.0)
        linear = nw.Broadcast().design(modes, over)
        shared = nw.CommonCodec(codec(USERS[0]), pairs()).design(over)
        divided = ["", ""]
        if uses >= len(USERS):
            by = nw.TimeDivision().design(modes, over)
            copies = nw.UserCodecs([codec(user) for user in USERS], by=Given(by)).design(modes, over)
            divided = [words(of_linear(by, by.links, rows)), words(of_codecs(copies, over, rows, 1))]
        own = [codec(user).design(over.table[k][0].to(torch.float32)).transceiver for k, user in enumerate(USERS)]
        x = latents(SOURCE).test[rows[0]].float()
        alone = accuracies(own, [link.channel.apply(link.encode(x), k) for k, link in enumerate(own)], rows)
        table.add_row(setting, words(of_linear(linear, over, rows)), words(of_codecs(shared, over, rows, 1)), *divided, words(alone))
    done(table, "common")


def told() -> None:
    """Where being told is not enough: what arrives beside what was told, real parts beside imaginary ones, and Gaussian others."""
    columns = ["setting", "told, dB", "measured − told, dB", "real − imaginary, dB", "worst part, dB", "accuracy", "accuracy, Gaussian"]
    table = shown("Signal-to-interference-and-noise ratios of the streams, private messages", columns)
    modes, rows = network([SOURCE] * 3, list(USERS), "own"), images(True)
    sent = [latents(SOURCE).test[order].float() for order in rows]
    for n_tx, snr_db in ((6, 10.0), (4, 10.0), (2, 10.0)):
        over = links(2, n_tx, snr_db, sources=3)
        solution = nw.UserCodecs([codec(user) for user in USERS], by=nw.Broadcast(starts=1)).design(modes, over)
        total = solution.encode(*sent)
        apart = []
        for k, link in enumerate(solution.users):
            noise = over.table[k][0].apply(total.to(torch.complex64) - link.encode(sent[k]), k)
            apart.append(disturbance(link, noise))
        both = torch.stack(apart)  # users, draws, symbols, parts: told to be 1
        mean = both.mean(-1)
        level = torch.stack([link.codec.streams.amplitude[..., 0 : 2 * mean.shape[-1] : 2].square() for link in solution.users])
        decibels = [10 * value.log10() for value in (level.mean(), 1 / mean.mean(), both[..., 0].mean() / both[..., 1].mean())]
        worst = (10 * both.log10()).abs().max()
        gaussian = [link.channel.apply(link.encode(x), k) for k, (link, x) in enumerate(zip(solution.users, sent, strict=True))]
        table.add_row(
            f"{n_tx}×2, {snr_db:g} dB", *(f"{float(value):.2f}" for value in (*decibels, worst)),
            words(of_codecs(solution, over, rows, 3)), words(accuracies(solution.users, gaussian, rows)),
        )  # fmt: skip
    done(table, "told")


def disturbance(link: nw.UserCodecLink, noise: Tensor) -> Tensor:
    """The variance (draws, symbols, parts) of noise and interference in the streams of a link, which it was told to be 1."""
    white = (noise.transpose(-3, -2) @ link.whitening.mT).transpose(-3, -2)
    return link.codec.beams.streams(white).var(-2).unflatten(-1, (-1, 2))


PARTS = {"private": private, "common": common, "told": told}


if __name__ == "__main__":
    torch.set_num_threads(1)
    with torch.no_grad():
        for part in sys.argv[1:] or PARTS:
            PARTS[part]()
