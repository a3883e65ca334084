"""Trainings ahead of their cells: the paper's networks of several cells as one batch, on all cores.

    cells  →  batches of one shape  →  for each batch: train, each network into its checkpoint  →  run the cells, which find it there

A batch is trained before its cells are run, and they remove its checkpoints, so that neither the disk nor the memory ever holds more than
one batch. Cells do not know of it: what they are trained for, and where they look for it, is made here as they make it. A cell whose
network cannot be trained here trains it itself, or says why that is impossible.
"""

import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import torch

from latentlink.execution.local import first_done
from latentlink.neural.paper.ahead import train_ahead
from latentlink.neural.paper.design import NeuralJob
from latentlink.numerics.doors import integer
from latentlink.numerics.threads import one_thread
from latentlink.studies.methods.neural import NeuralMethod
from latentlink.studies.running.measure import designed_apart
from latentlink.studies.running.situation import draw_situation
from latentlink.studies.running.workbench import Stopped, Workbench
from latentlink.studies.spec.cell import Cell

EpochProgress = Callable[[int, int, int], Any]  # called after each epoch with the number of networks in the batch, epoch and epochs

_OF_A_BATCH = {"hidden_tx", "hidden_rx", "layers", "batch_size", "learning_rate", "precision"}  # settings that its networks share


def check_together(together: int | None, cluster: object) -> None:
    """Refuse a number of networks that is no batch, or any with a cluster, by a ValueError."""
    if together is None:
        return
    integer("together", together, 2)
    if cluster is not None:
        raise ValueError(
            f"together must be left out with a cluster, whose workers train one network at a time on one core each, got {together}: "
            "leave out together (--together), or cluster (--cluster) to train on this machine"
        )


def batches(cells: Iterable[Cell], most: int) -> list[list[Cell]]:
    """Cells whose networks are trained as one batch of one shape, as far as that is known without data.

    Each batch has at least two networks and, unless one cell has more, at most `most`. Cells of the same pilots come into the same batch
    where they fit, and batches of the same pilots follow each other.
    """
    by_shape: dict[Hashable, dict[Hashable, list[Cell]]] = {}
    for cell in cells:
        if isinstance(cell.method, NeuralMethod):
            by_shape.setdefault(_shape(cell), {}).setdefault(cell.group, []).append(cell)
    found = []
    for by_pilots in by_shape.values():
        parts = [part for group in by_pilots.values() for part in _packed([[cell] for cell in group], most)]
        found += [batch for batch in _packed(parts, most) if _count(batch) > 1]
    order: dict[Hashable, int] = {}
    return sorted(found, key=lambda batch: order.setdefault(batch[0].group, len(order)))


def _shape(cell: Cell) -> Hashable:
    """What networks of one batch have in common; `together.shape_of` decides."""
    settings = cell.method.model_dump_json(include=_OF_A_BATCH)
    return cell.data, cell.encoders, cell.pilots, settings, cell.channel.shape, cell.channel.uses, cell.csi.estimated


def _count(cells: Iterable[Cell]) -> int:
    """The number of networks of cells."""
    return sum(cell.channel.draws for cell in cells)


def _packed(parts: Iterable[list[Cell]], most: int) -> list[list[Cell]]:
    """Parts joined in their order, as long as they have no more networks than `most`."""
    packed: list[list[Cell]] = []
    for part in parts:
        if packed and _count(packed[-1]) + _count(part) <= most:
            packed[-1] += part
        else:
            packed.append([*part])
    return packed


def train_batch(bench: Workbench, cells: Sequence[Cell], most: int, progress: EpochProgress | None) -> None:
    """Train the networks of cells, at most so many at a time, and leave their finished states where the cells look for them.

    Raises:
        KeyboardInterrupt: the states are stored, at the end of the epoch.

    Warns:
        UserWarning: the batch failed, for instance for lack of memory, so that each cell trains for itself.
    """
    cores = torch.get_num_threads()
    with ThreadPoolExecutor(1) as pool:  # its own thread ends the epoch where the user interrupts
        training = pool.submit(_train, bench, cells, most, progress, cores)
        try:
            first_done([training])
        except BaseException:
            bench.stop()
            raise
    error = training.exception()
    if isinstance(error, Exception) and not isinstance(error, Stopped):
        told = f"{_count(cells)} networks are trained one after the other, since together they failed: {type(error).__name__}: {error}"
        warnings.warn(told, stacklevel=2)
    elif error is not None:
        raise error


def _train(bench: Workbench, cells: Sequence[Cell], most: int, progress: EpochProgress | None, cores: int) -> None:
    torch.set_num_threads(cores)  # each thread has a setting of its own
    with ExitStack() as stack:
        for cell in {cell.group: cell for cell in cells}.values():
            stack.enter_context(bench.at_pilots_of(cell))
        with one_thread():  # as cells compute, to the last bit
            jobs = [job for cell in cells for job in _jobs(bench, cell)]
        for begin in range(0, len(jobs), most):
            part = jobs[begin : begin + most]

            def watch(epoch: int, epochs: int, training: float, validation: float, count: int = len(part)) -> None:
                bench.watch(epoch, epochs, training, validation)
                if progress is not None:
                    progress(count, epoch, epochs)

            train_ahead(part, watch)


def _jobs(bench: Workbench, cell: Cell) -> list[NeuralJob]:
    """The designs of a cell as `measure` makes them; none where that fails, as the cell will report."""
    assert isinstance(cell.method, NeuralMethod)
    try:
        run = bench.run_of(cell)
        known = bench.scenario(cell).known(cell.pilots, cell.seed)
        there = draw_situation(cell, run.device)
        return [
            cell.method.job(known, part.with_power(part.truth.power).at_design, each) for part, each in designed_apart(cell, there, run)
        ]
    except Exception:
        return []
