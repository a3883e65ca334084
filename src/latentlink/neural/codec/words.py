"""From the words of study files and of the command line to the settings of a training."""

from typing import Any

from latentlink.budget import named as named_budget
from latentlink.neural.codec.training import CodecTraining
from latentlink.power import Mean, named
from latentlink.tasks.heads import SoftmaxHead
from latentlink.tasks.objectives import Cosine, HeadDivergence, Objective, Regression, Retrieval


def codec_training(
    *, power: str = "mean", peak: float | None = None, flops: int | None = None, microseconds: float | None = None, **settings: Any
) -> CodecTraining:
    """The training that the words of a study file or of the command line ask for.

    Args:
        power: word of the power limit, "mean" or "per-message".
        peak: largest power of a message over the mean budget, or None.
        flops: budget of operations per message, or None.
        microseconds: budget of time per message, or None.
        settings: further fields of `CodecTraining`.

    Raises:
        ValueError: a setting is out of range, or two exclude each other.
    """
    if peak is not None and power != Mean.word:
        raise ValueError(f"peak limits messages whose mean is limited: give it with power mean, got {power}")
    limit = named(power) if peak is None else Mean(peak=peak)
    return CodecTraining(power=limit, budget=named_budget(flops=flops, microseconds=microseconds), **settings)


def named_objective(word: str, head: SoftmaxHead, fidelity: float = 0.05) -> Objective:
    """The objective that a word asks for: "head" (its softmax, with a share `fidelity` of MSE), "mse", "cosine" or "retrieval"."""
    objectives: dict[str, Objective] = {
        "head": HeadDivergence(head, fidelity=fidelity),
        "mse": Regression(),
        "cosine": Cosine(),
        "retrieval": Retrieval(),
    }
    return objectives[word]
