"""Every block of docs/links-that-live.md, run as it stands."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "links-that-live.md"


def test_every_block_runs_and_gives_what_the_page_says(capsys):
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    watched, agreed = capsys.readouterr().out.splitlines()
    assert watched.startswith("False ")
    assert 5 < float(watched.split()[1]) < 20
    assert agreed.startswith("15 0.69")
