"""One transmitter for several users on Fashion-MNIST: `python benchmarks/broadcast.py [PART] …` with parts from `PARTS`, all if none.

Latents and goals are those of `fashion.py`, channels Rayleigh of gain 1, SNR per transmit antenna. J is the users' weighted error above
what no channel could avoid. Accuracy is on 4,000 test images and the first draws; private messages are of images that are drawn anew for
each user. Tables go to results/bench/broadcast-*.json. One thread.
"""

import sys
import time
from collections.abc import Callable, Sequence
from functools import cache, partial

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import latentlink as ll
from fashion import drawn, latents, network
from latentlink.networks.descent import descend
from latentlink.networks.design import Outcome
from latentlink.networks.equivalent import mean_channel, strongest
from latentlink.networks.exact import exact
from latentlink.networks.federated import consensus
from latentlink.networks.one_transmitter import baseline
from latentlink.networks.polish import polish
from latentlink.networks.problem import Problem
from latentlink.networks.starts import starts
from record import record

nw = ll.networks
console = Console(width=160)
USERS, PAIRS = ("lite0", "lite1", "lite2"), (("mobilenet", "lite0"), ("lite0", "lite2"), ("lite1", "mobilenet"))
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
COMMON = {"4×4, 0 dB": (4, 1, 0.0), "4×4, 10 dB": (4, 1, 10.0), "2×2, three uses, 10 dB": (2, 3, 10.0)}


@cache
def common() -> nw.NetworkModes:
    """One latent for three users."""
    return network(["mobilenet"], list(USERS))


def links(antennas: tuple[int, int], users: int, snr_db: float, uses: int = 1, batch: int = 100, sources: int = 1) -> nw.Links:
    """Rayleigh channels to users in turn, each use the same."""
    h = [[each.expand(-1, uses, -1, -1)] for each in drawn(*[antennas] * users, batch=batch)]
    return nw.Links.from_snr(h, snr_db, transmitter_of=(0,) * sources)


def accuracies(
    solution: nw.NetworkSolution, heads: Sequence[ll.SoftmaxHead], sent: Sequence[Tensor], labels: Sequence[Tensor], draws: int
) -> list[float]:
    """The accuracy in % of every user over the first draws; its decoder is merged with its head, so that no latents are made."""
    found = solution.links[:draws].apply([solution.transmitters[0].encode(*sent)[:draws]], 0)
    right = []
    for receiver, head, r, truth in zip(solution.receivers, heads, found, labels, strict=True):
        weight, bias = head.weight.detach().double(), head.bias.detach().double()
        stacked = torch.cat([r.real.flatten(-2), r.imag.flatten(-2)], -1)
        logits = stacked @ (weight @ receiver.synthesis @ receiver.decoder[:draws]).mT + weight @ receiver.mean_y + bias
        right.append(100 * float((logits.argmax(-1) == truth).double().mean()))
    return right


def common_accuracies(solution: nw.NetworkSolution, draws: int = 40) -> str:
    users = [latents(name) for name in USERS]
    return words(accuracies(solution, [each.head for each in users], [latents("mobilenet").test], [each.labels for each in users], draws))


def words(values: Sequence[float]) -> str:
    return " ".join(f"{value:.1f}" for value in values)


def mean(values: Tensor) -> str:
    return f"{float(values.mean()):.4f}"


def shown(title: str, columns: Sequence[str], name: str) -> tuple[Table, Callable[[], None]]:
    """A table, and what prints and records it."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column)

    def done() -> None:
        console.print(table)
        record(f"broadcast-{name}", table, threads=1)

    return table, done


def floors() -> None:
    """Row a of the floors: 100 draws, with bounds, baselines and accuracies."""
    table, done = shown("One latent for three users, 100 draws", ["setting", "design", "J", "bound", "accuracy"], "common")
    for setting, (n, uses, snr_db) in COMMON.items():
        over = links((n, n), 3, snr_db, uses)
        designs = {
            "one user's design": nw.ReusedDesign(),
            "mean channel": nw.FederatedAdmm(rounds=0),
            "equivalent channel": nw.Broadcast(starts=1, steps=0, polish=0),
            "+ 30 steps": nw.Broadcast(starts=1, polish=0),
            "+ 150 of L-BFGS": nw.Broadcast(starts=1),
            "five starts (default)": nw.Broadcast(),
            "federated ADMM, ρ 0.3, 100 rounds": nw.FederatedAdmm(),
        }
        if uses > 1:
            designs |= {"time division": nw.TimeDivision(), "time division, overheard": nw.TimeDivision(overheard=True)}
        for name, design in designs.items():
            solution = design.design(common(), over)
            J, bound = solution.trace["objective"], solution.bound - common().rest.sum()
            error = float(J.std()) / len(J) ** 0.5
            table.add_row(setting, name, f"{mean(J)} ± {error:.4f}", mean(bound), common_accuracies(solution))
    done()


def convergence() -> None:
    """Excess over the best known after so many steps, 20 draws."""
    counts = (0, 5, 20, 30, 100, 300)
    table, done = shown("Excess over the best known, mean / max of 20 draws", ["setting", "from", *map(str, counts)], "convergence")
    for setting, (n, uses, snr_db) in {**COMMON, "4×4, 20 dB": (4, 1, 20.0)}.items():
        problem = Problem.of(common(), links((n, n), 3, snr_db, uses, batch=20))
        best = problem.errors(nw.Broadcast(starts=12, polish=300).solve(problem).F).sum(-1)
        mean_start = mean_channel(problem, strongest(problem))
        for name, F in {"mean channel": mean_start, "equivalent channel": starts(problem, 1)[0]}.items():
            for method, go in {"descent": descend, "L-BFGS": polish}.items():
                table.add_row(setting, f"{method}, {name}", *(excess(problem, go(problem, F, count, "sum"), best) for count in counts))
        row = []
        for rounds in counts:
            tried = {rho: consensus(problem, mean_start, rho, rounds)[0] for rho in PENALTIES}
            rho = min(tried, key=lambda rho: float(problem.errors(tried[rho]).sum(-1).mean()))
            row.append(f"{excess(problem, tried[rho], best)} (ρ {rho:g})")
        table.add_row(setting, "federated ADMM, best ρ", *row)
    done()


def excess(problem: Problem, F: Tensor, best: Tensor) -> str:
    more = 100 * (problem.errors(F).sum(-1) / best - 1)
    return f"{float(more.mean()):.2f} / {float(more.max()):.2f} %"


def private() -> None:
    """A message for each user: 16 draws."""
    table, done = shown("A message for each of three users, 16 draws", ["setting", "design", "J", "bound", "accuracy"], "private")
    modes = network([a for a, _ in PAIRS], [b for _, b in PAIRS], "own")
    source = torch.Generator().manual_seed(0)
    orders = [torch.randperm(len(latents("lite0").test), generator=source) for _ in PAIRS]
    sent = [latents(a).test[order] for (a, _), order in zip(PAIRS, orders, strict=True)]
    labels = [latents(b).labels[order] for (_, b), order in zip(PAIRS, orders, strict=True)]
    for n_tx, snr_db in ((6, 0.0), (6, 10.0), (8, 10.0), (4, 10.0)):
        over = links((2, n_tx), 3, snr_db, batch=16, sources=3)
        designs = {"uncoordinated": Uncoordinated(), "block diagonal": nw.BlockDiagonal(), "SLNR": nw.Slnr()}
        designs |= {"SLNR + 30 steps": nw.Broadcast(starts=1, polish=0), "broadcast (default)": nw.Broadcast()}
        for name, design in designs.items():
            if n_tx == 4 and name == "block diagonal":
                continue
            solution = design.design(modes, over)
            J, bound = solution.trace["objective"], solution.bound - modes.rest.sum()
            found = accuracies(solution, [latents(b).head for _, b in PAIRS], sent, labels, 16)
            table.add_row(f"{n_tx}×2, {snr_db:g} dB", name, mean(J), mean(bound), f"{sum(found) / 3:.1f} ({words(found)})")
    done()


class Uncoordinated(nw.Slnr):
    """Each user's own closed form at its share of the power, as if there were no others."""

    def solve(self, problem: Problem) -> Outcome:
        users = problem.H.shape[-3]
        parts = [exact(problem.B[k], problem.H[..., k, :, :], problem.power[..., 0] / users).F for k in range(users)]
        return baseline(problem, sum(parts[1:], parts[0]))


def speed() -> None:
    """The equivalent channel and 30 steps on a batch of 100, one thread; and the default design."""
    table, done = shown("Time a channel, three users, 4×4, 10 dB, batch of 100", ["what", "ms"], "speed")
    problem = Problem.of(common(), links((4, 4), 3, 10.0))
    table.add_row("two closed forms + 30 steps", f"{timed(lambda: by_descent(problem, 30)) / 100:.2f}")
    table.add_row("the same, and bounds", f"{timed(lambda: nw.Broadcast(starts=1, polish=0).solve(problem)) / 100:.2f}")
    table.add_row("one start, polished", f"{timed(lambda: nw.Broadcast(starts=1).solve(problem)) / 100:.2f}")
    table.add_row("five starts, polished (default)", f"{timed(lambda: nw.Broadcast().solve(problem)) / 100:.2f}")
    done()


def timed(work: Callable[[], object]) -> float:
    """The least of five times in ms."""
    found = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        found.append(1e3 * (time.perf_counter() - start))
    return min(found)


def ten() -> None:
    """Ten users: three encoders with heads and goals on three thirds of the pilots each, and the transmitter's own encoder once."""
    names = [*(name for name in USERS for _ in range(3)), "mobilenet"]
    heads = [head_on(name, k % 3) for k, name in enumerate(names)]
    goals = [ll.Goal.fisher(head, latents(name).pilots.float(), temperature=3.0) for name, head in zip(names, heads, strict=True)]
    moments = nw.NetworkMoments.from_pilots([latents("mobilenet").pilots], [latents(name).pilots for name in names])
    modes, over = nw.network_modes(moments, goals), links((4, 4), 10, 10.0)
    problem = Problem.of(modes, over)
    labels = [latents(name).labels for name in names]
    columns = [
        "iterations",
        "ρ",
        "J descent",
        "J ADMM",
        "accuracy descent",
        "accuracy ADMM",
        "ms ADMM",
        "ms descent to the same J",
        "ratio",
    ]
    table, done = shown("Ten users, 4×4, 10 dB, 100 draws: block descent and tuned federated ADMM", columns, "ten")
    begun = mean_channel(problem, strongest(problem))
    path = [starts(problem, 1)[0]]
    for _ in range(300):
        path.append(descend(problem, path[-1], 1, "sum"))
    means = [float(problem.errors(F).sum(-1).mean()) for F in path]
    for rounds in (10, 30, 100, 300):
        tried = {rho: consensus(problem, begun, rho, rounds)[0] for rho in (0.1, 0.3, 1.0, 3.0, 10.0)}
        errors = {rho: float(problem.errors(F).sum(-1).mean()) for rho, F in tried.items()}
        rho = min(errors, key=errors.__getitem__)
        steps = next((n for n, J in enumerate(means) if errors[rho] >= J), None)
        slow = timed(partial(by_consensus, problem, rho, rounds))
        fast = None if steps is None else timed(partial(by_descent, problem, steps))
        accuracy = [ten_accuracy(modes, over, F, heads, labels) for F in (path[rounds], tried[rho])]
        ends = ["never", ""] if fast is None else [f"{fast:.0f} ({steps} steps)", f"{slow / fast:.0f}"]
        table.add_row(str(rounds), f"{rho:g}", f"{means[rounds]:.4f}", f"{errors[rho]:.4f}", *accuracy, f"{slow:.0f}", *ends)
    solution = nw.Broadcast(starts=1).design(modes, over)
    J, found = solution.trace["objective"], ten_accuracy(modes, over, solution.precoder, heads, labels)
    table.add_row("30 + 150 L-BFGS", "", mean(J), "", found, "", "", "", "")
    done()


def by_consensus(problem: Problem, rho: float, rounds: int) -> Tensor:
    return consensus(problem, mean_channel(problem, strongest(problem)), rho, rounds)[0]


def by_descent(problem: Problem, steps: int) -> Tensor:
    return descend(problem, starts(problem, 1)[0], steps, "sum")


def head_on(name: str, third: int) -> ll.SoftmaxHead:
    """A head on a third of the pilots."""
    truth = ll.data.device_pair("fashion-mnist").pilots.require_labels()
    return ll.fit_head(latents(name).pilots.float()[third::3], truth[third::3])


def ten_accuracy(modes: nw.NetworkModes, over: nw.Links, F: Tensor, heads: list[ll.SoftmaxHead], labels: list[Tensor]) -> str:
    nothing = torch.zeros(over.batch)
    solution = nw.NetworkSolution(modes, over, F, nothing.long(), nothing.double())
    found = accuracies(solution, heads, [latents("mobilenet").test], labels, 40)
    return f"{sum(found) / len(found):.2f} ({min(found):.2f})"


PARTS = {"floors": floors, "convergence": convergence, "private": private, "speed": speed, "ten": ten}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
