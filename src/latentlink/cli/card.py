"""The card of an artifact: what its manifest says of it, in words, for the terminal and as Markdown beside its file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from torch import Tensor

from latentlink.storage.artifacts import ArtifactError, read
from latentlink.storage.atomic import write_atomically
from latentlink.storage.provenance import Provenance

_KINDS = {
    "pair": "semantic modes: what two devices agree on once, from which links are designed for any channel",
    "link": "both ends of a linear link for its channels",
    "head": "the receiver's classifier",
    "codec": "a codec: networks trained once, which design a link for any channel",
    "codec link": "both ends of a codec's link for its channels",
    "neural link": "both ends of the paper's neural link, trained for its channels",
    "top-k link": "both ends of a link that sends the largest entries of the latent",
    "digital link": "both ends of a digital link: quantisers, code and modulation",
    "genie link": "both ends of a digital link that is told the messages' numbers of bits",
    "channels": "a block of channels of a 3GPP model",
}
_USES = {
    "pair": "latentlink design {file} --n-tx 4 --n-rx 4 --snr-db 10",
    "codec": "latentlink design {file} --n-tx 4 --n-rx 4 --snr-db 10",
    "head": "latentlink evaluate link.safetensors TX RX LABELS --head {file}",
}
_LINK = "latentlink evaluate {file} TX RX LABELS"
_TOLD = ("kind", "sha256", "conventions", "versions", "provenance", "format")  # in sections of their own, or in the first line


class Card(NamedTuple):
    """What there is to say of an artifact.

    Attributes:
        file: its name.
        kind: of its manifest, and in words.
        facts: sizes, limits and channels that its manifest states.
        provenance: how it was made; empty where its maker has not told.
        versions: of the packages that wrote it; empty for files of early versions.
        conventions: by which its numbers are to be read.
        tensors: names, shapes and types.
        sha256: of the file.
        command: a command that uses it.
    """

    file: str
    kind: tuple[str, str]
    facts: dict[str, Any]
    provenance: Provenance
    versions: dict[str, Any]
    conventions: dict[str, Any]
    tensors: dict[str, str]
    sha256: str
    command: str

    @property
    def data(self) -> list[tuple[str, str]]:
        """Each array that it was made from: role, and name, sizes and hash in words."""
        records = self.provenance.data
        return [(each.role, f"{each.source}, {' × '.join(map(str, each.shape))}, SHA-256 {each.sha256}") for each in records]


def read_card(path: str | Path) -> Card:
    """The card of an artifact whose bytes are checked.

    Raises:
        ArtifactError: as `latentlink.load`, or its provenance is malformed.
    """
    tensors, manifest = read(path)
    return card_of(Path(path), tensors, manifest)


def card_of(path: Path, tensors: Mapping[str, Tensor], manifest: Mapping[str, Any]) -> Card:
    """The card of an artifact that was read; raises as `read_card`."""
    kind = manifest["kind"]
    try:
        told = manifest.get("provenance")
        provenance = Provenance() if told is None else Provenance.from_facts(told)
        versions, conventions = ({str(k): v for k, v in manifest.get(name, {}).items()} for name in ("versions", "conventions"))
    except (ValueError, AttributeError) as error:
        raise ArtifactError(f"{path}: {error}") from error
    return Card(
        file=path.name,
        kind=(kind, _KINDS.get(kind, "an artifact of a kind that this version does not know")),
        facts={name: value for name, value in manifest.items() if name not in _TOLD},
        provenance=provenance,
        versions=versions,
        conventions=conventions,
        tensors={name: f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}" for name, value in sorted(tensors.items())},
        sha256=manifest["sha256"],
        command=_USES.get(kind, _LINK).format(file=path.name),
    )


def write_card(path: Path) -> Path:
    """Write the card of an artifact beside it, as Markdown, and return its path; raises as `read_card`."""
    pages = Environment(loader=PackageLoader("latentlink.cli"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.filters["cell"] = _cell
    written = path.with_suffix(".md")
    write_atomically(written, pages.get_template("card.md").render(card=read_card(path)).encode())
    return written


def _cell(value: object) -> str:
    """A value as one cell of a table."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return " ".join(text.replace("|", "\\|").split())
