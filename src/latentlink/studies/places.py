"""Files and folders that a study file names: they lie beside it, or else in the current folder."""

from glob import has_magic
from pathlib import Path
from typing import Annotated, Any

from pydantic import WrapValidator


class Place(str):
    """The name of a file or folder as a study has it, with where it lies.

    Attributes:
        path: of the file or folder, or a pattern; with `::KEY` where the name has one.
    """

    path: str

    @classmethod
    def found(cls, name: str, folder: Path | None) -> "Place":
        """Find a name beside a study file in a folder, or else seen from the current folder."""
        place = cls(name)
        file, separator, key = name.partition("::")
        beside = (folder or Path()) / file
        exists = any(beside.parent.glob(beside.name)) if has_magic(beside.name) else beside.exists()
        place.path = f"{beside if exists else file}{separator}{key}"
        return place

    def __deepcopy__(self, memo: dict[int, Any]) -> "Place":
        return self


def path_of(name: str) -> str:
    """Where a file or folder lies that a study names."""
    return name.path if isinstance(name, Place) else name


def _find(value: Any, check: Any, info: Any) -> Any:
    """A name with its place, found once."""
    return value if isinstance(value, Place) else Place.found(check(value), (info.context or {}).get("folder"))


NamedPlace = Annotated[str, WrapValidator(_find)]
