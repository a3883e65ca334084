"""The quickstart's ten lines are the README's, and all of its blocks run, one after the other, as the page prints them."""

import re
from pathlib import Path

from latentlink.storage.artifacts import load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_it_runs_as_printed(tmp_path, digits_forge):
    strict = 'import warnings; warnings.simplefilter("error")\n'
    run = digits_forge.run(strict + "".join(BLOCKS), folder=tmp_path, env={"LATENTLINK_CACHE": str(tmp_path), "PATH": ""})
    assert run.returncode == 0, run.stderr
    accuracy, solution, message, evaluation = run.stdout.strip().splitlines()
    (said,) = re.findall(r"prints the accuracy, ([0-9.]+) over", PAGE)
    assert abs(float(accuracy) - float(said)) < 0.02  # the encoders are trained on this machine
    assert solution == "Solution(100 channels, 2×2, 1 use, optimal)"
    assert message.startswith("optimal")
    assert evaluation.startswith("Evaluation(100 channels, 597 messages, accuracy ")
    assert load(tmp_path / "link.safetensors")


def test_its_ten_lines_are_those_of_the_readme():
    assert BLOCKS[0] in (ROOT / "README.md").read_text(encoding="utf-8")
