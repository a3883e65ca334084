"""The provenance of an artifact: the data it was made from, by name, size and hash, the settings, and how good it was when it was made."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from latentlink.numerics.expectations import made_by

_BLOCK = 2**24  # numbers that are hashed at a time
Plain = str | int | float | bool


@dataclass(frozen=True)
class DataRecord:
    """An array that an artifact was made from.

    Attributes:
        role: what it is, such as "pilots at the transmitter".
        source: its name, such as that of its file.
        shape: its sizes, the first being the number of rows.
        sha256: of its values, as `digest_of` computes it.
    """

    role: str
    source: str
    shape: tuple[int, ...]
    sha256: str

    @classmethod
    def of(cls, role: str, source: str, values: Tensor) -> "DataRecord":
        """The record of an array that is in memory, or mapped."""
        return cls(role, source, tuple(values.shape), digest_of(values))


@made_by("Provenance(settings={'goal': 'mse'})")
@dataclass(frozen=True)
class Provenance:
    """How an artifact was made; it is stored in its manifest, and `latentlink inspect` tells it.

    Attributes:
        data: what it was made from.
        settings: of the design or the training, by name.
        figures: how good it was when it was made, by what was measured, such as "NMSE on 84 held-out pilots".
        made_from: the artifact that it was designed from, as kind and SHA-256; "" if none.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> from latentlink.storage.provenance import DataRecord, Provenance
        >>> made = Provenance(data=(DataRecord.of("pilots at the transmitter", "vit.npy", x),), settings={"goal": "mse"})
        >>> modes.save("pair.safetensors", made)
    """

    data: tuple[DataRecord, ...] = ()
    settings: Mapping[str, Plain] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    made_from: str = ""

    def as_facts(self) -> dict[str, Any]:
        """The provenance as plain values, for a manifest."""
        return {**asdict(self), "data": [{**asdict(record), "shape": list(record.shape)} for record in self.data]}

    @classmethod
    def from_facts(cls, facts: object) -> "Provenance":
        """The provenance of a manifest.

        Raises:
            ValueError: it is not made as `as_facts` makes it.
        """
        try:
            told: Any = facts
            records = tuple(DataRecord(**{**record, "shape": tuple(record["shape"])}) for record in told["data"])
            found = cls(records, told["settings"], told["figures"], told["made_from"])
            right = found.as_facts() == facts and found._is_plain()
        except (LookupError, TypeError, AttributeError, ValueError):
            right = False
        if not right:
            raise ValueError("provenance is not made of data, settings, figures and made_from, as latentlink writes it")
        return found

    def _is_plain(self) -> bool:
        """True where every part is of its kind."""
        words = [self.made_from, *(word for record in self.data for word in (record.role, record.source, record.sha256))]
        sizes = [size for record in self.data for size in record.shape]
        kinds: list[tuple[Iterable[object], Any]] = [(words, str), (sizes, int), (self.settings, str), (self.figures, str)]
        kinds += [(self.settings.values(), Plain), (self.figures.values(), int | float)]
        return all(isinstance(value, kind) for values, kind in kinds for value in values) and all(size >= 0 for size in sizes)


def digest_of(values: Tensor) -> str:
    """SHA-256 of the numbers of an array, in the order of its rows, with its shape and type; the format of its file does not matter."""
    digest = hashlib.sha256(f"{tuple(values.shape)} {str(values.dtype).removeprefix('torch.')}".encode())
    for block in _blocks(values.detach()):
        digest.update(block.cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _blocks(values: Tensor) -> Iterable[Tensor]:
    if values.numel() == 0 or values.ndim == 0:
        return [values.reshape(-1)]
    return values.split(max(1, _BLOCK * len(values) // values.numel()))
