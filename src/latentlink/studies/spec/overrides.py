"""Changing nested values by dotted names, in the grammar of Hydra's command line.

    key=value       set            channel.antennas=4           (mappings are merged into what is there)
    key=a,b,c       sweep          channel.antennas=1,2,4       (or key=[a,b,c], range(1,5), choice(a,b))
    +key=value      add            +methods={name: eigen-k}: an entry at the end of a list of mappings; else as key=value
    ++key=value     set            as key=value
    ~key            take out       ~methods.neural

A name goes into mappings by key, and into lists by number or, for lists of mappings, by `name`: to all entries of that name. Within `at`
and `quick`, whose keys are dotted names themselves, the rest of a name is one key.
"""

import copy
import re
from typing import Any

import yaml


def apply_override(content: dict[str, Any], override: str) -> str:
    """Apply one override in place and return the dotted name that it changes.

    Raises:
        ValueError: it has another form, its value is not YAML, or its name leads nowhere.
    """
    key, separator, text = override.lstrip("+").partition("=")
    if override.startswith("~"):
        key = key.removeprefix("~")
        remove(content, key)
    elif separator and key:
        value = _parse(text, override)
        adds = override.startswith("+") and not override.startswith("++")
        if not (adds and append(content, key, value, override)):
            put(content, key, value)
    else:
        raise ValueError(f"override must be key=value (channel.antennas=1,2,4) or ~key, got {override!r}")
    return key


def put(content: dict[str, Any], key: str, value: Any) -> None:
    """Set a nested value; sections that are not there yet are made. A ValueError where the name goes through a value that is no section."""
    path, last = _path(key)
    for place in _places(content, path, key):
        if isinstance(place, dict) and isinstance(value, dict) and isinstance(place.get(last), dict) and last not in _FLAT:
            for name, inner in value.items():
                put(place[last], str(name), inner)
        elif isinstance(place, dict):
            place[last] = value
        elif last.isdigit() and int(last) < len(place):
            place[int(last)] = value
        else:
            remedy = f"; +{'.'.join(path)}={{…}} appends an entry" if isinstance(value, dict) else ""
            raise ValueError(f"{key}: {last!r} is not the number of one of the {len(place)} entries{remedy}")


def append(content: dict[str, Any], key: str, value: Any, override: str) -> bool:
    """Append a mapping, or several, to the list of mappings of that name, and return whether there is such a list.

    Raises:
        ValueError: as for `put`, or there is such a list and the value is no mapping.
    """
    path, last = _path(key)
    entries = value if isinstance(value, list) else [value]
    lists = [place.get(last) for place in _places(content, path, key) if isinstance(place, dict)]
    found = [each for each in lists if isinstance(each, list) and any(isinstance(entry, dict) for entry in each)]
    if found and (not entries or not all(isinstance(entry, dict) for entry in entries)):
        raise ValueError(
            f"override {override!r} must append entries such as {{name: eigen-k}}, got {value!r}; ++{key}=… replaces all of them"
        )
    for each in found:
        each.extend(copy.deepcopy(entries))
    return bool(found)


def remove(content: dict[str, Any], key: str) -> None:
    """Take out a nested value, or all entries of a list with that name; a ValueError where there is none."""
    path, last = _path(key)
    removed = False
    for place in _places(content, path, f"~{key}"):
        if isinstance(place, dict):
            removed |= last in place
            place.pop(last, None)
        else:
            others = [entry for number, entry in enumerate(place) if last not in _names(number, entry)]
            removed |= len(others) < len(place)
            place[:] = others
    if not removed:
        raise ValueError(f"~{key}: there is no such value to take out")


def _places(content: dict[str, Any], path: list[str], key: str) -> list[dict[str, Any] | list[Any]]:
    """The sections to which a path leads."""
    places: list[Any] = [content]
    for step, name in enumerate(path):
        places = [inner for place in places for inner in _entered(place, name)]
        if not places or not all(isinstance(place, dict | list) for place in places):
            raise ValueError(f"{key}: there is no section {'.'.join(path[: step + 1])} to go into")
    return places


def _entered(place: dict[str, Any] | list[Any], name: str) -> list[Any]:
    if isinstance(place, dict):
        return [place.setdefault(name, {})]
    return [entry for number, entry in enumerate(place) if name in _names(number, entry)]


def _names(number: int, entry: Any) -> tuple[Any, ...]:
    return (str(number), entry.get("name") if isinstance(entry, dict) else None)


def _path(key: str) -> tuple[list[str], str]:
    """The sections to go through, and the last name."""
    steps = key.split(".")
    for number, step in enumerate(steps[:-1]):
        if step in _FLAT:
            return steps[: number + 1], ".".join(steps[number + 1 :])
    return steps[:-1], steps[-1]


def _parse(text: str, override: str) -> Any:
    """The value of an override, in YAML; commas outside of brackets and quotes make a sweep."""
    if match := re.fullmatch(r"range\((-?\d+),\s*(-?\d+)(?:,\s*(-?[1-9]\d*))?\)", text):
        start, stop, step = (int(number or 1) for number in match.groups())
        count = length_of(range(start, stop, step))
        if count > _MOST:
            raise ValueError(f"override {override!r}: a range must have at most {_MOST} values, got {count}")
        return list(range(start, stop, step))
    if match := re.fullmatch(r"choice\((.*)\)", text):
        text = match[1]
    try:
        return yaml.safe_load(f"[{text}]" if "," in _outside(text) else text)
    except yaml.YAMLError as error:
        raise ValueError(f"override {override!r}: {text!r} is not a value ({error})") from error


def _outside(text: str) -> str:
    """What is in neither quotes nor brackets, however deep."""
    text, count = re.sub(r"""'[^']*'|"[^"]*\"""", "", text), 1
    while count:
        text, count = re.subn(r"\[[^][{}]*\]|\{[^][{}]*\}", "", text)
    return text


_FLAT = ("at", "quick")  # mappings whose keys are dotted names
_MOST = 10_000  # values of a range


def length_of(numbers: range) -> int:
    """How many numbers a range has, of which `len` counts no more than 64 bits hold."""
    return max(0, -((numbers.start - numbers.stop) // numbers.step))
