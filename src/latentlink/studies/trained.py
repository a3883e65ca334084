"""Codecs trained once on this machine: kept by all that their training depends on, found again by whoever asks for the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.training import CodecTraining
from latentlink.storage.artifacts import load_if_there
from latentlink.storage.folders import cache_folder
from latentlink.tasks.objectives import Objective

_TRAINING_VERSION = 1  # of what a training gives: raise it when that changes

Progress = Callable[[int, int, float, float], Any]


def kept_at(settings: CodecTraining, modes: SemanticModes, pilots: Pilots, objective: Objective, unpaired: Tensor | None = None) -> Path:
    """The file of such a codec; while it is trained, its state lies beside it."""
    return cache_folder() / "codecs" / f"{settings.identity(modes, pilots, objective, unpaired)}-{_TRAINING_VERSION}.safetensors"


def trained_codec(
    settings: CodecTraining,
    modes: SemanticModes,
    pilots: Pilots,
    objective: Objective,
    unpaired: Tensor | None = None,
    progress: Progress | None = None,
) -> Codec:
    """The codec of these settings, trained now if it is not kept yet; an interrupted training goes on."""
    path = kept_at(settings, modes, pilots, objective, unpaired)
    if (before := load_if_there(path, Codec)) is not None:
        return before.to(modes.strength.device)
    state = path.with_suffix(".training")
    codec = settings.fit(modes, pilots, objective, unpaired=unpaired, checkpoint=state, progress=progress).codec
    codec.save(path)
    return codec
