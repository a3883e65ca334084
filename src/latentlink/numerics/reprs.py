"""Summaries: objects show themselves in one line, and as a small table in a notebook, instead of pages of numbers."""

import html
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from torch import Tensor, nn

from latentlink.numerics.validation import Validated

_LONGEST = 160  # characters of a line that has all settings; longer ones have those that are not the default
_SHORT = 60  # characters of a value that is shown as it is
_FEW = 4  # numbers of a tensor that are shown one by one


class Summarised(Validated):
    """An object that shows itself by a few facts, by default its fields, with tensors by their shape and range.

    A subclass gives `_facts` where its fields do not say what it is, and `_line` where one line takes others.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__repr__ = cls.__repr__  # type: ignore[method-assign]  # of its own, so that @dataclass writes none

    def _facts(self) -> dict[str, str]:
        """The facts of the table, by name."""
        return {field.name: brief(getattr(self, field.name)) for field in _fields(self)}

    def _line(self) -> list[str]:
        """The facts of the line."""
        if type(self)._facts is not Summarised._facts:
            return list(self._facts().values())
        every = [f"{name}={fact}" for name, fact in self._facts().items()]
        if sum(map(len, every)) <= _LONGEST:
            return every
        return [f"{field.name}={brief(getattr(self, field.name))}" for field in _fields(self) if not _is_default(self, field)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(fact for fact in self._line() if fact)})"

    def _repr_html_(self) -> str:
        """Show a small table in notebooks."""
        facts = {html.escape(name): html.escape(fact) for name, fact in self._facts().items() if fact}
        rows = "".join(f"<tr><th style='text-align:left'>{name}</th><td>{fact}</td></tr>" for name, fact in facts.items())
        return f"<table><caption>{type(self).__name__}</caption>{rows}</table>"


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 use`, `2 uses`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def spread(values: Tensor, form: str = ".4g") -> str:
    """The mean of the values of a batch, with the least and the greatest where they differ."""
    numbers = values.detach().double().flatten()
    if numbers.numel() == 0:
        return "none"
    low, high = float(numbers.min()), float(numbers.max())
    mean = format(float(numbers.mean()), form)
    return mean if low == high or not numbers.isfinite().all() else f"{mean} ({low:{form}} to {high:{form}})"


def brief(value: Any) -> str:
    """A value in at most one line: a tensor by its shape, mean and range, a module by its class, others as they are where that is short."""
    if isinstance(value, Tensor):
        if value.numel() <= _FEW and not value.is_complex():
            return f"{[float(f'{number:.4g}') for number in value.flatten().tolist()]}" if value.dim() else f"{value.item():.4g}"
        shape = "×".join(map(str, value.shape))
        return f"{shape} {str(value.dtype).removeprefix('torch.')}" if value.is_complex() else f"{shape}: {spread(value)}"
    if isinstance(value, nn.Module):
        return type(value).__name__
    shown = repr(value)
    if isinstance(value, Summarised) or (len(shown) <= _SHORT and "\n" not in shown):
        return shown
    if isinstance(value, Mapping | tuple | list) and not hasattr(value, "_fields"):
        return f"{len(value)} entries"
    return getattr(value, "__qualname__", type(value).__name__)


def _fields(whole: object) -> list[Field[Any]]:
    return [field for field in fields(whole) if field.repr] if is_dataclass(whole) else []


def _is_default(whole: object, field: Field[Any]) -> bool:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    value = getattr(whole, field.name)
    return default is value or (type(default) is type(value) and not isinstance(value, Tensor) and bool(default == value))
