"""From a study to its cells: the product over every list, method by method."""

import itertools
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from latentlink.studies.overrides import put
from latentlink.studies.spec import Cell, Study, explained

_SECTIONS = ("data", "encoders", "pilots", "channel", "snr")
_REFERENCES: tuple[dict[str, Any], ...] = tuple({"name": "reference", "kind": kind, "at": {}} for kind in ("own", "aligned", "unaligned"))
_ONE_POINT = {"channel.antennas": 1, "channel.n_tx": None, "channel.n_rx": None, "channel.knowledge": "aware", "snr.snr_db": 0.0}


def cells(study: Study) -> tuple[Cell, ...]:
    """All cells of a study, each once, those that share pilots next to each other.

    Raises:
        ValueError: a combination is no cell; the message says which and why.
    """
    content = study.model_dump()
    found: dict[str, Cell] = {}
    methods = [*content["methods"], *(_REFERENCES if study.references else ())]
    for method in methods:
        entry = {name: value for name, value in method.items() if name != "at"}
        point = {name: dict(content[name]) for name in _SECTIONS}
        at = dict(method["at"]) if entry["name"] != "reference" else _without_channel(content)
        for key, value in at.items():
            put(point, key, value)
        for chosen in _product({**point, "method": entry, "seed": list(content["seeds"])}):
            cell = _cell({**chosen, "metrics": content["metrics"]})
            found.setdefault(cell.id, cell)
    order = {group: number for number, group in enumerate(dict.fromkeys(cell.group for cell in found.values()))}
    return tuple(sorted(found.values(), key=lambda cell: order[cell.group]))


def _without_channel(content: dict[str, Any]) -> dict[str, Any]:
    """References pass no channel: one point for all of them, not one for each antenna and SNR."""
    return {**_ONE_POINT, "channel.uses": 1, "channel.draws": 1, "snr.snr_reference": "transmit", "channel.gain": 1.0}


def _product(sections: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every choice of one value from each list, at any depth of one."""
    axes: list[tuple[str, str | None, list[Any]]] = []
    for name, section in sections.items():
        if isinstance(section, dict):
            axes += [(name, key, value) for key, value in section.items() if isinstance(value, list)]
        elif isinstance(section, list):
            axes.append((name, None, section))
    for values in itertools.product(*(axis[2] for axis in axes)):
        chosen = {name: dict(section) if isinstance(section, dict) else section for name, section in sections.items()}
        for (name, key, _), value in zip(axes, values, strict=True):
            if key is None:
                chosen[name] = value
            else:
                chosen[name][key] = value
        yield chosen


def _cell(content: dict[str, Any]) -> Cell:
    try:
        return Cell.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"no cell: {explained(error)}") from error
