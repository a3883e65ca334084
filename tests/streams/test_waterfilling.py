import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlink.streams.waterfilling import mse_waterfilling


def modes(seed, k, batch=()):
    generator = torch.Generator().manual_seed(seed)

    def draw(exponent):
        return torch.rand(*batch, k, dtype=torch.float64, generator=generator).pow(exponent).sort(descending=True).values

    return draw(3), draw(1.5)


def scalar(value, dtype=torch.float64):
    return torch.tensor(value, dtype=dtype)


def error(b, h, p, noise):
    return (b.square() * noise / (p * h.square() + noise)).sum(-1)


def by_bisection(b, h, noise, power):
    """The water level found without the theorem: p_i = (b_i h_i √N / ν − N)⁺ / h_i², Σ p_i = P, bisection on log ν."""
    live = b * h > 0
    low, high = scalar(-700.0), scalar(700.0)
    for _ in range(200):
        level = (low + high) / 2
        p = torch.where(live, (b * h * noise.sqrt() * (-level).exp() - noise).clamp(min=0) / torch.where(live, h, 1.0).square(), 0.0)
        low, high = (level, high) if p.sum() > power else (low, level)
    return p


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.integers(1, 12), st.floats(1e-3, 1e3), st.floats(1e-6, 1.0))
def test_spends_the_budget_and_no_exchange_of_power_helps(seed, k, power, noise):
    b, h = modes(seed, k)
    p = mse_waterfilling(b, h, scalar(noise), scalar(power))
    assert (p >= 0).all()
    torch.testing.assert_close(p.sum(), scalar(power), rtol=1e-10, atol=0.0)
    g = h.square() / noise
    marginal = b.square() * g / (1 + p * g).square()  # what one more unit of power would save (KKT)
    served = p > 1e-9 * power
    torch.testing.assert_close(marginal[served], marginal.max().expand_as(marginal[served]), rtol=1e-5, atol=0.0)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.integers(1, 10), st.floats(-40.0, 60.0))
def test_finds_the_water_level_that_bisection_finds(seed, k, snr_db):
    b, h = modes(seed, k)
    noise = scalar(10 ** (-snr_db / 10))
    p, oracle = mse_waterfilling(b, h, noise, scalar(1.0)), by_bisection(b, h, noise, scalar(1.0))
    torch.testing.assert_close(error(b, h, p, noise), error(b, h, oracle, noise), rtol=1e-10, atol=0.0)
    torch.testing.assert_close(p, oracle, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("snr_db", [-60.0, -40.0, -20.0, 0.0, 20.0, 40.0, 60.0])
def test_precision_costs_no_more_than_rounding_from_minus_60_to_60_db(dtype, snr_db):
    b, h = modes(3, 9)
    noise = scalar(10 ** (-snr_db / 10))
    p = mse_waterfilling(b.to(dtype), h.to(dtype), noise.to(dtype), scalar(1.0, dtype))
    eps = torch.finfo(dtype).eps
    assert (p >= 0).all()
    assert abs(p.double().sum() - 1) < 20 * eps
    best = error(b, h, mse_waterfilling(b, h, noise, scalar(1.0)), noise)
    assert error(b, h, p.double(), noise) <= best * (1 + 50 * eps)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.floats(1e-17, 1e-9), st.floats(-40.0, 60.0), st.integers(1, 4))
def test_amplitudes_that_are_rounding_of_zero_change_nothing(seed, tiny, snr_db, rank):
    b, h = modes(seed, 6)
    noise = scalar(10 ** (-snr_db / 10))
    cut = torch.where(torch.arange(6) < rank, h, 0.0)
    noisy = torch.where(torch.arange(6) < rank, h, tiny * h)
    p, clean = mse_waterfilling(b, noisy, noise, scalar(1.0)), mse_waterfilling(b, cut, noise, scalar(1.0))
    torch.testing.assert_close(p.sum(), scalar(1.0), rtol=1e-10, atol=0.0)
    torch.testing.assert_close(error(b, noisy, p, noise), error(b, cut, clean, noise), rtol=1e-8, atol=0.0)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.floats(-40, 0), st.floats(-40, 0)), min_size=1, max_size=8),
    st.floats(-20, 20),
    st.floats(-20, 20),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_any_dynamic_range_gives_finite_powers_within_the_budget(exponents, noise, power, dtype):
    b = torch.tensor([10.0**e for e, _ in exponents], dtype=dtype).sort(descending=True).values
    h = torch.tensor([10.0**e for _, e in exponents], dtype=dtype).sort(descending=True).values
    p = mse_waterfilling(b, h, scalar(10.0**noise, dtype), scalar(10.0**power, dtype))
    assert p.isfinite().all()
    assert (p >= 0).all()
    assert p.sum() <= 10.0**power * (1 + 1e-5)
    if p.sum() > 0:
        torch.testing.assert_close(p.sum(), scalar(10.0**power, dtype), rtol=1e-10 if dtype == torch.float64 else 1e-5, atol=0.0)


def test_dead_modes_get_nothing_and_pass_finite_gradients():
    b = torch.tensor([3.0, 1.0, 0.0], dtype=torch.float64, requires_grad=True)
    h = torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
    p = mse_waterfilling(b, h, scalar(1.0), scalar(1.0))
    assert p.tolist() == [1.0, 0.0, 0.0]
    (b.square() / (1 + p * h.square())).sum().backward()
    assert b.grad.isfinite().all()
    assert h.grad.isfinite().all()
    assert mse_waterfilling(torch.zeros(3), torch.ones(3), torch.tensor(1.0), torch.tensor(1.0)).tolist() == [0.0, 0.0, 0.0]


def test_no_power_and_no_modes_are_cases_like_others():
    b, h = modes(0, 4)
    assert (mse_waterfilling(b, h, scalar(0.1), scalar(0.0)) == 0).all()
    assert mse_waterfilling(b[:0], h[:0], scalar(0.1), scalar(1.0)).shape == (0,)


def test_without_noise_power_goes_by_strength_over_amplitude():
    p = mse_waterfilling(torch.tensor([2.0, 1.0, 0.0]), torch.tensor([1.0, 0.5, 0.0]), torch.tensor(0.0), torch.tensor(1.0))
    torch.testing.assert_close(p, torch.tensor([0.5, 0.5, 0.0]))


def test_a_batch_is_its_members():
    b, h = modes(5, 7, batch=(4, 3))
    generator = torch.Generator().manual_seed(6)
    noise, power = torch.rand(2, 4, 3, dtype=torch.float64, generator=generator)
    together = mse_waterfilling(b, h, noise, power)
    for i in range(4):
        for j in range(3):
            torch.testing.assert_close(together[i, j], mse_waterfilling(b[i, j], h[i, j], noise[i, j], power[i, j]))


def test_is_differentiable():
    b, h = modes(1, 4)
    inputs = (b.requires_grad_(), h.requires_grad_(), scalar(0.1).requires_grad_(), scalar(1.0).requires_grad_())
    assert torch.autograd.gradcheck(mse_waterfilling, inputs)
