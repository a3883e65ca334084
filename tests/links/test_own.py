"""An object with encode and decode alone is a link: sent, evaluated, timed and looked at as those of the package."""

import pytest
import torch

import latentlink as ll
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
    with pytest.raises(ValueError, match=r"ZeroForcing.decode must return latents of shape \(\.\.\., n, 4\)"):
        ll.evaluate(OWN_BAD, X, Y, channel=CHANNEL)


def test_a_seed_is_a_generator_and_nothing_else_is():
    assert torch.equal(ll.transmit(OWN, X, CHANNEL, generator=5), ll.transmit(OWN, X, CHANNEL, generator=seeded(5)))
    with pytest.raises((ValueError, TypeError), match="generator"):
        ll.transmit(OWN, X, CHANNEL, generator="five")
