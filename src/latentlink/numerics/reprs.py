"""Summaries: objects show themselves in one line, and as a small table in a notebook, instead of pages of numbers."""

import html

from torch import Tensor


class Summarised:
    """An object that shows itself by a few facts: a subclass gives `_facts`, and `_line` where one line takes others."""

    def _facts(self) -> dict[str, str]:
        """The facts of the table, by name."""
        raise NotImplementedError

    def _line(self) -> list[str]:
        """The facts of the line."""
        return list(self._facts().values())

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
