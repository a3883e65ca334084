"""An object with encode and decode alone is a link: sent, evaluated, timed and looked at as those of the package."""

import pytest
import torch

import latentlink as ll
from latentlink.numerics.seeds import stream_generator
from oracles import normal, seeded

N, D, M = 50, 6, 4
X, MIX = normal(1, N, D), normal(2, D, M)
Y = X @ MIX + 2.0
CHANNEL = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(3,), generator=seeded(3)), 60.0)


class ZeroForcing:
    """The first four numbers as they are, over an inverted channel, and least squares to y."""

    def __init__(self, channel):
        self.channel = channel
        self.weight = torch.linalg.lstsq(torch.cat([X[:, :4], torch.ones(N, 1).double()], 1), Y).solution

    def encode(self, x):
        return torch.complex(x[:, :2], x[:, 2:4]).unsqueeze(-2).expand(*self.channel.batch, -1, -1, -1)

    def decode(self, r):
        z = torch.linalg.solve(self.channel.h.unsqueeze(-4), r.unsqueeze(-1)).squeeze(-1).flatten(-2)
        return torch.cat([z.real, z.imag, torch.ones_like(z.real[..., :1])], -1) @ self.weight


OWN = ZeroForcing(CHANNEL)


def test_it_is_sent_and_evaluated():
    y_hat = ll.transmit(OWN, X, CHANNEL, generator=4)
    seen = ll.evaluate(OWN, X, Y, channel=CHANNEL, generator=4)
    torch.testing.assert_close(seen.mse, ll.metrics.mse(y_hat, Y))
    torch.testing.assert_close(seen.power, OWN.encode(X).abs().square().sum((-2, -1)).mean(-1))


def test_decisions_on_it_are_those_of_the_head():
    labels = (Y[:, 0] > 2.0).long()
    head = ll.fit_head(Y, labels)
    seen = ll.evaluate(OWN, X, Y, channel=CHANNEL, head=head, labels=labels, generator=4)
    decided = head(ll.transmit(OWN, X, CHANNEL, generator=4)).argmax(-1)
    torch.testing.assert_close(seen.accuracy, (decided == labels).double().mean(-1))


def test_its_peaks_and_its_time_are_measured():
    assert ll.metrics.peaks(OWN, X, exceeded=0.1).papr_db.shape == (3,)
    assert ll.metrics.latency(OWN, X, CHANNEL, repeats=1).decode_us > 0


@pytest.mark.parametrize("no_link", [object(), ZeroForcing, None, "link"])
def test_what_cannot_encode_and_decode_is_refused(no_link):
    with pytest.raises((ValueError, TypeError), match="transceiver"):
        ll.transmit(no_link, X, CHANNEL)


def test_latents_of_another_dimension_are_told():
    OWN_BAD = ZeroForcing(CHANNEL)
    OWN_BAD.weight = OWN_BAD.weight[:, :3]
    with pytest.raises(ValueError, match=r"ZeroForcing.decode must .* \(\*batch, n, m\), here \(3, 50, 4\); got \(3, 50, 3\)"):
        ll.evaluate(OWN_BAD, X, Y, channel=CHANNEL)


def with_first(value, index=0):
    """A function that replaces one entry."""
    return lambda tensor: tensor.clone().index_fill(-1, torch.tensor(index), value)


BAD_LATENTS = {
    "nan": (with_first(torch.nan), "NaN or infinite"),
    "infinite": (with_first(torch.inf), "NaN or infinite"),
    "complex": (lambda y: y + 0j, r"got \(3, 50, 4\) of torch.complex128"),
    "without the batch": (lambda y: y[0], r"got \(50, 4\)"),
    "one channel": (lambda y: y[:1], r"got \(1, 50, 4\)"),
    "one message": (lambda y: y[:, :1], r"got \(3, 1, 4\)"),
    "messages lost": (lambda y: y[:, 1:], r"got \(3, 49, 4\)"),
    "no axes": (lambda y: y.sum(), r"got \(\)"),
}
BAD_SYMBOLS = {
    "nan": (with_first(torch.nan), "NaN or infinite"),
    "real": (lambda s: s.real, r"got \(3, 50, 1, 2\) of torch.float64"),
    "messages lost": (lambda s: s[:, 1:], r"got \(3, 49, 1, 2\)"),
    "one message": (lambda s: s[:, :1], r"got \(3, 1, 1, 2\)"),
    "another antenna": (lambda s: torch.cat([s, s[..., :1]], -1), r"got \(3, 50, 1, 3\)"),
    "channels lost": (lambda s: s[1:], r"got \(2, 50, 1, 2\)"),
    "a further batch": (lambda s: s.expand(2, *s.shape), r"got \(2, 3, 50, 1, 2\)"),
}


@pytest.mark.parametrize("method", ["decode", "encode"])
@pytest.mark.parametrize("kind", sorted(BAD_LATENTS | BAD_SYMBOLS))
def test_what_it_returns_is_of_these_messages_and_channels_or_refused(method, kind):
    cases = BAD_LATENTS if method == "decode" else BAD_SYMBOLS
    if kind not in cases:
        return
    change, got = cases[kind]
    own = ZeroForcing(CHANNEL)
    honest = getattr(own, method)
    setattr(own, method, lambda values: change(honest(values)))
    for call in (lambda: ll.evaluate(own, X, Y, channel=CHANNEL), lambda: ll.transmit(own, X, CHANNEL)):
        with pytest.raises(ValueError, match=rf"ZeroForcing.{method} must return finite .* of shape \(\*batch, n, .*{got}"):
            call()


@pytest.mark.parametrize("method", ["decode", "encode"])
def test_what_is_no_array_is_refused_by_the_name_of_its_class(method):
    own = ZeroForcing(CHANNEL)
    setattr(own, method, lambda values: None)
    with pytest.raises(ValueError, match=f"what ZeroForcing.{method} returned must be a tensor .* got NoneType"):
        ll.transmit(own, X, CHANNEL)


def test_a_channel_without_a_batch_takes_latents_without_one():
    one = CHANNEL[1]
    own = ZeroForcing(one)
    assert ll.transmit(own, X, one).shape == (N, M)
    assert ll.evaluate(own, X, Y, channel=one).nmse.shape == ()


def test_an_encoder_that_knows_no_channel_sends_the_same_over_all():
    own = ZeroForcing(CHANNEL)
    own.encode = lambda x: torch.complex(x[:, :2], x[:, 2:4]).unsqueeze(-2)
    torch.testing.assert_close(ll.transmit(own, X, CHANNEL, generator=4), ll.transmit(OWN, X, CHANNEL, generator=4))


class OfPrecision(ZeroForcing):
    """The same in a precision of its own, which networks are rarely asked about, and with NumPy arrays on request."""

    def __init__(self, channel, dtype, *, as_arrays=False):
        super().__init__(ll.Channel(channel.h.to(torch.complex128)))
        self.dtype, self.as_arrays = dtype, as_arrays

    def encode(self, x):
        s = super().encode(x.double()).to(self.dtype.to_complex())
        return s.numpy() if self.as_arrays else s

    def decode(self, r):
        y = super().decode(torch.as_tensor(r).to(torch.complex128)).to(self.dtype)
        return y.numpy() if self.as_arrays else y


@pytest.mark.filterwarnings("ignore:ComplexHalf")
@pytest.mark.parametrize("received_in", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("as_arrays", [False, True])
def test_its_precision_is_its_own_affair(dtype, received_in, as_arrays):
    if as_arrays and dtype == torch.float16:
        return  # NumPy has no such complex numbers
    channel = ll.Channel(CHANNEL.h.to(received_in), CHANNEL.noise_variance)
    own = OfPrecision(channel, dtype, as_arrays=as_arrays)
    head = ll.fit_head(Y, (Y[:, 0] > 2.0).long())
    seen = ll.evaluate(own, X, Y, channel=channel, head=head, generator=4)
    expected = ll.evaluate(OWN, X, Y, channel=CHANNEL, head=head, generator=4)
    torch.testing.assert_close(seen.nmse.double(), expected.nmse, rtol=0.05, atol=0.02)
    torch.testing.assert_close(seen.power.double(), expected.power, rtol=1e-2, atol=0)
    peaks = ll.metrics.peaks(own, X, exceeded=0.1).papr_db
    torch.testing.assert_close(peaks.double(), ll.metrics.peaks(OWN, X, exceeded=0.1).papr_db, rtol=1e-2, atol=1e-2)


def test_symbols_that_are_none_are_told():
    own = ZeroForcing(CHANNEL)
    own.encode = lambda x: x
    for call in (lambda: ll.evaluate(own, X, Y, channel=CHANNEL), lambda: ll.metrics.peaks(own, X)):
        with pytest.raises(ValueError, match=r"ZeroForcing.encode must return finite complex symbols of shape \(\*batch, n, uses, n_tx\)"):
            call()


def test_a_solution_of_it_shows_itself():
    found = ll.Solution(ZeroForcing(CHANNEL), torch.full((3,), ll.Status.BASELINE.code), None, torch.ones(3))
    assert repr(found) == "Solution(3 channels, 2×2, 1 use, baseline)"
    bare = ll.Solution(ZeroForcing.__new__(ZeroForcing), torch.full((3,), ll.Status.BASELINE.code), None, torch.ones(3))
    assert repr(bare) == "Solution(3 channels, baseline)"
    assert "ZeroForcing" in bare._repr_html_()
    unknown = ll.Solution(bare.transceiver, torch.tensor([ll.Status.BASELINE.code, 5]), None, torch.ones(2))
    assert repr(unknown) == "Solution(2 channels, baseline, unknown status 5)"
    with pytest.raises(ValueError, match="got 5"):
        unknown.status_names()


def test_a_seed_stands_for_the_stream_of_the_noise_and_nothing_else_does():
    assert torch.equal(ll.transmit(OWN, X, CHANNEL, generator=5), ll.transmit(OWN, X, CHANNEL, generator=stream_generator(5, "noise")))
    with pytest.raises((ValueError, TypeError), match="generator"):
        ll.transmit(OWN, X, CHANNEL, generator="five")


class Normalised(ZeroForcing):
    """Its symbols have unit power over the batch that is sent together, as those of a network with BatchNorm in training mode."""

    def encode(self, x):
        s = super().encode(x)
        return s / s.abs().square().mean().sqrt()


def test_an_encoder_that_looks_at_the_whole_batch_is_told():
    with pytest.warns(UserWarning, match=r"depends on the messages beside it.*BatchNorm.*\.eval\(\)"):
        ll.evaluate(Normalised(CHANNEL), X, Y, channel=CHANNEL)
    ll.evaluate(ZeroForcing(CHANNEL), X, Y, channel=CHANNEL)  # warnings are errors here
