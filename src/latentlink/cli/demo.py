"""`latentlink demo`: the demonstration studies on real data, each as a figure, tables and saved links."""

import time
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Literal

import polars as pl
import torch

from latentlink.cli.console import messages, out, print_table, wrote
from latentlink.cli.options import Device, Jobs, Overrides, Quick
from latentlink.cli.study import run_experiment
from latentlink.data.datasets.images import DatasetNotFound, fashion_mnist
from latentlink.latents.pilots import Pilots
from latentlink.linear.design import ClosedForm
from latentlink.report.arrange import arrange
from latentlink.report.curves import CAPACITY, EXACT, REFERENCES, SEPARATION
from latentlink.report.figures import draw_wide
from latentlink.report.plots import Frame, Plot, plot_accuracy, plot_tasks
from latentlink.report.tables import MEASURES
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


@dataclass(frozen=True)
class Kind:
    """A kind of data and task that is demonstrated.

    Attributes:
        study: file of its study.
        observed: what a message is of, in the plural.
        drawn: figures of the task that are drawn beside the accuracy.
        listed: figures of the task that are printed below it.
    """

    study: str
    observed: str
    drawn: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()


KINDS = {
    "image": Kind("demo.yaml", "images"),
    "text": Kind("demo-text.yaml", "texts", ("recall_at_10",), ("recall_at_1", "recall_at_10", "adjusted_rand")),
    "cross-modal": Kind("demo-cross-modal.yaml", "pictures", ("recall_at_10",), ("recall_at_1", "recall_at_10")),
}
_LEFT_OUT = (EXACT, SEPARATION)
_TRIVIAL = REFERENCES[0]  # the receiver's own latents find themselves, which says nothing and flattens the rest
_SHOWN = 8  # antennas of the link that is saved, if the study has them


def demo(
    *overrides: Overrides,
    kind: Literal["image", "text", "cross-modal"] = "image",
    output: Path | None = None,
    quick: Quick = False,
    jobs: Jobs = 2,
    device: Device = "cpu",
) -> None:
    """Two encoders that were trained apart, a MIMO channel between them: what does the receiver understand?

    Runs studies/demo.yaml: three exact linear designs, a codec, one network for all channels, which is trained in the first run and stored,
    and a transmitter that sends its decision. Writes accuracy.png, accuracy.pdf, results.parquet, pair.safetensors (the goal-oriented
    modes, which design a link for any channel), link.safetensors (that of the first channel at 8×8), codec.safetensors and
    head.safetensors. Without Fashion-MNIST it takes scikit-learn's digits and two small encoders. The
    other kinds also measure how well a message is found among all others, and whether clusters stay.

    Example: `latentlink demo channel.antennas=1,8 channel.draws=50 --output my-demo`

    Parameters
    ----------
    kind
        What is sent: images; text, WordNet's definitions between two encoders of sentences (studies/demo-text.yaml); or cross-modal,
        pictures to a receiver that knows their titles (studies/demo-cross-modal.yaml).
    output
        Folder for the results; demo, demo/text or demo/cross-modal if not given.
    """
    shown = KINDS[kind]
    output = output or (Path("demo") if kind == "image" else Path("demo") / kind)
    check_writable(output / "results.parquet")
    started = time.perf_counter()
    experiment = open_demo(overrides, output, quick, kind)
    run_experiment(experiment, jobs, device)
    rows = experiment.rows()
    frames = {frame.value: frame for frame in _frames(rows, shown)}
    row = rows.filter(pl.col("family") != "reference").row(0, named=True)
    where = f"{row['transmitter']} → {row['receiver']}, {row['dataset']}, {row['pilots']} pilots, Rayleigh gain {row['gain']:g}, "
    title = f"{where}{row['snr_db']:g} dB"
    channels = max(rows.group_by("cell").len()["len"].to_list())
    bands = f"mean and 95 % band over {channels} channels, {row['messages']} unseen {shown.observed} each"
    figures = [output / "accuracy.png", output / "accuracy.pdf"]
    drawn = tuple(frames[value] for value in ("accuracy", *(shown.drawn or ("nmse",))) if value in frames)
    draw_wide(Plot((), drawn), figures, f"{title}\n{bands}", legend_below=bool(shown.drawn))
    for frame in [frames[value] for value in ("accuracy", *shown.listed) if value in frames] or drawn[:1]:
        _print_values(rows, frame, title)
    out.print("mean over channels, 95 % band below; power: measured on unseen latents, budget 1")
    wrote(*figures, *_save_links(experiment, rows, output, torch.device(device)))
    out.print(f"{time.perf_counter() - started:.1f} s")


def _frames(rows: pl.DataFrame, kind: Kind) -> list[Frame]:
    """The frames of accuracy, NMSE and the figures of the task over antennas, without the limits and ceilings that flatten them."""
    table = arrange(rows, "antennas")
    plots = plot_accuracy(table, channels=True)
    if len(plots) != 1:
        raise ValueError(f"the demo draws one figure, and its overrides sweep over more than antennas, which gives {len(plots)}")
    tasks = plot_tasks(table, channels=True) if kind.listed else []
    # the bound is on the receiver's own decisions, which a link may improve on where its encoder is the weaker one
    hidden = (*_LEFT_OUT, CAPACITY) if kind.listed else _LEFT_OUT
    without: list[tuple[Frame, tuple[str, ...]]] = [(frame, hidden) for frame in plots[0].frames]
    without += [(frame, (_TRIVIAL,)) for plot in tasks for frame in plot.frames]
    return [replace(frame, lines=tuple(line for line in frame.lines if line.name not in names)) for frame, names in without]


def open_demo(overrides: tuple[str, ...], output: Path, quick: bool, kind: str = "image") -> Experiment:
    """The demonstration study of a kind, with overrides, whose results are kept in a folder."""
    study = Path(str(files("latentlink.studies").joinpath(KINDS[kind].study)))
    found = _find_data(overrides) if kind == "image" else ()
    experiment = open_experiment(study, (*found, *overrides), quick=quick)
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
        elif type(cell.method) is ClosedFormMethod:  # and not the design from labels alone, which is one too
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


def _print_values(rows: pl.DataFrame, drawn: Frame, title: str) -> None:
    """Print a figure of each method over antennas as it is drawn, with the band below, and beside the accuracy the measured power."""
    power = dict(rows.group_by("method").agg(pl.col("power").mean()).iter_rows())
    sizes = sorted({x for line in drawn.lines for x in line.x})
    table = []
    for line in sorted((line for line in drawn.lines if line.name in power), key=lambda line: sum(line.y) / len(line.y)):
        means = dict(zip(line.x, line.y, strict=True)) if line.x else dict.fromkeys(sizes, line.y[0])
        bands = {x: f"\n{low:.2f}–{high:.2f}".replace("0.", ".") for x, low, high in line.band}
        spent = power[line.name]
        entries = [f"{means[size]:.3f}{bands.get(size, '')}" if size in means else "" for size in sizes]
        table.append([line.name, *entries, "" if spent is None else f"{spent:.3f}"])
    columns = [MEASURES[drawn.value].short, *(f"{size:g}×{size:g}" for size in sizes), "power"]
    with_power = drawn.value == "accuracy"
    print_table(title, columns if with_power else columns[:-1], table if with_power else [entries[:-1] for entries in table])
