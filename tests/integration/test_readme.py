"""What the README prints is what it does."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_python_example_runs_as_printed(tmp_path, digits_forge):
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    strict = 'import warnings; warnings.simplefilter("error")\n'
    run = digits_forge.run(strict + example, folder=tmp_path, env={"LATENTLINK_CACHE": str(tmp_path), "PATH": ""})
    assert run.returncode == 0, run.stderr
    value = float(run.stdout)
    assert 0.5 < value <= 1.0  # 100 Rayleigh 2×2 channels; chance is 0.1


def test_is_short_and_its_links_lead_somewhere():
    text = README.read_text()
    assert len(text.splitlines()) < 120
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (README.parent / target).exists(), target
