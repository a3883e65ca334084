import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlink.channels.fading import exponential_correlation, kronecker, rayleigh, rician
from latentlink.numerics.seeds import stream_generator

N = 20_000


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def assert_mean(samples, expected):
    """The mean over the first axis is as expected, within 6 standard errors of the samples themselves."""
    expected = torch.as_tensor(expected, dtype=samples.dtype)
    mean = samples.mean(0)
    error = (samples - mean).abs().square().mean(0).sqrt() / math.sqrt(len(samples))
    assert ((mean - expected).abs() <= 6 * error + 1e-12).all()


def correlation(n, phase=0.7):
    """Complex, Hermitian, unit diagonal."""
    turn = torch.polar(torch.ones(n, dtype=torch.float64), phase * torch.arange(n, dtype=torch.float64))
    return exponential_correlation(n, 0.8) * turn[:, None] * turn.conj()


DRAWS = {
    "rayleigh": lambda gain, **options: rayleigh(2, 3, gain, **options),
    "rician": lambda gain, **options: rician(2, 3, 4.0, gain=gain, **options),
    "kronecker": lambda gain, **options: kronecker(correlation(2), correlation(3), gain, **options),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("gain", [0.5, 1.0, 3.0])
def test_entries_have_the_gain(draw, gain):
    assert_mean(draw(gain, generator=seeded(), batch=(N,)).abs().square(), gain)


@pytest.mark.parametrize("draw", [DRAWS["rayleigh"], DRAWS["kronecker"]])
def test_scattered_entries_are_proper(draw):
    h = draw(2.0, generator=seeded(), batch=(N,))
    assert_mean(h, 0.0)
    assert_mean(h.square(), 0.0)


def test_rayleigh_entries_are_independent_gaussians():
    h = rayleigh(2, 2, 0.5, batch=(N,), generator=seeded(1)).flatten(1)
    assert_mean(h[:, :, None] * h[:, None, :].conj(), 0.5 * torch.eye(4))
    assert_mean(h.real.square(), 0.25)
    assert_mean(h.abs().pow(4), 2 * 0.5**2)


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_seed_is_a_channel_and_shapes_and_types_are_as_asked(draw):
    for batch in ((), (4,), (2, 0), (3, 2)):
        h = draw(1.0, generator=seeded(7), batch=batch)
        assert h.shape == (*batch, 2, 3)
        assert h.dtype == torch.complex128
        assert torch.equal(h, draw(1.0, generator=seeded(7), batch=batch))
        torch.testing.assert_close(draw(4.0, generator=seeded(7), batch=batch), 2 * h)
    assert draw(1.0, generator=seeded(), batch=(2,), dtype=torch.complex64).dtype == torch.complex64
    assert draw(0.0, generator=seeded(), batch=(5,)).abs().max() == 0


@pytest.mark.parametrize("k_factor", [0.5, 1.0, 9.0])
def test_the_k_factor_is_the_line_of_sight_over_the_rest(k_factor):
    h = rician(1, 1, k_factor, gain=2.0, batch=(N,), generator=seeded(2)).flatten()
    scattered = 2.0 / (k_factor + 1)  # |h|² is a noncentral χ²: its mean and variance know both parts
    line = 2.0 - scattered
    assert_mean(h.abs().square(), line + scattered)
    assert_mean((h.abs().square() - 2.0).square(), scattered**2 + 2 * line * scattered)


@given(st.integers(0, 2**31), st.integers(1, 5), st.integers(1, 5))
def test_k_zero_is_rayleigh_and_k_infinite_is_one_path(seed, n_rx, n_tx):
    none = rician(n_rx, n_tx, 0.0, gain=3.0, batch=(4,), generator=seeded(seed))
    torch.testing.assert_close(none, rayleigh(n_rx, n_tx, 3.0, batch=(4,), generator=seeded(seed)))
    path = rician(n_rx, n_tx, math.inf, gain=3.0, batch=(4,), generator=seeded(seed))
    torch.testing.assert_close(path.abs().square(), torch.full((4, n_rx, n_tx), 3.0, dtype=torch.float64))
    torch.testing.assert_close(path * path[:, :1, :1], path[:, :, :1] * path[:, :1, :])  # rank one
    for axis in (1, 2):  # uniform arrays: the phase turns by the same angle from antenna to antenna
        first = path.narrow(axis, 0, path.shape[axis] - 1)
        step = path.narrow(axis, 1, path.shape[axis] - 1) * first.conj()
        torch.testing.assert_close(step, step.narrow(axis, 0, min(1, step.shape[axis])).expand_as(step))


def test_kronecker_correlates_each_side_as_asked():
    corr_rx, corr_tx, gain = correlation(3), correlation(2, phase=-1.1), 0.5
    h = kronecker(corr_rx, corr_tx, gain, batch=(N,), generator=seeded(3))
    assert_mean(h @ h.mH, gain * 2 * corr_rx)
    assert_mean(h.mH @ h, gain * 3 * corr_tx)


def test_kronecker_takes_real_and_singular_correlations():
    h = kronecker(torch.ones(2, 2), torch.eye(3, dtype=torch.float64), batch=(5,), generator=seeded())
    torch.testing.assert_close(h[:, 0], h[:, 1])
    torch.testing.assert_close(
        kronecker(torch.eye(2), torch.eye(3), 2.0, batch=(5,), generator=seeded(4)),
        rayleigh(2, 3, 2.0, batch=(5,), generator=seeded(4)),
        rtol=1e-6,
        atol=1e-6,
    )


@given(st.integers(1, 8), st.floats(0, 1))
def test_exponential_correlation_falls_from_antenna_to_antenna(antennas, coefficient):
    corr = exponential_correlation(antennas, coefficient)
    assert corr.diagonal().tolist() == [1.0] * antennas
    for i in range(antennas):
        for j in range(antennas):
            assert corr[i, j].item() == pytest.approx(coefficient ** abs(i - j), abs=1e-15)
    assert torch.linalg.eigvalsh(corr).min() > -1e-12


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rayleigh(0, 2), "n_rx must be an integer >= 1, got 0"),
        (lambda: rician(2, 0, 1.0), "n_tx must be an integer >= 1"),
        (lambda: rayleigh(2, 2, -1.0), "gain must be a finite number >= 0, got -1"),
        (lambda: rayleigh(2, 2, math.nan), "gain"),
        (lambda: rayleigh(2, 2, math.inf), "gain"),
        (lambda: rician(2, 2, -0.1), "k_factor must not be negative.*-0.1"),
        (lambda: rician(2, 2, math.nan), "k_factor"),
        (lambda: rician(2, 2, 1.0, gain=math.nan), "gain must be a"),
        (lambda: rician(2, 2, 1.0, gain=-1.0), "gain must be a"),
        (lambda: kronecker(torch.eye(2), torch.eye(2), -1.0), "gain"),
        (lambda: kronecker(2 * torch.eye(2), torch.eye(2)), "corr_rx must have a unit diagonal"),
        (lambda: kronecker(torch.eye(2), torch.tensor([[1.0, 0.5], [0.4, 1.0]])), "corr_tx must be finite and Hermitian"),
        (lambda: kronecker(torch.eye(2), torch.full((2, 2), math.nan)), "corr_tx must be finite"),
        (lambda: kronecker(torch.tensor([[1.0, 1.5], [1.5, 1.0]]), torch.eye(2)), "corr_rx must be positive semidefinite"),
        (lambda: kronecker(torch.ones(2, 3), torch.eye(2)), r"corr_rx must be a square matrix, got shape \(2, 3\)"),
        (lambda: exponential_correlation(2, 1.1), "coefficient must be a finite number >= 0 and <= 1, got 1.1"),
        (lambda: exponential_correlation(2, math.nan), "coefficient"),
    ],
)
def test_impossible_channels_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "draw",
    [
        lambda generator: rayleigh(2, 3, batch=(4,), generator=generator),
        lambda generator: rician(2, 3, 1.0, batch=(4,), generator=generator),
        lambda generator: kronecker(torch.eye(2), torch.eye(3), batch=(4,), generator=generator),
    ],
)
def test_a_seed_stands_for_the_stream_of_channels(draw):
    assert torch.equal(draw(7), draw(stream_generator(7, "channels")))
    assert not torch.equal(draw(7), draw(8))
    with pytest.raises((ValueError, TypeError), match="generator"):
        draw("7")
