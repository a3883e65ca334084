import math

import pytest
import torch

import latentlink as ll
from latentlink.evaluation.papr import peaks
from oracles import channel, moments, normal


class Sender:
    """Sends given symbols (…, n, u, t)."""

    batch, mean_y, synthesis = torch.Size(()), torch.zeros(1), torch.zeros(1, 1)

    def __init__(self, s):
        self.s = s

    def encode(self, x):
        return self.s

    def receive(self, r):
        raise NotImplementedError

    decode = receive


def gaussian(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


X = torch.zeros(1, 1)


def test_a_gaussian_signal_has_the_peaks_of_its_distribution():
    """−ln 10⁻³ = 8.39 dB, of symbols and, by the central limit theorem, of the waveform; 200,000 symbols tell it to 0.2 dB."""
    sender = Sender(gaussian(2000, 100, 2))
    for subcarriers in (None, 64):
        seen = peaks(sender, X, exceeded=1e-3, subcarriers=subcarriers)
        assert seen.antenna_papr_db.shape == (2,)
        torch.testing.assert_close(seen.antenna_papr_db, torch.full((2,), 10 * math.log10(math.log(1000))).double(), atol=0.2, rtol=0)
        assert seen.papr_db == seen.antenna_papr_db.max()


def test_constant_modulus_has_none_but_its_waveform_does():
    s = torch.polar(
        torch.ones(3, 500, 4, 1).double(), 2 * torch.pi * torch.rand(3, 500, 4, 1, generator=torch.Generator().manual_seed(1)).double()
    )
    flat = peaks(Sender(s), X, exceeded=1e-3)
    torch.testing.assert_close(flat.papr_db, torch.zeros(3).double(), atol=1e-9, rtol=0)
    assert (peaks(Sender(s), X, exceeded=1e-3, subcarriers=100).papr_db > 6).all()


def test_one_carrier_is_a_constant_envelope():
    s = torch.ones(10, 1, 1, dtype=torch.complex128)
    assert peaks(Sender(s), X, exceeded=0.0, subcarriers=1).papr_db.item() == pytest.approx(0, abs=1e-9)


def test_a_silent_antenna_has_no_peaks():
    s = gaussian(100, 1, 2)
    s[..., 1] *= 1e-15
    assert peaks(Sender(s), X).antenna_papr_db[1] == -math.inf


def test_clipping_keeps_phases_and_what_is_below_the_limit():
    grids = channel(2, 2, 2, 3, batch=(2,))
    link = ll.ClosedForm().design(ll.semantic_modes(moments(1, 8, 6)), grids).transceiver
    amplifier = ll.metrics.Amplifier.above_mean(grids, 1.0)
    x = normal(3, 200, 8) * 3 + link.mean_x
    s = link.encode(x)
    cut, limit = amplifier(s), math.sqrt(10**0.1 / 2)
    assert cut.abs().max().item() == pytest.approx(limit)
    torch.testing.assert_close(cut[s.abs() <= limit], s[s.abs() <= limit])
    torch.testing.assert_close(cut.angle(), s.angle())
    assert (peaks(link, x, exceeded=0.0, amplifier=amplifier).papr_db < peaks(link, x, exceeded=0.0).papr_db).all()
    assert torch.equal(ll.metrics.Amplifier.above_mean(grids, 60.0)(s), s)


def test_power_is_measured_behind_the_amplifier():
    known, grids = moments(1, 8, 6), channel(2, 2, 2, 1, 20.0, batch=(3,))
    link = ll.ClosedForm().design(ll.semantic_modes(known), grids).transceiver
    x, y, head = normal(4, 300, 8), normal(5, 300, 6), torch.nn.Linear(6, 3).double()
    free, cut = (
        ll.evaluate(link, x, y, channel=grids, head=head, generator=torch.Generator().manual_seed(1), amplifier=amplifier)
        for amplifier in (None, ll.metrics.Amplifier.above_mean(grids, 0.0))
    )
    assert (cut.power < free.power).all()
    assert (cut.antenna_power <= 0.5 + 1e-9).all()


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="exceeded must be a finite number >= 0 and < 1"):
        peaks(Sender(gaussian(3, 1, 1)), X, exceeded=1.0)
    with pytest.raises(ValueError, match="subcarriers must be from 1 to the 3"):
        peaks(Sender(gaussian(3, 1, 1)), X, exceeded=0.1, subcarriers=4)
    with pytest.raises(ValueError, match="limit_db must be a finite number"):
        ll.metrics.Amplifier.above_mean(channel(1, 2, 2), math.inf)
