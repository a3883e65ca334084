"""One way to show the facts of an object in a notebook."""

from collections.abc import Mapping


def html_table(facts: Mapping[str, str]) -> str:
    """Make a small table of facts by name."""
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in facts.items())
    return f"<table>{rows}</table>"
