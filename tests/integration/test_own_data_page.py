"""The example of measured OFDM channels on the page of own data runs, and prints the shapes that it tells."""

import re
from pathlib import Path

import numpy as np
import torch

PAGE = (Path(__file__).parents[2] / "docs" / "own-data.md").read_text(encoding="utf-8")


def test_axes_of_measured_ofdm_channels_are_those_that_the_example_tells(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    stored = (generator.normal(size=(4, 2, 16, 50)) + 1j * generator.normal(size=(4, 2, 16, 50))) / 2**0.5
    np.save("sounder.npy", stored)
    (block,) = re.findall(
        r"```python\n(.*?)^```", PAGE.partition("### Measured OFDM channels")[2].partition("\n## ")[0], re.DOTALL | re.MULTILINE
    )
    names = {}
    exec(block, names)
    assert capsys.readouterr().out.splitlines() == re.findall(r"# (torch\.Size\(.*?\)):", block)
    torch.testing.assert_close(names["flat"][50 * 3 + 7, 0], torch.from_numpy(stored[:, :, 3, 7]))
    torch.testing.assert_close(names["h"][7, 3], torch.from_numpy(stored[:, :, 3, 7]))
