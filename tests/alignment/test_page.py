"""The page on links without pairs: its blocks run, one after the other, and figures of unseen encoders are those of the result files."""

import json
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


def test_its_figures_of_unseen_encoders_are_those_of_the_result_files():
    bench = Path(__file__).parents[2] / "docs" / "results" / "bench"
    for name in ("labels", "few-4x4", "few-8x8"):
        for row in json.loads((bench / f"unseen-nouns-{name}.json").read_text(encoding="utf-8"))["rows"]:
            assert f"| {' | '.join(row.values())} |" in PAGE


def test_its_figures_of_many_draws_are_those_of_the_result_files():
    bench = Path(__file__).parents[2] / "docs" / "results" / "bench"
    tables = [json.loads((bench / f"alignment-draws-{count}.json").read_text(encoding="utf-8"))["rows"] for count in (10, 42, 100)]
    for of_a_method in zip(*tables, strict=True):
        cells = [f"{float(row['mean']):.3f} ± {float(row['standard error']):.3f}" for row in of_a_method]
        assert f"| {of_a_method[0]['method']} | {' | '.join(cells)} |" in PAGE
