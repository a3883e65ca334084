import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from latentlink.tasks.heads import apply_head, fit_head


def labelled(seed, n=90, m=4, classes=3):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    centres = torch.randn(classes, m, dtype=torch.float64, generator=generator)
    scale = torch.tensor(10.0, dtype=torch.float64) ** torch.linspace(-2, 2, m, dtype=torch.float64)
    return (centres[labels] + torch.randn(n, m, dtype=torch.float64, generator=generator)) * scale + 3, labels


def objective(weight, bias, y, labels, weight_decay):
    """As stated: cross-entropy and decay of the weights of standardised features."""
    scale = y.std(0, correction=0)
    loss = nn.functional.cross_entropy(y @ weight.T + bias, labels)
    return loss + weight_decay / 2 * (weight * scale).square().sum()


@given(st.integers(0, 2**31), st.sampled_from([1e-3, 1e-2, 1.0]), st.integers(2, 4))
def test_reaches_the_optimum_of_its_objective(seed, weight_decay, classes):
    y, labels = labelled(seed, classes=classes)
    head = fit_head(y, labels, weight_decay)
    W = (head.weight * y.std(0, correction=0)).requires_grad_()  # standardised: all directions in one unit
    b = (head.bias + head.weight @ y.mean(0)).requires_grad_()
    features = (y - y.mean(0)) / y.std(0, correction=0)
    value = nn.functional.cross_entropy(features @ W.T + b, labels) + weight_decay / 2 * W.square().sum()
    torch.testing.assert_close(value, objective(head.weight, head.bias, y, labels, weight_decay))
    for gradient in torch.autograd.grad(value, (W, b)):
        assert gradient.abs().max() < 1e-4
    generator = torch.Generator().manual_seed(seed)
    for step in (1e-2, 1e-1, 1.0):
        dW, db = torch.randn(W.shape, generator=generator, dtype=W.dtype), torch.randn(b.shape, generator=generator, dtype=b.dtype)
        other = nn.functional.cross_entropy(features @ (W + step * dW).T + b + step * db, labels)
        assert other + weight_decay / 2 * (W + step * dW).square().sum() > value


@given(st.integers(0, 2**31), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_units_and_origin_of_the_latents_do_not_matter(seed, unit, origin):
    y, labels = labelled(seed)
    torch.testing.assert_close(fit_head(y * unit + origin, labels)(y * unit + origin), fit_head(y, labels)(y), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, 1e6 / 3, 1e10 / 3])
def test_constant_features_get_no_weight(constant):
    y, labels = labelled(0)
    wide = torch.cat([y, torch.full((len(y), 1), constant, dtype=y.dtype)], 1)
    head, narrow = fit_head(wide, labels), fit_head(y, labels)
    assert head.weight[:, -1].abs().max() == 0
    torch.testing.assert_close(head(wide), narrow(y), rtol=1e-4, atol=1e-4)
    only = fit_head(torch.full((9, 2), constant), torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1]))
    assert only.weight.abs().max() == 0
    torch.testing.assert_close(only.bias.softmax(0), torch.tensor([2 / 3, 1 / 3], dtype=torch.float64), rtol=1e-4, atol=0)


def test_is_frozen_and_takes_numpy_integers_and_float32():
    y, labels = labelled(1)
    y = (10 * y).round()
    expected = fit_head(y, labels)
    assert expected.weight.dtype == torch.float64
    assert not expected.training
    assert not any(parameter.requires_grad for parameter in expected.parameters())
    for latents, classes in (
        (y.numpy(), labels.numpy()),
        (y.int(), labels.to(torch.uint8)),
        (y.float().numpy(), labels.numpy().astype(np.int32)),
    ):
        head = fit_head(latents, classes)
        assert torch.equal(head.weight, expected.weight)
        assert torch.equal(head(latents), expected(y))


def test_fitting_draws_nothing_and_works_without_gradients():
    y, labels = labelled(2)
    state = torch.get_rng_state()
    with torch.no_grad():
        head = fit_head(y, labels)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(fit_head(y, labels).weight, head.weight)


def test_absent_classes_have_logits_too_and_never_win():
    y, labels = labelled(3, classes=2)
    head = fit_head(y, 2 * labels)
    assert head.out_features == 3
    assert 1 not in head(y).argmax(-1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.full(9, 4)}, "labels must show at least two classes, got only class 4"),
        ({"labels": np.arange(8)}, r"labels must have shape \(9,\)"),
        ({"labels": np.arange(9) - 1}, "got -1 to 7"),
        ({"labels": np.arange(9.0)}, "integers"),
        ({"y": np.ones((9, 2)) * np.nan}, "y has NaN"),
        ({"y": np.ones(9)}, "y must have shape"),
        ({"y": np.ones((9, 2)) * 1j}, "y must be real"),
        ({"weight_decay": 0.0}, "weight_decay must be a finite number > 0, got 0"),
        ({"weight_decay": math.nan}, "weight_decay"),
    ],
)
def test_malformed_examples_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        fit_head(**({"y": np.eye(9), "labels": np.arange(9) % 2} | change))


class Recorder(nn.Module):
    """A head of a kind: notes the mode and the type that it is called in."""

    def __init__(self, function, dtype=None):
        super().__init__()
        self.function, self.modes, self.dtypes = function, [], []
        if dtype is not None:
            self.scale = nn.Parameter(torch.ones((), dtype=dtype))

    def forward(self, y):
        self.modes.append(self.training)
        self.dtypes.append(y.dtype)
        return self.function(y)


def test_a_head_is_applied_in_evaluation_mode_and_left_as_it_was():
    network = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3), nn.Linear(3, 2)).double()
    network.train()
    network[1].eval()  # a frozen normalisation, as in fine-tuning
    before = [module.training for module in network.modules()]
    y = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(apply_head(network, y), apply_head(network, y))
    assert [module.training for module in network.modules()] == before
    for training in (True, False):
        head = Recorder(lambda y: y).train(training)
        apply_head(head, y)
        assert head.modes == [False]
        assert head.training is training


def test_a_head_that_fails_is_left_as_it_was():
    head = Recorder(lambda y: y / "nothing").train()
    with pytest.raises(TypeError):
        apply_head(head, torch.ones(2, 3))
    assert head.training


@given(st.sampled_from([(5,), (2, 5), (2, 3, 5), (0, 5)]), st.sampled_from([torch.float32, torch.float64, None]))
def test_outputs_come_per_latent_in_the_heads_precision(shape, dtype):
    y = torch.randn(*shape, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for function, outputs in ((lambda y: y.sum(-1), 1), (lambda y: y[:, :2], 2), (lambda y: y.sum(-1, keepdim=True), 1)):
        head = Recorder(function, dtype)
        result = apply_head(head, y)
        assert result.shape == (*shape, outputs)
        assert head.dtypes == [dtype or torch.float64]
        torch.testing.assert_close(result, function(y.flatten(0, -2)).reshape(result.shape).to(result))


@pytest.mark.parametrize("function", [lambda y: y.sum(), lambda y: y[:1], lambda y: y.unsqueeze(0), lambda y: y[:, 0][:1]])
def test_a_head_that_mixes_latents_is_refused(function):
    with pytest.raises(ValueError, match=r"head must map latents \(n, 3\) to outputs \(n, q\), got .* for n = 4"):
        apply_head(Recorder(function), torch.ones(4, 3))


def test_numbers_of_classes_that_are_far_apart_are_refused_with_the_remedy():
    y, labels = labelled(0, classes=2)
    for far in (99_999, 5000):
        with pytest.raises(
            ValueError, match=rf"few gaps, got 2 classes numbered up to {far}, .* np\.unique\(labels, return_inverse=True\)"
        ):
            fit_head(y, labels * far)
    numbers = np.unique(labels.numpy() * 99_999, return_inverse=True)[1]
    assert torch.equal(fit_head(y, numbers).weight, fit_head(y, labels).weight)
    assert fit_head(y, labels * 7).out_features == 8
    assert fit_head(y, labels * 999).out_features == 1000  # two classes by their numbers among a thousand
    assert fit_head(y, labels * 1999, names=[str(c) for c in range(2000)], max_iterations=1).out_features == 2000


def test_labels_that_are_no_class_numbers_are_refused_with_the_remedy():
    y, labels = labelled(0)
    wrong = {
        r"got -1 to 2: are the 30 below 0 rows without a label\? keep the others, rows = labels >= 0": labels.where(labels > 0, -1),
        "got 9223372036854775808 to 9223372036854775810: number them anew": labels.numpy().astype(np.uint64) + np.uint64(2**63),
        "labels: row 0 is None, expected a class in every row: drop the rows": [None, *[0, 1] * 44, 1],
        "labels: row 1 is None, expected a class in every row: drop the rows without a label": ["a", None, *["a", "b"] * 43, "a", "b"],
        "labels: row 2 is 3 among names of classes: write all as names, or as numbers": ["a", "b", 3, *["a", "b"] * 43, "a"],
    }
    for message, values in wrong.items():
        with pytest.raises(ValueError, match=message):
            fit_head(y, values)


def test_a_number_of_rows_to_ignore_is_told_from_gaps():
    y, labels = labelled(0)
    for last in (255, 999):
        with pytest.warns(UserWarning, match=rf"labels are 0 to 1 and {last}, which makes .* rows = labels != {last}") as caught:
            fit_head(y, labels.where(labels < 2, last))
        assert caught[0].filename == __file__
    for numbers in ([0, 1, 20], [1, 5, 500], [3, 400, 999]):
        fit_head(y, torch.tensor(numbers)[labels])
