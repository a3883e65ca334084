"""From a study to its cells: the product over every list, method by method."""

import difflib
import itertools
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import ValidationError

from latentlink.studies.sections import CsiAt, OfdmAt, Standard
from latentlink.studies.spec.study import Cell, Study, explained

_SECTIONS = ("data", "encoders", "pilots", "channel", "ofdm", "csi", "snr")
_REFERENCES: tuple[dict[str, Any], ...] = tuple({"name": "reference", "kind": kind, "at": {}} for kind in ("own", "aligned", "unaligned"))
_ONE_POINT = {"channel.antennas": 1, "channel.n_tx": None, "channel.n_rx": None, "channel.knowledge": "aware", "snr.snr_db": 0.0}


def cells(study: Study) -> tuple[Cell, ...]:
    """All cells of a study, each once, those that share pilots next to each other.

    Raises:
        ValueError: a combination is no cell, or two methods differ in their label only; the message says which and why.
    """
    content = study.model_dump()
    found: dict[str, Cell] = {}
    methods = [*content["methods"], *(_REFERENCES if study.references else ())]
    for number, method in enumerate(methods):
        where = f"methods.{number} ({method['name']})"
        entry = {name: value for name, value in method.items() if name != "at"}
        point = {name: dict(content[name]) for name in _SECTIONS}
        for key, value in (_without_channel(content) if entry["name"] == "reference" else method["at"]).items():
            _put_at(point, key, value, where)
        for chosen in _product({**point, "method": entry, "seed": list(content["seeds"])}):
            cell = _cell({**chosen, "metrics": content["metrics"]}, where)
            same = found.setdefault(cell.id, cell)
            if same.method.label != cell.method.label:
                raise ValueError(
                    f"{where}: is the same as another method but for its label, {cell.method.title!r} and {same.method.title!r}"
                )
    order = {group: number for number, group in enumerate(dict.fromkeys(cell.group for cell in found.values()))}
    return tuple(sorted(found.values(), key=lambda cell: order[cell.group]))


def _put_at(point: dict[str, Any], key: str, value: Any, where: str) -> None:
    """Another value for one method."""
    section, _, name = key.partition(".")
    if section not in point or name not in point[section]:
        known = [f"{section}.{name}" for section in point for name in point[section]]
        near = difflib.get_close_matches(key, known, 1)
        hint = f", did you mean {near[0]}?" if near else f"; sections are {', '.join(_SECTIONS)}"
        raise ValueError(f"{where}.at: {key!r} is no value of a study's sections{hint}")
    if value == []:
        raise ValueError(f"{where}.at: {key} must be a value or a list of some, got []")
    point[section][name] = value


def _without_channel(content: dict[str, Any]) -> dict[str, Any]:
    """References pass no channel: one point for all of them, not one for each antenna and SNR."""
    models = content["channel"]["model"] if isinstance(content["channel"]["model"], list) else [content["channel"]["model"]]
    flat = [model for model in models if model not in get_args(Standard)]
    return {
        **_ONE_POINT,
        "channel.uses": 1,
        "channel.draws": 1,
        "channel.gain": 1.0,
        "channel.clipping_db": None,
        "channel.model": flat or "rayleigh",
        "snr.snr_reference": "transmit",
        **{f"ofdm.{name}": value for name, value in OfdmAt.model_validate({}).model_dump().items()},
        **{f"csi.{name}": value for name, value in CsiAt.model_validate({}).model_dump().items()},
    }


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


def _cell(content: dict[str, Any], where: str) -> Cell:
    try:
        return Cell.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{where}: {explained(error)}") from error
