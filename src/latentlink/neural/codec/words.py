"""Words of study files and of the command line for how a codec is trained and what it aims at."""

from typing import Any

from latentlink.budget import named as named_budget
from latentlink.neural.codec.training import CodecTraining
from latentlink.power import Mean, named
from latentlink.tasks.heads import LinearHead, SoftmaxHead
from latentlink.tasks.objectives import Cosine, HeadDivergence, Objective, Regression, Retrieval


def codec_training(
    *, power: str = "mean", peak: float | None = None, flops: int | None = None, microseconds: float | None = None, **settings: Any
) -> CodecTraining:
    """The training that the words of a study file or of the command line ask for; `settings` are further fields of `CodecTraining`.

    Args:
        power: word of the power limit, "mean" or "per-message".
        peak: largest power of a message over the mean budget, or None.
        flops: budget of operations per message, or None.
        microseconds: budget of time per message, or None.

    Raises:
        ValueError: a setting is out of range, or two exclude each other.
    """
    if peak is not None and power != Mean.word:
        raise ValueError(f"peak limits messages whose mean is limited: give it with power mean, got {power}")
    limit = named(power) if peak is None else Mean(peak=peak)
    return CodecTraining(power=limit, budget=named_budget(flops=flops, microseconds=microseconds), **settings)


def named_objective(word: str, head: LinearHead | None, fidelity: float = 0.05) -> Objective:
    """The objective of a word: "head" (its softmax or its outputs, with a weight `fidelity` on MSE), "mse", "cosine" or "retrieval"."""
    objectives: dict[str, Objective] = {"mse": Regression(), "cosine": Cosine(), "retrieval": Retrieval()}
    if word != "head":
        return objectives[word]
    if head is None:
        raise ValueError("objective must be mse, cosine or retrieval without a head, got head: give labels, targets or a saved head")
    return HeadDivergence(head, fidelity=fidelity) if isinstance(head, SoftmaxHead) else Regression(head, fidelity=fidelity)
