"""The page on links without pairs: its blocks run, one after the other."""

import re
from pathlib import Path

import latentlink as ll

PAGE = (Path(__file__).parents[2] / "docs" / "without-pairs.md").read_text(encoding="utf-8")


def test_the_blocks_of_the_page_run_and_its_pairs_change_no_decision():
    told = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "without-pairs.md", "exec"), told)
    classes = ll.Moments.from_concepts(told["tx"], told["rx"], goal=told["goal"])
    W = told["goal"].weight
    assert float((W @ (told["both"].regression() - classes.regression())).abs().max()) < 1e-9
    assert len(told["few"]) == 20
