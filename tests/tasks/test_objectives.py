"""Objectives in coefficients against the same said of the latents themselves."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import latentlink as ll

N, M, K = 40, 9, 4
GENERATOR = torch.Generator().manual_seed(0)
Y = torch.randn(N, M, dtype=torch.float64, generator=GENERATOR) + 1
PSI, MU = torch.randn(M, K, dtype=torch.float64, generator=GENERATOR), torch.randn(M, dtype=torch.float64, generator=GENERATOR)
Z = torch.randn(3, 7, K, dtype=torch.float64, generator=GENERATOR)
ROWS = torch.randperm(N, generator=GENERATOR)[:7]
Y_HAT = MU + Z @ PSI.T


def softmax_head():
    return ll.fit_head(Y, torch.arange(N) % 3)


def deep_head():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(M, 6), nn.Tanh(), nn.Dropout(0.5), nn.Linear(6, 3)).double().train()


def share():
    error = (Y[ROWS] - Y_HAT).square().sum(-1)
    return error / (Y - MU).square().sum(-1).mean()


@pytest.mark.parametrize("head", [softmax_head, deep_head])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_head_divergence(head, temperature):
    head = head()
    wanted = ll.objectives.HeadDivergence(head, temperature, fidelity=0.3).wanted(Y, PSI, MU)
    modes = [module.training for module in head.modules()]
    head.eval()
    p, q = (F.log_softmax(head(latents) / temperature, -1) for latents in (Y[ROWS].expand_as(Y_HAT), Y_HAT))
    expected = temperature**2 * F.kl_div(q, p, log_target=True, reduction="none").sum(-1) + 0.3 * share()
    torch.testing.assert_close(wanted.loss(Z, ROWS), expected.detach())
    torch.testing.assert_close(wanted.score(Z, ROWS), (head(Y_HAT).argmax(-1) == head(Y[ROWS]).argmax(-1)).double())
    assert len(modes) == len(list(head.modules()))


def test_the_head_is_frozen_and_gradients_pass_through():
    head = deep_head()
    before = {name: value.clone() for name, value in head.state_dict().items()}
    z = Z.clone().requires_grad_()
    ll.objectives.HeadDivergence(head).wanted(Y, PSI, MU).loss(z, ROWS).sum().backward()
    assert z.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in head.parameters())
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())


def test_regression():
    torch.testing.assert_close(ll.objectives.Regression().wanted(Y, PSI, MU).loss(Z, ROWS), share())
    head = nn.Linear(M, 2).double()
    outputs = head(Y).detach()
    expected = (head(Y_HAT) - outputs[ROWS]).square().sum(-1) / (outputs - outputs.mean(0)).square().sum(-1).mean() + 0.2 * share()
    wanted = ll.objectives.Regression(head, fidelity=0.2).wanted(Y, PSI, MU)
    torch.testing.assert_close(wanted.loss(Z, ROWS), expected.detach())
    torch.testing.assert_close(wanted.score(Z, ROWS), -wanted.loss(Z, ROWS))


def test_cosine_and_retrieval():
    cosines = F.cosine_similarity(Y[ROWS].expand_as(Y_HAT), Y_HAT, dim=-1)
    wanted = ll.objectives.Cosine(fidelity=0.1).wanted(Y, PSI, MU)
    torch.testing.assert_close(wanted.score(Z, ROWS), cosines)
    torch.testing.assert_close(wanted.loss(Z, ROWS), 1 - cosines + 0.1 * share())
    every = F.normalize(Y_HAT, dim=-1) @ F.normalize(Y[ROWS], dim=-1).T
    target = torch.arange(7).expand(3, 7)
    expected = F.cross_entropy((every / 0.5).flatten(0, 1), target.flatten(), reduction="none").view(3, 7)
    wanted = ll.objectives.Retrieval(0.5, fidelity=0.0).wanted(Y, PSI, MU)
    torch.testing.assert_close(wanted.loss(Z, ROWS), expected)
    torch.testing.assert_close(wanted.score(Z, ROWS), (every.argmax(-1) == target).double())


def test_perfect_coefficients_lose_nothing():
    y = MU + Z[0] @ PSI.T
    rows = torch.arange(7)
    for objective in (ll.objectives.HeadDivergence(softmax_head()), ll.objectives.Regression(), ll.objectives.Cosine()):
        wanted = objective.wanted(y, PSI, MU)
        torch.testing.assert_close(wanted.loss(Z[0], rows), torch.zeros(7, dtype=torch.float64), atol=1e-9, rtol=0.0)
        assert isinstance(objective, ll.objectives.Objective)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ll.objectives.HeadDivergence(softmax_head(), temperature=0.0), "temperature must be a finite number > 0"),
        (lambda: ll.objectives.HeadDivergence(softmax_head(), fidelity=-1.0), "fidelity must be a finite number >= 0"),
        (lambda: ll.objectives.Regression(fidelity=float("inf")), "fidelity must be a finite number >= 0"),
        (lambda: ll.objectives.Retrieval(temperature=-1.0), "temperature must be a finite number > 0"),
        (lambda: ll.objectives.HeadDivergence(nn.Linear(M, 1).double()).wanted(Y, PSI, MU), "use Regression"),
    ],
)
def test_bad_objectives_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
