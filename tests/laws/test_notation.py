"""The page of notation names code that exists."""

import importlib
import re
from pathlib import Path

import latentlink as ll

FOLDER = Path(__file__).parents[2] / "docs"
PAGE = (FOLDER / "notation.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`((?:[a-z_]+|[A-Z]\w+)(?:\.\w+)+)(?:`| <latentlink[\w.]*>`)", PAGE)))


def find(name):
    """The module, class or attribute that a name of the page stands for."""
    head, *rest = name.split(".")
    if head == "ll" or head[0].isupper():
        found, rest = (ll, rest) if head == "ll" else (getattr(ll, head), rest)
    else:
        found, rest = importlib.import_module(f"latentlink.{name}"), []
    for part in rest:
        fields = getattr(found, "__dataclass_fields__", {})
        found = fields[part] if part in fields else getattr(found, part)
    return found


def test_every_name_on_the_page_of_notation_exists():
    assert len(NAMES) > 30
    for name in NAMES:
        assert find(name) is not None, name


def test_every_module_on_the_page_of_notation_leads_to_where_its_equations_are():
    bare = [name for name in NAMES if re.search(rf"(?<!\[)`{re.escape(name)}`", PAGE)]
    assert [name for name in bare if name[0].islower() and not name.startswith("ll.")] == []
    for target in re.findall(r"<(latentlink[\w.]*)>`", PAGE):
        assert find("ll" + target.removeprefix("latentlink")) is not None, target
    for path in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (FOLDER / path).exists(), path
