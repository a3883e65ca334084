import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentlink as ll
from latentlink.baselines.equalisers import Equaliser, MmseEqualiser, SvdEqualiser, ZeroForcing
from latentlink.channels.channel import Channel
from latentlink.linear.transceiver import LinearTransceiver
from oracles import channel, normal, seeded

EQUALISERS = [SvdEqualiser(), SvdEqualiser("zf"), ZeroForcing(), MmseEqualiser()]
each = pytest.mark.parametrize("equaliser", EQUALISERS, ids=repr)


def link(equaliser, one, count=None):
    """The numbers themselves, there and back."""
    count = one.real_symbols if count is None else count
    eye, zero = torch.eye(count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64)
    crossing = equaliser.carry(one, torch.ones(count, dtype=torch.float64))
    return LinearTransceiver(eye, eye, zero, zero, crossing.streams, crossing.precoder, crossing.decoder, one)


def error(equaliser, one, count=None):
    """E||z − ẑ||² for white z."""
    T, noise = link(equaliser, one, count).response()
    return (T - torch.eye(T.shape[-1], dtype=T.dtype)).square().sum((-2, -1)) + noise.diagonal(dim1=-2, dim2=-1).sum(-1)


@each
@given(seed=st.integers(0, 2**20), n_rx=st.integers(1, 4), n_tx=st.integers(1, 4), uses=st.integers(1, 3), odd=st.booleans())
def test_all_streams_have_one_power_and_it_is_the_budget(equaliser, seed, n_rx, n_tx, uses, odd):
    one = channel(seed, n_rx, n_tx, uses, power=2.0, batch=(2,))
    gram = link(equaliser, one, one.real_symbols - odd).stream_gram()
    p = one.uses * one.power / gram.shape[-1]
    torch.testing.assert_close(gram, p[..., None, None] * torch.eye(gram.shape[-1], dtype=torch.float64).expand_as(gram))


@each
@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (3, 5), (1, 2)])
@pytest.mark.parametrize("uses", [1, 2])
@pytest.mark.parametrize("odd", [0, 1])
def test_without_noise_every_number_arrives(equaliser, shape, uses, odd):
    quiet = Channel(ll.rayleigh(*shape, batch=(4, uses), generator=seeded(1)))
    z = normal(2, 6, quiet.real_symbols - odd)
    torch.testing.assert_close(ll.transmit(link(equaliser, quiet, z.shape[1]), z, quiet), z.expand(4, -1, -1), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("equaliser", [SvdEqualiser("zf"), ZeroForcing()])
@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (3, 5)])
def test_zero_forcing_inverts_noise_or_not(equaliser, shape):
    T, _ = link(equaliser, channel(3, *shape, uses=2, snr_db=-5.0)).response()
    torch.testing.assert_close(T, torch.eye(len(T), dtype=torch.float64))


def test_zero_forcing_is_the_pseudo_inverse_of_the_channel():
    one = channel(4, 4, 3)
    G = link(ZeroForcing(), one)._combiner().squeeze(-2)  # (s, r), in pairs of real and imaginary parts
    expected = torch.linalg.pinv(one.h[0]) / (one.power / 6).sqrt()
    torch.testing.assert_close(G[::2], expected)
    torch.testing.assert_close(G[1::2], -1j * expected)


@given(
    st.integers(0, 2**20),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 2),
    st.floats(-20, 30),
    st.booleans(),
)
def test_mmse_is_never_worse_than_zero_forcing(seed, n_rx, n_tx, uses, snr_db, odd):
    one = channel(seed, n_rx, n_tx, uses, snr_db)
    count = one.real_symbols - odd
    assert error(SvdEqualiser(), one, count) <= error(SvdEqualiser("zf"), one, count) * (1 + 1e-10)
    assert error(MmseEqualiser(), one, count) <= error(ZeroForcing(), one, count) * (1 + 1e-10)


@pytest.mark.parametrize("equaliser", [SvdEqualiser(), MmseEqualiser()])
@pytest.mark.parametrize("odd", [0, 1])
def test_mmse_is_the_best_decoder_of_its_precoder(equaliser, odd):
    one = channel(5, 3, 2, uses=2, batch=(3,))
    link_ = link(equaliser, one, one.real_symbols - odd)
    torch.testing.assert_close(link_.matched_to(one).decoder, link_.decoder, rtol=1e-9, atol=1e-10)


@each
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_dead_directions_cost_no_sanity(equaliser, noise):
    rank_one = ll.rayleigh(3, 1, batch=(4, 1), generator=seeded(6)) @ ll.rayleigh(1, 3, batch=(4, 1), generator=seeded(7))
    one = Channel(rank_one, noise)
    link_ = link(equaliser, one)
    assert link_.decoder.isfinite().all()
    assert link_.decoder.abs().max() < 1e3
    assert (error(equaliser, one) <= 6 + 0.1 * link_.decoder.square().sum((-3, -2, -1))).all()
    torch.testing.assert_close(link_.stream_gram().diagonal(dim1=-2, dim2=-1).sum(-1), one.power)
    if isinstance(equaliser, SvdEqualiser):  # knows better than to feed them
        assert ((link_.stream_gram().diagonal(dim1=-2, dim2=-1) > 0).sum(-1) == 2).all()


@each
def test_no_channel_or_no_power_sends_nothing(equaliser):
    h = channel(8, 2, 2, batch=(3,)).h * torch.tensor([0.0, 1.0, 1.0])[:, None, None, None]
    link_ = link(equaliser, Channel(h, 0.1, [1.0, 0.0, 1.0]))
    assert [bool((p == 0).all()) for p in link_.precoder] == [True, True, False]
    assert (link_.decoder[:2] == 0).all()


@pytest.mark.parametrize("loading", ["mmse", "zf"])
def test_svd_is_blind_to_rotations_at_both_ends(loading):
    one = channel(9, 3, 4, uses=2)
    Q, R = torch.linalg.qr(ll.rayleigh(3, 3, generator=seeded(10))).Q, torch.linalg.qr(ll.rayleigh(4, 4, generator=seeded(11))).Q
    turned = Channel(Q @ one.h @ R, one.noise_variance, one.power)
    for a, b in zip(link(SvdEqualiser(loading), one).response(), link(SvdEqualiser(loading), turned).response(), strict=True):
        torch.testing.assert_close(a, b)


def test_svd_sends_first_numbers_over_strongest_symbols_of_all_uses():
    one = channel(12, 3, 2, uses=3)
    T, _ = link(SvdEqualiser(), one).response()
    quality = T.diagonal()
    assert (quality.diff() <= 1e-12).all()
    h = torch.linalg.svdvals(one.h).flatten().sort(descending=True).values.repeat_interleave(2)
    p = one.uses * one.power / len(h)
    torch.testing.assert_close(quality, h**2 * p / (h**2 * p + one.noise_variance / 2))


def test_antennas_without_channel_knowledge_see_the_same_symbols_on_any_channel():
    z = normal(13, 5, 4)
    a, b = (link(ZeroForcing(), channel(seed, 2, 3, uses=2), 4).encode(z) for seed in (14, 15))
    torch.testing.assert_close(a, b)
    assert (a[..., 1:] == 0).all()  # two symbols, two uses: one antenna
    assert (a[..., 0] != 0).all()


@each
def test_a_batch_is_its_members(equaliser):
    together = Channel(channel(16, 3, 2, uses=2, batch=(3,)).h, [0.0, 0.1, 1.0], [1.0, 2.0, 0.5])
    whole = equaliser.carry(together, torch.ones(7, dtype=torch.float64))
    for i in range(3):
        alone = equaliser.carry(together[i], torch.ones(7, dtype=torch.float64))
        torch.testing.assert_close(whole.precoder[i], alone.precoder)
        torch.testing.assert_close(whole.decoder[i], alone.decoder)
        assert whole.streams[i].equal(alone.streams)


def test_are_equalisers_and_refuse_other_loadings():
    assert all(isinstance(one, Equaliser) for one in EQUALISERS)
    with pytest.raises(ValueError, match="loading"):
        SvdEqualiser("lmmse")
