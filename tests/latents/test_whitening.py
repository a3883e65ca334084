import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from latentlink.latents.moments import Moments
from latentlink.latents.whitening import Spectrum, gcv_shrinkage

SEEDS = st.integers(0, 2**31)
REAL_OR_COMPLEX = st.sampled_from([torch.float64, torch.complex128])


def covariance(seed, eigenvalues, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    V, _ = torch.linalg.qr(torch.randn(len(eigenvalues), len(eigenvalues), dtype=dtype, generator=generator))
    R = (V * torch.as_tensor(eigenvalues, dtype=torch.float64)) @ V.mH
    return (R + R.mH) / 2


def assert_whitens(S, R, shrinkage, **tolerance):
    d = len(R)
    regularised = R + shrinkage * R.diagonal().real.mean() * torch.eye(d, dtype=R.dtype)
    torch.testing.assert_close(S @ regularised @ S.mH, torch.eye(len(S), dtype=R.dtype), **tolerance)


@given(SEEDS, st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12), REAL_OR_COMPLEX, st.sampled_from([0.0, 1e-6, 0.1, 30.0]))
def test_whitens_the_regularised_covariance(seed, eigenvalues, dtype, shrinkage):
    R = covariance(seed, eigenvalues, dtype)
    S = Spectrum.of(R).root_inverse(shrinkage)
    assert S.shape == R.shape
    assert S.dtype == dtype
    assert_whitens(S, R, shrinkage, rtol=1e-8, atol=1e-8)


@given(SEEDS, st.integers(1, 6), st.integers(1, 6), REAL_OR_COMPLEX)
def test_drops_the_null_space_unless_shrinkage_fills_it(seed, rank, null, dtype):
    R = covariance(seed, [1.0 + i for i in range(rank)] + [0.0] * null, dtype)
    S = Spectrum.of(R).root_inverse(0.0)
    assert len(S) == rank
    assert_whitens(S, R, 0.0, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(S.mH @ S @ R @ S.mH @ S, S.mH @ S)  # SᴴS is the pseudo-inverse of R
    torch.testing.assert_close(R @ S.mH @ S @ R, R)
    filled = Spectrum.of(R).root_inverse(0.01)
    assert len(filled) == rank + null
    assert_whitens(filled, R, 0.01, rtol=1e-9, atol=1e-9)


@given(SEEDS, st.integers(3, 20), REAL_OR_COMPLEX)
def test_condition_numbers_of_1e12_are_cut_at_1e10_and_cost_what_eigenvectors_cost(seed, d, dtype):
    eigenvalues = torch.logspace(0, -12, d, dtype=torch.float64)
    assume(((eigenvalues / 1e-10).log10().abs() > 0.1).all())
    R = covariance(seed, eigenvalues, dtype)
    S = Spectrum.of(R).root_inverse(0.0)
    assert len(S) == (eigenvalues > 1e-10).sum()
    assert_whitens(S, R, 0.0, rtol=0.0, atol=d * 1e-5)  # 1e-16 of the largest over 1e-10
    assert_whitens(Spectrum.of(R).root_inverse(1e-3), R, 1e-3, rtol=0.0, atol=1e-9)


def test_a_covariance_of_zero_has_no_direction_at_any_shrinkage():
    for dtype in (torch.float64, torch.complex128):
        spectrum = Spectrum.of(torch.zeros(3, 3, dtype=dtype))
        for shrinkage in (0.0, 1.0):
            assert spectrum.root_inverse(shrinkage).shape == (0, 3)
        assert gcv_shrinkage(spectrum, torch.zeros(3, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64), 10) >= 0


@given(SEEDS, st.floats(1e-6, 1e6))
def test_shrinkage_is_relative_to_the_variance(seed, scale):
    R = covariance(seed, [3.0, 1.0, 0.1, 0.0])
    S, scaled = Spectrum.of(R).root_inverse(0.05), Spectrum.of(scale * R).root_inverse(0.05)
    torch.testing.assert_close(scaled.mT @ scaled * scale, S.mT @ S, rtol=1e-7, atol=1e-7)


def regression(moments):
    """What `gcv_shrinkage` takes."""
    spectrum = Spectrum.of(moments.cov_x)
    explained = (moments.cov_yx @ spectrum.vectors).square().sum(0)
    return spectrum, explained, moments.cov_y.trace(), moments.count


def toy(seed, n, d, noise, decay=3.0, m=20):
    """Pilots and the error over the population of the regression fitted to them, as a function of λ."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    variances = torch.linspace(0, -2 * decay, d, dtype=torch.float64).exp()
    B = 3 * draw(m, d) / d**0.5
    x = draw(n, d) * variances.sqrt()
    moments = Moments.from_pairs(x, x @ B.mT + noise * draw(n, m))

    def error(shrinkage):
        S = Spectrum.of(moments.cov_x).root_inverse(shrinkage)
        L = moments.cov_yx @ S.mT @ S
        bias = moments.mean_y - L @ moments.mean_x
        return m * noise**2 + ((B - L).square() @ variances).sum() + bias.square().sum()

    return moments, error


def excess(moments, error):
    best = min(error(shrinkage) for shrinkage in torch.logspace(-8, 2, 31, dtype=torch.float64).tolist())
    return (error(gcv_shrinkage(*regression(moments))) / best - 1).item()


def test_the_chosen_shrinkage_is_close_to_the_best_for_latents_never_seen():
    for n, d, noise in ((100, 40, 1.0), (300, 40, 0.3), (60, 50, 1.0), (50, 100, 0.3), (50, 150, 3.0)):
        losses = [excess(*toy(seed, n, d, noise)) for seed in range(10)]
        assert sorted(losses)[6] <= 0.02, (n, d, noise)
        assert max(losses) <= 0.1, (n, d, noise)  # never a wreck: without shrinkage the error is up to twice the best


def exact_gcv(e, c, variance, n):
    """GCV on the candidates where n − 1 ≤ d: no residual at λ = 0, hence sums without cancellation (module docstring, reordered)."""
    ridge = torch.logspace(-8, 2, 161, dtype=torch.float64).unsqueeze(-1) * variance
    e, c = e[: n - 1], c[: n - 1]
    return (c * ridge.square() / (e * (e + ridge).square())).sum(-1) / ((ridge / (e + ridge)).sum(-1) / n).square()


@given(SEEDS, st.integers(3, 40), st.integers(0, 40), st.sampled_from([0.1, 1.0]))
def test_with_fewer_pilots_than_dimensions_rounding_does_not_choose(seed, n, more, noise):
    moments, _ = toy(seed, n, n + more, noise)
    spectrum, explained, variance, count = regression(moments)
    score = exact_gcv(spectrum.values, explained, spectrum.mean_variance, count)
    chosen = gcv_shrinkage(spectrum, explained, variance, count)
    assert chosen > 0
    index = round((torch.tensor(chosen).log10().item() + 8) * 16)
    assert score[index] <= 1.01 * score.min()


def test_noiseless_latents_are_not_shrunk():
    for seed in range(5):
        moments, error = toy(seed, 200, 20, 0.0)
        chosen = gcv_shrinkage(*regression(moments))
        assert chosen <= 1e-6
        assert error(chosen) <= 1e-9 * error(1e9)


def test_pilots_that_leave_no_freedom_are_trusted_least():
    for n in (1, 2):
        x = torch.eye(n, 3, dtype=torch.float64)
        moments = Moments.from_pairs(x, x[:, :2] + 1)
        assert 0 < gcv_shrinkage(*regression(moments)) <= 100
