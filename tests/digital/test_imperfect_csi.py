"""What csi.md says of the digital competitor where the channel is known up to an error."""

import pytest
import torch

import latentlink as ll

X = torch.randn(1700, 24, generator=torch.Generator().manual_seed(0))
Y = (X @ torch.randn(24, 16, generator=torch.Generator().manual_seed(1)) / 5).tanh()
PILOTS, UNSEEN = ll.Pilots(X[:1500], Y[:1500]), (X[1500:], Y[1500:])


def test_taking_an_estimate_for_the_channel_loses_blocks_where_a_robust_linear_link_hardly_suffers():
    modes = ll.semantic_modes(ll.Moments.from_pairs(PILOTS.x, PILOTS.y))
    truth = ll.Channel.from_snr(ll.rayleigh(4, 4, batch=(4,), generator=0), snr_db=10.0).repeated(8)
    known = truth.estimated(0.1, generator=1)
    digital = ll.digital.Digital()
    code = digital.code(modes, PILOTS)
    with pytest.raises(ValueError, match=r"channel must be known exactly, .*channel\.without_error\(\) takes the estimate"):
        digital.design(code, known)

    def lost(channel):
        link = digital.design(code, channel).transceiver
        return link.lost(UNSEEN[0], truth.apply(link.encode(UNSEEN[0]), 0)).mean()

    def error(known):
        robust = ll.ClosedForm(csi=ll.csi.BothEnds()).design(modes, known)
        return ll.evaluate(robust, *UNSEEN, channel=truth, generator=0).nmse.mean()

    assert lost(truth) < 0.05
    assert lost(known.without_error()) > 0.9
    assert error(known) < 1.3 * error(truth)
