"""Links that live, and what pilots cost, on Fashion-MNIST: `python benchmarks/living.py [PART] …` with parts from `PARTS`, all if none.

MobileNetV2 → EfficientNet-Lite0, 12,000 pilots, the first 2,000 test images, goal Fisher at T = 3, 20 dB, 8 Rayleigh channels (seed 1).
Shifted images are seen by the transmitter alone; those of the first thousand are new pairs, and those of the second are evaluated.
"""

import sys
import time
import warnings
from functools import cache

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import latentlink as ll
from latentlink.data.datasets.changes import CHANGES
from latentlink.data.datasets.images import ImageSet
from record import record

TEST, OWN = 2000, 6000
CHANNEL = ll.Channel.from_snr(ll.rayleigh(4, 4, batch=(8,), generator=1), snr_db=20.0)
console = Console()


@cache
def pair() -> ll.data.DevicePair:
    return ll.data.device_pair("fashion-mnist")


@cache
def known() -> tuple[ll.SoftmaxHead, ll.Goal, ll.Moments]:
    """The receiver's head, the goal, and the moments of all pilots."""
    pilots = pair().pilots
    head = ll.fit_head(pilots.y, labels(pilots))
    return head, ll.Goal.fisher(head, pilots.y, temperature=3.0), ll.Moments.from_pairs(pilots.x, pilots.y)


@cache
def modes() -> ll.SemanticModes:
    _, goal, moments = known()
    return ll.semantic_modes(moments, goal)


@cache
def shifted(name: str) -> Tensor:
    """Latents of the transmitter for the first test images, changed."""
    seen = ll.data.fashion_mnist("test").subset(slice(TEST))
    kind, _, amount = name.partition(" ")
    images = CHANGES[kind][0](seen.images, float(amount.rstrip("°") or 1))
    changed = ImageSet(f"{seen.name}, {name}", images, seen.labels, seen.classes)
    return ll.data.encode(ll.data.encoder("mobilenet-v2", 64), changed)


def accuracy(found: ll.SemanticModes, x: Tensor, first: int = 0) -> float:
    """Accuracy of the closed form for these modes on test images from `first` on."""
    test, solution = pair().test[first:TEST], ll.ClosedForm().design(found, CHANNEL)
    seen = ll.evaluate(solution, x[first:TEST], test.y, channel=CHANNEL, head=known()[0], labels=test.labels, generator=0)
    return mean(seen.accuracy)


def mean(values: Tensor | None) -> float:
    assert values is not None
    return float(values.double().mean())


def labels(pilots: ll.Pilots) -> Tensor:
    assert pilots.labels is not None
    return pilots.labels


def best_of(runs: int, function: object) -> float:
    assert callable(function)
    function()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def running() -> Table:
    """What a pair costs, beside a refit."""
    table = Table(
        "what", "ms", "refit by eigh is so many times that", title="Modes that follow each pair, d = m = 1280, a goal of few directions"
    )
    pilots, (_, goal, moments) = pair().pilots, known()
    start = ll.living.RunningModes.of(moments, goal)
    refit = best_of(3, lambda: ll.semantic_modes(moments, goal))
    table.add_row("refit", f"{1e3 * refit:.0f}", "1")
    for dtype, name in ((torch.float64, "float64"), (torch.float32, "float32")):
        state, x, y = start.to(dtype), pilots.x[:50].to(dtype), pilots.y[:50].to(dtype)
        for rows, what in ((1, "one pair"), (50, "50 pairs")):
            seconds = best_of(20, lambda state=state, x=x, y=y, rows=rows: state.update(x[:rows], y[:rows]).modes())
            table.add_row(f"update and modes, {what}, {name}", f"{1e3 * seconds:.2f}", f"{refit / seconds:.0f}")
    half = ll.living.RunningModes.of(ll.Moments.from_pairs(pilots.x[:6000], pilots.y[:6000]), goal)
    short, long = half.to(torch.float32), half
    for row in range(6000, 7000):
        short, long = (each.update(pilots.x[row : row + 1], pilots.y[row : row + 1]) for each in (short, long))
    drift = float((short.modes().strength.double() / long.modes().strength - 1).abs().max())
    table.add_row("float32 beside float64 after 1,000 pairs, strengths", f"{drift:.1e} relative", "")
    return table


def encoders() -> Table:
    """Another encoder at the transmitter: Lite0 becomes Lite1, the receiver has MobileNetV2."""
    table = Table(
        "own images", "accuracy", "power", title="Encoder update by composition, EfficientNet-Lite0 → Lite1, receiver MobileNetV2"
    )
    pilots, test, lite1 = pair().pilots, pair().test[:TEST], ll.data.encoder("efficientnet-lite1", 64)
    head = ll.fit_head(pilots.x, labels(pilots))
    before = ll.semantic_modes(ll.Moments.from_pairs(pilots.y, pilots.x), ll.Goal.fisher(head, pilots.x, temperature=3.0))
    new = ll.data.encode(lite1, ll.data.fashion_mnist("train").subset(slice(OWN)))
    unseen = ll.data.encode(lite1, ll.data.fashion_mnist("test").subset(slice(TEST)))

    def row(name: str, found: ll.SemanticModes, x: Tensor) -> None:
        solution = ll.ClosedForm().design(found, CHANNEL)
        seen = ll.evaluate(solution, x, test.x, channel=CHANNEL, head=head, labels=test.labels, generator=0)
        power = solution.transceiver.encode(x).abs().square().sum((-2, -1)).mean()
        table.add_row(name, f"{mean(seen.accuracy):.4f}", f"{float(power):.2f}")

    row("old encoder", before, test.y)
    row("new encoder, old link", before, unseen)
    for count in (200, 600, 2000, OWN):
        row(f"{count:,}", before.re_encoded(pilots.y[:count], new[:count]), unseen)
    return table


def memory() -> Table:
    """New pairs of a shifted scene, with as much of the past as they themselves ask for."""
    table = Table("shift", "new pairs", "accuracy", "memory (draws)", title="Memory by held-out new pairs; second thousand of images")
    test, (_, goal, past) = pair().test, known()
    for name in ("rotated 30°", "noise 20", "inverted"):
        x = shifted(name)
        table.add_row(
            name, "none: stale, re-centred", f"{accuracy(modes(), x, 1000):.4f}, {accuracy(modes().recentred(x[:1000]), x, 1000):.4f}", ""
        )
        for count in (42, 420):
            found, memories = [], []
            for draw in range(3 if count == 42 else 2):
                rows = torch.randperm(1000, generator=torch.Generator().manual_seed(draw))[:count]
                remembered = ll.living.remember(past, x[rows], test.y[rows], goal)
                found.append(accuracy(ll.semantic_modes(remembered.moments, goal, remembered.shrinkage), x, 1000))
                memories.append(str(remembered.count))
            table.add_row(name, str(count), f"{sum(found) / len(found):.4f}", ", ".join(memories))
    return table


def watching() -> Table:
    """Delays of the watch, calibrated on the other 2,000 test images, on the first channel."""
    table = Table("stream", "messages up to an alarm", "accuracy", title="Watch on the entropy of decisions, one false alarm in 2,500")
    test, (head, *_) = pair().test, known()
    link = ll.ClosedForm().design(modes(), CHANNEL).transceiver

    def arrived(x: Tensor, seed: int) -> Tensor:
        return ll.transmit(link, x, CHANNEL, generator=seed)[0]

    watch = ll.living.Watch.calibrated(head, arrived(test.x[TEST:], 1))
    streams = {"unchanged": test.x[:TEST], **{name: shifted(name) for name in ("rotated 30°", "noise 20", "rotated 10°", "inverted")}}
    for name, x in streams.items():
        y_hat = arrived(x, 2)
        right = float((head(y_hat).argmax(-1) == labels(test)[:TEST]).double().mean())
        table.add_row(name, f"{watch.delay_for(y_hat):.0f}", f"{right:.3f}")
    table.add_row("between false alarms, one standard error", " to ".join(f"{value:.0f}" for value in watch.between), "")
    return table


def price() -> Table:
    """What few pilots cost at 8×8, told from their folds alone, in the first 120 principal components of each latent."""
    table = Table("pilots", "true, dB", "told, dB", "at most", title="The price of pilots, 8×8, 120 principal components, means over draws")
    pilots, test = pair().pilots, pair().test
    channel = ll.Channel.from_snr(ll.rayleigh(8, 8, batch=(8,), generator=2), snr_db=20.0)
    (x, tx), (y, ty) = (_components(*each) for each in ((pilots.x, test.x), (pilots.y, test.y)))

    def error(moments: ll.Moments) -> Tensor:
        solution = ll.ClosedForm().design(ll.semantic_modes(moments), channel)
        return ll.evaluate(solution, tx, ty, channel=channel, generator=0).nmse

    best = error(ll.Moments.from_pairs(x, y))
    for count in (200, 420, 1200, 4200):
        found = []
        for draw in range(4):
            rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(draw))[:count]
            moments = ll.Moments.from_pairs(x[rows], y[rows], folds=10)
            told = ll.bounds.pilot_price(moments, channel)
            true = 10 * (error(moments) / best).log10()
            found.append(torch.stack([each.double().mean() for each in (true, told.low_db, told.high_db, told.bound_db)]))
        true, low, high, bound = torch.stack(found).mean(0).tolist()
        table.add_row(f"{count:,}", f"{true:.2f}", f"{low:.2f} to {high:.2f}", f"{bound:.2f}")
    return table


def _components(seen: Tensor, unseen: Tensor) -> tuple[Tensor, Tensor]:
    mean, covariance = seen.double().mean(0), seen.double().T.cov()
    vectors = torch.linalg.eigh(covariance).eigenvectors[:, -120:]
    return (seen.double() - mean) @ vectors, (unseen.double() - mean) @ vectors


def deciding() -> Table:
    """The transmitter's decision as one of ten points."""
    table = Table("antennas", "receiver's head on aligned latents", "own head, 6,000 labels", "power", title="The decision sent, 20 dB")
    pilots, test, (head, *_) = pair().pilots, pair().test[:TEST], known()
    own = ll.fit_head(pilots.x[:OWN], labels(pilots)[:OWN])
    for n, seed in ((1, 1), (2, 1), (4, 1), (8, 2)):
        channel = ll.Channel.from_snr(ll.rayleigh(n, n, batch=(8,), generator=seed), snr_db=20.0)
        cells, power = [], 0.0
        for classifier in (None, own):
            solution = ll.baselines.DecisionLink(head, classifier).design(pilots, channel)
            seen = ll.evaluate(solution, test.x, test.y, channel=channel, head=head, labels=test.labels, generator=0)
            cells.append(f"{mean(seen.accuracy):.4f} (NMSE {float(seen.nmse.mean()):.2f})")
            power = float(solution.transceiver.encode(test.x).abs().square().sum((-2, -1)).mean())
        table.add_row(f"{n}×{n}", *cells, f"{power:.3f}")
    return table


PARTS = {"running": running, "encoders": encoders, "memory": memory, "watching": watching, "price": price, "deciding": deciding}


if __name__ == "__main__":
    warnings.simplefilter("ignore", UserWarning)  # of few pilots, which are the subject here
    for part in sys.argv[1:] or PARTS:
        table = PARTS[part]()
        console.print(table)
        record(f"living-{part}", table)
