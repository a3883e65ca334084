import math

import pytest
import torch

import latentlink as ll
from latentlink.baselines.alignment import LeastSquares, Procrustes
from latentlink.baselines.equalisers import MmseEqualiser, SvdEqualiser, ZeroForcing
from latentlink.baselines.first_k_eigen_k import FirstK
from latentlink.baselines.top_k import TopK, TopKTransceiver
from latentlink.channels.channel import Channel
from oracles import channel, moments, normal, pairs, seeded

D, M = 9, 7
EXACT = LeastSquares(0.0)
EQUALISERS = [SvdEqualiser(), SvdEqualiser("zf"), ZeroForcing(), MmseEqualiser()]
each = pytest.mark.parametrize("equaliser", EQUALISERS, ids=repr)
both = pytest.mark.parametrize("align", ["after", "before"])


def gaussian(known, seed, n):
    joint = torch.cat([torch.cat([known.cov_x, known.cov_yx.mT], -1), torch.cat([known.cov_yx, known.cov_y], -1)])
    values, vectors = torch.linalg.eigh(joint)
    drawn = normal(seed, n, len(joint)) @ (vectors * values.clamp(min=0).sqrt()).mT
    d = len(known.mean_x)
    return drawn[:, :d] + known.mean_x, drawn[:, d:] + known.mean_y


@both
@pytest.mark.parametrize("k", [1, 3, 4])
def test_without_noise_the_largest_entries_arrive_and_no_others(align, k):
    known, quiet = moments(1, D, M), Channel(ll.rayleigh(2, 3, batch=(2, 1), generator=seeded(2)))
    link = TopK(k=k, align=align, aligner=EXACT).design(known, quiet).transceiver
    x, A = gaussian(known, 3, 20)[0], EXACT.fit(known).matrix
    c = x - known.mean_x if align == "after" else (x - known.mean_x) @ A.mT
    rank = c.abs().argsort(descending=True).argsort()
    kept = torch.where(rank < k, c, 0.0)
    told = link.informed_by(x)
    received = told.receive(quiet.apply(link.encode(x)))
    torch.testing.assert_close(received, kept.expand(2, -1, -1), rtol=1e-7, atol=1e-7)
    y_hat = ll.transmit(link, x, quiet)
    torch.testing.assert_close(y_hat, known.mean_y + received @ link.synthesis.mT)
    assert y_hat.shape == (2, 20, M)


@both
@each
def test_a_perfect_channel_with_room_for_all_gives_plain_alignment(align, equaliser):
    known, quiet = moments(4, D, M), Channel(ll.rayleigh(6, 5, batch=(2, 1), generator=seeded(5)))
    for aligner in (EXACT, LeastSquares(), Procrustes()):
        solution = TopK(align=align, aligner=aligner, equaliser=equaliser).design(known, quiet)
        assert solution.transceiver.k == (D if align == "after" else M)
        x = normal(6, 4, D)
        expected = known.mean_y + (x - known.mean_x) @ aligner.fit(known).matrix.mT
        torch.testing.assert_close(ll.transmit(solution.transceiver, x, quiet), expected.expand(2, -1, -1), rtol=1e-6, atol=1e-6)


@both
@each
def test_expected_error_and_power_are_those_of_fresh_gaussian_messages(align, equaliser):
    known, some = moments(7, D, M), channel(8, 2, 3, uses=2, power=2.0, batch=(2,))
    solution = TopK(align=align, equaliser=equaliser, draws=20_000).design(known, some)
    x, y = gaussian(known, 9, 20_000)
    spent = solution.transceiver.encode(x).abs().square().sum((-2, -1)) / 2
    lost = (ll.transmit(solution.transceiver, x, some, generator=seeded(10)) - y).square().sum(-1)
    for samples, expected in ((spent, solution.expected_power), (lost, solution.expected_mse)):
        allowed = 5 * 2**0.5 * samples.std(-1) / len(x) ** 0.5  # both are measured
        assert ((samples.mean(-1) - expected).abs() <= allowed).all()
    assert (solution.expected_power <= some.power * (1 + 1e-10)).all()
    assert (solution.expected_power >= 0.99 * some.power).all()


@both
def test_with_pilots_expected_values_are_those_measured_on_them(align):
    x, y = pairs(11, 500, D, M)
    x, y = x.exp(), y.exp()  # skewed: large entries are those above the mean
    some = channel(12, 2, 2, batch=(2,))
    solution = TopK(align=align, pilots=ll.Pilots(x, y, torch.arange(500) % 3)).design(ll.Moments.from_pairs(x, y), some)
    spent = solution.transceiver.encode(x).abs().square().sum((-2, -1)).mean(-1)
    torch.testing.assert_close(spent, solution.expected_power)
    assert (spent <= some.power * (1 + 1e-10)).all()
    lost = torch.stack(
        [(ll.transmit(solution.transceiver, x, some, generator=seeded(s)) - y).square().sum(-1).mean(-1) for s in range(200)]
    )
    assert ((lost.mean(0) - solution.expected_mse).abs() <= 5 * lost.std(0) / len(lost) ** 0.5).all()


def test_power_holds_on_unseen_latents_where_pilots_are_few():
    x, y = pairs(13, 3000, 60, 20, decay=0.97)
    some = channel(14, 4, 4)
    pilots = ll.Pilots(x[:80], y[:80], torch.zeros(80, dtype=torch.long))
    link = TopK(pilots=pilots).design(ll.Moments.from_pairs(pilots.x, pilots.y), some).transceiver
    assert link.encode(x[80:]).abs().square().sum((-2, -1)).mean() < 1.15 * some.power


def test_latents_alone_will_do_for_pilots():
    known, some = moments(15, D, M), channel(16, 2, 2)
    x, _ = gaussian(known, 17, 4000)
    a, b = TopK(pilots=x).design(known, some), TopK(pilots=x.numpy()).design(known, some)
    assert a.expected_mse == b.expected_mse
    torch.testing.assert_close(a.expected_mse, TopK().design(known, some).expected_mse, rtol=0.05, atol=0.0)


@both
def test_what_is_expected_may_be_measured_later(align):
    x, y = pairs(11, 500, D, M)
    known, some = ll.Moments.from_pairs(x, y), channel(12, 2, 2, batch=(2,))
    for pilots in (None, x, ll.Pilots(x, y, torch.arange(500) % 3)):
        at_once, later = (TopK(align=align, pilots=pilots, expects=expects).design(known, some) for expects in (True, False))
        assert later.expected_mse is None
        assert torch.equal(TopK(align=align, pilots=pilots).expected_mse(later.transceiver, known), at_once.expected_mse)
        assert torch.equal(later.expected_power, at_once.expected_power)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 30.0])
def test_is_better_than_first_k_where_magnitudes_vary_from_message_to_message(snr_db):
    scale = torch.rand(4000, 12, dtype=torch.float64, generator=seeded(18)).pow(6)
    x = scale * normal(19, 4000, 12)
    y = x @ torch.linalg.qr(normal(20, 12, 12)).Q + 0.01 * normal(21, 4000, 12)
    known, some = ll.Moments.from_pairs(x, y), channel(22, 2, 2, snr_db=snr_db, batch=(10,))
    top = TopK(pilots=ll.Pilots(x, y, torch.zeros(4000, dtype=torch.long))).design(known, some)
    assert (top.expected_mse < FirstK().design(known, some).expected_mse).all()


def test_means_of_what_is_usually_large_cost_no_power():
    """Entries that are rarely on, but at one value then: they arrive as well as their own deviation from it does."""
    x = (torch.rand(4000, 10, dtype=torch.float64, generator=seeded(23)) < 0.2) * (5 + 0.1 * normal(24, 4000, 10))
    known, some = ll.Moments.from_pairs(x, x), channel(25, 1, 1, snr_db=10.0)
    solution = TopK(k=1, pilots=x).design(known, some)
    usual = solution.transceiver.offsets
    assert usual.median() > 3  # but for the one that goes when none is on


@both
@pytest.mark.parametrize("k", [1, 3, 4])
def test_what_the_indices_cost(align, k):
    link = TopK(k=k, align=align).design(moments(26, D, M), channel(27, 2, 2)).transceiver
    assert isinstance(link, ll.Transceiver)
    assert link.side_symbols == math.ceil(k / 2)
    sets = math.comb(D if align == "after" else M, k)
    assert link.side_bits == pytest.approx(math.log2(sets))


@both
def test_flops_are_those_of_its_matrices(align):
    flops = TopK(k=3, align=align).design(moments(28, D, M), channel(29, 3, 2, uses=2)).transceiver.flops
    sent, heard = 2 * 3 * (2 * 2 * 2), 2 * 3 * (2 * 2 * 3)
    expected = (sent, heard + 2 * 3 * M) if align == "after" else (2 * D * M + sent, heard)
    assert (flops.encode, flops.decode) == expected


def test_a_receiver_that_is_told_nothing_says_so():
    some = channel(30, 2, 2, batch=(2,))
    link, x = TopK().design(moments(31, D, M), some).transceiver, normal(32, 5, D)
    r = some.apply(link.encode(x), seeded(33))
    for receive in (link.decode, link.receive):
        with pytest.raises(ValueError, match=r"informed_by\(x\).*ll.transmit"):
            receive(r)
    told = link.informed_by(x)
    torch.testing.assert_close(told.decode(r), ll.transmit(link, x, some, generator=seeded(33)))
    with pytest.raises(ValueError, match="5 messages"):
        told.decode(r[:, :3])
    for bad in (normal(0, D), normal(0, 3, D + 1)):
        with pytest.raises(ValueError, match="x must have shape"):
            link.informed_by(bad)
        with pytest.raises(ValueError, match="x must have shape"):
            link.encode(bad)
    with pytest.raises(ValueError, match="NaN"):
        link.encode(x * float("nan"))


def test_evaluation_tells_it():
    x, y = pairs(34, 300, D, M)
    labels = (y[:, 0] > y[:, 0].mean()).long()
    some = Channel(channel(35, 3, 3, batch=(2,)).h, 1e-6)
    solution = TopK(pilots=ll.Pilots(x, y, labels)).design(ll.Moments.from_pairs(x, y), some)
    seen = ll.evaluate(solution.transceiver, x, y, channel=some, head=ll.fit_head(y, labels), labels=labels, generator=seeded(36))
    torch.testing.assert_close(seen.mse, solution.expected_mse, rtol=1e-3, atol=0.0)
    torch.testing.assert_close(seen.power, solution.expected_power)


@each
def test_a_batch_is_its_members_and_each_channel_may_have_its_own_messages(equaliser):
    known = moments(37, D, M)
    together = Channel(channel(38, 3, 2, uses=2, batch=(3,)).h, [0.01, 0.1, 1.0], [1.0, 2.0, 0.5])
    design = TopK(equaliser=equaliser).design
    whole, x = design(known, together), normal(39, 3, 4, D)
    quiet = Channel(together.h)
    for i in range(3):
        alone = design(known, together[i])
        torch.testing.assert_close(whole.expected_mse[i], alone.expected_mse)
        torch.testing.assert_close(whole.expected_power[i], alone.expected_power)
        torch.testing.assert_close(ll.transmit(whole.transceiver, x, quiet)[i], ll.transmit(alone.transceiver, x[i], quiet[i]))
    assert ll.transmit(whole.transceiver, x[:, :1], together, generator=seeded(40)).shape == (3, 1, M)


@both
def test_saved_moved_and_matched(align, tmp_path):
    known, some = moments(41, D, M), channel(42, 2, 3, uses=2, batch=(2,))
    link, x = TopK(align=align, equaliser=ZeroForcing()).design(known, some).transceiver, normal(43, 5, D)
    link.informed_by(x).save(tmp_path / "link.safetensors")
    loaded = ll.load(tmp_path / "link.safetensors")
    assert isinstance(loaded, TopKTransceiver)
    assert loaded.indices is None
    torch.testing.assert_close(ll.transmit(loaded, x, some, generator=seeded(44)), ll.transmit(link, x, some, generator=seeded(44)))
    short = ll.transmit(link.to(torch.float32), x.float(), some.to(torch.float32), generator=seeded(45))
    assert short.dtype == torch.float32
    quiet = Channel(some.h)
    exact, short = ll.transmit(link, x, quiet), ll.transmit(link.to(torch.float32), x.float(), quiet.to(torch.float32))
    torch.testing.assert_close(short.double(), exact, rtol=1e-3, atol=1e-3)
    assert link.informed_by(x).to(torch.float32).indices.equal(link.informed_by(x).indices)
    many = gaussian(known, 46, 5000)
    lost = [
        (ll.transmit(a, many[0], some, generator=seeded(47)) - many[1]).square().sum(-1).mean(-1) for a in (link.matched_to(some), link)
    ]
    assert (lost[0] < lost[1]).all()


def test_unaware_designs_cross_other_channels():
    known, some = moments(48, D, M), channel(49, 3, 2, batch=(3,))
    solution = TopK().design(known, some.unaware())
    x, y = gaussian(known, 50, 2000)
    lost = (ll.transmit(solution.transceiver, x, some, generator=seeded(51)) - y).square().sum(-1).mean(-1)
    assert (lost > TopK().design(known, some).expected_mse).all()


@each
def test_nothing_is_sent_where_there_is_nothing_to_send_or_to_send_it_over(equaliser):
    known, h = moments(52, D, M), channel(53, 2, 2, batch=(3,)).h * torch.tensor([0.0, 1.0, 1.0])[:, None, None, None]
    some = Channel(h, 0.1, [1.0, 0.0, 1.0])
    solution = TopK(equaliser=equaliser).design(known, some)
    assert solution.status.tolist() == [ll.Status.NOTHING_TO_SEND.code] * 2 + [ll.Status.BASELINE.code]
    torch.testing.assert_close(solution.expected_mse[:2], known.cov_y.trace().expand(2), rtol=0.05, atol=0.0)
    assert (solution.expected_power[:2] == 0).all()
    x = normal(54, 2, D)
    torch.testing.assert_close(ll.transmit(solution.transceiver, x, some, generator=seeded(55))[:2], known.mean_y.expand(2, 2, -1))
    silent = torch.full((30, D), 1e6 + 1 / 3, dtype=torch.float64)
    for pilots in (None, silent):
        solution = TopK(equaliser=equaliser, pilots=pilots).design(ll.Moments.from_pairs(silent, normal(56, 30, M)), Channel(h, 0.1))
        assert solution.messages() == [ll.Status.NOTHING_TO_SEND.message]


def test_few_pilots_and_rank_one_channels():
    x, y = pairs(57, 10, 30, 20)
    rank_one = ll.rayleigh(6, 1, batch=(2, 1), generator=seeded(58)) @ ll.rayleigh(1, 6, batch=(2, 1), generator=seeded(59))
    for align in ("after", "before"):
        solution = TopK(align=align, pilots=x).design(ll.Moments.from_pairs(x, y), Channel(rank_one, 0.1))
        assert solution.expected_mse.isfinite().all()
        assert (solution.expected_power <= 1 + 1e-10).all()


class TestErrors:
    def test_pilots_that_do_not_fit(self):
        known, one = moments(60, D, M), channel(61, 2, 2)
        x, y = normal(62, 5, D), normal(63, 5, M + 1)
        with pytest.raises(ValueError, match="pilots must be of the moments' dimensions"):
            TopK(pilots=ll.Pilots(x, y, torch.zeros(5, dtype=torch.long))).design(known, one)
        with pytest.raises(ValueError, match="pilots must have shape"):
            TopK(pilots=normal(64, 5, D + 1)).design(known, one)
        with pytest.raises(ValueError, match="pilots"):
            TopK(pilots=x * float("nan")).design(known, one)

    @pytest.mark.parametrize(("k", "align"), [(5, "after"), (5, "before")])
    def test_more_than_fits(self, k, align):
        with pytest.raises(ValueError, match=r"k must be at most .* = 4"):
            TopK(k=k, align=align).design(moments(65, D, M), channel(66, 2, 3))

    def test_odd_settings(self):
        with pytest.raises(ValueError, match="draws"):
            TopK(draws=1)
        with pytest.raises(ValueError, match="k must be"):
            TopK(k=0)
        with pytest.raises(ValueError, match="align must be"):
            TopK(align="pre")
