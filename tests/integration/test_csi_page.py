"""The page on channel state information: its blocks run as they are printed, and print the figures that it tells."""

import re
from pathlib import Path

import numpy as np
import torch

PAGE = (Path(__file__).parents[2] / "docs" / "csi.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def write_files():
    """200 channels of three paths on 16 subcarriers, and paired latents of 24 and 16 dimensions."""
    generator = np.random.default_rng(0)
    paths = generator.normal(size=(200, 4, 4, 3)) + 1j * generator.normal(size=(200, 4, 4, 3))
    turns = np.exp(-0.2j * np.outer(np.arange(16), np.arange(3)))
    np.save("measured.npy", np.einsum("nrtl,ul->nurt", paths, turns) / 6**0.5)
    x = torch.randn(500, 24, generator=torch.Generator().manual_seed(0))
    map_of_both = torch.randn(24, 16, generator=torch.Generator().manual_seed(1))
    np.save("tx.npy", x.numpy())
    np.save("rx.npy", (x @ map_of_both / 5).tanh().numpy())


def test_the_costs_of_an_estimate_in_decibels_are_those_that_it_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_files()
    exec("".join(BLOCKS), {})
    printed = [float(number) for number in re.findall(r"([0-9.]+) dB$", capsys.readouterr().out, re.MULTILINE)]
    told = PAGE.partition("this\nprints ")[2].partition("30 km/h")[0]
    said = [float(number) for number in re.findall(r"([0-9.]+) dB", told)]
    assert len(said) == 5
    np.testing.assert_allclose(printed, said, atol=0.11)
