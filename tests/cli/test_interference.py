"""Commands refuse a link whose channel has interference in place of evaluating it without."""

import numpy as np
import pytest
import torch

import latentlink as ll
from latentlink.cli.evaluate import evaluate


def test_another_snr_is_refused_where_the_link_was_designed_in_interference(tmp_path):
    x = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    y = x[:, :5].tanh()
    disturbed = ll.Channel(ll.rayleigh(2, 2, generator=0).unsqueeze(0), 0.1, interference=0.1 * torch.eye(4))
    link = ll.ClosedForm().design(ll.semantic_modes(ll.Moments.from_pairs(x, y)), disturbed).transceiver
    link.save(path := tmp_path / "link.safetensors")
    for name, latents in (("x", x), ("y", y)):
        np.save(tmp_path / f"{name}.npy", latents.numpy())
    with pytest.raises(ValueError, match=r"channel\.interference must be None where --channel or --snr-db"):
        evaluate(path, str(tmp_path / "x.npy"), str(tmp_path / "y.npy"), snr_db=10.0)
