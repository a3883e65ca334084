import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentlink as ll
from latentlink.channels.channel import Channel
from oracles import Problem, channel, dense_pair, moments, normal, pairs, seeded

D, M = 7, 6


@pytest.fixture(scope="module")
def modes():
    return ll.semantic_modes(moments(1, D, M), shrinkage=0.0)


def design(modes, one, **options):
    return ll.ClosedForm(**options).design(modes, one)


def batch(*shape, n_rx=2, n_tx=3, uses=1, noise=0.1, seed=2):
    return Channel(ll.rayleigh(n_rx, n_tx, batch=(*shape, uses), generator=seeded(seed)), noise)


POWERS = {
    "mean": ll.power.Mean,
    "per use": lambda: ll.power.PerUse(max_iterations=200),
    "per message": lambda: ll.power.PerMessage(**dict(zip("xy", pairs(1, 400, D, M), strict=True))),
}


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("shape", [(), (2, 3)])
@pytest.mark.parametrize("uses", [1, 3])
def test_shapes_are_those_of_the_architecture(modes, shape, uses, power):
    one = batch(*shape, uses=uses)
    solution = design(modes, one, power=POWERS[power]())
    link, x = solution.transceiver, normal(3, 5, D)
    s = link.encode(x)
    assert s.shape == (*shape, 5, uses, 3)
    assert s.is_complex()
    r = one.apply(s, seeded(0))
    y_hat = link.decode(r)
    assert y_hat.shape == (*shape, 5, M)
    assert ll.transmit(link, x, one, generator=seeded(0)).equal(y_hat)
    for value in (solution.status, solution.expected_mse, solution.expected_power):
        assert value.shape == shape
    torch.testing.assert_close(link.mean_y + link.receive(r) @ link.synthesis.mT, y_hat)
    assert isinstance(link, ll.Transceiver)


@pytest.mark.parametrize("power", POWERS)
def test_each_channel_may_have_its_own_messages(modes, power):
    one = batch(4, uses=3)
    link = design(modes, one, power=POWERS[power]()).transceiver
    x = normal(4, 4, 5, D)
    s = link.encode(x)
    for i in range(4):
        torch.testing.assert_close(s[i], link.encode(x[i])[i])
    assert ll.transmit(link, x, one, generator=seeded(0)).shape == (4, 5, M)
    assert ll.transmit(link, x[:, :1], one, generator=seeded(0)).shape == (4, 1, M)  # one channel per message


def test_one_link_may_meet_many_channels(modes):
    """A design for one channel, sent through a batch of others, matched to each of them or not."""
    one, others = batch(), batch(3, seed=5)
    link, x = design(modes, one).transceiver, normal(6, 5, D)
    quiet = Channel(others.h)
    through = ll.transmit(link, x, quiet)
    matched = link.matched_to(others)
    for i in range(3):
        torch.testing.assert_close(through[i], ll.transmit(link, x, quiet[i]))
        torch.testing.assert_close(
            matched.decode(quiet.apply(link.encode(x)))[i], link.matched_to(others[i]).decode(quiet[i].apply(link.encode(x)))
        )


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("uses", [1, 2])
def test_a_batch_is_its_members(modes, power, uses):
    together = Channel(batch(3, uses=uses).h, noise_variance=[0.01, 0.1, 1.0], power=[1.0, 2.0, 0.5])
    if power == "per use" and uses > 1:
        together = Channel(together.h[:, :1], together.noise_variance, together.power).repeated(
            2
        )  # else iterative: only as exact as its gap
    solution, x = design(modes, together, power=POWERS[power]()), normal(7, 4, D)
    for i in range(3):
        alone = design(modes, together[i], power=POWERS[power]())
        torch.testing.assert_close(solution.expected_mse[i], alone.expected_mse, rtol=1e-10, atol=0.0)
        torch.testing.assert_close(solution.expected_power[i], alone.expected_power, rtol=1e-10, atol=0.0)
        torch.testing.assert_close(solution.transceiver.encode(x)[i], alone.transceiver.encode(x), rtol=1e-9, atol=1e-9)
        assert solution.status[i] == alone.status


def test_an_snr_sweep_is_a_batch(modes):
    h = ll.rayleigh(2, 2, generator=seeded(8))
    snr_db = torch.linspace(-20, 40, 7, dtype=torch.float64)
    sweep = design(modes, Channel.from_snr(h, snr_db)).expected_mse
    torch.testing.assert_close(sweep, torch.stack([design(modes, Channel.from_snr(h, float(v))).expected_mse for v in snr_db]))
    assert (sweep.diff() < 0).all()


@given(st.integers(0, 2**20), st.integers(1, 4), st.integers(1, 4), st.floats(-10, 40))
def test_matching_to_the_designs_own_channel_changes_nothing(seed, n_rx, n_tx, snr_db):
    modes, one = ll.semantic_modes(moments(1, D, M), shrinkage=0.0), channel(seed, n_rx, n_tx, uses=2, snr_db=snr_db)
    solution = design(modes, one)
    again = solution.transceiver.matched_to(one)
    r = one.apply(solution.transceiver.encode(normal(9, 5, D)), seeded(0))
    torch.testing.assert_close(again.decode(r), solution.transceiver.decode(r), rtol=1e-8, atol=1e-8)


@given(st.integers(0, 2**20), st.integers(1, 3), st.integers(1, 3), st.floats(-10, 30))
def test_matching_to_another_channel_is_lmmse(seed, n_rx, n_tx, snr_db):
    known = moments(1, D, M)
    one, other = channel(seed, n_rx, n_tx, uses=2), channel(seed + 1, n_rx + 1, n_tx, uses=2, snr_db=snr_db)
    link = design(ll.semantic_modes(known, shrinkage=0.0), one).transceiver
    matched = link.matched_to(other)
    F, _ = dense_pair(link)
    same, G = dense_pair(matched)
    problem = Problem.of(known, other)
    best = problem.decoder(F)
    torch.testing.assert_close(same, F)
    span = torch.linalg.qr(link.synthesis).Q  # the streams that were sent span what a decoder can give back
    torch.testing.assert_close(G, span @ span.mT @ best, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("n_rx", [3, 4, 6])
@pytest.mark.parametrize("matched", [False, True])
@pytest.mark.parametrize("widely_linear", [True, False])
def test_without_noise_enough_streams_give_what_alignment_gives(n_rx, matched, widely_linear):
    modes = ll.semantic_modes(moments(1, D, M), shrinkage=0.0, widely_linear=widely_linear)
    quiet = Channel(ll.rayleigh(n_rx, 4, batch=(5, 2), generator=seeded(10)))
    solution, x = design(modes, quiet), normal(11, 8, D)
    link = solution.transceiver.matched_to(quiet) if matched else solution.transceiver
    torch.testing.assert_close(ll.transmit(link, x, quiet), modes.align(x).expand(5, -1, -1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("power", POWERS)
def test_single_precision_is_close(modes, power):
    one = batch(3, uses=3)
    link, x = design(modes, one, power=POWERS[power]()).transceiver, normal(12, 6, D)
    short = link.to(torch.float32)
    s = short.encode(x)
    assert s.dtype == torch.complex64
    torch.testing.assert_close(s.to(torch.complex128), link.encode(x), rtol=1e-4, atol=1e-5)
    r = Channel(one.h).apply(link.encode(x))
    assert short.decode(r).dtype == torch.float32
    torch.testing.assert_close(short.decode(r).double(), link.decode(r), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(short.matched_to(short.channel).decode(r).double(), link.decode(r), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(short.to(torch.float64).encode(x), link.encode(x), rtol=1e-4, atol=1e-5)


def test_a_design_in_single_precision_is_close(modes):
    one = batch(20, n_rx=3, uses=2)
    exact, short = design(modes, one), design(modes.to(torch.float32), one)
    assert short.expected_mse.dtype == torch.float32
    torch.testing.assert_close(short.expected_mse.double(), exact.expected_mse, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(short.expected_power.double(), exact.expected_power, rtol=1e-5, atol=0.0)


def test_numpy_latents_and_symbols_are_taken(modes):
    one = batch()
    link, x = design(modes, one).transceiver, normal(13, 5, D)
    torch.testing.assert_close(link.encode(x.numpy()), link.encode(x))
    torch.testing.assert_close(link.encode(x.float().numpy()), link.encode(x), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ll.transmit(link, x.numpy(), one, generator=seeded(0)), ll.transmit(link, x, one, generator=seeded(0)))
    r = one.apply(link.encode(x), seeded(0))
    torch.testing.assert_close(link.decode(r.numpy()), link.decode(r))


class TestErrors:
    def test_latents_of_another_shape(self, modes):
        link = design(modes, batch()).transceiver
        for x in (normal(0, D), normal(0, 3, D + 1)):
            with pytest.raises(ValueError, match="x must have shape"):
                link.encode(x)

    def test_symbols_of_another_shape_or_kind(self, modes):
        link = design(modes, batch(uses=2)).transceiver
        for shape in ((4, 2, 3), (4, 1, 2), (2, 2)):
            with pytest.raises(ValueError, match="r must be complex of shape"):
                link.decode(torch.zeros(shape, dtype=torch.complex128))
        with pytest.raises(ValueError, match="r must be complex"):
            link.decode(torch.zeros(4, 2, 2, dtype=torch.float64))

    def test_channels_that_do_not_fit(self, modes):
        link = design(modes, batch(4)).transceiver
        with pytest.raises(ValueError, match="n_tx"):
            link.matched_to(batch(4, n_tx=2))
        with pytest.raises(ValueError, match="n_tx"):
            link.matched_to(batch(4, uses=2))
        with pytest.raises(ValueError, match=r"batch|broadcast"):
            link.matched_to(batch(3))
        with pytest.raises(ValueError, match="n_tx"):
            ll.transmit(link, normal(0, 3, D), batch(4, n_tx=2))

    def test_designs_of_other_things(self, modes):
        with pytest.raises((ValueError, TypeError)):
            design(moments(0, 3, 3), batch())
        with pytest.raises((ValueError, TypeError)):
            design(modes, batch().h)


class TestStatus:
    def test_says_per_channel_how_it_ended(self, modes):
        h = batch(3).h * torch.tensor([1.0, 0.0, 1.0]).reshape(3, 1, 1, 1)
        solution = design(modes, Channel(h, 0.1, power=[1.0, 1.0, 0.0]))
        optimal, nothing = ll.Status.OPTIMAL, ll.Status.NOTHING_TO_SEND
        assert solution.status.tolist() == [optimal.code, nothing.code, nothing.code]
        assert set(solution.messages()) == {optimal.message, nothing.message}
        torch.testing.assert_close(solution.expected_mse[1:], modes.variance.expand(2))
        torch.testing.assert_close(solution.expected_power, torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64))
        x = normal(14, 3, D)
        assert (solution.transceiver.encode(x)[1:] == 0).all()
        torch.testing.assert_close(
            ll.transmit(solution.transceiver, x, Channel(h, 0.1), generator=seeded(0))[1:], modes.mean_y.expand(2, 3, -1)
        )


def test_unaware_design_inverts_nothing_but_a_perfect_channel(modes):
    """The paper's channel-unaware design: right on H = I without noise, worse than the aware one elsewhere."""
    one = batch(6, n_rx=3, n_tx=3, uses=2)
    unaware, aware = design(modes, one.unaware()), design(modes, one)
    x = normal(15, 6, D)
    torch.testing.assert_close(ll.transmit(unaware.transceiver, x, one.unaware()), modes.align(x).expand(6, -1, -1), rtol=1e-7, atol=1e-7)
    known = moments(1, D, M)
    F, G = dense_pair(unaware.transceiver)
    for i in range(6):
        problem = Problem.of(known, one[i])
        assert problem.error(F[i], G[i]) > aware.expected_mse[i]
        assert problem.power(F[i]) <= problem.budget * (1 + 1e-10)


class TestGradients:
    @pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 3)])
    def test_of_the_expected_error(self, modes, shape):
        h = ll.rayleigh(*shape, batch=(2, 2), generator=seeded(16))

        def error(real, imag, noise, power):
            return design(modes, Channel(torch.complex(real, imag), noise, power)).expected_mse

        inputs = (
            h.real.clone(),
            h.imag.clone(),
            torch.tensor([0.1, 0.7], dtype=torch.float64),
            torch.tensor([1.0, 2.0], dtype=torch.float64),
        )
        assert torch.autograd.gradcheck(error, [value.requires_grad_() for value in inputs])

    def test_of_a_transmission_with_fixed_noise(self, modes):
        h = ll.rayleigh(2, 2, batch=(2,), generator=seeded(17))
        x = normal(18, 5, D)

        def sent(real, imag):
            one = Channel(torch.complex(real, imag), 0.2)
            return ll.transmit(design(modes, one).transceiver, x, one, generator=seeded(19)).square().mean()

        assert torch.autograd.gradcheck(sent, (h.real.clone().requires_grad_(), h.imag.clone().requires_grad_()), atol=1e-6)

    def test_of_robust_and_per_message_designs(self, modes):
        h = ll.rayleigh(2, 2, batch=(1,), generator=seeded(20))
        for tau, power in ((0.1, ll.power.Mean()), (0.0, POWERS["per message"]())):

            def error(real, imag, tau=tau, power=power):
                return design(modes, Channel(torch.complex(real, imag), 0.2, 1.0, error_variance=tau), power=power).expected_mse

            assert torch.autograd.gradcheck(error, (h.real.clone().requires_grad_(), h.imag.clone().requires_grad_()), atol=1e-6)

    @pytest.mark.parametrize("kind", ["zero", "identity", "rank one"])
    def test_are_finite_where_singular_values_tie_or_vanish(self, modes, kind):
        h = {
            "zero": torch.zeros(1, 3, 3, dtype=torch.complex128),
            "identity": torch.eye(3, dtype=torch.complex128).unsqueeze(0),
            "rank one": torch.ones(1, 3, 3, dtype=torch.complex128),
        }[kind].requires_grad_()
        (slope,) = torch.autograd.grad(design(modes, Channel(h, 0.2)).expected_mse, h)
        assert slope.isfinite().all()
