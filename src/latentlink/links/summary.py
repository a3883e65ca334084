"""One line, or a small table in a notebook, instead of pages of numbers: how links, solutions and evaluations show themselves."""

import html
from collections.abc import Mapping

import torch
from torch import Tensor

from latentlink.channels.channel import Channel


def one_line(name: str, *facts: str) -> str:
    """`Name(fact, fact, …)`, without the facts that are empty."""
    return f"{name}({', '.join(fact for fact in facts if fact)})"


def small_table(name: str, rows: Mapping[str, str]) -> str:
    """The HTML of a table with a heading and one row for each entry."""
    body = "".join(f"<tr><th style='text-align:left'>{html.escape(key)}</th><td>{html.escape(rows[key])}</td></tr>" for key in rows)
    return f"<table><caption>{html.escape(name)}</caption>{body}</table>"


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 use`, `2 uses`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def channel_facts(channel: Channel) -> list[str]:
    """The number of channels, the receive × transmit antennas, and the number of uses, in words."""
    return [counted(channel.batch.numel(), "channel"), f"{channel.n_rx}×{channel.n_tx}", counted(channel.uses, "use")]


def spread(values: Tensor, form: str = ".4g") -> str:
    """The mean of the values of a batch, with the least and the greatest where they differ."""
    numbers = values.detach().double().flatten()
    if numbers.numel() == 0:
        return "none"
    low, high = float(numbers.min()), float(numbers.max())
    mean = format(float(numbers.mean()), form)
    return mean if low == high or not torch.isfinite(numbers).all() else f"{mean} ({low:{form}} to {high:{form}})"
