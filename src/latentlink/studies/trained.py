"""Codecs are trained once on a machine: each is kept under the digest of all that its training depends on."""

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


def find_codec_file(
    settings: CodecTraining, modes: SemanticModes, pilots: Pilots, objective: Objective, unpaired: Tensor | None = None
) -> Path:
    """The file that keeps a codec of these settings; the state of its training lies beside it."""
    return cache_folder() / "codecs" / f"{settings.identity(modes, pilots, objective, unpaired)}-{_TRAINING_VERSION}.safetensors"


def train_codec(
    settings: CodecTraining,
    modes: SemanticModes,
    pilots: Pilots,
    objective: Objective,
    unpaired: Tensor | None = None,
    progress: Progress | None = None,
) -> Codec:
    """The codec of these settings, trained now unless it is kept; an interrupted training is resumed."""
    path = find_codec_file(settings, modes, pilots, objective, unpaired)
    if (before := load_if_there(path, Codec)) is not None:
        return before.to(modes.strength.device)
    state = path.with_suffix(".training")
    codec = settings.fit(modes, pilots, objective, unpaired=unpaired, checkpoint=state, progress=progress).codec
    codec.save(path)
    return codec
