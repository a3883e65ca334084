"""Every block of docs/links-that-live.md, run as it stands, and its figures, which are those of the result files."""

import json
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "links-that-live.md"


def rows(part):
    path = PAGE.parent / "results" / "bench" / f"living-{part}.json"
    return [list(row.values()) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]


def test_every_block_runs_and_gives_what_the_page_says(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    watched, agreed = capsys.readouterr().out.splitlines()
    assert watched.startswith("False ")
    assert 5 < float(watched.split()[1]) < 20
    assert agreed.startswith("15 0.69")


def test_its_figures_are_those_of_the_result_files():
    page = PAGE.read_text(encoding="utf-8")
    for row in (*rows("price"), *rows("memory")):
        assert ("| " + " | ".join(row) + " |") in page
    before, stale, *updated = (f"{float(row[1]):.3f}" for row in rows("encoders"))
    assert f"accuracy of {before}, and {stale}" in page
    assert " / ".join(updated) in page
    clean, turned, noise, little = rows("watching")[:4]
    assert f"one in {int(clean[1]):,} on streams" in page
    for delay, accuracy in ((turned[1], turned[2]), (noise[1], noise[2]), (little[1], little[2])):
        assert re.search(rf"after {delay}( messages)? \((accuracy )?{float(accuracy):.2f}\)", page)
    one = [f"{float(cell.split()[0]):.3f}" for cell in rows("deciding")[0][1:3]]
    assert f"1×1: {one[0]} with" in page
    assert f"{one[1]} with a classifier" in page
