"""`latentlink demo`: the demonstration study on real data, as a figure, a table and saved links."""

import time
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import polars as pl
import torch

from latentlink.cli.console import messages, out, print_table, wrote
from latentlink.cli.options import Device, Jobs, Overrides, Quick
from latentlink.cli.study import run_experiment
from latentlink.data.datasets.images import DatasetNotFound, fashion_mnist
from latentlink.latents.pilots import Pilots
from latentlink.linear.design import ClosedForm
from latentlink.report.arrange import arrange
from latentlink.report.curves import EXACT, SEPARATION
from latentlink.report.figures import draw_wide
from latentlink.report.plots import Frame, plot_accuracy
from latentlink.storage.atomic import check_writable
from latentlink.storage.provenance import DataRecord, Provenance
from latentlink.studies.channels import channel_of
from latentlink.studies.experiments import Experiment, open_experiment
from latentlink.studies.methods.codec import CodecMethod
from latentlink.studies.methods.linear import ClosedFormMethod
from latentlink.studies.methods.method import Run
from latentlink.studies.result_files import Results
from latentlink.studies.running.runner import Runner
from latentlink.studies.shared import ScenarioData
from latentlink.studies.spec.cell import Cell

STUDY = Path(str(files("latentlink.studies").joinpath("demo.yaml")))
_LEFT_OUT = (EXACT, SEPARATION)
_SHOWN = 8  # antennas of the link that is saved, if the study has them


def demo(*overrides: Overrides, output: Path = Path("demo"), quick: Quick = False, jobs: Jobs = 2, device: Device = "cpu") -> None:
    """Two encoders that were trained apart, a MIMO channel between them: what does the receiver understand?

    Runs studies/demo.yaml: three exact linear designs, a codec, one network for all channels, which is trained in the first run and stored,
    and a transmitter that sends its decision. Writes accuracy.png, accuracy.pdf, results.parquet, pair.safetensors (the goal-oriented
    modes, which design a link for any channel), link.safetensors (that of the first channel at 8×8), codec.safetensors and
    head.safetensors. Without Fashion-MNIST it takes scikit-learn's digits and two small encoders.

    Example: `latentlink demo channel.antennas=1,8 channel.draws=50 --output my-demo`

    Parameters
    ----------
    output
        Folder for the results.
    """
    check_writable(output / "results.parquet")
    started = time.perf_counter()
    experiment = open_demo(overrides, output, quick)
    run_experiment(experiment, jobs, device)
    rows = experiment.rows()
    plots = plot_accuracy(arrange(rows, "antennas"), channels=True)
    if len(plots) != 1:
        raise ValueError(f"the demo draws one figure, and its overrides sweep over more than antennas, which gives {len(plots)}")
    row = rows.filter(pl.col("family") != "reference").row(0, named=True)
    where = f"{row['transmitter']} → {row['receiver']}, {row['dataset']}, {row['pilots']} pilots, Rayleigh gain {row['gain']:g}, "
    title = f"{where}{row['snr_db']:g} dB"
    bands = f"mean and 95 % band over {max(rows.group_by('cell').len()['len'].to_list())} channels, {row['messages']} unseen images each"
    figures = [output / "accuracy.png", output / "accuracy.pdf"]
    frames = [replace(frame, lines=tuple(line for line in frame.lines if line.name not in _LEFT_OUT)) for frame in plots[0].frames]
    draw_wide(replace(plots[0], frames=tuple(frames)), figures, f"{title}\n{bands}")
    _print_accuracy(rows, frames[0], title)
    wrote(*figures, *_save_links(experiment, rows, output, torch.device(device)))
    out.print(f"{time.perf_counter() - started:.1f} s")


def open_demo(overrides: tuple[str, ...], output: Path, quick: bool) -> Experiment:
    """The demonstration study, with overrides, whose results are kept in a folder."""
    experiment = open_experiment(STUDY, (*_find_data(overrides), *overrides), quick=quick)
    return replace(experiment, results=Results(output))


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


def _save_links(experiment: Experiment, rows: pl.DataFrame, output: Path, device: torch.device) -> list[Path]:
    """Save the receiver's head, the codec, the goal-oriented modes, and their link over the first channel at 8×8 or the most antennas."""
    cells = sorted(experiment.cells, key=lambda cell: (cell.channel.shape[1] == _SHOWN, cell.channel.shape[1]))
    best = {type(cell.method): cell for cell in cells if getattr(cell.method, "goal", "fisher") == "fisher"}
    scenario = Runner(experiment.results, device=str(device)).scenario(cells[0])
    written = [output / "head.safetensors"]
    for cell in best.values():
        known, run = scenario.known(cell.pilots, cell.seed), Run(cell.seed, device)
        made = _provenance(scenario, known.pilots, cell, rows)
        known.head.save(written[0], made)
        if isinstance(cell.method, CodecMethod):
            written.append(output / "codec.safetensors")
            cell.method.codec(known, run).save(written[-1], made)
        elif isinstance(cell.method, ClosedFormMethod):
            modes = cell.method.modes(known).named(scenario.transmitter, scenario.receiver)
            channel = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, device)
            written += [output / "pair.safetensors", output / "link.safetensors"]
            modes.save(written[-2], made)
            ClosedForm().design(modes, channel[0]).transceiver.to(torch.float32).save(written[-1], made)
    return written


def _provenance(scenario: ScenarioData, pilots: Pilots, cell: Cell, rows: pl.DataFrame) -> Provenance:
    """How the cell's link was made, and how well its method did over all channels of the cell."""
    named = [("pilots at the transmitter", scenario.transmitter, pilots.x), ("pilots at the receiver", scenario.receiver, pilots.y)]
    records = [DataRecord.of(role, f"{scenario.dataset} by {encoder}", latents) for role, encoder, latents in named]
    settings: dict[str, str | int] = {
        "method": cell.method.title,
        "data": scenario.dataset,
        "seed": cell.seed,
        "SNR": f"{cell.snr.snr_db:g} dB",
    }
    mine = rows.filter(pl.col("cell") == cell.id)
    where = f"on {len(scenario.test)} unseen images, mean over {len(mine)} channels of the study"
    figures = {f"{name} {where}": mine[column].mean() for name, column in (("accuracy", "accuracy"), ("NMSE", "nmse"))}
    return Provenance(tuple(records), settings, {name: value for name, value in figures.items() if isinstance(value, float)})


def _print_accuracy(rows: pl.DataFrame, drawn: Frame, title: str) -> None:
    """Print the accuracy of each method over antennas as it is drawn, with the band below, and the power that was measured."""
    power = dict(rows.group_by("method").agg(pl.col("power").mean()).iter_rows())
    sizes = sorted({x for line in drawn.lines for x in line.x})
    table = []
    for line in sorted((line for line in drawn.lines if line.name in power), key=lambda line: sum(line.y) / len(line.y)):
        means = dict(zip(line.x, line.y, strict=True)) if line.x else dict.fromkeys(sizes, line.y[0])
        bands = {x: f"\n{low:.2f}–{high:.2f}".replace("0.", ".") for x, low, high in line.band}
        spent = power[line.name]
        entries = [f"{means[size]:.3f}{bands.get(size, '')}" if size in means else "" for size in sizes]
        table.append([line.name, *entries, "" if spent is None else f"{spent:.3f}"])
    print_table(title, ["accuracy", *(f"{size:g}×{size:g}" for size in sizes), "power"], table)
    out.print("mean over channels, 95 % band below; power: measured on unseen latents, budget 1")
