"""The first figure of any semantic link: what the receiver understands against the number of antennas.

Designs are compared at equal power: each is calibrated by held-out pilots so that it spends the budget on latents it has not seen, and
the power it really spent there is reported next to its accuracy. The floor, the ceilings and the Gaussian OPTA of the test latents are
rows like any other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor, nn

from latentlink.baselines.unaligned import unaligned
from latentlink.bounds.accuracy import AccuracyBound
from latentlink.bounds.capacity import capacity
from latentlink.bounds.opta import opta
from latentlink.channels.channel import Channel
from latentlink.channels.fading import rayleigh
from latentlink.evaluation.evaluate import evaluate
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.linear.closed_form import ClosedForm
from latentlink.linear.goal import Goal
from latentlink.linear.held_out import HeldOutModes
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.links.solution import Solution
from latentlink.neural.codec.design import Codec
from latentlink.tasks.heads import decisions
from latentlink.tasks.metrics import accuracy, agreement, mse, nmse

COMPLEX_LINEAR = "complex-linear, MSE"
WIDELY_LINEAR = "widely linear, MSE"
GOAL_ORIENTED = "goal-oriented"
CODEC = "codec, one network for all"
OWN, ALIGNED, UNALIGNED = "receiver's latents", "aligned, no channel", "unaligned"
OPTA, CAPACITY = "Gaussian OPTA", "bound by capacity"


@dataclass(frozen=True)
class AccuracyStudy:
    """Settings of the study.

    Attributes:
        antennas: n_tx = n_rx of each point. channels: Rayleigh channels per point.
        snr_db: per transmit antenna. gain: E|h|². power: budget per channel use. seed: of channels and noise.
        temperature, fidelity: of the goal-oriented design's Fisher metric.

    Raises:
        ValueError: fewer than one antenna, point or channel.
    """

    antennas: Sequence[int] = (1, 2, 4, 8, 16)
    channels: int = 20
    snr_db: float = 20.0
    gain: float = 1.0
    power: float = 1.0
    seed: int = 0
    temperature: float = 3.0
    fidelity: float = 0.01

    def __post_init__(self) -> None:
        if not self.antennas or min(self.antennas) < 1:
            raise ValueError(f"antennas must be numbers from 1, at least one of them, got {tuple(self.antennas)}")
        if self.channels < 1:
            raise ValueError(f"channels must be at least 1, got {self.channels}")

    def channel(self, antennas: int, device: torch.device) -> Channel:
        """The channels of one point, the same for every method."""
        generator = torch.Generator().manual_seed(1000 * self.seed + antennas)
        h = rayleigh(antennas, antennas, self.gain, batch=(self.channels,), generator=generator)
        return Channel.from_snr(h.to(device), self.snr_db, self.power)


def designed_modes(study: AccuracyStudy, moments: Moments, head: nn.Module, y: Tensor) -> dict[str, tuple[SemanticModes, Goal | None]]:
    """Modes of the compared designs by name, with the goal each was made for."""
    goal = Goal.fisher(head, y, study.temperature, study.fidelity)
    return {
        COMPLEX_LINEAR: (semantic_modes(moments, widely_linear=False), None),
        WIDELY_LINEAR: (semantic_modes(moments), None),
        GOAL_ORIENTED: (semantic_modes(moments, goal), goal),
    }


def accuracy_rows(
    study: AccuracyStudy,
    test: Pilots,
    head: nn.Module,
    designs: Mapping[str, tuple[SemanticModes, Goal | None]],
    moments: Moments,
) -> Iterator[pl.DataFrame]:
    """One frame of results for each method and point, as they are done; a row for each channel.

    Args:
        study: settings.
        test: latents that no design has seen.
        head: the receiver's classifier.
        designs: of `designed_modes`.
        moments: of the pilots, with folds, for the calibration of power.
    """
    for name, (modes, goal) in designs.items():
        unseen = HeldOutModes.of(moments, goal, modes.shrinkage, modes.widely_linear, splits=1)
        for antennas in study.antennas:
            channel = study.channel(antennas, test.x.device)
            budget = unseen.judge(channel).calibrated(channel)
            yield _measured(study, name, test, head, ClosedForm().design(modes, budget), budget)


def codec_rows(study: AccuracyStudy, test: Pilots, head: nn.Module, codec: Codec) -> Iterator[pl.DataFrame]:
    """The same for one codec, which serves all points as it is; its power is set by the latents that it carries."""
    for antennas in study.antennas:
        channel = study.channel(antennas, test.x.device)
        yield _measured(study, CODEC, test, head, codec.design(channel), channel)


def _measured(study: AccuracyStudy, name: str, test: Pilots, head: nn.Module, solution: Solution, budget: Channel) -> pl.DataFrame:
    """What a design gave over the channels of a point, in the precision of a deployed link."""
    channel = study.channel(budget.n_tx, test.x.device)
    generator = torch.Generator(device=channel.h.device).manual_seed(study.seed)
    seen = evaluate(
        solution.transceiver.to(torch.float32), test.x, test.y, channel=channel, head=head, labels=test.labels, generator=generator
    )
    assert seen.accuracy is not None
    assert seen.agreement is not None
    assert solution.expected_mse is not None
    return _frame(study, name, budget.n_tx, test, {
        "channel": torch.arange(study.channels),
        "accuracy": seen.accuracy,
        "agreement": seen.agreement,
        "mse": seen.mse,
        "nmse": seen.nmse,
        "expected_mse": solution.known_mse,
        "power": seen.power,
        "peak_power": seen.peak_power,
        "budget": budget.power,
    })  # fmt: skip


def reference_rows(study: AccuracyStudy, test: Pilots, head: nn.Module, modes: SemanticModes) -> pl.DataFrame:
    """Ceilings and floor (accuracy); Gaussian OPTA of the test latents (MSE) and the bound that capacity sets (accuracy) at every point."""
    references = {OWN: test.y, ALIGNED: modes.align(test.x), UNALIGNED: unaligned(test.x, test.y.shape[1])}
    exact = semantic_modes(Moments.from_pairs(test.x, test.y), shrinkage=0.0)
    measured: dict[str, dict[str, Tensor | float]] = {
        name: {
            "accuracy": accuracy(head, y_hat, test.require_labels()).overall.value,
            "agreement": agreement(head, y_hat, test.y).value,
            "mse": mse(y_hat, test.y),
            "nmse": nmse(y_hat, test.y),
        }
        for name, y_hat in references.items()
    }
    most = AccuracyBound.of(decisions(head, test.y), test.require_labels())
    frames = []
    for antennas in study.antennas:
        frames += [_frame(study, name, antennas, test, values) for name, values in measured.items()]
        channel = study.channel(antennas, test.x.device)
        bound = opta(exact, channel)
        frames.append(_frame(study, OPTA, antennas, test, {
            "channel": torch.arange(study.channels),
            "mse": bound,
            "nmse": bound / exact.variance,
        }))  # fmt: skip
        reachable = most.at(capacity(channel))
        frames.append(_frame(study, CAPACITY, antennas, test, {"channel": torch.arange(study.channels), "accuracy": reachable}))
    return pl.concat(frames, how="diagonal")


def _frame(study: AccuracyStudy, method: str, antennas: int, test: Pilots, columns: dict[str, Tensor | float]) -> pl.DataFrame:
    """Rows with the settings they were measured under; ζ = n_tx / ⌈d/2⌉ is the compression factor of one channel use."""
    values = {name: value.cpu().reshape(-1).tolist() if isinstance(value, Tensor) else [value] for name, value in columns.items()}
    settings = {
        "method": method,
        "antennas": antennas,
        "compression": antennas / -(-test.x.shape[1] // 2),
        "snr_db": study.snr_db,
        "gain": study.gain,
        "messages": len(test),
        "seed": study.seed,
    }
    return pl.DataFrame(values).with_columns(**{name: pl.lit(value) for name, value in settings.items()})
