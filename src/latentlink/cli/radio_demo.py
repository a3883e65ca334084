"""`latentlink radio demo`: the demo's test images over an air, between processes, beside the simulation of the same."""

import math
import signal
import sys
import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import torch
from torch import Tensor

from latentlink.cli.console import messages as told
from latentlink.cli.console import out, print_table, warn, wrote
from latentlink.cli.demo import demo as run_demo
from latentlink.cli.demo import open_demo
from latentlink.cli.options import Device, Integer, Jobs, Number, Overrides, Quick
from latentlink.deploy.device import export_device
from latentlink.deploy.over_air.air import AirSetting
from latentlink.deploy.over_air.processes import Reception, send_over_air
from latentlink.deploy.over_air.simulation import measure_arrival, simulate_over_air
from latentlink.linear.modes import SemanticModes
from latentlink.neural.codec.design import Codec
from latentlink.report.figures import draw_wide
from latentlink.report.over_air import COLUMNS, plot_over_air, table_over_air
from latentlink.storage.artifacts import load
from latentlink.storage.atomic import atomic_path, check_writable
from latentlink.studies.running.runner import Runner
from latentlink.tasks.heads import LinearHead, decisions
from latentlink_runtime.serve.flow_graph import PYTHON, has_gnuradio

DESIGNS = {"linear": ("exact", "pair.safetensors"), "codec": ("codec", "codec.safetensors")}
_FEW_DB, _FEW_MESSAGES = (20.0,), 3000


@dataclass(frozen=True, eq=False)
class Task:
    """What is sent, and what it should become.

    Attributes:
        name: of the pair of devices and its data.
        x: unseen latents (n, d) of the transmitter.
        y: the receiver's (n, m).
        labels: classes (n,).
        head: of the receiver.
    """

    name: str
    x: Tensor
    y: Tensor
    labels: Tensor
    head: LinearHead

    @property
    def ceiling(self) -> float:
        """Accuracy on the receiver's own latents."""
        return float((decisions(self.head, self.y) == self.labels).double().mean())


def demo(
    *overrides: Overrides,
    output: Path = Path("demo"),
    snr_db: str | None = None,
    antennas: Integer = 4,
    messages: Integer | None = None,
    air: Literal["auto", "gnuradio", "numpy"] = "auto",
    rate: Number = 2.5e4,
    frequency: Number = 0.004,
    ppm: Number = 20.0,
    view: Integer | None = None,
    quick: Quick = False,
    jobs: Jobs = 2,
    device: Device = "cpu",
) -> None:
    """Send the demo's test images over the air: do they arrive as well as the simulation says?

    Starts a transmitter, an air and a receiver, which share a file of the design and nothing else, for the demo's linear link and for its
    codec at each SNR. They read the file that devices need of it (`latentlink radio export`). The air is GNU Radio's flow graph where the
    system has it: four taps between the antennas, noise, and clocks that differ. The library then simulates the same links at the SNR that
    the receiver measured. Writes over-the-air.png, over-the-air.pdf and over-the-air.csv to the folder `radio` beside the demo's files,
    which the command makes first where they are missing.

    Example: `latentlink radio demo --snr-db 5,20 --view 8080`

    Parameters
    ----------
    output
        Folder of the demo.
    snr_db
        SNRs of a sample at a receive antenna in dB, with commas between them: 0,5,10,15,20 if not given.
    antennas
        Antennas of each end, 1 to 8.
    messages
        Messages of each run, in which test images are sent over and over: 20,000 if not given.
    air
        GNU Radio's flow graph, the air in NumPy, or the former where it is installed.
    rate
        Samples a second of each antenna.
    frequency
        Carrier frequency offset in cycles a sample.
    ppm
        By which the transmitter's clock is faster, in parts per million.
    view
        Port of the receivers' live page at 127.0.0.1; 0 takes any.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that processes and their folder go, too
    folder = output / "radio"
    check_writable(folder / "over-the-air.csv")
    started = time.perf_counter()
    levels = _levels(snr_db, quick)
    count = messages if messages is not None else _FEW_MESSAGES if quick else 20_000
    setting = AirSetting(antennas, antennas, rate=rate, frequency=frequency, ppm=ppm, gnuradio=_by_gnuradio(air))
    if missing := [name for _, name in (*DESIGNS.values(), ("", "head.safetensors")) if not (output / name).exists()]:
        told.print(f"{output} has no {', '.join(missing)}: the demo comes first", highlight=False, markup=False)
        run_demo(*overrides, output=output, quick=quick, jobs=jobs, device=device)
    task = _task(overrides, output, quick, device)
    rows = []
    try:
        for label, level in product(DESIGNS, levels):
            rows.append(_run(label, output, replace(setting, snr_db=level), task, count, view))
            _tell(rows[-1])
    except KeyboardInterrupt:
        told.print("interrupted: runs over the air are not kept, and the same command makes them anew")
        sys.exit(130)
    table = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS))
    files = [folder / f"over-the-air.{suffix}" for suffix in ("png", "pdf", "csv")]
    title = f"{task.name}, {antennas}×{antennas} antennas"
    with atomic_path(files[2]) as draft:
        table.write_csv(draft, float_precision=6)
    draw_wide(plot_over_air(table), files[:2], f"{title}\n{_word_air(setting)}")
    print_table(f"{title}; {_word_air(setting)}", *table_over_air(table))
    wrote(*files)
    out.print(f"{time.perf_counter() - started:.1f} s")


def _levels(snr_db: str | None, quick: bool) -> tuple[float, ...]:
    """The SNRs of the runs."""
    if snr_db is None:
        return _FEW_DB if quick else (0.0, 5.0, 10.0, 15.0, 20.0)
    try:
        levels = tuple(float(part) for part in snr_db.split(","))
    except ValueError:
        levels = ()
    if not levels or not all(math.isfinite(level) for level in levels):
        raise ValueError(f"--snr-db must be numbers with commas between them, such as 0,10,20, got {snr_db!r}")
    return levels


def _by_gnuradio(air: str) -> bool:
    """Tell whether GNU Radio is the air; where it is asked for and missing, say what to install."""
    if air == "numpy":
        return False
    if not has_gnuradio():
        how = f"GNU Radio is not installed for {PYTHON} (on Debian: apt-get install --no-install-recommends gnuradio)"
        if air == "gnuradio":
            raise ValueError(f"--air gnuradio: {how}")
        warn(f"{how}, so the air is the one in NumPy")
        return False
    return True


def _task(overrides: tuple[str, ...], output: Path, quick: bool, device: str) -> Task:
    """The test images of the demo, as both devices see them."""
    experiment = open_demo(overrides, output, quick)
    scenario = Runner(experiment.results, device=device).scenario(experiment.cells[0])
    test, head = scenario.test.to("cpu"), load(output / "head.safetensors")
    if test.labels is None or not isinstance(head, LinearHead):
        raise ValueError(f"{output} must be a demo of a classifier with labels; give the overrides that it was made with")
    name = f"{scenario.transmitter} → {scenario.receiver}, {scenario.dataset}"
    return Task(name, test.x.float(), test.y.float(), test.labels, head)


def _run(label: str, output: Path, setting: AirSetting, task: Task, count: int, view: int | None) -> dict[str, object]:
    """Send with the file that devices need of a design, and simulate the design with what the receiver measured."""
    family, file = DESIGNS[label]
    design = load(output / file)
    if not isinstance(design, SemanticModes | Codec):
        raise ValueError(f"{output / file} must be a pair or a codec, got {type(design).__name__}; run the demo again")
    device = output / "radio" / file.replace(".", ".device.")
    export_device(output / file, device, setting.n_tx if isinstance(design, SemanticModes) else None)
    shown: dict[str, Any] = {} if view is None else {"view": view, "head": output / "head.safetensors", "labels": task.labels}
    came = send_over_air(device, task.x, setting, count, **shown, told=lambda page: out.print(f"live page: {page}"))
    measured = {name: came.mean(name) for name in ("noise_variance", "error_variance", "frequency", "clock_ppm")}
    found = _figures(came, design, task, setting, measured)
    return {
        "design": label,
        "family": family,
        "air": "gnuradio" if setting.gnuradio else "numpy",
        "snr_db": setting.snr_db,
        "measured_snr_db": came.mean("snr_db"),
        **found,
        "ceiling": task.ceiling,
        "frames_sent": came.frames_sent,
        "frames_lost": came.frames_lost,
        "messages": len(came.values),
        "messages_lost": came.lost,
        "messages_per_second": came.messages_per_second,
        **measured,
    }


def _figures(
    came: Reception, design: SemanticModes | Codec, task: Task, setting: AirSetting, measured: dict[str, float]
) -> dict[str, float]:
    """Accuracy and NMSE over the air and as simulated; NaN where nothing came."""
    if not len(came.values):
        return dict.fromkeys(("accuracy", "simulated_accuracy", "nmse", "simulated_nmse"), math.nan)
    seen = torch.from_numpy(np.unique(came.rows))  # the same images for both, where they are enough for all carriers
    seen = seen if len(seen) >= len(setting.carriers) else torch.arange(len(task.x), device="cpu")
    here = measure_arrival(came.values, task.y, task.labels, task.head, rows=came.rows)
    variances = {name: measured[name] for name in ("noise_variance", "error_variance")}
    there = simulate_over_air(design, task.x[seen], task.y[seen], task.labels[seen], task.head, setting=setting, **variances)
    return {"accuracy": here.accuracy, "simulated_accuracy": there.accuracy, "nmse": here.nmse, "simulated_nmse": there.nmse}


def _tell(row: dict[str, object]) -> None:
    """Say how a run went, as it ends."""
    columns, (entries,) = table_over_air(pl.DataFrame([row], schema=dict.fromkeys(COLUMNS)))
    words = ", ".join(f"{column.strip()} {entry}" for column, entry in zip(columns[2:], entries[2:], strict=True) if entry)
    told.print(f"{entries[0]}, {entries[1]}: {words}", highlight=False, markup=False, soft_wrap=True)


def _word_air(setting: AirSetting) -> str:
    air = "over GNU Radio" if setting.gnuradio else "over the air in NumPy"
    return f"{air}: {len(setting.taps)} taps, frequency offset {setting.frequency:g} of the rate, clocks {setting.ppm:g} ppm apart"
