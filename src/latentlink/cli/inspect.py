"""`latentlink inspect`: the contents of a file, after checking it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from latentlink.cli.console import facts
from latentlink.cli.options import USUAL_READING, Reading, ReadingOptions
from latentlink.cli.radio import read_radio
from latentlink.data.readers.labels import read_named_labels
from latentlink.data.readers.latents import read_latents
from latentlink.data.readers.opening import open_source, read_array
from latentlink.latents.labels import Labels
from latentlink.storage.artifacts import ArtifactError, read


def inspect(file: str, *, reading: ReadingOptions = USUAL_READING) -> None:
    """Check a saved pair, link or head byte by byte and show its manifest; or describe a file of latents, labels or channels.

    Example: `latentlink inspect demo/link.safetensors`

    Parameters
    ----------
    file
        A file of latentlink; or latents, labels or channels, as for `latentlink fit`.
    """
    if file.endswith(".safetensors"):
        try:
            tensors, manifest = read(file)
        except ArtifactError as error:
            if "without a latentlink manifest" not in str(error):
                raise
        else:
            _show_artifact(file, tensors, manifest)
            return
    opened = open_source(file)
    for table in opened.tables:
        facts(table.origin, ((name or "(no name)", kind) for name, kind in table.schema.items()))
    stored = [
        *(table.column(opened.key) for table in opened.tables if opened.key),
        *(read_array(path, opened.key) for path in opened.files),
    ]
    if stored and stored[0].dtype.kind == "c":
        _show_channels(file, read_radio(file, reading))
    elif stored and (stored[0].ndim == 1 or stored[0].dtype.kind == "U"):
        _show_labels(file, read_named_labels(file))
    else:
        _show_latents(file, reading)


def _show_artifact(file: str, tensors: Mapping[str, Tensor], manifest: Mapping[str, Any]) -> None:
    facts(file, ((name, value) for name, value in manifest.items() if name != "conventions"))
    facts("conventions", manifest["conventions"].items())
    facts("tensors", ((name, f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}") for name, value in tensors.items()))


def _show_channels(file: str, h: Tensor) -> None:
    condition = torch.linalg.svdvals(h)
    facts(file, [
        ("channels", f"{h.shape[0]} of {h.shape[1]} use(s), {h.shape[2]} receive and {h.shape[3]} transmit antennas"),
        ("mean |h|²", float(h.abs().square().mean())),
        ("median condition number", float((condition[..., 0] / condition[..., -1]).median())),
    ])  # fmt: skip


def _show_labels(file: str, labels: Labels) -> None:
    counts = labels.numbers.bincount()
    held = counts[counts > 0]
    facts(file, [
        ("labels", f"{len(labels.numbers)} of {len(held)} classes, {int(held.min())} to {int(held.max())} each"),
        ("numbers", f"{int(labels.numbers.min())} to {int(labels.numbers.max())}"),
        *([] if labels.names is None else [("names", ", ".join(labels.names))]),
    ])  # fmt: skip


def _show_latents(file: str, reading: Reading) -> None:
    latents = read_latents(file, columns=reading.columns or None, pool=reading.pool)
    spread = latents.double().std(0, correction=0)
    facts(file, [
        ("latents", f"{latents.shape[0]} × {latents.shape[1]} {str(latents.dtype).removeprefix('torch.')}"),
        ("mean", float(latents.double().mean())),
        ("standard deviation per dimension", f"{float(spread.min()):.4g} to {float(spread.max()):.4g}"),
        ("constant dimensions", int((spread == 0).sum())),
    ])  # fmt: skip
