"""First-K, Eigen-K and the disjoint design: linear, hence judged exactly."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentlink as ll
from latentlink.baselines.alignment import LeastSquares, Procrustes
from latentlink.baselines.equalisers import MmseEqualiser, SvdEqualiser, ZeroForcing
from latentlink.baselines.first_k_eigen_k import Disjoint, EigenK, FirstK
from latentlink.channels.channel import Channel
from oracles import Problem, channel, dense_pair, moments, normal, pairs, seeded

EXACT = LeastSquares(0.0)
KINDS = {
    "first-k, aligned after": lambda **parts: FirstK(**parts),
    "first-k, aligned before": lambda **parts: FirstK(align="before", **parts),
    "eigen-k": lambda **parts: EigenK(**parts),
    "disjoint": lambda **parts: Disjoint(**parts),
}
EQUALISERS = [SvdEqualiser(), SvdEqualiser("zf"), ZeroForcing(), MmseEqualiser()]
every_kind = pytest.mark.parametrize("kind", KINDS)
each = pytest.mark.parametrize("equaliser", EQUALISERS, ids=repr)
D, M = 7, 6


@every_kind
@each
@pytest.mark.parametrize("aligner", [EXACT, LeastSquares(0.2), Procrustes()], ids=repr)
def test_expected_error_and_power_are_those_of_its_dense_matrices(kind, equaliser, aligner):
    known, some = moments(1, D, M), channel(2, 2, 3, uses=2, power=2.0, batch=(3,))
    solution = KINDS[kind](aligner=aligner, equaliser=equaliser).design(known, some)
    F, G = dense_pair(solution.transceiver)
    assert solution.messages() == [ll.Status.BASELINE.message]
    for i in range(3):
        problem = Problem.of(known, some[i])
        torch.testing.assert_close(problem.error(F[i], G[i]), solution.expected_mse[i])
        torch.testing.assert_close(problem.power(F[i]) / 2, solution.expected_power[i])
    torch.testing.assert_close(solution.expected_power, some.power)


@every_kind
@given(
    seed=st.integers(0, 2**20),
    d=st.integers(1, 9),
    m=st.integers(1, 9),
    n_rx=st.integers(1, 4),
    n_tx=st.integers(1, 4),
    uses=st.integers(1, 2),
    snr_db=st.floats(-20, 40),
    which=st.integers(0, 3),
)
def test_none_is_better_than_the_joint_optimum_at_equal_power(kind, seed, d, m, n_rx, n_tx, uses, snr_db, which):
    known, one = moments(seed, d, m), channel(seed, n_rx, n_tx, uses, snr_db)
    best = ll.ClosedForm().design(ll.semantic_modes(known, shrinkage=0.0), one).expected_mse
    for aligner in (EXACT, Procrustes(shrinkage=0.0)):
        solution = KINDS[kind](aligner=aligner, equaliser=EQUALISERS[which]).design(known, one)
        assert solution.expected_power <= one.power * (1 + 1e-10)
        assert solution.expected_mse >= best * (1 - 1e-9)


@every_kind
@each
@pytest.mark.parametrize(("d", "m"), [(7, 6), (5, 8), (6, 6)])
def test_a_perfect_channel_with_room_for_all_gives_plain_alignment(kind, equaliser, d, m):
    known, x = moments(3, d, m), normal(4, 5, d)
    quiet = Channel(ll.rayleigh(8, 5, batch=(2, 1), generator=seeded(5)))
    for aligner in (EXACT, LeastSquares(0.3), Procrustes()):
        link = KINDS[kind](aligner=aligner, equaliser=equaliser).design(known, quiet).transceiver
        expected = known.mean_y + (x - known.mean_x) @ aligner.fit(known).matrix.mT
        torch.testing.assert_close(ll.transmit(link, x, quiet), expected.expand(2, -1, -1), rtol=1e-6, atol=1e-6)


def test_first_k_sends_the_first_entries_and_leaves_the_others_at_their_mean():
    known, quiet = moments(6, D, M), Channel(ll.rayleigh(2, 2, batch=(1,), generator=seeded(7)))
    x, A = normal(8, 4, D), EXACT.fit(known).matrix
    centred = x - known.mean_x
    kept = torch.arange(D) < 3
    after = FirstK(k=3, aligner=EXACT).design(known, quiet).transceiver
    torch.testing.assert_close(ll.transmit(after, x, quiet), known.mean_y + (centred * kept) @ A.mT)
    before = FirstK(k=3, align="before", aligner=EXACT).design(known, quiet).transceiver
    torch.testing.assert_close(ll.transmit(before, x, quiet), known.mean_y + (centred @ A.mT) * (torch.arange(M) < 3))


def test_eigen_k_is_the_nearest_alignment_of_its_rank():
    known, quiet = moments(9, D, M), Channel(ll.rayleigh(2, 2, batch=(1,), generator=seeded(10)))
    x = normal(11, 4, D)
    U, S, Vt = torch.linalg.svd(EXACT.fit(known).matrix)
    nearest = U[:, :3] * S[:3] @ Vt[:3]
    link = EigenK(k=3, aligner=EXACT).design(known, quiet).transceiver
    torch.testing.assert_close(ll.transmit(link, x, quiet), known.mean_y + (x - known.mean_x) @ nearest.mT)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_disjoint_without_noise_is_the_best_of_its_rank(k):
    """The Karhunen–Loève transform of the aligned latent is what the closed form keeps where noise is no matter."""
    known, quiet = moments(12, D, M), Channel(ll.rayleigh(4, 4, batch=(1,), generator=seeded(13)))
    solution = Disjoint(k=k, aligner=EXACT).design(known, quiet)
    best = ll.ClosedForm().design(ll.semantic_modes(known, shrinkage=0.0).truncated(k), quiet)
    torch.testing.assert_close(solution.expected_mse, best.expected_mse)


@pytest.mark.parametrize("snr_db", [-10.0, 5.0, 20.0])
@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 3)])
def test_disjoint_with_mmse_is_never_worse_than_with_zero_forcing(snr_db, shape):
    known, some = moments(14, D, M), channel(15, *shape, snr_db=snr_db, batch=(20,))

    def lost(equaliser):
        return Disjoint(aligner=EXACT, equaliser=equaliser).design(known, some).expected_mse

    assert (lost(SvdEqualiser()) <= lost(SvdEqualiser("zf")) * (1 + 1e-10)).all()
    assert (lost(MmseEqualiser()) <= lost(ZeroForcing()) * (1 + 1e-10)).all()
    assert (lost(SvdEqualiser()) <= lost(MmseEqualiser()) * 1.2).all()


@every_kind
@each
def test_measured_error_and_power_are_those_expected(kind, equaliser):
    x, y = pairs(16, 20_000, D, M)
    known, some = ll.Moments.from_pairs(x, y), channel(17, 2, 2, uses=2, batch=(2,))
    solution = KINDS[kind](equaliser=equaliser).design(known, some)
    s = solution.transceiver.encode(x)
    torch.testing.assert_close(s.abs().square().sum((-2, -1)).mean(-1) / 2, solution.expected_power)
    lost = (ll.transmit(solution.transceiver, x, some, generator=seeded(18)) - y).square().sum(-1)
    assert ((lost.mean(-1) - solution.expected_mse).abs() <= 5 * lost.std(-1) / len(x) ** 0.5).all()


@every_kind
@each
def test_a_batch_is_its_members(kind, equaliser):
    known = moments(19, D, M)
    together = Channel(channel(20, 3, 2, uses=2, batch=(3,)).h, [0.01, 0.1, 1.0], [1.0, 2.0, 0.5])
    design = KINDS[kind](equaliser=equaliser).design
    whole, x = design(known, together), normal(21, 4, D)
    for i in range(3):
        alone = design(known, together[i])
        torch.testing.assert_close(whole.expected_mse[i], alone.expected_mse)
        torch.testing.assert_close(whole.transceiver.encode(x)[i], alone.transceiver.encode(x))
        r = together[i].apply(alone.transceiver.encode(x), seeded(22))
        torch.testing.assert_close(whole.transceiver.decode(r)[i], alone.transceiver.decode(r))


@every_kind
@each
@pytest.mark.parametrize("shape", [(3, 3), (3, 2), (2, 3)])
def test_unaware_designs_cross_other_channels(kind, equaliser, shape):
    known, some = moments(23, D, M), channel(24, *shape, uses=2, batch=(3,))
    solution = KINDS[kind](equaliser=equaliser).design(known, some.unaware())
    x = normal(25, 5, D)
    assert ll.transmit(solution.transceiver, x, some, generator=seeded(26)).shape == (3, 5, M)
    assert (solution.expected_power <= some.power * (1 + 1e-10)).all()
    aware = KINDS[kind](equaliser=equaliser).design(known, some)
    pilots, wanted = pairs(23, 400, D, M)
    assert (
        (ll.transmit(solution.transceiver, pilots, some, generator=seeded(27)) - wanted).square().sum(-1).mean(-1) > aware.expected_mse
    ).all()


@every_kind
def test_few_pilots_of_many_dimensions(kind):
    x, y = pairs(28, 10, 30, 20)
    some = channel(29, 8, 8, batch=(3,))
    for aligner in (LeastSquares(), EXACT, Procrustes()):
        solution = KINDS[kind](aligner=aligner).design(ll.Moments.from_pairs(x, y), some)
        assert solution.expected_mse.isfinite().all()
        assert (solution.expected_power <= some.power * (1 + 1e-10)).all()
        assert ll.transmit(solution.transceiver, x, some, generator=seeded(30)).isfinite().all()


@every_kind
@each
def test_nothing_is_sent_where_there_is_nothing_to_send_or_to_send_it_over(kind, equaliser):
    known, h = moments(31, D, M), channel(32, 2, 2, batch=(3,)).h * torch.tensor([0.0, 1.0, 1.0])[:, None, None, None]
    solution = KINDS[kind](equaliser=equaliser).design(known, Channel(h, 0.1, [1.0, 0.0, 1.0]))
    assert solution.status.tolist() == [ll.Status.NOTHING_TO_SEND.code] * 2 + [ll.Status.BASELINE.code]
    torch.testing.assert_close(solution.expected_mse[:2], known.cov_y.trace().expand(2))
    torch.testing.assert_close(solution.expected_power, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
    silent = ll.Moments.from_pairs(torch.full((30, D), 1e6 + 1 / 3, dtype=torch.float64), normal(33, 30, M))
    solution = KINDS[kind](equaliser=equaliser).design(silent, Channel(h, 0.1))
    assert solution.messages() == [ll.Status.NOTHING_TO_SEND.message]
    torch.testing.assert_close(ll.transmit(solution.transceiver, normal(34, 2, D), Channel(h)), silent.mean_y.expand(3, 2, -1))


@every_kind
def test_the_channel_is_taken_for_known_exactly(kind):
    known, one = moments(35, D, M), channel(36, 2, 2)
    vague = Channel(one.h, one.noise_variance, one.power, error_variance=0.3)
    torch.testing.assert_close(KINDS[kind]().design(known, vague).expected_mse, KINDS[kind]().design(known, one).expected_mse)


@every_kind
def test_saved_links_and_single_precision(kind, tmp_path):
    known, some = moments(37, D, M), channel(38, 2, 3, uses=2, batch=(2,))
    link = KINDS[kind]().design(known, Channel(some.h.to(torch.complex64), some.noise_variance, some.power)).transceiver
    link.save(tmp_path / "link.safetensors")
    x = normal(39, 5, D)
    loaded = ll.load(tmp_path / "link.safetensors")
    assert ll.transmit(loaded, x, some, generator=seeded(40)).equal(ll.transmit(link, x, some, generator=seeded(40)))
    quiet = Channel(some.h)
    short = ll.transmit(link.to(torch.float32), x.float(), quiet.to(torch.float32))
    torch.testing.assert_close(short.double(), ll.transmit(link, x, quiet), rtol=1e-3, atol=1e-3)


class TestErrors:
    @every_kind
    @pytest.mark.parametrize(
        ("k", "room"),
        [(5, "k must be at most .* = 4"), (0, "k must be an integer"), (-2, "k must be an integer"), (True, "k must be an integer")],
    )
    def test_more_or_less_than_fits(self, kind, k, room):
        with pytest.raises(ValueError, match=room):
            KINDS[kind](k=k).design(moments(41, D, M), channel(42, 2, 3))

    @every_kind
    def test_more_than_there_is(self, kind):
        with pytest.raises(ValueError, match=r"k must be at most [67],"):
            KINDS[kind](k=8).design(moments(43, D, M), channel(44, 4, 4))

    @every_kind
    @pytest.mark.parametrize("name", ["aligner", "equaliser"])
    def test_parts_of_another_kind(self, kind, name):
        for part in ("svd", SvdEqualiser, LeastSquares):
            with pytest.raises((ValueError, TypeError), match=name):
                KINDS[kind](**{name: part})

    def test_another_place_of_alignment(self):
        with pytest.raises(ValueError, match="align must be"):
            FirstK(align="post")

    @every_kind
    def test_designs_of_other_things(self, kind):
        known, one = moments(45, D, M), channel(46, 2, 2)
        for args in ((ll.semantic_modes(known), one), (known, one.h)):
            with pytest.raises((ValueError, TypeError), match=r"moments|channel"):
                KINDS[kind]().design(*args)
