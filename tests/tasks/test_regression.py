"""The receiver's regression is ridge regression, in whatever units its latents and targets are."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.preprocessing import StandardScaler

import latentlink as ll
from latentlink.nn import RegressionHead
from latentlink.tasks.regression import _TRIED

GENERATOR = torch.Generator().manual_seed(0)
Y = torch.randn(60, 9, dtype=torch.float64, generator=GENERATOR) @ torch.randn(9, 9, dtype=torch.float64, generator=GENERATOR) + 3
T = Y[:, :2] * 4 - 1 + 2 * torch.randn(60, 2, dtype=torch.float64, generator=GENERATOR)


@pytest.mark.parametrize("decay", [1e-3, 1.0, 100.0])
def test_it_is_ridge_regression_on_standardised_latents(decay):
    scaled = StandardScaler().fit_transform(Y)
    expected = Ridge(alpha=decay * len(Y)).fit(scaled, T).predict(scaled)
    np.testing.assert_allclose(RegressionHead.fit(Y, T, weight_decay=decay)(Y), expected)


def test_its_regularisation_is_that_of_generalised_cross_validation():
    scaled = StandardScaler().fit_transform(Y)
    tried = np.logspace(*_TRIED[:2], int(_TRIED[2])) * len(Y)
    for number in range(2):
        chosen = RidgeCV(alphas=tried, gcv_mode="eigen", alpha_per_target=True).fit(scaled, T[:, number])  # leave-one-out: not the same
        ours = RegressionHead.fit(Y, T[:, number])(Y).squeeze(-1)
        error = (ours - torch.as_tensor(chosen.predict(scaled))).square().mean() / T[:, number].var()
        assert error < 1e-2


def test_it_does_not_depend_on_units_and_takes_what_varies_not():
    head = RegressionHead.fit(Y, T)
    units = torch.logspace(-3, 3, 9, dtype=torch.float64)
    other = RegressionHead.fit(torch.cat([Y * units + 5, torch.ones(60, 1)], 1), T * 1000)
    torch.testing.assert_close(other(torch.cat([Y * units + 5, torch.ones(60, 1)], 1)), 1000 * head(Y), rtol=1e-6, atol=1e-6)
    few = RegressionHead.fit(Y[:4], T[:4])
    assert few(Y).isfinite().all()
    flat = RegressionHead.fit(Y, torch.ones(60))
    torch.testing.assert_close(flat(Y), torch.ones(60, 1, dtype=torch.float64))


def test_it_is_saved_and_designed_for(tmp_path):
    head = RegressionHead.fit(Y, T)
    head.save(tmp_path / "head.safetensors")
    assert torch.equal(ll.load(tmp_path / "head.safetensors", RegressionHead)(Y), head(Y))
    with pytest.raises(ll.ArtifactError, match="expected a SoftmaxHead, got a regression head"):
        ll.load(tmp_path / "head.safetensors", ll.SoftmaxHead)
    moments = ll.Moments.from_pairs(Y, Y)
    channel = ll.Channel.from_snr(ll.rayleigh(1, 1, batch=(50,), generator=0), 15.0)
    errors = []
    for goal in (None, ll.Goal.logits(head, Y, fidelity=0.01)):
        link = ll.ClosedForm().design(ll.semantic_modes(moments, goal=goal), channel)
        errors.append(ll.evaluate(link, Y, Y, channel=channel, head=head, targets=T, generator=0).regression.output_nmse.mean())
    assert errors[1] < 0.7 * errors[0]


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (T[:5], r"targets must be real of shape \(60, q\)"),
        (T + 0j, "targets must be real"),
        (T / 0, "targets has NaN"),
        (T[:, :0], "targets must be real"),
    ],
)
def test_targets_that_do_not_fit_are_refused(targets, words):
    with pytest.raises(ValueError, match=words):
        RegressionHead.fit(Y, targets)
    with pytest.raises(ValueError, match="weight_decay must be"):
        RegressionHead.fit(Y, T, weight_decay=0.0)
