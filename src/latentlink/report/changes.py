"""What was run otherwise than the study file says: the small form and overrides, value by value, in words."""

from collections.abc import Mapping
from typing import Any

import yaml

from latentlink.studies.experiments import Experiment
from latentlink.studies.sections import SECTIONS
from latentlink.studies.spec.reading import make_study
from latentlink.studies.spec.study import Study

_WORDS = {
    "data.dataset": "data set",
    "data.train": "training observations",
    "data.test": "test messages",
    "pilots.per_class": "pilots per class",
    "channel.gain": "channel gain",
    "channel.model": "channel model",
    "channel.draws": "channels per seed",
    "channel.antennas": "antennas",
    "channel.uses": "channel uses",
    "snr.snr_db": "SNR in dB",
    "seeds": "seeds",
}
_WHOLE = ("data.train", "data.test", "pilots.per_class")  # of which null is all that there is
_FEW = 6  # values that are listed; of more there is the number


def list_changes(experiment: Experiment) -> list[str]:
    """List the values of an experiment that are not those of its study file, such as "pilots per class 420 instead of 4200"."""
    full = make_study(yaml.safe_load(experiment.text), folder=experiment.study.beside)
    before, now = _flatten(full), _flatten(experiment.study)
    methods = {name for name in {*before, *now} if "." not in name and (name not in before or name not in now)}
    found = []
    for name in dict.fromkeys([*now, *before]):
        one, other = now.get(name, _ABSENT), before.get(name, _ABSENT)
        if one != other and (name in methods or name.partition(".")[0] not in methods):
            found.append(_word(name, one, other))
    return found


class _Absent:
    """A value that one of two studies does not have."""


_ABSENT = _Absent()


def _flatten(study: Study) -> dict[str, Any]:
    """The values of a study by their names; those of a method by its name and number, if there are several of that name."""
    content = study.model_dump(mode="json")
    found = {f"{section}.{key}": value for section in SECTIONS for key, value in content[section].items()}
    found |= {key: content[key] for key in ("seeds", "metrics", "references")}
    names = [method["name"] for method in content["methods"]]
    for number, method in enumerate(content["methods"]):
        name = method["name"]
        title = name if names.count(name) == 1 else f"{name} ({names[: number + 1].count(name)})"
        found |= {f"{title}": True} | {f"{title}.{key}": value for key, value in method.items() if key not in ("name", "label")}
    return found


def _word(name: str, now: Any, before: Any) -> str:
    """Word one change; a method that was left out or added is one."""
    section, _, key = name.partition(".")
    if not key and (now is _ABSENT or before is _ABSENT):
        return f"{'without' if now is _ABSENT else 'also'} {section}"
    if key == "at":
        now, before = (_plain(value) if value else "the common values" for value in (now, before))
        return f"{section} with {now} instead of {before}"
    plain = key.replace("_", " ")
    words = _WORDS.get(name) or (f"{section} {plain}" if section in SECTIONS else f"{plain} of {section}" if key else name)
    values = f"{_write(now, before)} instead of {_write(before, now)}"
    return f"{words} {values}" if name not in _WHOLE else f"{words} {values.replace('null', 'all')}"


def _write(value: Any, other: Any) -> str:
    """Write a value; of two long lists their length says more than their values."""
    if isinstance(value, list):
        longest = max(len(value), len(other) if isinstance(other, list) else 0)
        return ", ".join(map(_plain, value)) if longest <= _FEW else f"{len(value)} values"
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_write(inner, None)}" for key, inner in value.items()) or "none"
    if value is None or value is _ABSENT:
        return "null" if value is None else "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
