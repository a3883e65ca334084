import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from latentlink.tasks.metrics import Rate, accuracy, agreement, mse, nmse

SEEDS = st.integers(0, 2**31)
BATCHES = st.sampled_from([(), (3,), (2, 2)])
READ = nn.Identity()  # the latent is the logits


def same_rate(a, b):
    return a.count == b.count and (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


def drawn(seed, *shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_wilsons_interval_is_where_the_score_test_does_not_reject(count, share):
    hits = round(share * count)
    rate = Rate.of(hits, count)
    assert rate.value == hits / count
    assert rate.count == count
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
    for end in (rate.low, rate.high):  # |p̂ − p| = z √(p (1 − p) / n) at both ends, unless the end is 0 or 1
        distance = 1.959963984540054 * math.sqrt(end * (1 - end) / count)
        assert abs(rate.value - end) == pytest.approx(distance, abs=1e-9)
    mirrored = Rate.of(count - hits, count)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((rate.low, rate.high), abs=1e-12)


@pytest.mark.parametrize(("count", "p"), [(20, 0.5), (50, 0.1), (200, 0.03), (1000, 0.85)])
def test_wilsons_interval_covers_the_truth_95_times_in_100(count, p):
    trials = 2000
    hits = np.random.default_rng(0).binomial(count, p, trials).tolist()
    covered = sum(rate.low <= p <= rate.high for rate in (Rate.of(h, count) for h in hits)) / trials
    assert 0.92 <= covered <= 0.98


@given(SEEDS, BATCHES, st.integers(1, 30))
def test_accuracy_counts_over_all_and_by_class(seed, batch, n):
    y_hat = drawn(seed, *batch, n, 4)
    labels = torch.randint(4, (n,), generator=torch.Generator().manual_seed(seed))
    result = accuracy(READ, y_hat, labels)
    right, seen = [0] * 4, [0] * 4
    for row in y_hat.reshape(-1, n, 4).tolist():
        for logits, label in zip(row, labels.tolist(), strict=True):
            right[label] += logits.index(max(logits)) == label
            seen[label] += 1
    channels = sum(seen) // n  # they repeat the messages, and add nothing to the interval
    assert same_rate(result.overall, Rate.of_share(sum(right) / sum(seen), n))
    assert list(result.per_class) == [c for c in range(4) if seen[c]]
    for c, rate in result.per_class.items():
        assert same_rate(rate, Rate.of_share(right[c] / seen[c], seen[c] // channels))
    assert result.mean_per_class == pytest.approx(np.mean([right[c] / seen[c] for c in range(4) if seen[c]]))


def test_rare_classes_weigh_like_common_ones_in_the_mean():
    labels = torch.tensor([0] * 9 + [1])
    result = accuracy(READ, torch.tensor([[1.0, 0.0]]).expand(10, 2), labels)
    assert (result.overall.value, result.mean_per_class) == (0.9, 0.5)
    assert accuracy(READ, np.eye(2, dtype=np.float32), np.arange(2)).overall.value == 1.0


@given(SEEDS, BATCHES, st.integers(1, 20))
def test_agreement_asks_the_head_about_both(seed, batch, n):
    y, y_hat = drawn(seed, n, 3), drawn(seed + 1, *batch, n, 3)
    same = (y_hat.argmax(-1) == y.argmax(-1)).double()
    assert same_rate(agreement(READ, y_hat, y), Rate.of_share(float(same.mean()), n))
    assert agreement(READ, y.expand(*batch, n, 3).numpy(), y.numpy()).value == 1.0


@given(SEEDS, BATCHES, st.integers(1, 20), st.integers(1, 5))
def test_errors_are_sums_over_dimensions_and_means_over_messages(seed, batch, n, m):
    y, y_hat = drawn(seed, n, m), drawn(seed + 1, *batch, n, m)
    expected = ((y_hat - y) ** 2).reshape(*batch, -1).sum(-1) / n
    torch.testing.assert_close(mse(y_hat, y), expected)
    torch.testing.assert_close(mse(y_hat.numpy(), y.numpy()), expected)
    mean = y.mean(0).expand(*batch, n, m)
    if n > 1:
        torch.testing.assert_close(nmse(mean, y), torch.ones(batch, dtype=y.dtype))
        torch.testing.assert_close(nmse(y_hat, y) * mse(mean, y), expected)
    assert mse(y, y) == nmse(y, y) == 0


def test_a_constant_latent_has_an_error_but_no_nan():
    y = torch.ones(4, 2)
    assert nmse(y + 1, y) == mse(y + 1, y) == 2
    assert mse(np.ones((4, 2), int), np.zeros((4, 2), int)) == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda: mse(drawn(0, 4, 3), drawn(0, 4, 2)),
        lambda: mse(drawn(0, 4, 3), drawn(0, 3, 3)),
        lambda: mse(drawn(0, 3), drawn(0, 3)),
        lambda: mse(drawn(0, 4, 3), drawn(0, 2, 4, 3)),
        lambda: nmse(drawn(0, 4, 3), drawn(0, 4, 2)),
        lambda: nmse(drawn(0, 4, 3), drawn(0, 4)),
        lambda: agreement(READ, drawn(0, 4, 3), drawn(0, 5, 3)),
    ],
)
def test_latents_that_do_not_pair_are_refused(call):
    with pytest.raises(ValueError, match=r"y_hat must have shape \(..., n, m\) with y \(n, m\), got|y must have shape \(n, dim\)"):
        call()


@pytest.mark.parametrize("measure", [mse, nmse])
def test_what_is_not_a_number_is_not_measured(measure):
    y = drawn(0, 4, 3)
    with pytest.raises(ValueError, match="y_hat has NaN"):
        measure(y / 0, y)
    with pytest.raises(ValueError, match="y is empty"):
        measure(y[:0], y[:0])
    with pytest.raises(ValueError, match="y_hat must be real"):
        measure(y + 0j, y)


def test_decisions_need_numbers_and_a_classifier_of_the_latents():
    y = drawn(0, 4, 3)
    for score in (lambda y: accuracy(READ, y, np.zeros(4, int)), lambda y: agreement(READ, y, drawn(0, 4, 3))):
        with pytest.raises(ValueError, match="y_hat has NaN"):
            score(y / 0)
    with pytest.raises(ValueError, match=r"head cannot read latents of shape \(n, 2\)"):
        accuracy(nn.Linear(3, 4), drawn(0, 4, 2), np.zeros(4, int))
    with pytest.raises(ValueError, match="at least two outputs"):
        agreement(torch.nn.Linear(3, 1), y, y)
    with pytest.raises(ValueError, match="count must be an integer >= 1"):
        Rate.of(0, 0)


@pytest.mark.parametrize(
    ("y_hat", "labels", "message"),
    [
        (drawn(0, 4, 3), np.arange(3), r"labels must have shape \(4,\)"),
        (drawn(0, 2, 4, 3), np.arange(2), r"labels must have shape \(4,\)"),
        (drawn(0, 4, 3), np.arange(4.0), "integers"),
        (drawn(0, 3), np.arange(3), "y_hat must have shape"),
        (drawn(0, 0, 3), np.arange(0), "empty"),
    ],
)
def test_labels_that_do_not_fit_are_refused(y_hat, labels, message):
    with pytest.raises(ValueError, match=message):
        accuracy(READ, y_hat, labels)
