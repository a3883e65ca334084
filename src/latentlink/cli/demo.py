"""`latentlink demo`: the whole story on real data, in a figure, a table and a saved link."""

import time
from pathlib import Path

import polars as pl
import torch
from rich.box import SIMPLE_HEAD
from rich.progress import Progress
from rich.table import Table

from latentlink.cli.console import device_named, messages, out, progress, write_table, wrote
from latentlink.data.pairs import Dataset, DevicePair, device_pair
from latentlink.latents.moments import Moments
from latentlink.linear.closed_form import ClosedForm
from latentlink.report.figures import draw_accuracy, summary
from latentlink.studies.accuracy import GOAL_ORIENTED, OPTA, WIDELY_LINEAR, AccuracyStudy, accuracy_rows, designed_modes, reference_rows
from latentlink.tasks.heads import fit_head

_FOLDS = 5  # one of them is held out to calibrate the power of the figure's designs


def demo(
    *,
    output: Path = Path("demo"),
    dataset: Dataset = "auto",
    antennas: tuple[int, ...] = (1, 2, 4, 8, 16),
    channels: int = 20,
    snr_db: float = 20.0,
    gain: float = 1.0,
    pilots: int = 12_000,
    test: int = 4_000,
    image_size: int = 64,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Two encoders that were trained apart, a MIMO channel between them: what does the receiver understand?

    MobileNetV2 sends Fashion-MNIST to EfficientNet-Lite0 by three exact linear designs, over Rayleigh channels. Writes accuracy.png,
    accuracy.pdf, results.parquet, link.safetensors (the goal-oriented link over the first channel at 8×8) and head.safetensors.

    Example: `latentlink demo --antennas 1 --antennas 8 --channels 50 --output my-demo`

    Parameters
    ----------
    output
        Folder for the results.
    dataset
        "auto" is Fashion-MNIST, or digits with two small encoders where it is absent.
    antennas
        Transmit = receive antennas of each point.
    channels
        Rayleigh channels per point.
    snr_db
        Power of one transmit antenna over the noise of one receive antenna, in dB.
    gain
        Mean squared channel coefficient; 0.5 reproduces the paper's code.
    pilots
        Training images known to both sides.
    test
        Unseen images to measure with.
    image_size
        Pixels to which images are scaled.
    seed
        Of channels and noise.
    device
        Torch device, "cpu" or "cuda".
    """
    started = time.perf_counter()
    device_named(device)
    study = AccuracyStudy(tuple(antennas), channels, snr_db, gain, seed=seed)
    pair = device_pair(dataset, pilots=pilots, test=test, image_size=image_size, device=device)
    if pair.note:
        messages.print(pair.note, style="yellow", markup=False)
    with progress() as bar:
        results = _measured(study, pair, device, output, bar)
    title = f"{pair.transmitter} → {pair.receiver}, {pair.dataset}, {len(pair.pilots)} pilots, Rayleigh gain {gain:g}, {snr_db:g} dB"
    write_table(output / "results.parquet", results)
    figures = [output / "accuracy.png", output / "accuracy.pdf"]
    draw_accuracy(results, [*figures], f"{title}\nmean and 95 % band over {channels} channels, {len(pair.test)} unseen images each")
    _print_table(results, title)
    wrote(*figures, *(output / name for name in ("results.parquet", "link.safetensors", "head.safetensors")))
    out.print(f"{time.perf_counter() - started:.1f} s")


def _measured(study: AccuracyStudy, pair: DevicePair, device: str, output: Path, bar: Progress) -> pl.DataFrame:
    """All rows; the goal-oriented link of the 8×8 point (or the largest) is saved on the way."""
    pilots, test = pair.pilots.to(device), pair.test.to(device)
    steps = 3 + 3 * len(study.antennas)
    task = bar.add_task("receiver's head", total=steps)

    def done(next_step: str) -> None:
        bar.update(task, advance=1, description=next_step)

    head = fit_head(pilots.y, pilots.labels)
    done("semantic modes")
    moments = Moments.from_pairs(pilots.x, pilots.y, folds=min(_FOLDS, len(pilots)))
    designs = designed_modes(study, moments, head, pilots.y)
    done("ceilings and limits")
    frames = [reference_rows(study, test, head, designs[WIDELY_LINEAR][0])]
    done("links")
    for frame in accuracy_rows(study, test, head, designs, moments):
        frames.append(frame)
        done(f"{frame['method'][0]}")
    shown = 8 if 8 in study.antennas else max(study.antennas)
    goal_modes = designs[GOAL_ORIENTED][0].named(pair.transmitter, pair.receiver)
    link = ClosedForm().design(goal_modes, study.channel(shown, torch.device(device))[0]).transceiver
    link.to(torch.float32).save(output / "link.safetensors")
    head.save(output / "head.safetensors")
    return pl.concat(frames, how="diagonal")


def _print_table(results: pl.DataFrame, title: str) -> None:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    columns = sorted(set(results["antennas"]))
    table.add_column("accuracy", no_wrap=True)
    for n in columns:
        table.add_column(f"{n}×{n}", justify="right")
    table.add_column("power", justify="right")
    rows = summary(results.filter(pl.col("method") != OPTA)).partition_by("method", maintain_order=True)
    for method in sorted(rows, key=lambda rows: float(rows["accuracy"].sum())):
        spent = method["power"].drop_nulls().to_list()
        cells = [_cell(method.row(by_predicate=pl.col("antennas") == n, named=True)) for n in columns]
        table.add_row(method["method"][0], *cells, f"{sum(spent) / len(spent):.3f}" if spent else "")
    out.print(table)
    out.print("mean over channels, 95 % band below; power: measured on unseen latents, mean over the points, budget 1")


def _cell(row: dict[str, float]) -> str:
    band = f"\n{row['accuracy_low']:.2f}–{row['accuracy_high']:.2f}".replace("0.", ".") if row["channels"] > 1 else ""
    return f"{row['accuracy']:.3f}{band}"
