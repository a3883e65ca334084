import resource

import pytest
import torch
from torch import nn

import latentlink as ll
from latentlink.linear.goal import OutputMetric, weigh_outputs
from oracles import Problem, channel, dense_pair, moments, normal


def head(kind, m, outputs=4):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = {
            "linear": lambda: nn.Linear(m, outputs),
            "mlp": lambda: nn.Sequential(nn.Linear(m, 9), nn.Tanh(), nn.Linear(9, outputs)),
            "dropout and batch norm": lambda: nn.Sequential(
                nn.Linear(m, 9), nn.BatchNorm1d(9), nn.Dropout(0.5), nn.Tanh(), nn.Linear(9, outputs)
            ),
            "scalar": lambda: nn.Sequential(nn.Linear(m, 9), nn.Tanh(), nn.Linear(9, 1), nn.Flatten(0)),
        }
        return layers[kind]().double()


KINDS = ["linear", "mlp", "dropout and batch norm", "scalar"]


def by_central_differences(module, y, step=1e-5):
    """J (n, outputs, m) of the head in evaluation mode."""
    module.eval()
    columns = []
    for e in torch.eye(y.shape[1], dtype=y.dtype) * step:
        with torch.no_grad():
            columns.append((module(y + e) - module(y - e)).reshape(len(y), -1) / (2 * step))
    return torch.stack(columns, -1)


@pytest.mark.parametrize("kind", KINDS)
def test_logit_metric_is_the_mean_of_the_squared_jacobian(kind):
    y, module = normal(1, 30, 5), head(kind, 5)
    W = ll.Goal.logits(module, y).weight
    J = by_central_differences(module, y)
    torch.testing.assert_close(W.mT @ W, torch.einsum("ncm,nck->mk", J, J) / len(y), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("kind", KINDS[:3])
def test_fisher_metric_is_the_hessian_of_the_divergence(kind, temperature):
    """Of KL(softmax(q(y) / T) || softmax(q(y + e) / T)) at e = 0, mean over y."""
    y, module = normal(2, 20, 5), head(kind, 5).eval()
    W = ll.Goal.fisher(module, y, temperature=temperature).weight

    def divergence(e):
        log_p, log_q = (torch.log_softmax(module(latent) / temperature, -1) for latent in (y, y + e))
        return (log_p.exp() * (log_p - log_q)).sum(-1).mean()

    hessian = torch.autograd.functional.hessian(divergence, torch.zeros(5, dtype=torch.float64))
    torch.testing.assert_close(W.mT @ W, hessian, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_a_linear_softmax_head_leaves_less_directions_than_classes(classes):
    y = normal(3, 50, 10)
    assert len(ll.Goal.fisher(head("linear", 10, classes), y).weight) == classes - 1
    assert len(ll.Goal.logits(head("linear", 10, classes), y).weight) == classes
    assert len(ll.Goal.fisher(head("mlp", 10, classes), y).weight) >= classes - 1


def test_a_linear_head_and_the_same_head_in_disguise_agree():
    y, module = normal(4, 40, 6), head("linear", 6)
    for make in (ll.Goal.logits, ll.Goal.fisher):
        W, V = make(module, y).weight, make(nn.Sequential(module), y).weight
        torch.testing.assert_close(W.mT @ W, V.mT @ V)


def test_numpy_latents_single_precision_heads_and_long_batches_agree():
    y, module = normal(5, 40, 6), head("mlp", 6)
    W = ll.Goal.fisher(module, y).weight
    torch.testing.assert_close(ll.Goal.fisher(module, y.numpy()).weight, W)
    weigh = ll.Goal.logits(module, y).weight
    by_parts = weigh_outputs(module, y, lambda outputs: OutputMetric(torch.ones_like(outputs), torch.zeros_like(outputs)), entries=100)
    torch.testing.assert_close(by_parts, weigh)
    V = ll.Goal.fisher(head("mlp", 6).float(), y).weight
    torch.testing.assert_close((V.mT @ V).double(), W.mT @ W, rtol=1e-4, atol=1e-6)


def test_a_head_is_left_in_its_mode():
    module = head("dropout and batch norm", 6).train()
    ll.Goal.logits(module, normal(6, 10, 6))
    assert module.training


def test_a_head_that_ignores_its_input_has_no_goal():
    module = nn.Linear(4, 3, dtype=torch.float64)
    nn.init.zeros_(module.weight)
    goal = ll.Goal.logits(module, normal(7, 10, 4))
    assert (goal.weight == 0).all()
    assert len(ll.semantic_modes(moments(8, 5, 4), goal, shrinkage=0.0)) == 0


@pytest.mark.parametrize("snr_db", [-10.0, 10.0, 30.0])
@pytest.mark.parametrize("antennas", [(1, 1), (3, 2)])
def test_fidelity_trades_the_task_for_the_latent_monotonically(snr_db, antennas):
    """Of min T + α M over a fixed set, T never falls and M never rises with α; the ends are the goal and plain MSE."""
    known, one, W = moments(9, 8, 7), channel(10, *antennas, snr_db=snr_db), normal(11, 2, 7)
    fidelities = [0.0, 1e-6, 1e-3, 0.01, 0.1, 1.0, 10.0, 1e6]
    task, latent = [], []
    for goal in [*(ll.Goal(W, fidelity=a) for a in fidelities), None]:
        F, G = dense_pair(ll.ClosedForm().design(ll.semantic_modes(known, goal, shrinkage=0.0), one).transceiver)
        task.append(Problem.of(known, one, W).error(F, G))
        latent.append(Problem.of(known, one).error(F, G))
    task, latent = torch.stack(task), torch.stack(latent)
    assert (task.diff() >= -1e-9 * task[0]).all()
    assert (latent.diff() <= 1e-9 * latent[0]).all()
    torch.testing.assert_close(latent[-2], latent[-1], rtol=1e-4, atol=0.0)


def test_more_streams_than_the_task_needs_carry_the_rest_of_the_latent():
    known, one, W = moments(12, 10, 10), channel(13, 5, 5, snr_db=40.0), normal(14, 2, 10)
    bare, kept, plain = (
        ll.ClosedForm().design(ll.semantic_modes(known, goal, shrinkage=0.0), one).expected_mse
        for goal in (ll.Goal(W), ll.Goal(W, fidelity=0.01), None)
    )
    assert plain <= kept
    assert kept - plain < 0.05 * (bare - plain)


def test_wrong_input_is_named():
    y, module = normal(15, 10, 4), head("linear", 4)
    for temperature in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="temperature"):
            ll.Goal.fisher(module, y, temperature=temperature)
    for fidelity in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="fidelity"):
            ll.Goal.logits(module, y, fidelity=fidelity)
    for weight in (torch.ones(3), torch.full((2, 2), torch.nan), torch.empty(0, 4)):
        with pytest.raises(ValueError, match="weight"):
            ll.Goal(weight)
    with pytest.raises(ValueError, match="y "):
        ll.Goal.logits(module, y[0])
    with pytest.raises(ValueError, match="head must map"):
        ll.Goal.logits(nn.Unflatten(-1, (2, 2)), y)


def test_a_weight_may_come_from_numpy():
    W = normal(16, 2, 4)
    torch.testing.assert_close(ll.Goal(W.numpy()).weight, W)


def test_many_classes_take_no_memory_of_their_square():
    """1,000 classes and 12,000 pilots took 96 GB for the metrics of all pilots; a mean of outer products is all that is needed."""
    module, y = nn.Linear(8, 300).double(), normal(3, 2000, 8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    W = ll.Goal.fisher(module, y, temperature=3.0).weight
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB; the metrics would be 1.4 GB
    pi = torch.softmax(module(y[:50]).detach() / 3, -1)
    few = (torch.diag_embed(pi) - pi.unsqueeze(-1) * pi.unsqueeze(-2)).mean(0) / 9
    expected = module.weight.detach().mT @ few @ module.weight.detach()
    few_weight = ll.Goal.fisher(module, y[:50], temperature=3.0).weight
    torch.testing.assert_close(few_weight.mT @ few_weight, expected, rtol=1e-8, atol=1e-12)
    assert W.shape[1] == 8


@pytest.mark.parametrize("temperature", [1e-320, 1e308])
def test_temperatures_that_float64_cannot_square_are_refused(temperature):
    with pytest.raises(ValueError, match="temperature must be a finite number"):
        ll.Goal.fisher(nn.Linear(4, 3), normal(1, 5, 4), temperature=temperature)
