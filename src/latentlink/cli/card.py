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
    "moments": "means and covariances of pairs of latents, which are all that a linear design needs of its pilots",
    "unfinished moments": "moments under way; the command or call that computes them goes on from here",
    "marginal": "count, mean and covariance of the latents of one end",
    "unfinished marginal": "a marginal under way; the call that computes it goes on from here",
    "running modes": "semantic modes for a goal that follow each new pair, with all that an update needs of the pairs so far",
    "watch": "a watch over received latents: the law of their decisions' entropy while all is well, and what has arrived since",
    "pair": "semantic modes: what two devices agree on once, from which links are designed for any channel",
    "link": "both ends of a linear link for its channels",
    "head": "the receiver's classifier",
    "regression head": "the receiver's regression",
    "codec": "a codec: networks trained once, which design a link for any channel",
    "codec link": "both ends of a codec's link for its channels",
    "user codec link": "both ends of a codec's link to a user of a network",
    "neural link": "both ends of the paper's neural link, trained for its channels",
    "gated link": "both ends of several links, of which one serves each channel",
    "decision link": "both ends of a link that sends the transmitter's decision",
    "top-k link": "both ends of a link that sends the largest entries of the latent",
    "digital link": "both ends of a digital link: quantisers, code and modulation",
    "genie link": "both ends of a digital link that is told the messages' numbers of bits",
    "channels": "a block of channels of a 3GPP model",
}
_USES = {
    **dict.fromkeys(("moments", "unfinished moments"), "latentlink moments TX RX --output {file}"),
    "pair": "latentlink design {file} --n-tx 4 --n-rx 4 --snr-db 10",
    "codec": "latentlink design {file} --n-tx 4 --n-rx 4 --snr-db 10",
    "head": "latentlink evaluate link.safetensors TX RX LABELS --head {file}",
    "watch": "latentlink watch MESSAGES --state {file}",
    "regression head": "latentlink evaluate link.safetensors TX RX --targets TARGETS --head {file}",
}
_LINK = "latentlink evaluate {file} TX RX LABELS"
# facts that are told elsewhere, or in no words
_TOLD = ("work", "rows_read", "parts", "kind", "sha256", "conventions", "versions", "provenance", "format")
_LAST = "checks every byte and shows the same."  # words with which every card ends
_UNMEASURED = ("moments", "marginal", "running modes", "watch")  # kinds that are neither good nor bad
_WORDS = {
    "count": "pairs",
    "fold_counts": "pairs in each fold",
    "done": "rows that are done",
    "tx": "latents at the transmitter",
    "rx": "latents at the receiver",
    "x": "latents",
    "on": "rows joined on",
}  # what is said in place of names that a manifest has
_OF_KIND = {
    "watch": {
        "count": "messages watched",
        "alarmed_at": "alarm at message",
        "rising_since": "statistic rising since message",
        "statistic": "statistic",
        "mean": "mean entropy while all is well, nats",
        "deviation": "its standard deviation",
        "false_alarms": "false alarms a message",
        "between": "messages between false alarms, at one standard error",
        "correlation_time": "messages until they forget each other",
        "latent_dim": "dimension of a message",
    },
    "running modes": {"count": "pairs that count"},
}  # and of names that say another thing in one kind of file


class Card(NamedTuple):
    """What there is to say of an artifact.

    Attributes:
        file: its name.
        kind: of its manifest, and in words.
        facts: sizes, limits and channels that its manifest states.
        sources: files that it was computed from, by what they hold, where that is not told by `provenance`.
        provenance: how it was made; empty where that was not recorded.
        versions: of the packages that wrote it; empty for files of early versions.
        conventions: by which its numbers are to be read.
        tensors: names, shapes and types.
        sha256: of the file.
        command: a command that uses it.
    """

    file: str
    kind: tuple[str, str]
    facts: dict[str, Any]
    sources: dict[str, str]
    provenance: Provenance
    versions: dict[str, Any]
    conventions: dict[str, Any]
    tensors: dict[str, str]
    sha256: str
    command: str

    @property
    def data(self) -> list[tuple[str, str]]:
        """Each array or file that it was made from: role, and name, sizes and hash in words as far as they are known."""
        records = self.provenance.data
        told = [(each.role, f"{each.source}, {' × '.join(map(str, each.shape))}, SHA-256 {each.sha256}") for each in records]
        return [*told, *self.sources.items()]

    @property
    def is_measured(self) -> bool:
        """Tell whether it is of a kind that is good or bad at something."""
        return not self.kind[0].endswith(_UNMEASURED)


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
    sources, settings = _sources_and_settings(manifest.get("work"))
    stated = {
        (_WORDS | _OF_KIND.get(kind, {})).get(name, name): _word_fact(name, value)
        for name, value in manifest.items()
        if name not in _TOLD and (name, value) != ("fold_counts", [])
    }
    return Card(
        file=path.name,
        kind=(kind, _KINDS.get(kind, "an artifact of a kind that this version does not know")),
        facts=stated | settings,
        sources=sources,
        provenance=provenance,
        versions=versions,
        conventions=conventions,
        tensors={name: f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}" for name, value in sorted(tensors.items())},
        sha256=manifest["sha256"],
        command=_USES.get(kind, _LINK).format(file=path.name),
    )


def _sources_and_settings(work: Any) -> tuple[dict[str, str], dict[str, object]]:
    """The files of a computation that may be interrupted, by what each are, and its settings."""
    sources: dict[str, str] = {}
    settings: dict[str, object] = {}
    transmitter_first = sorted(work, key=lambda name: name != "tx") if isinstance(work, dict) else []
    for name, value in ((name, work[name]) for name in transmitter_first):
        if isinstance(value, list) and value and all(isinstance(each, list) and each for each in value):
            several = len(value) > 1
            sources[_WORDS.get(name, name)] = f"{value[0][0]} … {value[-1][0]}, {len(value)} files" if several else str(value[0][0])
        elif value not in (None, [None, None]) and name != "pairs":  # which are the rows that are joined
            settings[_WORDS.get(name, name)] = value
    return sources, settings


def _word_fact(name: str, value: object) -> object:
    """A fact of a manifest whose values need their name to be understood; others are returned as they are."""
    if name == "channels" and isinstance(value, list):
        return " × ".join(map(str, value)) or 1
    if name in ("power", "snr_db") and isinstance(value, list) and len(value) == 2:
        return value[0] if value[0] == value[1] else f"{word(value[0])} to {word(value[1])}"
    return value


def word(value: object) -> str:
    """A value in words, as they stand in a sentence."""
    if value is None or value == [] or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {word(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(f"({word(each)})" if isinstance(each, list | tuple) else word(each) for each in value)
    return str(value)


def check_card(path: Path) -> Path:
    """The place of an artifact's card, at which there may be an earlier card and no other file.

    Raises:
        ValueError: a file is there that is no card.
    """
    place = path.with_suffix(".md")
    if place.exists() and not (place.is_file() and place.read_text("utf-8", "replace").rstrip().endswith(_LAST)):
        raise ValueError(f"--card would write over {place}, which is no card of latentlink: move that file, or rename {path.name}")
    return place


def write_card(path: Path) -> Path:
    """Write the card of an artifact beside it, as Markdown, and return its path; raises as `read_card` and `check_card`."""
    written = check_card(path)
    templates = PackageLoader("latentlink.cli")
    pages = Environment(loader=templates, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    pages.filters["cell"] = _cell
    write_atomically(written, pages.get_template("card.md").render(card=read_card(path)).encode())
    return written


def _cell(value: object) -> str:
    """A value as one cell of a table."""
    return " ".join(word(value).replace("|", "\\|").split())
