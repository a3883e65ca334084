"""Errors of study files in words: where, what was expected, and what was given."""

import difflib

from pydantic import ValidationError

from latentlink.studies.methods.catalogue import METHODS
from latentlink.studies.sections import SECTIONS, Section
from latentlink.studies.spec.study import Study

_TYPES = ("int", "float", "str", "bool", "none", *METHODS)
_ALL: tuple[type[Section], ...] = (Study, *SECTIONS.values(), *METHODS.values())
_KEYS = sorted({name for section in _ALL for name in section.model_fields} | {"at"})


def explain(error: ValidationError) -> str:
    """One phrase for each place of a file that is wrong."""
    phrases: dict[str, str] = {}
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"] if not _is_type(str(part)))
        if problem["type"] == "value_error":  # raised by this package: it says all, more than the other members of a union do
            reason = str(problem["ctx"]["error"])
            phrases[place] = f"{place}: {reason}" if place else reason
        elif problem["type"] == "extra_forbidden":
            key = str(problem["loc"][-1])
            near = [name for name in difflib.get_close_matches(key, _KEYS, 2) if name != key][:1]
            phrases.setdefault(place, f"{place}: unknown key" + (f", did you mean {near[0]}?" if near else " in this section"))
        else:
            given = "" if problem["type"] == "missing" else f", got {problem['input']!r}"
            phrases.setdefault(place, f"{place}: {problem['msg']}{given}")
    return "; ".join(phrases.values())


def _is_type(part: str) -> bool:
    """True where a step of a location is pydantic's name for a member of a union, not a key of the file."""
    return "[" in part or part.startswith("constrained-") or part in _TYPES
