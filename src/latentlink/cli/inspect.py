"""`latentlink inspect`: what a file is, what it was made from and what it holds, after checking it."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from latentlink.cli.card import Card, read_card, word, write_card
from latentlink.cli.channels import read_radio
from latentlink.cli.console import facts, wrote
from latentlink.cli.options import USUAL_READING, Reading, ReadingOptions
from latentlink.cli.results import is_result_file, show_results
from latentlink.data.readers.content import FileContentError
from latentlink.data.readers.labels import is_table, read_named_labels
from latentlink.data.readers.latents import read_latents
from latentlink.data.readers.opening import open_source, read_array
from latentlink.data.readers.tables import DELIMITED
from latentlink.latents.labels import Labels
from latentlink.storage.artifacts import ArtifactError
from latentlink.storage.provenance import digest_of


def inspect(file: str, *, card: bool = False, reading: ReadingOptions = USUAL_READING) -> None:
    """Say what a file is: a saved pair, link, codec or head, the results of a study, or latents, labels or channels.

    Every byte of a saved artifact is checked, and what it was made from, with which settings and how good it was then is told. Of results
    it tells the study, its data, methods, seeds and versions.

    Example: `latentlink inspect demo/link.safetensors`

    Parameters
    ----------
    file
        A file of latentlink, or a folder that `latentlink fit` or a study wrote; or latents, labels or channels, as for `latentlink fit`.
    card
        Also write what is told of an artifact as Markdown beside it, link.md for link.safetensors.
    """
    if inner := _list_within(Path(file)):
        for path in inner:
            inspect(str(path), card=card and path.suffix == ".safetensors", reading=reading)
        return
    if file.endswith(".safetensors"):
        try:
            shown = read_card(file)
        except ArtifactError as error:
            if "without a latentlink manifest" not in str(error):
                raise
        else:
            _show_artifact(file, shown)
            if card:
                wrote(write_card(Path(file)))
            return
    if card:
        raise ValueError(f"--card is for a saved pair, link, codec or head, a .safetensors file of latentlink, and {file} is none")
    if is_result_file(file):
        show_results(Path(file))
        return
    if (labels := _as_labels(file)) is not None:
        _show_labels(file, labels)
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


def _list_within(folder: Path) -> list[Path]:
    """What commands write into a folder: the results of a study, or what was fitted; [] for a file, and for shards of latents."""
    names = ("results.parquet", *(f"{name}.safetensors" for name in ("pair", "link", "codec", "head")))
    return [path for name in names if (path := folder / name).is_file()]


def _as_labels(file: str) -> Labels | None:
    """The labels of a text file with one label a line; None for everything else."""
    path = Path(file)
    if path.suffix.lower() not in DELIMITED or not path.is_file() or is_table(path):
        return None
    try:
        return read_named_labels(path)
    except FileContentError:
        return None  # a column of numbers


def _show_artifact(file: str, card: Card) -> None:
    kind, words = card.kind
    facts(file, _worded([("kind", f"{kind}: {words}"), *card.facts.items(), ("SHA-256", card.sha256)]))
    made = card.provenance
    origin = [("designed from", made.made_from)] if made.made_from else []
    facts("made from", [*card.data, *origin] or [("data", "not recorded")])
    if made.settings:
        facts("settings", _worded(made.settings.items()))
    if card.is_measured:
        facts("how good it was when it was made", _worded(made.figures.items()) or [("figures", "not recorded")])
    facts("written by", card.versions.items() or [("latentlink", "an early version")])
    facts("conventions", card.conventions.items())
    facts("tensors", card.tensors.items())


def _worded(rows: Iterable[tuple[str, object]]) -> list[tuple[str, object]]:
    return [(name, word(value)) for name, value in rows]


def _show_channels(file: str, h: Tensor) -> None:
    condition = torch.linalg.svdvals(h)
    facts(file, [
        ("channels", f"{h.shape[0]} of {h.shape[1]} use(s), {h.shape[2]} receive and {h.shape[3]} transmit antennas"),
        ("mean |h|²", float(h.abs().square().mean())),
        ("median condition number", float((condition[..., 0] / condition[..., -1]).median())),
        ("SHA-256 of the values", digest_of(h)),
    ])  # fmt: skip


def _show_labels(file: str, labels: Labels) -> None:
    counts = labels.numbers.bincount()
    held = counts[counts > 0]
    facts(file, [
        ("labels", f"{len(labels.numbers)} of {len(held)} classes, {int(held.min())} to {int(held.max())} each"),
        ("numbers", f"{int(labels.numbers.min())} to {int(labels.numbers.max())}"),
        *([] if labels.names is None else [("names", ", ".join(labels.names))]),
        ("SHA-256 of the values", digest_of(labels.numbers)),
    ])  # fmt: skip


def _show_latents(file: str, reading: Reading) -> None:
    latents = read_latents(file, columns=reading.columns or None, pool=reading.pool)
    spread = latents.double().std(0, correction=0)
    facts(file, [
        ("latents", f"{latents.shape[0]} × {latents.shape[1]} {str(latents.dtype).removeprefix('torch.')}"),
        ("mean", float(latents.double().mean())),
        ("standard deviation per dimension", f"{float(spread.min()):.4g} to {float(spread.max()):.4g}"),
        ("constant dimensions", int((spread == 0).sum())),
        ("SHA-256 of the values", digest_of(latents)),
    ])  # fmt: skip
