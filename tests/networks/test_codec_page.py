"""Every block of docs/networks-codec.md, run as it stands, and its tables, which are those of the result files."""

import json
import re
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[2] / "docs" / "networks-codec.md"


def rows(name):
    path = PAGE.parent / "results" / "bench" / f"user-codecs-{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["rows"]


def mean(cell):
    """The mean accuracy of a cell, and that of each user."""
    first, _, each = cell.partition(" (")
    return float(first), [float(value) for value in each.rstrip(")").split()]


def test_every_block_runs():
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, PAGE.name, "exec"), names)
    assert [each.shape for each in names["y_hat"]] == [torch.Size([500, 8]), torch.Size([500, 6])]


@pytest.mark.parametrize("name", ["private", "common", "told"])
def test_its_tables_are_those_of_the_result_files(name):
    page = PAGE.read_text(encoding="utf-8")
    for row in rows(name):
        left_out = ("on", "unsettled")
        cells = [value or "–" for column, value in row.items() if column not in left_out]
        assert f"| {' | '.join(cells)} |" in page


def test_what_it_says_of_gains_is_in_the_result_files():
    page = PAGE.read_text(encoding="utf-8")
    gains = [mean(row["codecs"])[0] - mean(row["linear"])[0] for row in rows("private")]
    said = [int(value) for value in re.search(r"gain (\d+) to (\d+) points over the linear design", page).groups()]
    assert said == [round(min(gains)), round(max(gains))]
    shared = [mean(row["one codec for all"])[0] - mean(row["broadcast, linear"])[0] for row in rows("common")]
    said = [int(value) for value in re.search(r"One codec for all gains (\d+) to (\d+) points", page).groups()]
    assert said == [round(min(shared)), round(max(shared))]
    far = {
        column: mean(value)[1][-1] for column, value in rows("common")[-1].items() if column.startswith(("one codec", "broadcast", "each"))
    }
    said = re.search(r"the far user has ([0-9.]+) % by one codec, ([0-9.]+) points less than by the linear\s+broadcast", page).groups()
    assert [float(value) for value in said] == [
        far["one codec for all"],
        pytest.approx(far["broadcast, linear"] - far["one codec for all"]),
    ]
    less = float(re.search(r"and ([0-9.]+) less than alone", page)[1])
    assert less == pytest.approx(far["each alone, codecs"] - far["one codec for all"])
    assert max(float(row["unsettled"]) for row in rows("private")) <= 1e-4
