"""Agreement of clusters: against a count over all pairs of messages, and its laws."""

import itertools

import pytest
import torch

import latentlink as ll
from latentlink.evaluation.clusters import Clusters, agreement
from latentlink.linear.design import ClosedForm

N, M = 120, 6


def blobs(seed=0, count=4):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(N) % count
    return 6 * torch.randn(count, M, generator=generator)[labels] + torch.randn(N, M, generator=generator), labels


def test_the_rand_index_counts_pairs_of_messages():
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randint(3, (25,), generator=generator) for _ in range(2))
    pairs = [(bool(a[i] == a[j]), bool(b[i] == b[j])) for i, j in itertools.combinations(range(25), 2)]
    both, first, second = (sum(of(pair) for pair in pairs) for of in (all, lambda pair: pair[0], lambda pair: pair[1]))
    chance = first * second / len(pairs)
    assert agreement(a, b)[0] == pytest.approx((both - chance) / ((first + second) / 2 - chance))
    joint = torch.zeros(3, 3, dtype=torch.float64).index_put_((a, b), torch.tensor(1 / 25, dtype=torch.float64), accumulate=True)

    def entropy(p):
        return -torch.special.xlogy(p, p).sum()

    mutual = entropy(joint.sum(0)) + entropy(joint.sum(1)) - entropy(joint)
    assert agreement(a, b)[1] == pytest.approx(float(2 * mutual / (entropy(joint.sum(0)) + entropy(joint.sum(1)))))


def test_the_same_latents_moved_turned_and_scaled_have_the_same_clusters():
    y, _ = blobs()
    turn = torch.linalg.qr(torch.randn(M, M, generator=torch.Generator().manual_seed(2))).Q
    found = ll.metrics.clustering(torch.stack([y, 3 * y @ turn + 5]), y, clusters=4)
    assert found.adjusted_rand.tolist() == found.mutual_information.tolist() == [1.0, 1.0]
    assert ll.metrics.clustering(y, y, clusters=7).adjusted_rand.item() == 1.0


def test_what_has_nothing_in_common_scores_nothing():
    y, _ = blobs()
    shuffled = ll.metrics.clustering(y[torch.randperm(N, generator=torch.Generator().manual_seed(3))], y, clusters=4)
    assert abs(float(shuffled.adjusted_rand)) < 0.1
    nothing = ll.metrics.clustering(torch.ones(N, M), y, clusters=4)
    assert nothing.adjusted_rand.item() == nothing.mutual_information.item() == 0.0


def test_coefficients_have_the_clusters_of_the_latents_that_they_make():
    y, _ = blobs()
    generator = torch.Generator().manual_seed(4)
    psi, z = torch.randn(M, 2, generator=generator), y[:, :2] + torch.randn(3, N, 2, generator=generator)
    groups = Clusters(4, psi)
    for rows in torch.arange(N).split(50):  # as they come
        groups.add(z[:, rows], y[rows])
    torch.testing.assert_close(groups.figures(z).adjusted_rand, ll.metrics.clustering(z @ psi.mT + 1, y, clusters=4).adjusted_rand)


def test_a_better_channel_keeps_more_of_the_clusters():
    y, _ = blobs()
    x = torch.cat([y, torch.randn(N, 2, generator=torch.Generator().manual_seed(5))], 1)
    channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(5,), generator=0), snr_db=25.0)
    modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
    seen = [
        ll.evaluate(ClosedForm().design(modes, at), x, y, channel=at, clusters=4, generator=0)
        for at in (channel, ll.Channel.from_snr(channel.h, snr_db=-20.0))
    ]
    assert seen[0].clustering.adjusted_rand.mean() > 0.9 > 0.5 > seen[1].clustering.adjusted_rand.mean()
    assert "adjusted_rand" in seen[0].figures()


@pytest.mark.parametrize("clusters", [0, N + 1, 2.5])
def test_numbers_of_clusters_that_cannot_be(clusters):
    y, _ = blobs()
    with pytest.raises(ValueError, match="clusters must be"):
        ll.metrics.clustering(y, y, clusters=clusters)


def test_no_channels_have_no_figures_and_squares_that_overflow_are_refused():
    y = blobs()[0]
    assert ll.metrics.clustering(y.expand(0, N, M), y, clusters=4).adjusted_rand.shape == (0,)
    with pytest.raises(ValueError, match="y_hat is too large: its squares overflow"):
        ll.metrics.clustering(y.double() * 1e200, y, clusters=4)
