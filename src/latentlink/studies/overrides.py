"""Changing nested values by dotted names, in the grammar of Hydra's command line.

    key=value       set            channel.antennas=4
    key=a,b,c       sweep          channel.antennas=1,2,4       (or key=[a,b,c])
    ~key            take out       ~methods.neural

A name goes into mappings by key, and into lists by number or, for lists of mappings, by `name`: to all entries of that name.
"""

from typing import Any

import yaml


def overridden(content: dict[str, Any], override: str) -> None:
    """Apply one override, in place.

    Raises:
        ValueError: it is of another form, its value is not YAML, or its name goes nowhere.
    """
    key, separator, text = override.partition("=")
    if override.startswith("~"):
        remove(content, override[1:])
    elif separator and key:
        put(content, key, _parsed(text, override))
    else:
        raise ValueError(f"override must be key=value (channel.antennas=1,2,4) or ~key, got {override!r}")


def put(content: dict[str, Any], key: str, value: Any) -> None:
    """Set a nested value; sections that are not there yet are made.

    Raises:
        ValueError: the name goes through something that is no section.
    """
    *path, last = key.split(".")
    for place in _places(content, path, key):
        if isinstance(place, dict):
            place[last] = value
        elif last.isdigit() and int(last) < len(place):
            place[int(last)] = value
        else:
            raise ValueError(f"{key}: {last!r} is not the number of one of the {len(place)} entries")


def remove(content: dict[str, Any], key: str) -> None:
    """Take out a nested value, or all entries of a list with that name.

    Raises:
        ValueError: there is no such value.
    """
    *path, last = key.split(".")
    removed = False
    for place in _places(content, path, f"~{key}"):
        if isinstance(place, dict):
            removed |= place.pop(last, None) is not None
        else:
            kept = [entry for number, entry in enumerate(place) if last not in _names(number, entry)]
            removed |= len(kept) < len(place)
            place[:] = kept
    if not removed:
        raise ValueError(f"~{key}: there is no such value to take out")


def _places(content: dict[str, Any], path: list[str], key: str) -> list[dict[str, Any] | list[Any]]:
    """The sections that a path leads to."""
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


def _parsed(text: str, override: str) -> Any:
    """A value is YAML; commas outside of brackets make a sweep."""
    try:
        return yaml.safe_load(f"[{text}]" if "," in text and text[:1] not in "[{\"'" else text)
    except yaml.YAMLError as error:
        raise ValueError(f"override {override!r}: {text!r} is not a value ({error})") from error
