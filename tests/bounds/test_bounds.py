import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentlink as ll

SEEDS, SIZES = st.integers(0, 2**31), st.integers(1, 4)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def channel(seed, n_rx=2, n_tx=2, uses=1, noise=0.3, power=1.0, batch=()):
    return ll.Channel(ll.rayleigh(n_rx, n_tx, batch=(*batch, uses), generator=seeded(seed)), noise, power)


def moments(seed, d=5, m=4, n=80):
    generator = seeded(seed)
    x = torch.randn(n, d, dtype=torch.float64, generator=generator)
    y = x @ torch.randn(d, m, dtype=torch.float64, generator=generator) + 0.3 * torch.randn(n, m, dtype=torch.float64, generator=generator)
    return ll.Moments.from_pairs(x, y)


def exact_modes(seed, **options):
    return ll.semantic_modes(moments(seed, **options), shrinkage=0.0)


def bisect(function, low, high):
    """Where an increasing function crosses zero."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


def capacity_by_bisection(h, noise, budget):
    """Water-filling of the pooled budget over all singular values; the level is found by bisection."""
    gains = np.concatenate([np.linalg.svd(one, compute_uv=False) for one in h.numpy()]) ** 2 / noise
    gains = gains[gains > 1e-12 * gains.max()]

    def spent(level):
        return np.maximum(level - 1 / gains, 0).sum()

    level = bisect(lambda level: spent(level) - budget, 0.0, budget + (1 / gains).max())
    return np.log2(1 + np.maximum(level - 1 / gains, 0) * gains).sum()


def opta_by_bisection(modes, bits):
    energy = modes.strength.square().numpy()

    def rate(theta):
        return 0.5 * np.log2(np.maximum(energy / theta, 1)).sum()

    theta = math.exp(bisect(lambda log: bits - rate(math.exp(log)), math.log(energy.min()) - 2 * bits - 1, math.log(energy.max())))
    return modes.weighted_variance.item() - energy.sum() + np.minimum(theta, energy).sum()


@given(SEEDS, SIZES, SIZES, st.integers(1, 3), st.floats(1e-4, 1e4), st.floats(1e-2, 1e2))
def test_capacity_is_water_filling(seed, n_rx, n_tx, uses, noise, power):
    link = channel(seed, n_rx, n_tx, uses, noise, power)
    expected = capacity_by_bisection(link.h, noise, uses * power)
    torch.testing.assert_close(ll.bounds.capacity(link), torch.tensor(expected), rtol=1e-8, atol=1e-10)


@given(SEEDS, SIZES, SIZES, st.floats(1e-3, 1e3))
def test_capacity_is_the_best_of_all_covariances_of_the_signal(seed, n_rx, n_tx, noise):
    link = channel(seed, n_rx, n_tx, 1, noise)
    generator = seeded(seed + 1)
    a = torch.randn(200, n_tx, n_tx, dtype=torch.complex128, generator=generator)
    Q = a @ a.mH / (a @ a.mH).diagonal(dim1=-2, dim2=-1).real.sum(-1)[:, None, None]
    received = torch.eye(n_rx, dtype=Q.dtype) + link.h[0] @ Q @ link.h[0].mH / noise
    assert (torch.linalg.slogdet(received).logabsdet / math.log(2)).max() <= ll.bounds.capacity(link) + 1e-9


@given(SEEDS, st.floats(1e-6, 1e6), st.floats(1e-3, 1e3), st.integers(1, 5))
def test_one_antenna_has_shannons_capacity_in_every_use(seed, noise, power, uses):
    link = channel(seed, 1, 1, 1, noise, power)
    expected = (1 + power * link.h.abs().square().sum() / noise).log2()
    torch.testing.assert_close(ll.bounds.capacity(link), expected)
    torch.testing.assert_close(ll.bounds.capacity(link.repeated(uses)), uses * expected)


@given(SEEDS, SIZES, SIZES)
def test_capacity_does_not_mind_rotations_and_grows_with_power_and_gain(seed, n_rx, n_tx):
    link = channel(seed, n_rx, n_tx, 2)
    U, V = (torch.linalg.qr(ll.rayleigh(n, n, batch=(2,), generator=seeded(seed + n))).Q for n in (n_rx, n_tx))
    same = ll.bounds.capacity(link)
    torch.testing.assert_close(ll.bounds.capacity(ll.Channel(U @ link.h @ V, 0.3)), same)
    torch.testing.assert_close(ll.bounds.capacity(ll.Channel(link.h.mH.resolve_conj(), 0.3)), same)  # reciprocity
    torch.testing.assert_close(ll.bounds.capacity(ll.Channel(2 * link.h, 4 * 0.3)), same)
    torch.testing.assert_close(ll.bounds.capacity(ll.Channel(link.h.flip(0), 0.3)), same)
    assert ll.bounds.capacity(link.with_power(1.1)) > same
    assert ll.bounds.capacity(ll.Channel(1.1 * link.h, 0.3)) > same


def test_no_channel_no_power_no_noise():
    h = torch.zeros(1, 2, 2, dtype=torch.complex128)
    rank_one = torch.ones(1, 2, 2, dtype=torch.complex128)
    assert ll.bounds.capacity(ll.Channel(h, 0.5)) == 0
    assert ll.bounds.capacity(ll.Channel(h, 0.0)) == 0
    assert ll.bounds.capacity(ll.Channel(rank_one, 0.5, 0.0)) == 0
    assert ll.bounds.capacity(ll.Channel(rank_one, 0.0, 0.0)) == 0
    assert ll.bounds.capacity(ll.Channel(rank_one, 0.0)) == math.inf
    torch.testing.assert_close(ll.bounds.capacity(ll.Channel(rank_one, 0.5)), torch.tensor(math.log2(9), dtype=torch.float64))
    for noise in (1e-300, 1e300):
        assert ll.bounds.capacity(ll.Channel(rank_one, noise)).isfinite()


@given(SEEDS, st.floats(-40, 60), st.integers(1, 3))
def test_opta_is_reverse_water_filling(seed, snr_db, uses):
    modes, link = exact_modes(seed), ll.Channel.from_snr(ll.rayleigh(2, 2, generator=seeded(seed)), snr_db).repeated(uses)
    expected = opta_by_bisection(modes, ll.bounds.capacity(link).item())
    torch.testing.assert_close(ll.bounds.opta(modes, link), torch.tensor(expected), rtol=1e-8, atol=1e-10)


@given(SEEDS, SIZES, SIZES, st.integers(1, 3), st.floats(1e-6, 1e4), st.booleans())
def test_no_linear_link_beats_opta(seed, n_rx, n_tx, uses, noise, widely_linear):
    modes = ll.semantic_modes(moments(seed), shrinkage=0.0, widely_linear=widely_linear)
    link = channel(seed, n_rx, n_tx, uses, noise)
    solution = ll.ClosedForm().design(modes, link)
    bound = ll.bounds.opta(ll.semantic_modes(moments(seed), shrinkage=0.0), link)
    assert bound <= solution.expected_mse * (1 + 1e-9)
    assert bound >= (modes.variance - exact_modes(seed).strength.square().sum()) * (1 - 1e-9)


@given(st.floats(1e-3, 10), st.floats(1e-3, 1e3), st.floats(0.1, 10))
def test_two_equal_modes_on_one_complex_symbol_are_matched_and_linear_is_optimal(noise, power, strength):
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], dtype=torch.float64)
    modes = ll.semantic_modes(ll.Moments.from_pairs(x, strength * x), shrinkage=0.0)
    link = channel(0, 1, 1, 1, noise, power)
    bound = ll.bounds.opta(modes, link)
    torch.testing.assert_close(ll.ClosedForm().design(modes, link).expected_mse, bound)
    torch.testing.assert_close(bound, strength**2 / (1 + power * link.h.abs().square().sum() / noise))


@given(SEEDS)
def test_opta_ends_in_what_x_cannot_tell_and_in_the_variance(seed):
    modes = exact_modes(seed)
    residual = modes.weighted_variance - modes.strength.square().sum()
    torch.testing.assert_close(ll.bounds.opta(modes, channel(seed, noise=0.0)), residual)
    torch.testing.assert_close(ll.bounds.opta(modes, channel(seed, noise=1e-200)), residual)
    silent = ll.Channel(torch.zeros(1, 2, 2, dtype=torch.complex128), 0.1)
    torch.testing.assert_close(ll.bounds.opta(modes, silent), modes.weighted_variance)
    torch.testing.assert_close(ll.bounds.opta(modes, channel(seed, noise=1e200)), modes.weighted_variance)


def test_opta_counts_the_weighted_error_of_a_goal():
    goal = ll.Goal(torch.tensor([[1.0, 0.0, 2.0, 0.0], [0.0, 1.0, 0.0, 0.0]], dtype=torch.float64))
    m = moments(0)
    modes = ll.semantic_modes(m, goal, shrinkage=0.0)
    link = channel(1)
    variance = (goal.weight @ m.cov_y @ goal.weight.T).trace()
    torch.testing.assert_close(ll.bounds.opta(modes, ll.Channel(0 * link.h, 0.3)), variance)
    assert ll.bounds.opta(modes, link).item() == pytest.approx(opta_by_bisection(modes, ll.bounds.capacity(link).item()))
    assert ll.bounds.opta(modes, link) < variance


def test_latents_that_tell_nothing_leave_the_variance():
    y = torch.eye(4, dtype=torch.float64)
    modes = ll.semantic_modes(ll.Moments.from_pairs(torch.zeros(4, 3, dtype=torch.float64), y))
    assert len(modes) == 0
    torch.testing.assert_close(ll.bounds.opta(modes, channel(0, batch=(2,))), modes.variance.expand(2))


def test_a_batch_is_its_members_and_float32_is_served():
    modes = exact_modes(3)
    noise = torch.tensor([[0.0], [1e-3], [1.0]], dtype=torch.float64)
    link = ll.Channel(channel(4, 2, 3, 2, batch=(5,)).h, noise, torch.linspace(0, 4, 5, dtype=torch.float64))
    bits, bound = ll.bounds.capacity(link), ll.bounds.opta(modes, link)
    assert bits.shape == bound.shape == (3, 5)
    for i in range(3):
        for j in range(5):
            torch.testing.assert_close(ll.bounds.capacity(link[i, j]), bits[i, j])
            torch.testing.assert_close(ll.bounds.opta(modes, link[i, j]), bound[i, j])
    low = ll.Channel(link.h.to(torch.complex64), link.noise_variance.float(), link.power.float())
    torch.testing.assert_close(ll.bounds.capacity(low).double(), bits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ll.bounds.opta(modes.to(torch.float32), low).double(), bound, rtol=1e-3, atol=1e-3)


@given(st.integers(1, 6), st.integers(1, 6))
def test_unaligned_latents_are_cut_or_padded(d, dim):
    x = torch.arange(3.0 * d).reshape(3, d)
    read = ll.baselines.unaligned(x, dim)
    assert read.shape == (3, dim)
    assert torch.equal(read[:, :d], x[:, :dim])
    assert (read[:, d:] == 0).all()
    assert torch.equal(ll.baselines.unaligned(x.numpy(), dim), read)


@pytest.mark.parametrize("classes", [2, 5, 10])
def test_accuracy_of_a_perfect_head_on_even_classes_is_the_hamming_bound(classes):
    labels = torch.arange(classes).repeat(7)
    error = torch.linspace(0.01, 1 - 1 / classes - 0.01, 20, dtype=torch.float64)
    entropy = -(error * error.log2() + (1 - error) * (1 - error).log2())
    bits = math.log2(classes) - entropy - error * math.log2(classes - 1)  # R(D) of Hamming distortion
    torch.testing.assert_close(ll.bounds.accuracy(bits, labels, labels), 1 - error, atol=5e-4, rtol=0.0)


def test_accuracy_bound_from_guessing_to_the_ceiling():
    generator = torch.Generator().manual_seed(0)
    labels = torch.multinomial(torch.tensor([0.5, 0.2, 0.2, 0.1]), 4000, replacement=True, generator=generator)
    wrong = torch.rand(4000, generator=generator) < 0.15
    decisions = torch.where(wrong, torch.randint(4, (4000,), generator=generator), labels)
    bits = torch.tensor([0.0, 0.3, 1.0, 2.0, 50.0, math.inf], dtype=torch.float64)
    bound = ll.bounds.accuracy(bits, decisions, labels)
    ceiling = sum(int(torch.bincount(labels[decisions == c]).max()) for c in range(4)) / 4000
    assert float(bound[0]) == pytest.approx(float((labels == 0).double().mean()), abs=1e-3)
    assert float(bound[-1]) == float(bound[-2]) == pytest.approx(ceiling, abs=1e-9)
    assert (bound.diff() >= 0).all()
    one_bit = ((decisions == 0) & (labels == 0) | (decisions != 0) & (labels == 1)).double().mean()  # a link of at most 1 bit
    assert bound[2] >= one_bit
    with pytest.raises(ValueError, match="bits must not be negative"):
        ll.bounds.accuracy(-bits, decisions, labels)
    with pytest.raises(ValueError, match=r"decisions must have shape \(4000,\)"):
        ll.bounds.accuracy(bits, decisions[:5], labels)


def test_no_quantiser_of_decisions_is_above_the_accuracy_bound():
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(6, (3000,), generator=generator)
    decisions = torch.where(torch.rand(3000, generator=generator) < 0.2, torch.randint(6, (3000,), generator=generator), labels)
    for _ in range(12):  # random deterministic maps of decisions to two or three messages, and the best guess for each
        count = int(torch.randint(2, 4, (1,), generator=generator))
        sent = torch.randint(count, (6,), generator=generator)[decisions]
        share = torch.bincount(sent, minlength=count).double() / 3000
        bits = -(share[share > 0] * share[share > 0].log2()).sum()
        guessed = sum(torch.bincount(labels[sent == k], minlength=6).max() for k in range(count)) / 3000
        assert float(guessed) <= float(ll.bounds.accuracy(bits, decisions, labels)) + 1e-9


class TestFiniteLength:
    def test_a_long_code_over_equal_symbols_is_the_textbook_value(self):
        """1,000 complex symbols at 0 dB, ε = 10⁻³: C = 1000, V = 750 (log2 e)², Q⁻¹ = 3.0902."""
        one = ll.Channel(torch.ones(1, 1, 1, dtype=torch.complex128), noise_variance=1.0).repeated(1000)
        expected = 1000 - math.sqrt(750) / math.log(2) * 3.090232306 + math.log2(1000) / 2
        assert ll.bounds.finite_length_bits(one, 1e-3).item() == pytest.approx(expected, rel=1e-8)

    @given(SEEDS, SIZES, SIZES, st.integers(1, 5))
    def test_never_negative_more_errors_more_bits(self, seed, n_rx, n_tx, uses):
        grids = channel(seed, n_rx, n_tx, uses, batch=(3,))
        bits = torch.stack([ll.bounds.finite_length_bits(grids, error) for error in (1e-5, 1e-3, 0.1, 0.4)])
        assert (bits >= 0).all()
        assert (bits.diff(dim=0) >= 0).all()

    @given(SEEDS, SIZES, SIZES, st.floats(1e-3, 30))
    def test_separation_lies_between_opta_and_sending_nothing_where_codes_are_long(self, seed, n_rx, n_tx, noise):
        modes, grid = exact_modes(seed), channel(seed, n_rx, n_tx, noise=noise).repeated(50)
        error = ll.bounds.separation(modes, grid)
        assert (error >= ll.bounds.opta(modes, grid) * (1 - 1e-9)).all()
        assert (error <= modes.variance).all()

    def test_separation_approaches_opta_with_the_length_of_the_message(self):
        modes = exact_modes(1, d=40, m=40, n=400)
        gaps = []
        for uses in (1, 10, 100, 1000):
            grid = ll.Channel(torch.ones(1, 1, 1, dtype=torch.complex128), noise_variance=1.0).repeated(uses)
            gaps.append((ll.bounds.separation(modes, grid) / ll.bounds.opta(modes, grid)).log10().item() * 10)
        assert gaps[-1] < 0.05
        assert max(gaps) > 0.5

    def test_nothing_passes_a_dead_channel(self):
        modes = exact_modes(2)
        dead = ll.Channel(torch.zeros(2, 2, 2, dtype=torch.complex128), noise_variance=1.0)
        assert ll.bounds.finite_length_bits(dead, 0.5).item() == 0
        torch.testing.assert_close(ll.bounds.separation(modes, dead), modes.variance)

    @pytest.mark.parametrize("error", [0.0, 1.0, -0.1, float("nan")])
    def test_mistakes_are_named(self, error):
        with pytest.raises(ValueError, match=r"error must be a (finite )?number"):
            ll.bounds.finite_length_bits(channel(1), error)


def test_the_accuracy_bound_does_not_depend_on_the_numbers_of_classes():
    generator = seeded(0)
    labels, bits = torch.randint(3, (200,), generator=generator), torch.tensor([0.0, 0.5, 1.0, math.inf], dtype=torch.float64)
    decisions = torch.where(torch.rand(200, generator=generator) < 0.8, labels, torch.randint(3, (200,), generator=generator))
    far = ll.bounds.accuracy(bits, 49_999 * decisions, 49_999 * labels)
    torch.testing.assert_close(far, ll.bounds.accuracy(bits, decisions, labels), rtol=0, atol=0)
