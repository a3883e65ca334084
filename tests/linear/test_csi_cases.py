import pytest
import torch

import latentlink as ll
from latentlink.channels.channel import Channel
from latentlink.linear.csi_cases import (
    BothEnds,
    CsiCase,
    Perfect,
    ReceiverOnly,
    Transmitter,
    TransmitterOnly,
    Unaware,
)
from latentlink.linear.mse import total_mse
from latentlink.linear.robust.pre_equalised import agreed_level, pre_equalise
from oracles import Problem, dense_pair, embed, moments, normal, seeded

CASES = [
    Perfect(),
    BothEnds(),
    BothEnds(robust=False),
    Transmitter(),
    Transmitter(robust=False),
    ReceiverOnly(),
    TransmitterOnly(),
    Unaware(),
]
KNOWN = moments(1, 12, 10)
MODES = ll.semantic_modes(KNOWN, shrinkage=0.0)


def pair(n_rx, n_tx, uses=1, snr_db=15.0, error_variance=0.2, batch=(20,), seed=0):
    """The truth, and what an estimate says of it."""
    truth = Channel.from_grid(ll.rayleigh(n_rx, n_tx, batch=(*batch, uses), generator=seeded(seed)), snr_db)
    return truth, truth.estimated(error_variance, generator=seeded(seed + 1))


def used(case, known, truth, received=None):
    """The link of a case as it is used on the truth."""
    known = truth if isinstance(case, Perfect) else known
    return case.at_reception(ll.ClosedForm(csi=case).design(MODES, known), MODES, truth, received).transceiver


def mse(link, truth):
    return total_mse(MODES, *link.response(truth))


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 2), (4, 4)])
@pytest.mark.parametrize("uses", [1, 3])
def test_every_case_keeps_the_budget_and_none_beats_perfect_knowledge(shape, uses):
    truth, known = pair(*shape, uses)
    perfect = ll.ClosedForm().design(MODES, truth).expected_mse
    means = []
    for case in CASES:
        assert isinstance(case, CsiCase)
        link = used(case, known, truth)
        assert (link.expected_power(MODES.covariance) <= truth.power * (1 + 1e-9)).all(), case
        left = mse(link, truth)
        assert (left >= perfect * (1 - 1e-9)).all(), case
        means.append(left.mean())
    torch.testing.assert_close(means[0], perfect.mean())
    both, naive, transmitter = means[1], means[2], means[3]
    assert transmitter < both < naive  # a receiver that measures what it receives is better off
    noisy = used(Transmitter(), known, truth, truth.estimated(0.05, generator=5))
    assert transmitter < mse(noisy, truth).mean()  # the better, the better it measures


def test_a_receiver_that_measures_on_the_beams_has_the_decoder_of_its_posterior():
    """Dense, from H V + n as it is measured: its error is noise of variance ε P to the LMMSE decoder."""
    truth, known = pair(3, 2, batch=())
    sent = used(Transmitter(robust=False), known, truth)
    F, _ = dense_pair(sent)
    V = torch.linalg.svd(known.h[0])[2].mH
    epsilon, noise = 0.05, ll.rayleigh(3, 2, generator=seeded(3))
    measured = truth.h[0] @ V + epsilon**0.5 * noise
    M = embed(measured @ V.mH) @ F
    disturbance = (truth.noise_variance + epsilon * truth.power) / 2 * torch.eye(6, dtype=torch.float64)
    G = torch.linalg.solve(M @ KNOWN.cov_x @ M.mT + disturbance, M @ KNOWN.cov_yx.mT).mT
    told = Channel((measured @ V.mH).unsqueeze(0), truth.noise_variance, truth.power, error_variance=epsilon)
    torch.testing.assert_close(dense_pair(sent.matched_to(told))[1], G, rtol=1e-6, atol=1e-8)


def test_the_decoder_of_a_noisy_measurement_allows_for_it():
    truth, known = pair(3, 3, batch=(300,), error_variance=0.05)
    careful = used(Transmitter(), known, truth, truth.estimated(0.2, generator=1))
    trusting = careful.matched_to(careful.channel.without_error())
    gain = mse(trusting, truth) - mse(careful, truth)
    assert gain.mean() > 3 * gain.std() / 300**0.5
    exact = used(Transmitter(), known, truth, truth.estimated(1e-12, generator=1))
    torch.testing.assert_close(mse(exact, truth), mse(used(Transmitter(), known, truth), truth), rtol=1e-6, atol=0.0)


class TestReceiverOnly:
    def test_the_precoder_hears_nothing_of_the_channel(self):
        truth, known = pair(3, 3)
        link = used(ReceiverOnly(), known, truth)
        assert (link.precoder == link.precoder[:1]).all()
        assert not torch.equal(link.decoder[0], link.decoder[1])

    def test_a_known_transmit_covariance_helps(self):
        R = ll.channels.exponential_correlation(4, 0.9)
        h = ll.channels.kronecker(torch.eye(4), R, batch=(400, 1), generator=seeded(3))
        truth = Channel.from_grid(h, 0.0)
        plain, informed = (mse(used(ReceiverOnly(correlation=C), truth, truth), truth) for C in (None, R))
        gain = plain - informed
        assert gain.mean() > 3 * gain.std() / 400**0.5

    def test_wrong_input_is_named(self):
        truth, known = pair(2, 2)
        with pytest.raises(ValueError, match="correlation"):
            used(ReceiverOnly(correlation=torch.eye(3)), known, truth)


class TestTransmitterOnly:
    def test_the_decoder_hears_nothing_of_the_channel(self):
        truth, known = pair(3, 2)
        link = used(TransmitterOnly(draws=4), known, truth)
        assert (link.decoder == link.decoder[:1]).all()
        assert not torch.equal(link.precoder[0], link.precoder[1])

    @pytest.mark.parametrize("tau", [0.0, 0.2])
    @pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 2)])
    def test_no_precoder_of_the_budget_suits_the_decoder_better(self, shape, tau):
        """Against random steps, in the exact mean over errors: E s is noise of variance τ tr(F Rx Fᵀ) to the decoder."""
        truth, _ = pair(*shape, batch=(), snr_db=10.0)
        known = Channel(truth.h, truth.noise_variance, truth.power, error_variance=tau)
        link = used(TransmitterOnly(draws=4), known, truth)
        F, G = dense_pair(link)
        problem = Problem.of(KNOWN, truth)

        def error(F):
            return problem.error(F, G) + tau * problem.power(F) / 2 * G.square().sum()

        assert problem.power(F) <= truth.power * (1 + 1e-9)
        for size in (1e-3, 1e-2, 1e-1, 1.0):
            near = F + size * F.norm() / F.numel() ** 0.5 * normal(7, 300, *F.shape)
            power = problem.power(near)
            near = torch.where((power > 1.0)[:, None, None], problem.at_budget(near), near)
            assert (error(near) >= error(F) * (1 - 1e-9)).all()

    def test_with_power_to_spare_the_channel_is_forced_to_look_as_agreed(self):
        truth, _ = pair(3, 3, batch=(5,))
        fixed = ll.ClosedForm().design(MODES, Channel(torch.eye(3, dtype=torch.complex128).expand(5, 1, 3, 3), 1e-3)).transceiver
        rich = Channel(truth.h, 1e-3, 1e6)
        precoder = pre_equalise(MODES, fixed, rich)
        seen = fixed.decoder @ embed(rich.h) @ precoder
        torch.testing.assert_close(seen, torch.eye(6, dtype=torch.float64).expand_as(seen), rtol=0.0, atol=1e-6)

    def test_nothing_is_sent_without_power_or_channel(self):
        silent = Channel(torch.zeros(1, 2, 2, dtype=torch.complex128), 0.1)
        broke = Channel(torch.ones(1, 2, 2, dtype=torch.complex128), 0.1, 0.0)
        for one in (silent, broke):
            link = used(TransmitterOnly(draws=2), one, one)
            assert (link.precoder == 0).all()

    def test_the_level_is_that_of_each_noise(self):
        truth, _ = pair(2, 2, snr_db=[[0.0], [30.0]], batch=(3,))
        settings = (1.0, TransmitterOnly().multiples)
        level = agreed_level(MODES, truth, *settings, draws=8, seed=0)
        assert level.shape == (2, 3)
        assert (level[0] == level[0, 0]).all()
        torch.testing.assert_close(level[1], agreed_level(MODES, truth[1], *settings, draws=8, seed=0))


def test_no_csi_is_the_unaware_design():
    truth, known = pair(3, 2)
    link, unaware = used(Unaware(), known, truth), ll.ClosedForm().design(MODES, truth.unaware()).transceiver
    assert torch.equal(link.precoder, unaware.precoder)
    assert torch.equal(link.decoder, unaware.decoder)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Transmitter(draws=0), "draws"),
        (lambda: ll.ClosedForm(csi=TransmitterOnly(), power=ll.power.PerUse()).design(MODES, pair(2, 2)[0]), "power"),
        (lambda: ReceiverOnly(gain=-1.0), "gain"),
        (lambda: TransmitterOnly(gain=0.0), "gain"),
        (lambda: TransmitterOnly(multiples=()), "multiples"),
        (lambda: TransmitterOnly(multiples=(1.0, -1.0)), "multiples"),
        (lambda: TransmitterOnly(draws=0), "draws"),
    ],
)
def test_wrong_input_is_named(make, name):
    with pytest.raises(ValueError, match=name):
        make()


def test_a_link_that_awaits_its_channel_has_the_sizes_of_the_channel_and_says_so_after_loading(tmp_path):
    known = ll.Channel.from_snr(ll.rayleigh(3, 2, batch=(4,), generator=0), 10.0)
    modes = ll.semantic_modes(ll.Moments.from_pairs(normal(1, 200, 6), normal(1, 200, 6) @ normal(2, 6, 5)))
    link = ll.ClosedForm(csi=ll.csi.ReceiverOnly()).design(modes, known).transceiver
    assert "4 channels, 3×2" in repr(link)
    link.save(tmp_path / "link.safetensors")
    for one in (link, ll.load(tmp_path / "link.safetensors"), link.to(torch.float64)):
        with pytest.raises(ValueError, match="at_reception"):
            one.decode(known.apply(one.encode(normal(3, 5, 6))))
        assert one.matched_to(known).decode(known.apply(one.encode(normal(3, 5, 6)))).shape == (4, 5, 5)
