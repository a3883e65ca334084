"""Settings and values in words, as headings, labels, legends and file names have them.

A setting that studies declare is worded as it is declared there. Any other one is worded by its name, and a value that names code of a
laboratory (`my_lab.channels:draw`) by what it is called in its module.
"""

import re
from typing import Any

from latentlink.report.columns import KNOWN, Condition

_CODE = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<name>[A-Za-z_][\w.]*)")


def describe(name: str, value: Any) -> str:
    """Word a setting; empty for one that does not apply, such as an estimator where the channel is known perfectly."""
    value = describe_code(value) if isinstance(value, str) else value
    if name in KNOWN:
        return KNOWN[name].describe(value)
    words = name.replace("_", " ")
    return f"{words} unknown" if value is None else f"{words} {format_value(value)}"


def describe_code(text: str) -> str:
    """Word `module:attribute` as "attribute (module)"; any other text stays as it is."""
    found = _CODE.fullmatch(text)
    return f"{found['name']} ({found['module']})" if found else text


def describe_condition(condition: Condition) -> str:
    """Word the settings of a condition; empty where there is but one."""
    return ", ".join(filter(None, (describe(name, value) for name, value in condition)))


def format_value(value: Any) -> str:
    """Write a value of a setting or parameter."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def format_percent(share: float) -> str:
    """Write a share in percent with three significant places."""
    return f"{100 * share:.3g}"


def format_count(number: int, noun: str) -> str:
    """Write a number with its noun in the singular or the plural."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
