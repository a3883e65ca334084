"""Laws of lifted latents and of the mixture decoder: what they become where they have nothing to add, and an oracle where they do."""

import numpy as np
import pytest
import torch

import latentlink as ll
from conformance.registry import channel, lifted, lifted_modes, mixture, modes, moments, pilots
from oracles import normal, seeded

close = {"rtol": 0, "atol": 1e-9}


def received(link: ll.Transceiver, radio: ll.Channel) -> torch.Tensor:
    return radio.apply(link.encode(pilots().x), seeded(5))


@pytest.mark.parametrize("uncertain", [False, True])
def test_a_mixture_of_one_class_is_the_linear_mmse_decoder(uncertain):
    radio, plain = channel(uncertain=uncertain), ll.semantic_modes(moments(), shrinkage=0.0)
    alone = ll.nonlinear.MixtureDecoder.of(plain, ll.Pilots(pilots().x, pilots().y, torch.zeros(len(pilots().x), dtype=torch.int64)))
    linear = ll.ClosedForm().design(plain, radio).transceiver.matched_to(radio)
    averaged = ll.nonlinear.MixtureLink(alone).design(plain, radio).transceiver
    r = received(linear, radio)
    torch.testing.assert_close(averaged.decode(r), linear.decode(r), **close)
    torch.testing.assert_close(averaged.scaled(torch.full((3,), 0.5)).decode(r), linear.scaled(torch.full((3,), 0.5)).decode(r), **close)


def test_without_features_lifted_latents_give_the_plain_link():
    bare, radio = ll.nonlinear.Lifted.of_latents(pilots().x, features=0), channel()
    plain = ll.ClosedForm().design(modes(), radio).transceiver
    same = ll.nonlinear.LiftedLink(bare).design(ll.semantic_modes(bare.moments(pilots().x, pilots().y)), radio).transceiver
    r = received(plain, radio)
    torch.testing.assert_close(same.decode(received(same, radio)), plain.decode(r), **close)  # signs of modes are free, ŷ is not
    assert bare.flops == 0


def test_features_approach_the_gaussian_kernel_and_weigh_as_much_as_the_latent():
    x = normal(1, 300, 5)
    many = ll.nonlinear.Lifted.of_latents(x, features=20_000, width=2.0)
    linear, features = many.of(x)[:, :5], many.of(x)[:, 5:]
    torch.testing.assert_close(features @ features.mT, (-torch.cdist(x, x).square() / 8).exp(), rtol=0, atol=0.05)
    torch.testing.assert_close(linear.square().sum(1).mean(), torch.ones((), dtype=torch.float64))
    assert abs(float(features.square().sum(1).mean()) - 1) < 0.01


def test_moments_of_lifted_files_are_those_of_the_whole(tmp_path):
    x, y = normal(2, 9000, 4), normal(3, 9000, 3)
    np.save(tmp_path / "x.npy", x.numpy())
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    of = ll.nonlinear.Lifted.of_latents(mapped, features=6, seed=4)
    whole = ll.Moments.from_pairs(of.of(x), y)
    streamed = of.moments(mapped, y)
    for name in ("mean_x", "cov_x", "cov_yx", "cov_y"):
        torch.testing.assert_close(getattr(streamed, name), getattr(whole, name), rtol=1e-10, atol=1e-12)


def test_mixtures_add_up_in_any_order_and_over_classes_that_one_part_lacks():
    whole, parts = mixture(), [ll.nonlinear.MixtureDecoder.of(modes(), pilots()[rows]) for rows in (slice(0, 90), slice(90, None))]
    lacking = pilots()[pilots().labels < 3]
    others = pilots()[pilots().labels >= 3]
    parts_by_class = [ll.nonlinear.MixtureDecoder.of(modes(), some) for some in (lacking, others)]
    for made in (parts[0] + parts[1], parts[1] + parts[0], parts_by_class[0] + parts_by_class[1]):
        assert torch.equal(made.counts, whole.counts)
        for name in ("means_z", "means_y", "cov_zz", "cov_yz"):
            torch.testing.assert_close(getattr(made, name), getattr(whole, name), **close)


def test_class_means_and_common_covariances_need_no_pair():
    tx, rx = (ll.alignment.Concepts.from_labels(latents, pilots().labels) for latents in (pilots().x, pilots().y))
    plain = ll.semantic_modes(moments(), shrinkage=0.0)
    told = ll.nonlinear.MixtureDecoder.from_concepts(plain, tx, rx)
    counted = ll.nonlinear.MixtureDecoder.of(plain, pilots())
    share = (counted.counts.double() / counted.counts.sum())[:, None, None]
    torch.testing.assert_close(told.means_z, counted.means_z, **close)
    torch.testing.assert_close(told.means_y, counted.means_y, **close)
    torch.testing.assert_close(told.cov_zz[0], (share * counted.cov_zz).sum(0), **close)
    torch.testing.assert_close(told.cov_yz[0], (share * counted.cov_yz).sum(0), **close)


def test_the_conditional_mean_is_that_of_the_density():
    """An oracle in one dimension: the posterior of two classes by numbers, and the mean of each by regression."""
    labels = (torch.arange(4000) % 2).long()
    x = torch.where(labels == 0, -1.0, 2.0)[:, None].double() + torch.where(labels == 0, 0.5, 1.5)[:, None] * normal(4, 4000, 1)
    data = ll.Pilots(x, 3 * x, labels)
    one = ll.semantic_modes(ll.Moments.from_pairs(x, 3 * x), shrinkage=0.0)
    radio = ll.Channel.from_snr(ll.rayleigh(1, 1, generator=0), snr_db=0.0)
    link = ll.nonlinear.MixtureLink(ll.nonlinear.MixtureDecoder.of(one, data)).design(one, radio).transceiver
    r = radio.apply(link.encode(x[:50]), seeded(1))
    classes, M = link.decoder.classes(1), link.response / link.whitening.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
    assert M.shape == (2, 2, 1)
    z = torch.linspace(-8, 8, 20_001, dtype=torch.float64)
    h = (radio.h.squeeze() * link.link.symbols(torch.ones(1, 1, dtype=torch.float64)).squeeze()).to(torch.complex128)
    prior = [
        p * torch.exp(-((z - m) ** 2) / 2 / v) / v**0.5
        for p, m, v in zip(classes.probability, classes.means_z.squeeze(1), classes.cov_zz.flatten(), strict=True)
    ]
    likelihood = torch.exp(-((r.reshape(-1, 1) - h * z).abs().square()) / radio.noise_variance)
    expected = [(likelihood * each).sum(1) for each in prior]
    torch.testing.assert_close(link.probability(r)[:, 1], expected[1] / sum(expected), rtol=1e-6, atol=1e-8)
    mean = sum((likelihood * each * (3 * (one.mean_x + z / one.analysis.squeeze()))).sum(1) for each in prior) / sum(expected)
    torch.testing.assert_close(link.decode(r).squeeze(1), mean, rtol=1e-6, atol=1e-6)


def test_where_classes_are_apart_and_symbols_few_it_errs_less():
    radio = ll.Channel.from_snr(ll.rayleigh(1, 1, batch=(20,), generator=0), snr_db=20.0)
    labels = torch.arange(1200) % 6
    x = 6 * normal(5, 6, 5)[labels] + normal(6, 1200, 5)
    data = ll.Pilots(x, x @ normal(7, 5, 4), labels)
    plain = ll.semantic_modes(ll.Moments.from_pairs(data.x, data.y))
    averaged = ll.nonlinear.MixtureLink(ll.nonlinear.MixtureDecoder.of(plain, data)).design(plain, radio)
    linear = ll.ClosedForm().design(plain, radio)
    errors = [float(ll.evaluate(each, data.x, data.y, channel=radio, generator=0).nmse.mean()) for each in (averaged, linear)]
    assert errors[0] < 0.8 * errors[1]


def test_classes_in_the_coordinates_of_other_modes_are_refused():
    others = ll.semantic_modes(moments(), shrinkage=0.3)
    with pytest.raises(ValueError, match="modes must be those in which the decoder knows the classes"):
        ll.nonlinear.MixtureLink(mixture()).design(others, channel())
    with pytest.raises(ValueError, match="mixtures must be of the same modes"):
        mixture() + ll.nonlinear.MixtureDecoder.of(others, pilots())
    ll.nonlinear.MixtureLink(mixture().to(torch.float32)).design(modes(), channel())  # rounded, and the same all the same


def test_what_does_not_fit_is_refused():
    limited = ll.ClosedForm(power=ll.power.PerMessage(x=pilots().x, y=pilots().y))
    with pytest.raises(ValueError, match="link must not limit single messages"):
        ll.nonlinear.MixtureLink(mixture(), by=limited).design(modes(), channel())
    with pytest.raises(ValueError, match="link must be matched to the channel"):
        ll.nonlinear.MixtureLink(mixture(), by=ll.ClosedForm(csi=ll.csi.ReceiverOnly())).design(modes(), channel())
    few = ll.nonlinear.MixtureDecoder.of(modes().truncated(1), pilots())
    with pytest.raises(ValueError, match="decoder must know at least 5 modes"):
        ll.nonlinear.MixtureLink(few).design(modes(), channel())
    with pytest.raises(ValueError, match="pilots must have labels"):
        ll.nonlinear.MixtureDecoder.of(modes(), ll.Pilots(pilots().x, pilots().y))
    with pytest.raises(ValueError, match="modes must be of lifted latents"):
        ll.nonlinear.LiftedLink(lifted()).design(modes(), channel())
    with pytest.raises(ValueError, match="by must give linear links"):
        ll.nonlinear.LiftedLink(lifted(), by=ll.nonlinear.LiftedLink(lifted())).design(lifted_modes(), channel())
    with pytest.raises(ValueError, match="mixtures must be of the same modes"):
        mixture() + ll.nonlinear.MixtureDecoder.of(modes().truncated(2), pilots())


def test_a_width_without_a_finite_inverse_is_refused():
    with pytest.raises(ValueError, match="width must be large enough"):
        ll.nonlinear.Lifted.of_latents(pilots().x, 4, width=1e-320)
