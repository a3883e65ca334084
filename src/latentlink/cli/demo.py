"""`latentlink demo`: the whole story on real data, in a figure, a table and a saved link."""

import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import torch
from rich.box import SIMPLE_HEAD
from rich.progress import Progress
from rich.table import Table

from latentlink.channels.draws import ChannelDraws
from latentlink.cli.console import device_named, encoding_bars, messages, out, progress, write_table, wrote
from latentlink.data.pairs import Dataset, DevicePair, device_pair
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.linear.closed_form import ClosedForm
from latentlink.linear.modes import SemanticModes
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.training import CodecTraining
from latentlink.report.demo_figure import draw_accuracy, summary
from latentlink.studies.accuracy import (
    CAPACITY,
    GOAL_ORIENTED,
    OPTA,
    WIDELY_LINEAR,
    AccuracyStudy,
    accuracy_rows,
    codec_rows,
    designed_modes,
    reference_rows,
)
from latentlink.studies.shared import receiver_head
from latentlink.studies.trained import trained_codec
from latentlink.tasks.heads import SoftmaxHead
from latentlink.tasks.objectives import HeadDivergence

_FOLDS = 5  # one of them is held out to calibrate the power of the figure's designs
_MODES, _CROSSED = 128, 10  # in which the codec works, and folds by which it is trained on coordinates as unseen latents have them


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
    rounds: int = 15,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Two encoders that were trained apart, a MIMO channel between them: what does the receiver understand?

    MobileNetV2 sends Fashion-MNIST to EfficientNet-Lite0 by three exact linear designs and by a codec, one network for all channels, which
    is trained in the first run and kept. Writes accuracy.png, accuracy.pdf, results.parquet, link.safetensors (the goal-oriented link over
    the first channel at 8×8), codec.safetensors and head.safetensors.

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
    rounds
        Of the codec's training, 100 steps each; 0 leaves the codec out.
    seed
        Of channels and noise.
    device
        Torch device, "cpu" or "cuda".
    """
    started = time.perf_counter()
    device_named(device)
    study = AccuracyStudy(tuple(antennas), channels, snr_db, gain, seed=seed)
    if rounds < 0:
        raise ValueError(f"--rounds must be at least 0, got {rounds}")
    with encoding_bars() as bars:
        pair = device_pair(dataset, pilots=pilots, test=test, image_size=image_size, device=device, progress=bars)
    pair = replace(pair, pilots=pair.pilots.to(device), test=pair.test.to(device))
    if pair.note:
        messages.print(pair.note, style="yellow", markup=False)
    with progress() as bar:
        results = _measured(study, pair, rounds, output, bar)
    title = f"{pair.transmitter} → {pair.receiver}, {pair.dataset}, {len(pair.pilots)} pilots, Rayleigh gain {gain:g}, {snr_db:g} dB"
    write_table(output / "results.parquet", results)
    figures = [output / "accuracy.png", output / "accuracy.pdf"]
    draw_accuracy(results, [*figures], f"{title}\nmean and 95 % band over {channels} channels, {len(pair.test)} unseen images each")
    _print_table(results, title)
    files = ("results.parquet", "link.safetensors", "head.safetensors", *["codec.safetensors"] * bool(rounds))
    wrote(*figures, *(output / name for name in files))
    out.print(f"{time.perf_counter() - started:.1f} s")


def _measured(study: AccuracyStudy, pair: DevicePair, rounds: int, output: Path, bar: Progress) -> pl.DataFrame:
    """All rows; the codec and the goal-oriented link of the 8×8 point (or the largest) are saved on the way."""
    pilots, test = pair.pilots, pair.test
    task = bar.add_task("receiver's head", total=3 + (3 + bool(rounds)) * len(study.antennas))

    def done(next_step: str) -> None:
        bar.update(task, advance=1, description=next_step)

    head = receiver_head(pilots)
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
    link = ClosedForm().design(goal_modes, study.channel(shown, pilots.x.device)[0]).transceiver
    link.to(torch.float32).save(output / "link.safetensors")
    head.save(output / "head.safetensors")
    if rounds:
        codec = _codec(study, goal_modes, pilots, head, rounds, bar)
        codec.save(output / "codec.safetensors")
        for frame in codec_rows(study, test, head, codec):
            frames.append(frame)
            done("codec")
    return pl.concat(frames, how="diagonal")


def _codec(study: AccuracyStudy, modes: SemanticModes, pilots: Pilots, head: SoftmaxHead, rounds: int, bar: Progress) -> Codec:
    """One codec for all points, trained unless it is kept from an earlier run."""
    sizes = tuple(study.antennas)
    draws = ChannelDraws(antennas=sizes, uses=(1,), gain=study.gain)
    settings = CodecTraining(
        modes=max(_MODES, 2 * max(sizes)),
        max_symbols=max(sizes),
        draws=draws,
        rounds=rounds,
        patience=rounds,
        folds=min(_CROSSED, len(pilots)),
    )
    task = bar.add_task("training the codec", total=rounds)

    def told(number: int, rounds: int, loss: float, agreement: float) -> None:
        bar.update(task, completed=number, description=f"training the codec (validation agreement {agreement:.3f})")

    codec = trained_codec(settings, modes, pilots, HeadDivergence(head), progress=told)
    bar.remove_task(task)
    return codec


def _print_table(results: pl.DataFrame, title: str) -> None:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    columns = sorted(set(results["antennas"]))
    table.add_column("accuracy", no_wrap=True)
    for n in columns:
        table.add_column(f"{n}×{n}", justify="right")
    table.add_column("power", justify="right")
    rows = summary(results.filter(~pl.col("method").is_in([OPTA, CAPACITY]))).partition_by("method", maintain_order=True)
    for method in sorted(rows, key=lambda rows: float(rows["accuracy"].sum())):
        spent = method["power"].drop_nulls().to_list()
        cells = [_cell(method.row(by_predicate=pl.col("antennas") == n, named=True)) for n in columns]
        table.add_row(method["method"][0], *cells, f"{sum(spent) / len(spent):.3f}" if spent else "")
    out.print(table)
    out.print("mean over channels, 95 % band below; power: measured on unseen latents, mean over the points, budget 1")


def _cell(row: dict[str, float]) -> str:
    band = f"\n{row['accuracy_low']:.2f}–{row['accuracy_high']:.2f}".replace("0.", ".") if row["channels"] > 1 else ""
    return f"{row['accuracy']:.3f}{band}"
