"""Every block of docs/beyond-linear.md, run as it stands, and its figures, which are those of the result files."""

import json
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "beyond-linear.md"


def test_every_block_runs():
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, PAGE.name, "exec"), names)
    assert names["probable"].shape == (8, 3000, 6)


@pytest.mark.parametrize("pair", ["images", "nouns"])
def test_its_figures_are_those_of_the_result_files(pair):
    page = PAGE.read_text(encoding="utf-8")
    path = PAGE.parent / "results" / "bench" / f"beyond-linear-{pair}.json"
    for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
        name, *cells = row.values()
        errors = [f" (±{cell.partition('± ')[2]})" if cell else "" for cell in cells[1::3]]
        assert f"| {name} | {' | '.join(map(str.__add__, cells[::3], errors))} |" in page
        assert f"| {name} | {' | '.join(cells[2::3])} |" in page
