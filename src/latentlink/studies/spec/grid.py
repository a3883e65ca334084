"""From a study to its cells: the product over every list, method by method."""

import difflib
import itertools
import math
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from latentlink.studies.sections import SECTIONS
from latentlink.studies.spec.cell import Cell
from latentlink.studies.spec.study import Study, explain

_MOST_CELLS = 200_000
_REFERENCES: tuple[dict[str, Any], ...] = tuple({"name": "reference", "kind": kind, "at": {}} for kind in ("own", "aligned", "unaligned"))
_WITHOUT_CHANNEL: dict[str, dict[str, Any]] = {  # references pass no channel: one point for all of them, not one for each antenna and SNR
    "channel": {"antennas": 1},
    "snr": {"snr_db": 0.0},
    "ofdm": {},
    "csi": {},
    "drift": {},
    "network": {},
}


def cells(study: Study) -> tuple[Cell, ...]:
    """All cells of a study, each once, those that share pilots next to each other.

    Raises:
        ValueError: a combination is no cell, two methods differ in their label only, or there are more than 200,000 combinations.
    """
    content = study.model_dump()
    found: dict[str, Cell] = {}
    methods = [*content["methods"], *(_REFERENCES if study.references else ())]
    for number, method in enumerate(methods):
        where = f"methods.{number} ({method['name']})"
        entry = {name: value for name, value in method.items() if name != "at"}
        point: dict[str, dict[str, Any]] = {name: getattr(study, name).model_dump(exclude_unset=True) for name in SECTIONS}
        if entry["name"] == "reference":
            point |= {name: dict(values) for name, values in _WITHOUT_CHANNEL.items()}
            if content["pilots"]["count"] is not None:  # the ceiling of all numbers of pilots is that of all pairs
                point["pilots"] = {}
        else:
            for key, value in method["at"].items():
                _put_at(point, key, value, where)
        some = [section["file"] for section in (content["channel"], point["channel"]) if isinstance(section.get("file"), list)]
        for chosen in _product({**point, "method": entry}, content["seeds"], where):
            if any(None in files for files in some) and chosen["channel"].get("file") is not None:
                chosen["channel"].pop("model", None)  # the model is that of the cells without a file
            try:
                cell = Cell.model_validate({**chosen, "metrics": content["metrics"]}, context={"folder": study.beside})
            except ValidationError as error:
                raise ValueError(f"{where}: {explain(error)}") from error
            same = found.setdefault(cell.id, cell)
            if same.method.label != cell.method.label:
                raise ValueError(
                    f"{where}: is the same as another method but for its label, {cell.method.title!r} and {same.method.title!r}"
                )
    order = {group: number for number, group in enumerate(dict.fromkeys(cell.group for cell in found.values()))}
    return tuple(sorted(found.values(), key=lambda cell: order[cell.group]))


def _put_at(point: dict[str, Any], key: str, value: Any, where: str) -> None:
    """Set another value for one method."""
    section, _, name = key.partition(".")
    if section not in SECTIONS or name not in SECTIONS[section].model_fields:
        known = [f"{section}.{name}" for section in SECTIONS for name in SECTIONS[section].model_fields]
        near = difflib.get_close_matches(key, known, 1)
        hint = f", did you mean {near[0]}?" if near else f"; sections are {', '.join(SECTIONS)}"
        raise ValueError(f"{where}.at: {key!r} is no value of the sections of a study{hint}")
    if value == []:
        raise ValueError(f"{where}.at: {key} must be a value or a list with at least one, got []")
    point[section][name] = value


def _product(sections: dict[str, dict[str, Any]], seeds: tuple[int, ...], where: str) -> Iterator[dict[str, Any]]:
    """Every choice of one value from each list, and a seed."""
    axes = {(name, key): value for name, section in sections.items() for key, value in section.items() if isinstance(value, list)}
    count = math.prod(map(len, axes.values())) * len(seeds)
    if count > _MOST_CELLS:
        raise ValueError(f"{where}: its lists have {count:,} combinations, and a study may have {_MOST_CELLS:,}: sweep over fewer values")
    for values in itertools.product(*axes.values()):
        chosen = {name: dict(section) for name, section in sections.items()}
        for (name, key), value in zip(axes, values, strict=True):
            chosen[name][key] = value
        for seed in seeds:
            yield {**chosen, "seed": seed}
