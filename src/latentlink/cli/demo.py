"""`latentlink demo`: the demonstration study on real data, as a figure, a table and saved links."""

import time
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
import torch

from latentlink.cli.console import device_named, messages, out, print_table, wrote
from latentlink.cli.options import Device, Jobs, Overrides, Quick
from latentlink.cli.study import run_experiment
from latentlink.data.datasets.images import DatasetNotFound, fashion_mnist
from latentlink.linear.design import ClosedForm
from latentlink.report.arrange import arrange
from latentlink.report.curves import EXACT, SEPARATION
from latentlink.report.figures import draw_wide
from latentlink.report.plots import plot_accuracy
from latentlink.studies.channels import channel_of
from latentlink.studies.experiments import Experiment, open_experiment
from latentlink.studies.methods.codec import CodecMethod
from latentlink.studies.methods.linear import ClosedFormMethod
from latentlink.studies.methods.method import Run
from latentlink.studies.result_files import Results
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.cell import Cell

STUDY = Path(str(files("latentlink.studies").joinpath("demo.yaml")))
_LEFT_OUT = (EXACT, SEPARATION)
_SHOWN = 8  # antennas of the link that is saved, if the study has them


def demo(*overrides: Overrides, output: Path = Path("demo"), quick: Quick = False, jobs: Jobs = 2, device: Device = "cpu") -> None:
    """Two encoders that were trained apart, a MIMO channel between them: what does the receiver understand?

    Runs studies/demo.yaml: three exact linear designs and a codec, one network for all channels, which is trained in the first run and
    kept. Writes accuracy.png, accuracy.pdf, results.parquet, link.safetensors (the goal-oriented link over the first channel at 8×8),
    codec.safetensors and head.safetensors. Without Fashion-MNIST it takes scikit-learn's digits and two small encoders.

    Example: `latentlink demo channel.antennas=1,8 channel.draws=50 --output my-demo`

    Parameters
    ----------
    output
        Folder for the results.
    """
    started = time.perf_counter()
    device_named(device)
    experiment = open_experiment(STUDY, (*_find_data(overrides), *overrides), quick=quick)
    experiment = replace(experiment, results=Results(output))
    run_experiment(experiment, jobs, device)
    rows = experiment.rows()
    title = describe(rows)
    figures = [output / "accuracy.png", output / "accuracy.pdf"]
    draw_overview(rows, figures, title)
    _print_rows(rows, title.partition("\n")[0])
    wrote(*figures, *_save_links(experiment, output, device))
    out.print(f"{time.perf_counter() - started:.1f} s")


def _find_data(overrides: tuple[str, ...]) -> tuple[str, ...]:
    """An override to digits where Fashion-MNIST is not on this machine and no other data are named."""
    if any(override.startswith("data.dataset=") for override in overrides):
        return ()
    try:
        fashion_mnist("test")
    except DatasetNotFound as missing:
        messages.print(f"Fashion-MNIST was not found, so this is digits with two small encoders. {missing}", style="yellow", markup=False)
        return ("data.dataset=digits",)
    return ()


def draw_overview(rows: pl.DataFrame, paths: list[Path], title: str) -> None:
    """Draw accuracy beside NMSE against antennas, without the limits that a first figure has no room to explain.

    Raises:
        ValueError: the rows differ in more than methods and antennas, so that several figures would be needed.
    """
    plots = plot_accuracy(arrange(rows, "antennas"), channels=True)
    if len(plots) != 1:
        raise ValueError(f"the demo draws one figure, and its overrides sweep over more than antennas, which gives {len(plots)}")
    frames = [replace(frame, lines=tuple(line for line in frame.lines if line.name not in _LEFT_OUT)) for frame in plots[0].frames]
    draw_wide(replace(plots[0], frames=tuple(frames)), paths, title)


def describe(rows: pl.DataFrame) -> str:
    """What the rows are of, in two lines."""
    row = rows.filter(pl.col("family") != "reference").row(0, named=True)
    draws = max(rows.group_by("cell").len()["len"].to_list())
    return (
        f"{row['transmitter']} → {row['receiver']}, {row['dataset']}, {row['pilots']} pilots, Rayleigh gain {row['gain']:g}, "
        f"{row['snr_db']:g} dB\nmean and 95 % band over {draws} channels, {row['messages']} unseen images each"
    )


def _save_links(experiment: Experiment, output: Path, device: str) -> list[Path]:
    """Save the receiver's head, the codec, and the goal-oriented link over the first channel of one point."""
    cells = experiment.cells
    runner = Runner(experiment.results, device=device)
    scenario = runner.scenario(cells[0])
    written = [output / "head.safetensors"]
    scenario.head.save(written[0])
    for cell in _chosen(cells):
        known, run = scenario.known(cell.pilots, cell.seed), Run(cell.seed, torch.device(device))
        if isinstance(cell.method, CodecMethod):
            written.append(output / "codec.safetensors")
            cell.method.codec(known, run).save(written[-1])
        elif isinstance(cell.method, ClosedFormMethod):
            modes = cell.method.modes(known).named(scenario.transmitter, scenario.receiver)
            channel = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, torch.device(device))
            written.append(output / "link.safetensors")
            ClosedForm().design(modes, channel[0]).transceiver.to(torch.float32).save(written[-1])
    return written


def _chosen(cells: tuple[Cell, ...]) -> list[Cell]:
    """One cell of the codec, and one of the goal-oriented design, with 8×8 antennas or else the most."""

    def preference(cell: Cell) -> int:
        n_tx = cell.channel.shape[1]
        return 10**6 if n_tx == _SHOWN else n_tx

    best = sorted(cells, key=preference)
    codecs = [cell for cell in best if isinstance(cell.method, CodecMethod)]
    goals = [cell for cell in best if isinstance(cell.method, ClosedFormMethod) and cell.method.goal == "fisher"]
    return [*goals[-1:], *codecs[-1:]]


def _print_rows(rows: pl.DataFrame, title: str) -> None:
    """Accuracy of each method over antennas, with the band below, and the power that was measured."""
    rows = rows.with_columns(antennas=pl.coalesce("n_tx", 0))
    sizes = sorted(set(rows["antennas"]) - {0})
    table = []
    for method in sorted(rows.partition_by("method", maintain_order=True), key=lambda part: float(part["accuracy"].mean() or 0.0)):  # type: ignore[arg-type]
        spent = method["power"].drop_nulls().to_numpy()
        by_size = [method.filter(pl.col("antennas").is_in([size, 0]))["accuracy"] for size in sizes]
        table.append([method["method"][0], *map(_cell, by_size), f"{spent.mean():.3f}" if len(spent) else ""])
    print_table(title, ["accuracy", *(f"{size}×{size}" for size in sizes), "power"], table)
    out.print("mean over channels, 95 % band below; power: measured on unseen latents, budget 1")


def _cell(values: pl.Series) -> str:
    """Mean, and on a second line the interval that holds 95 % of the channels."""
    numbers = values.to_numpy()
    if len(numbers) < 2:
        return f"{numbers.mean():.3f}" if len(numbers) else ""
    low, high = np.quantile(numbers, (0.025, 0.975))
    return f"{numbers.mean():.3f}\n" + f"{low:.2f}–{high:.2f}".replace("0.", ".")
