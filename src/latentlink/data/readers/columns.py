"""Columns: what their names say they are (ids, labels, row numbers, or features), and whether those of several shards are the same.

Names are compared without regard to case: `ID` is an id, and `Label` a label, wherever `id` and `label` are.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from latentlink.data.readers.content import FileContentError

LABELS = ("label", "labels", "fine_label", "target", "class", "class_label")  # names of the column of classes, in the order of preference
# names of columns that are no features wherever they stand beside numbers
_NOT_FEATURES = re.compile(
    r"(.*[-_. ])?(id|ids|idx|index|row|rows|uid|uuid|label|labels|target|targets|class|classes|split|fold|seed|model_name|filename|path)|"
    r"__index_level_\d+__|unnamed: ?\d+|",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@runtime_checkable
class Columned(Protocol):
    """The protocol of a shard with named columns."""

    @property
    def origin(self) -> str:
        """Its name, for messages."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """The polars type of each column, in order."""


def is_no_feature(name: str, beside: Sequence[str] = ()) -> bool:
    """Tell whether the name of a column is that of an id, a label or a row number.

    Args:
        name: such as image_id, imageId or Label.
        beside: the other columns; `y` is a label where no `x` makes a coordinate of it.
    """
    if name.lower() == "y":
        return any(other != name for other in beside) and "x" not in {other.lower() for other in beside}
    return _NOT_FEATURES.fullmatch(_CAMEL.sub("_", name)) is not None


def named_alike(origin: str, names: Sequence[str], wanted: str) -> str | None:
    """The column of a name, which may be written in other capitals; None where there is none.

    Raises:
        FileContentError: several columns differ from it in capitals alone.
    """
    if wanted in names and wanted.lower() != wanted:
        return wanted
    found = [name for name in names if name.lower() == wanted.lower()]
    if len(found) > 1:
        raise FileContentError(f"{origin}: columns {' and '.join(found)} differ in capitals alone, and either may be {wanted}: rename one")
    return found[0] if found else None


def role_of(shards: Sequence[Columned], wanted: Sequence[str]) -> str | None:
    """The first of some names that is a column of all shards, as it is written there; None where no shard has any of them.

    Raises:
        FileContentError: some shards have the column and others lack it.
    """
    for name in wanted:
        found = [named_alike(shard.origin, tuple(shard.schema), name) for shard in shards]
        held = [each for each in found if each is not None]
        if not held:
            continue
        if len(set(found)) > 1:
            lacking = next(number for number, each in enumerate(found) if each != held[0])
            having = shards[found.index(held[0])].origin
            got = ", ".join(shards[lacking].schema)
            raise FileContentError(
                f"{shards[lacking].origin}: has no column {held[0]!r}, which {having} has; its columns are: {got}. Write all shards alike"
            )
        return held[0]
    return None


def check_alike(shards: Sequence[Columned]) -> None:
    """Check that shards have the same columns, in whatever order, since columns are joined by their names.

    Raises:
        FileContentError: a shard has other columns than the first, or other kinds of values in one.
    """
    first = shards[0]
    for shard in shards[1:]:
        lacks = [name for name in first.schema if name not in shard.schema]
        has = [name for name in shard.schema if name not in first.schema]
        if lacks or has:
            parts = [f"{word} {_listed(names)}" for word, names in (("lacks the columns", lacks), ("has the columns", has)) if names]
            raise FileContentError(
                f"{shard.origin}: {' and '.join(parts)}, unlike {first.origin}: shards are joined by the names of their columns; "
                "write them alike, or name one column that all have by key"
            )
        for name, kind in first.schema.items():
            if _family(kind) != _family(shard.schema[name]):
                raise FileContentError(
                    f"{shard.origin}: column {name} is {shard.schema[name]}, expected {kind} as in {first.origin}: write all shards alike"
                )


def _family(kind: Any) -> str:
    """The kinds of values that can be joined."""
    return (
        "lists"
        if kind.is_nested()
        else "numbers"
        if kind.is_numeric()
        else "words"
        if str(kind)[:3] in ("Str", "Cat", "Enu")
        else str(kind)
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name or "(no name)" for name in names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
