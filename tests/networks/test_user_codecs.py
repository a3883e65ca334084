"""Codecs for the users of one transmitter, against the single link and against what really arrives."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
import network_cases as cases
from latentlink.networks.common_codec import told_gain
from latentlink.networks.user_codecs import SETTLED
from latentlink.networks.user_metric import user_metric

nw = ll.networks
FLOAT = {"rtol": 2e-4, "atol": 2e-5}


def links(n_tx=6, snr_db=10.0, users=3, batch=2, uses=1, **settings):
    """Rayleigh channels to users with two antennas each."""
    source = torch.Generator().manual_seed(1)
    h = [[ll.rayleigh(2, n_tx, batch=(batch, uses), generator=source).to(torch.complex128)] for _ in range(users)]
    return nw.Links.from_snr(h, snr_db, transmitter_of=(0,) * users, **settings)


def modes(users=3):
    """Modes without shrinkage, as the codecs have."""
    return nw.network_modes(cases.moments("private", users), shrinkage=0.0)


def arriving(h, s):
    """H s without noise."""
    return (s.to(torch.complex128).transpose(-3, -2) @ h.mT).transpose(-3, -2)


def latents(users=3):
    return [cases.latents(k) for k in range(users)]


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("uses", [1, 2])
@pytest.mark.parametrize("by", [nw.Broadcast(), nw.BlockDiagonal(), nw.Slnr()])
def test_one_user_is_the_single_link(on, uses, by):
    codec, over = cases.codecs(on=on)[0], links(n_tx=3, users=1, uses=uses)
    solution = nw.UserCodecs([codec], by=by).design(modes(1), over)
    alone = codec.design(over.channel(0, 0))
    x = cases.latents()
    torch.testing.assert_close(solution.encode(x), alone.transceiver.encode(x), **FLOAT)
    r = over.apply([solution.encode(x)], 0)[0]
    torch.testing.assert_close(solution.user(0).decode(r), alone.transceiver.decode(r), **FLOAT)
    torch.testing.assert_close(solution.expected_mse[..., 0], alone.expected_mse, rtol=1e-6, atol=0)
    assert bool((solution.status[..., 0] == alone.status).all())


@pytest.mark.parametrize("on", [True, False])
def test_users_in_each_others_nulls_have_single_links_on_channels_of_their_own(on):
    over = links(n_tx=6)
    linear = nw.BlockDiagonal().design(modes(), over)
    solution = nw.UserCodecs(cases.codecs(on=on), by=nw.BlockDiagonal()).design(modes(), over)
    total = solution.encode(*latents())
    for k, (codec, x) in enumerate(zip(cases.codecs(on=on), latents(), strict=True)):
        h = over.table[k][0].h
        others = torch.cat([over.table[j][0].h for j in range(3) if j != k], -2)
        null = torch.linalg.svd(others).Vh[..., 4:, :].mH
        power = linear._power(linear.modes.correlation, 0, (k,))
        alone = codec.design(ll.Channel(h @ null, over.table[k][0].noise_variance, power)).transceiver
        r = [arriving(h, total), arriving(h @ null, alone.encode(x))]  # beams may have other phases
        torch.testing.assert_close(*[each.abs().square().sum((-2, -1)) for each in r], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(solution.user(k).decode(r[0]), alone.decode(r[1]), rtol=1e-3, atol=1e-3)
    assert int(solution.trace["rounds"]) == 1
    if not on:
        torch.testing.assert_close(solution.expected_mse, linear.expected_mse, rtol=1e-4, atol=0)


@pytest.mark.parametrize("n_tx", [6, 3])
@pytest.mark.parametrize("by", [nw.Slnr(), nw.Broadcast(starts=1, polish=20)])
def test_all_signals_together_keep_the_budget(n_tx, by):
    """Networks spend what they spend on pilots that a codec carries, 40 here; its linear part what it does under the moments."""
    for on, tolerance in ((False, 2e-3), (True, 0.15)):
        over = links(n_tx=n_tx, snr_db=5.0)
        solution = nw.UserCodecs(cases.codecs(on=on), by=by).design(modes(), over)
        torch.testing.assert_close(solution.expected_power, over.table[0][0].power, rtol=1e-5, atol=0)
        spent = sum(link.encode(x).abs().square().sum((-2, -1)).mean(-1) for link, x in zip(solution.users, latents(), strict=True))
        torch.testing.assert_close(spent.double(), over.table[0][0].power, rtol=tolerance, atol=0)


@pytest.mark.parametrize("n_tx", [6, 3, 2])
def test_streams_have_the_ratios_that_they_are_told(n_tx):
    """Noise and the others' real signals, in every symbol of every user, have the variance 1 that codecs are told."""
    over = links(n_tx=n_tx)
    solution = nw.UserCodecs(cases.codecs(on=False), by=nw.Slnr()).design(modes(), over)
    assert float(solution.trace["unsettled"].max()) < SETTLED
    sent = [link.encode(x) for link, x in zip(solution.users, latents(), strict=True)]
    heard = False
    for k, link in enumerate(solution.users):
        others = sum(sent) - sent[k]
        heard = heard or float(arriving(over.table[k][0].h, others).abs().max()) > 0.1
        found = []
        for seed in range(20):
            order = torch.Generator().manual_seed(seed)  # independent messages, of which there are few
            mixed = [each[..., torch.randperm(each.shape[-3], generator=order), :, :] for each in sent]
            r = over.table[k][0].apply(sum(mixed) - mixed[k], seed)
            white = (r.to(torch.complex64).transpose(-3, -2) @ link.whitening.mT).transpose(-3, -2)
            found.append(link.codec.beams.streams(white).square().mean(-2))
        both = torch.stack(found).mean(0).unflatten(-1, (-1, 2)).mean(-1)
        torch.testing.assert_close(both, torch.ones_like(both), rtol=0, atol=0.06)
    assert heard


@pytest.mark.parametrize(("by", "n_tx", "tolerance"), [(nw.BlockDiagonal(), 6, 1e-5), (nw.Slnr(), 4, 0.02)])
def test_the_order_of_users_does_not_matter(by, n_tx, tolerance):
    """SLNR takes one of two real beams of equal gain where users want an odd number of them, and rounding says which."""
    over, turned = links(n_tx=n_tx), [2, 0, 1]
    solution = nw.UserCodecs(cases.codecs(), by=by).design(modes(), over)
    y = [(cases.latents(k) @ cases.latents(k + 1)[:6, :4]).tanh() for k in turned]
    moments = nw.NetworkMoments.from_pilots([cases.latents(k) for k in turned], y, "own")
    h, noise = [[over.table[k][0].h] for k in turned], over.table[0][0].noise_variance
    design = nw.UserCodecs([cases.codecs()[k] for k in turned], by=by)
    other = design.design(nw.network_modes(moments, shrinkage=0.0), nw.Links(h, noise, transmitter_of=(0, 0, 0)))
    torch.testing.assert_close(other.expected_mse, solution.expected_mse[..., turned], rtol=tolerance, atol=0)


def test_a_batch_is_its_members():
    over = links(n_tx=4, batch=3)
    design = nw.UserCodecs(cases.codecs(), by=nw.Slnr(), rounds=6)
    whole = design.design(modes(), over)
    for member in range(3):
        one = design.design(modes(), over[member])
        torch.testing.assert_close(one.encode(*latents()), whole.encode(*latents())[member], rtol=0, atol=2e-3)


def test_users_who_want_one_latent_are_served_in_uses_of_their_own():
    network, over = nw.network_modes(cases.moments("broadcast", 2), shrinkage=0.0), links(n_tx=2, users=2, uses=2)
    codecs, x = cases.codecs("broadcast", 2), cases.latents()
    over = nw.Links([[row[0].h] for row in over.table], over.table[0][0].noise_variance)
    linear = nw.TimeDivision().design(network, over)
    solution = nw.UserCodecs(codecs, by=nw.TimeDivision()).design(network, over)
    r = over.apply([solution.encode(x)], 0)
    for k, (codec, link) in enumerate(zip(codecs, solution.users, strict=True)):
        sent = link.encode(x)
        assert float(sent[..., 1 - k, :].abs().max()) == 0
        own = over.table[k][0]
        spent = linear.precoder.unflatten(-2, (2, 2, 2))[..., k, :, :].square().sum((-3, -2, -1))
        alone = codec.design(ll.Channel(own.h[..., k : k + 1, :, :], own.noise_variance, spent)).transceiver
        torch.testing.assert_close(sent[..., k : k + 1, :], alone.encode(x), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(link.decode(r[k]), alone.decode(r[k][..., k : k + 1, :]), rtol=1e-3, atol=1e-3)


def test_a_link_is_saved_and_evaluated(tmp_path):
    over = links(n_tx=4)
    solution = nw.UserCodecs(cases.codecs(on=False), by=nw.Slnr()).design(modes(), over)
    link = solution.user(1)
    link.save(tmp_path / "link.safetensors")
    again = ll.load(tmp_path / "link.safetensors", nw.UserCodecLink)
    x = cases.latents(1)
    assert torch.equal(again.encode(x), link.encode(x))
    r = over.apply([solution.encode(*latents())], 0)[1]
    assert torch.equal(again.decode(r), link.decode(r))
    y = (x @ cases.latents(2)[:6, :4]).tanh()
    measured = ll.evaluate(link, x, y, channel=link.channel, generator=0)
    torch.testing.assert_close(measured.mse.double(), solution.expected_mse[..., 1], rtol=0.1, atol=0)


def test_a_link_follows_the_channel_and_its_power_may_change():
    over = links(n_tx=4)
    link = nw.UserCodecs(cases.codecs(), by=nw.Slnr()).design(modes(), over).user(0)
    x = cases.latents()
    s = link.encode(x)
    r = link.channel.apply(s, 0)
    torch.testing.assert_close(link.matched_to(link.channel).decode(r), link.decode(r), **FLOAT)
    louder = link.scaled(torch.tensor([4.0, 1.0]))
    torch.testing.assert_close(louder.encode(x)[0], 2 * s[0], **FLOAT)
    torch.testing.assert_close(louder.decode(2 * r)[0], link.decode(r)[0], **FLOAT)
    phase = torch.polar(torch.tensor(1.0), torch.tensor(0.7))
    aged = ll.Channel(phase * link.channel.h, link.channel.noise_variance, link.channel.power, interference=link.channel.interference)
    r = arriving(link.channel.h.to(torch.complex128), s)
    torch.testing.assert_close(link.matched_to(aged).decode(phase * r), link.decode(r), rtol=5e-3, atol=5e-3)


def test_users_who_hear_nothing_and_silent_transmitters_are_finite():
    over = links(n_tx=4)
    deaf = nw.Links([[over.table[k][0].h * (k != 1)] for k in range(3)], over.table[0][0].noise_variance, transmitter_of=(0, 0, 0))
    silent = nw.Links([[row[0].h] for row in over.table], 0.1, 0.0, transmitter_of=(0, 0, 0))
    noiseless = nw.Links([[row[0].h] for row in over.table], 0.0, transmitter_of=(0, 0, 0))
    for some in (deaf, silent, noiseless):
        solution = nw.UserCodecs(cases.codecs(), by=nw.Slnr()).design(modes(), some)
        r = some.apply([solution.encode(*latents())], 0)
        assert all(bool(link.decode(each).isfinite().all()) for link, each in zip(solution.users, r, strict=True))
        assert bool(solution.expected_mse.isfinite().all())
    assert "nothing to send" in nw.UserCodecs(cases.codecs(), by=nw.Slnr()).design(modes(), silent).status_names()


def test_alone_the_metric_is_that_of_power_and_prices_only_raise_it():
    one = nw.Broadcast().design(modes(1), links(users=1))
    metric = user_metric(one, one.precoder.unsqueeze(-3))
    torch.testing.assert_close(metric.beams[:, 0], torch.eye(6, dtype=torch.complex128).expand(2, 1, 6, 6))
    torch.testing.assert_close(metric.budget[:, 0], links().table[0][0].power)
    several = nw.Slnr().design(modes(), links(n_tx=4))
    every = torch.arange(several.precoder.shape[-1])
    own = torch.stack([several.precoder * ((every >= c.start) & (every < c.stop)) for c in several.modes.columns], -3)
    assert bool((torch.linalg.eigvalsh(user_metric(several, own).beams) <= 1 + 1e-9).all())


def test_interference_from_outside_and_errors_of_channels_count_as_noise():
    h, codec, x = [[row[0].h] for row in links(n_tx=3, users=1).table], cases.codecs()[0], cases.latents()
    outside = 0.02 * torch.eye(4, dtype=torch.float64)  # half of it in each real dimension of two antennas
    noisy = nw.Links(h, 0.1)
    for some in (nw.Links(h, 0.06, interference=[outside]), nw.Links(h, 0.06, error_variance=0.04)):
        expected = nw.UserCodecs([codec]).design(modes(1), noisy)
        found = nw.UserCodecs([codec]).design(modes(1), some)
        torch.testing.assert_close(found.expected_mse, expected.expected_mse, rtol=1e-5, atol=0)
        pair = cases.moments("private", 1).of_user(0)
        one, other = (nw.CommonCodec(codec, [pair]).design(each) for each in (noisy, some))
        r = arriving(h[0][0], one.encode(x))
        torch.testing.assert_close(other.user(0).decode(arriving(h[0][0], other.encode(x))), one.user(0).decode(r), rtol=1e-3, atol=1e-3)


def test_one_codec_for_one_user_is_the_single_link():
    codec, over = cases.codecs()[0], links(n_tx=3, users=1, uses=2)
    pair = cases.moments("private", 1).of_user(0)
    solution, alone = nw.CommonCodec(codec, [pair]).design(over), codec.design(over.channel(0, 0)).transceiver
    x = cases.latents()
    r = [arriving(over.channel(0, 0).h, each.encode(x)) for each in (solution, alone)]
    torch.testing.assert_close(solution.user(0).decode(r[0]), alone.decode(r[1]), rtol=1e-3, atol=1e-3)


def test_users_of_equal_channels_all_have_the_single_link_of_one_codec():
    """Also where antennas are turned; to another encoder's latents by the regression on what the codec sends of the source."""
    codec, over = cases.codecs("broadcast")[0], links(n_tx=2, users=1)
    h = over.table[0][0].h
    turn = torch.linalg.qr(ll.rayleigh(2, 2, generator=5).to(torch.complex128)).Q
    both = nw.Links([[h], [turn @ h]], over.table[0][0].noise_variance)
    moments = cases.moments("broadcast", 2)
    solution = nw.CommonCodec(codec, [moments.of_user(k) for k in range(2)]).design(both)
    alone, x = codec.design(over.channel(0, 0)).transceiver, cases.latents()
    z, s = alone.receive(arriving(h, alone.encode(x))), solution.encode(x)
    torch.testing.assert_close(solution.user(0).receive(arriving(h, s)), z, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(solution.user(1).receive(arriving(turn @ h, s)), z, rtol=1e-3, atol=1e-3)
    sent = codec.modes.coefficients(x)
    y = (x @ cases.latents(2)[:6, :4]).tanh()
    least = torch.linalg.lstsq(sent, y - y.mean(0)).solution.mT
    torch.testing.assert_close(solution.user(1).synthesis.double(), least, rtol=1e-3, atol=1e-4)


def test_what_one_signal_is_told_is_the_mean_error_of_those_who_hear():
    p = torch.tensor([[0.6, 0.4]], dtype=torch.float64)
    gains = [torch.tensor([2.0, 5.0]), torch.tensor([8.0, 1.0])]
    arriving = [each.sqrt().diag().to(torch.complex128).unsqueeze(0) for each in gains]
    found = told_gain([*arriving, torch.zeros(1, 3, 2, dtype=torch.complex128)], p)
    error = sum(1 / (1 + p * each.double()) for each in gains) / 2
    torch.testing.assert_close(1 / (1 + p * found), error)


def test_what_does_not_fit_is_refused():
    over, codecs = links(n_tx=4), cases.codecs()
    with pytest.raises(ValueError, match="codecs must be one for each of 3 users"):
        nw.UserCodecs(codecs[:2]).design(modes(), over)
    with pytest.raises(ValueError, match="codecs must be one for each user, got none"):
        nw.UserCodecs([])
    with pytest.raises(ValueError, match="codecs must be a sequence of a Codec"):
        nw.UserCodecs([codecs[0], None])
    with pytest.raises(ValueError, match="mean power only"):
        nw.UserCodecs([replace(codecs[0], limit=ll.power.PerMessage())])
    with pytest.raises(ValueError, match="by must be a NetworkDesign"):
        nw.UserCodecs(codecs, by=3)
    with pytest.raises(ValueError, match="one transmitter"):
        nw.UserCodecs(codecs).design(cases.modes("interference"), cases.links("interference"))
    with pytest.raises(ValueError, match="CommonCodec"):
        nw.UserCodecs(cases.codecs("broadcast")).design(cases.modes("broadcast"), cases.links("broadcast"))
    with pytest.raises(ValueError, match="x must be the latents of each of 3 sources"):
        nw.UserCodecs(codecs, by=nw.Slnr(), rounds=1).design(modes(), over).encode(cases.latents())
    pairs = [cases.moments("broadcast").of_user(k) for k in range(3)]
    with pytest.raises(ValueError, match="a receiver for each of 2 pairs"):
        nw.CommonCodec(codecs[0], pairs[:2]).design(over)
    with pytest.raises(ValueError, match=r"pairs\[0\] must be of the codec's source"):
        nw.CommonCodec(codecs[0], [ll.Moments.from_pairs(cases.latents()[:, :3], cases.latents())])
    wide = nw.Links([[ll.rayleigh(6, 6, batch=(2, 1), generator=k).to(torch.complex128)] for k in range(3)], 0.1, transmitter_of=(0, 0, 0))
    with pytest.raises(ValueError, match="max_symbols"):
        nw.UserCodecs(codecs, by=nw.Slnr()).design(modes(), wide)
