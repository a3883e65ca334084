"""Reading study files: YAML in which a key comes once, aliases are values of their own, and overrides and `quick` are applied."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError
from torch import Tensor

from latentlink.numerics.validation import validate_call
from latentlink.storage.refusals import naming_refusals
from latentlink.studies.spec.overrides import apply_override, length_of, put
from latentlink.studies.spec.study import Study, explain

_MOST_VALUES = 100_000  # of a file, aliases counted as often as they are used
_DEEPEST = 100  # lists and mappings within each other


@validate_call
def read_study(path: str | Path, overrides: Sequence[str] = (), quick: bool = False) -> Study:
    """Read the study of a YAML file.

    An override holds for all methods, also for those that have another value in `at`. Modules, folders and files that it names are looked
    for beside the file first.

    Args:
        path: the file.
        overrides: other values, `a.b=value` in the grammar of Hydra; `channel.antennas=1,2,4` sweeps.
        quick: True takes the study's small form.

    Returns:
        The study, checked key by key.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: the system refuses to open it; PermissionError where the right to read it is lacking.
        ValueError: it is not YAML, or not a study; the message names the file, the key, what was given and what was expected.

    Example:
        >>> from pathlib import Path
        >>> import latentlink as ll
        >>> size = Path("mine.yaml").write_text("{name: mine, methods: [{name: closed-form}]}")
        >>> ll.studies.read_study("mine.yaml", ["seeds=1,2"]).seeds
        (1, 2)
    """
    path = Path(path)
    try:
        with naming_refusals(path):
            content = _copy_aliases(yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: there is no such file") from error
    except IsADirectoryError as error:
        raise ValueError(f"{path}: must be a study file, got a folder") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = "it contains itself, or is nested too deeply" if isinstance(error, RecursionError) else error
        raise ValueError(f"{path}: not a YAML file ({reason})") from error
    try:
        return make_study(content, overrides, quick, folder=path.parent)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


@validate_call
def make_study(content: Any, overrides: Sequence[str] = (), quick: bool = False, *, folder: str | Path | None = None) -> Study:
    """Make a study of a mapping as a study file holds it.

    Args:
        content: the mapping, of plain values.
        overrides: other values, as for `read_study`.
        quick: True takes the study's small form.
        folder: where the files and modules that it names are looked for first; None for the current folder alone.

    Returns:
        The study, checked key by key.

    Raises:
        ValueError: it is not a study; the message names the key, what was given and what was expected.

    Example:
        >>> import latentlink as ll
        >>> study = {"name": "mine", "channel": {"antennas": [1, 2, 4]}, "methods": [{"name": "closed-form"}], "seeds": 1}
        >>> ll.studies.make_study(study, ["snr.snr_db=0,10"]).snr.snr_db
        [0.0, 10.0]
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"a study must be a mapping with name, methods, …; got {type(content).__name__}")
    if isinstance(overrides, str):
        raise ValueError(f'overrides must be a list of "key=value", got {overrides!r}: write [{overrides!r}]')
    content = as_plain(content)
    small = content.get("quick") or {}
    if not isinstance(small, dict) or not all(isinstance(key, str) for key in small):
        raise ValueError(f"quick must be a mapping of dotted names to values, got {small!r}")
    if quick and not small:
        raise ValueError("has no `quick` section, so --quick means nothing here")
    for key, value in small.items() if quick else ():
        put(content, key, value)
    for override in overrides:
        key = apply_override(content, override)
        methods = content.get("methods")
        for method in methods if isinstance(methods, list) else ():
            if isinstance(method, dict) and isinstance(method.get("at"), dict):
                method["at"].pop(key, None)
    try:
        return Study.model_validate(content, context={"folder": None if folder is None else Path(folder)})
    except ValidationError as error:
        raise ValueError(explain(error)) from error


def as_plain(value: Any, place: str = "study") -> Any:
    """A copy as a study file would hold it: NumPy's numbers, arrays and tensors are numbers and lists, paths are text.

    Raises:
        ValueError: a study file cannot hold such a value, or so many or so deep ones; the message names its place.
    """
    left = _MOST_VALUES

    def plain(value: Any, place: str, depth: int) -> Any:
        nonlocal left
        left -= _size(value)
        if left < 0:
            raise ValueError(f"{place} must be of a study of at most {_MOST_VALUES} values, got more")
        if depth > _DEEPEST:
            raise ValueError(f"{place[:40]}… is more than {_DEEPEST} lists deep, or contains itself: write its values out")
        if isinstance(value, np.generic | np.ndarray | Tensor):
            return value.tolist()
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, Mapping):
            return {key: plain(inner, f"{place}.{key}", depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple | range):
            return [plain(inner, f"{place}.{number}", depth + 1) for number, inner in enumerate(value)]
        if value is None or isinstance(value, bool | int | float | str | date):
            return value
        raise ValueError(f"{place} must be a number, text, a list or a mapping, as in a study file, got a {type(value).__name__}")

    return plain(value, place, 0)


def _size(value: Any) -> int:
    """How many values of its own something holds, counted before any of them is looked at."""
    if isinstance(value, np.ndarray):
        return value.size
    if isinstance(value, Tensor):
        return value.numel()
    if isinstance(value, range):
        return length_of(value)
    return len(value) if isinstance(value, Mapping | list | tuple) else 0


def _copy_aliases(value: Any) -> Any:
    """A copy in which YAML's aliases are values of their own; a ValueError where they stand for more values than fit into memory."""
    left = _MOST_VALUES

    def copied(inner: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError(f"it stands for more than {_MOST_VALUES} values")
        if isinstance(inner, dict):
            return {key: copied(each) for key, each in inner.items()}
        return [copied(each) for each in inner] if isinstance(inner, list) else inner

    return copied(value)


class _UniqueKeys(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """A loader for which a key that comes twice in one mapping is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge"):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} comes twice", node.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# a study has no dates: what looks like one stays the word that it is, and is refused by its key
_UniqueKeys.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)
