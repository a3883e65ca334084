"""Measured or simulated channels of a file, as the channels of a cell.

    channel: {file: measured.mat, axes: matlab, draws: 100, take: random, normalise: true}

The number of antennas, of uses and of channels are those of the file, and what a study says of them must not contradict it. A cell takes
the first `draws` of the channels (all of them if `draws` is left out), the same for every seed; `take: random` chooses them anew for each
seed, without repetition. The mean |h|² over all channels of the file is the gain, unless `normalise` brings it to `channel.gain`. What an
estimator of the channel knows beforehand are the second moments of all channels of the file over the uses. A cell is identified by the
numbers that it reads, wherever and in whatever format they are stored.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Complex128
from torch import Tensor

from latentlink.channels.csi.statistics import SampledStatistics
from latentlink.channels.ofdm import ResourceElements
from latentlink.data.readers.channels import SUFFIXES, read_channels
from latentlink.data.readers.sources import locate
from latentlink.numerics.identity import identity_of
from latentlink.studies.places import Place, path_of

FILE = "file"  # `channel.model` of a cell whose channels are those of a file
_Stamps = tuple[tuple[str, int, int], ...]
_PER_USE = 20  # least number of samples (channels × antenna pairs) of each use, of which second moments are learnt


@dataclass(frozen=True)
class FileFacts:
    """What a file of channels holds.

    Attributes:
        shape: (channels, uses, n_rx, n_tx).
        gain: mean |h|².
        digest: of its numbers.
    """

    shape: tuple[int, int, int, int]
    gain: float
    digest: str


def channels_of(file: str, axes: str | None) -> Complex128[Tensor, "n u r t"]:
    """Read the channels of a file; raises as `read_channels`."""
    return _read(path_of(file), axes, _stamps(path_of(file)))


def facts_of(file: str, axes: str | None) -> FileFacts:
    """Read what a file holds; raises as `read_channels`."""
    return _look(path_of(file), axes, _stamps(path_of(file)))


def _stamps(path: str) -> _Stamps:
    """Name, time of modification and size of each file, by which a changed one is read again."""
    facts = [(file, file.stat()) for file in locate(path, None, SUFFIXES).files]
    return tuple((str(file), fact.st_mtime_ns, fact.st_size) for file, fact in facts)


@lru_cache(maxsize=4)
def _read(path: str, axes: str | None, stamps: _Stamps) -> Complex128[Tensor, "n u r t"]:
    return read_channels(path, axes=axes)


@lru_cache
def _look(path: str, axes: str | None, stamps: _Stamps) -> FileFacts:
    h = _read(path, axes, stamps)
    n, uses, n_rx, n_tx = h.shape
    return FileFacts((n, uses, n_rx, n_tx), float(h.abs().square().mean()), identity_of(h))


def complete(values: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """Complete the section `channel` of a cell by what its file holds; values without a file stay as they are.

    Raises:
        ValueError: the file cannot be read, or values contradict it.
    """
    given = dict(values)
    if given.get("file") is None:
        if given.get("model") == FILE:
            raise ValueError("model is file, so that file must name one")
        idle = [name for name in ("axes", "normalise", "take") if name in given]
        if idle and "file" not in given:  # where it is null the study also has cells with a file
            raise ValueError(f"{' and '.join(idle)} belong to a file of channels, and file is left out")
        return given
    name = given["file"]
    if given.get("model", FILE) != FILE:
        remedy = "leave it out, or let file be a list with null, whose cells have the model"
        raise ValueError(f"model must be left out where file brings the channels, got {given['model']!r} beside {name}: {remedy}")
    if not isinstance(name, str):
        raise ValueError(f"file must name a file of channels, got {name!r}")
    place = name if isinstance(name, Place) else Place.found(name, folder)
    try:
        with warnings.catch_warnings():
            if given.get("normalise"):
                warnings.filterwarnings("ignore", r".*mean \|h\|² is", UserWarning)
            facts = facts_of(place, given.get("axes"))
    except (OSError, ImportError) as error:
        raise ValueError(f"file: {error}") from error
    return given | {"file": place, "model": FILE} | _sizes(given, facts, name) | _gain(given, facts, name)


def _sizes(given: dict[str, Any], facts: FileFacts, name: str) -> dict[str, Any]:
    """Antennas, uses and draws, as the file has them."""
    count, uses, n_rx, n_tx = facts.shape
    hint = f"{name} holds {count} channels of {n_rx}×{n_tx} antennas (rx×tx) and {uses} use(s): leave it out, or are its axes others?"
    n = given.get("antennas")
    for key, held, wanted in (("n_rx", n_rx, given.get("n_rx") or n), ("n_tx", n_tx, given.get("n_tx") or n)):
        if wanted is not None and wanted != held:
            said = key if given.get(key) else "antennas"
            raise ValueError(f"{said} must be {held}, got {wanted}; {hint}")
    if uses > 1 and given.get("uses", uses) != uses:
        raise ValueError(f"uses must be {uses}, got {given['uses']}; {hint}")
    draws = given.get("draws", count)
    if isinstance(draws, int) and draws > count:
        raise ValueError(f"draws must be at most {count}, the channels of {name}, got {draws}")
    return {"antennas": None, "n_rx": n_rx, "n_tx": n_tx, "uses": given.get("uses", uses), "draws": draws}


def _gain(given: dict[str, Any], facts: FileFacts, name: str) -> dict[str, Any]:
    """The mean |h|² of what is used."""
    if facts.gain == 0:
        raise ValueError(f"file: all channels of {name} are zero")
    if given.get("normalise"):
        return {}
    if given.get("gain", facts.gain) != facts.gain:
        raise ValueError(f"gain must be left out, got {given['gain']}: mean |h|² of {name} is {facts.gain:.3g}; normalise: true scales it")
    return {"gain": facts.gain}


def draw_from_file(
    file: str, axes: str | None, draws: int, gain: float | None, generator: torch.Generator | None
) -> Complex128[Tensor, "draws u r t"]:
    """Take the first channels of a file, or with a generator any of them, each at most once, and scale mean |h|² of all to a gain."""
    h = channels_of(file, axes)
    scale = _scale(file, axes, gain)
    chosen = slice(draws) if generator is None else torch.randperm(len(h), generator=generator, device=generator.device)[:draws]
    return scale * h[chosen]


def check_samples(file: str, axes: str | None) -> None:
    """Refuse a file of too few channels for the second moments of its uses, with which an estimate would seem better than it is."""
    n, uses, n_rx, n_tx = facts_of(file, axes).shape
    if n * n_rx * n_tx < _PER_USE * uses:
        raise ValueError(
            f"csi.known must be perfect or unaware for {file}, got estimates, whose error is learnt from {n} channels × {n_rx * n_tx} "
            f"antenna pairs, of which there must be {_PER_USE} for each of the {uses} use(s): give a file of more channels or fewer uses, "
            "or take ll.csi.lmmse_estimator with ll.csi.ScatteringStatistics in Python (docs/csi.md)"
        )


def statistics_of(file: str, axes: str | None, gain: float | None, device: torch.device) -> SampledStatistics:
    """Learn the second moments of all channels of a file over their uses, scaled as `draw_from_file` scales them."""
    h = channels_of(file, axes)
    return SampledStatistics.of(_scale(file, axes, gain) * h.to(device), ResourceElements.contiguous(h.shape[1]))


def _scale(file: str, axes: str | None, gain: float | None) -> float:
    """The factor that brings the mean |h|² of all channels of a file to a gain; 1 without one."""
    return 1.0 if gain is None else float((gain / facts_of(file, axes).gain) ** 0.5)
