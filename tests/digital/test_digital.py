"""The digital link as a whole: bits counted, power, errors as predicted, what holds for any scheme."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
from digital.latents import ALIGNMENTS, code, fading, modes, pilots, unseen
from latentlink.digital.adaptation import Candidates
from latentlink.links.transceiver import Transceiver
from latentlink.streams.spatial import SpatialModes
from oracles import seeded


def mse(link, channel, seed=0):
    y = ll.transmit(link, unseen().x, channel, generator=seeded(seed))
    return (y - unseen().y).square().sum(-1).mean(-1)


@pytest.mark.parametrize(
    ("align", "n", "uses", "snr_db"), [("transmitter", 2, 4, 15.0), ("receiver", 2, 1, 20.0), ("transmitter", 1, 3, 5.0)]
)
def test_without_noise_the_receiver_has_what_was_quantised(align, n, uses, snr_db):
    channel = fading(1, n, uses, snr_db)
    link = ll.digital.Digital(alignment=ALIGNMENTS[align]).design(code(align), channel).transceiver
    assert isinstance(link, Transceiver)
    r = ll.Channel(channel.h, 0.0).apply(link.encode(unseen().x))
    z, c = link.receive(r), code(align).coordinates.weighted(unseen().x)
    for i, block in enumerate(link.blocks):
        if block is not None:
            wanted = code(align).decode(code(align).encode(c, block.payload))[:, : z.shape[-1]]
            torch.testing.assert_close(z[i] * link.coordinates.weight, wanted)
    assert not link.lost(unseen().x, r)[link.message_bits > 0].any()
    torch.testing.assert_close(link.decode(r), link.mean_y + z @ link.synthesis.mT)


@pytest.mark.parametrize(("n", "uses", "snr_db"), [(4, 4, 10.0), (2, 2, 20.0), (1, 8, 0.0)])
def test_power_bits_and_capacity_are_kept(n, uses, snr_db):
    channel = fading(2, n, uses, snr_db).with_power(2.5)
    solution = ll.digital.Digital().design(code(), channel)
    s, sends = solution.transceiver.encode(unseen().x), solution.trace["message_bits"] > 0
    power = s.abs().square().sum((-2, -1)).mean(-1) / uses
    torch.testing.assert_close(power[sends], torch.full_like(power, 2.5)[sends], rtol=0.1, atol=0)  # 300 messages
    assert (power[~sends] == 0).all()
    trace = solution.trace
    kept = trace["message_bits"] * (1 - trace["block_error"])
    assert (kept <= ll.bounds.capacity(channel)).all()  # nearly a bound at any length, and our codes are not near it
    assert (trace["code_bits"] >= trace["message_bits"]).all()
    coded = trace["message_bits"] > 11
    uncoded = trace["code_bits"] == trace["coded_bits"]
    assert (trace["code_bits"] - trace["message_bits"] >= 6)[coded & ~uncoded].all()  # a CRC is counted
    assert (trace["block_error"][sends] <= 0.5).all()
    assert (trace["block_error"][ll.bounds.capacity(channel) > 6] <= 0.1).all()  # no outage


def test_measured_errors_are_those_of_the_adaptation():
    """Largest blocks at 10 %, over channels of several sizes: neither above it on average, nor so safe that rate is given away."""
    lost, information, sent = [], 0.0, 0.0
    for seed, (n, uses) in enumerate([(2, 4), (4, 2), (3, 8), (4, 8)]):
        channel = fading(10 + seed, n, uses, 12.0, draws=3)
        spatial = SpatialModes.of(channel.h)
        adaptation, generator = Candidates.of(channel), seeded(seed)
        for i, options in enumerate(adaptation.options((0.1,))):
            option = max((o for o in options if o.length), key=lambda o: o.payload)
            block, beams = adaptation.block(i, option), spatial[i]
            payload = torch.randint(0, 2, (150, option.payload), generator=generator)
            s = beams.send(block.symbols(block.code.encode(payload)))
            read, holds = block.read(beams.separate(channel[i].apply(s, generator)), beams.amplitude.flatten())
            lost.append(float(((read != payload).any(-1) | ~holds).double().mean()))
            information, sent = information + float(ll.bounds.capacity(channel[i])), sent + block.information_bits
    mean = sum(lost) / len(lost)
    assert 0.01 < mean < 0.1
    assert max(lost) < 0.1 + 0.15
    assert sent > 0.72 * information


def test_more_uses_and_more_snr_leave_less():
    by_uses = [
        float(mse(ll.digital.Digital().design(code(), c).transceiver, c).mean()) for c in (fading(3, 2, u, 10.0) for u in (1, 2, 4, 12))
    ]
    assert by_uses == sorted(by_uses, reverse=True)
    by_snr = [
        float(mse(ll.digital.Digital().design(code(), c).transceiver, c).mean())
        for c in (fading(3, 2, 2, s) for s in (-5.0, 5.0, 15.0, 25.0))
    ]
    assert by_snr == sorted(by_snr, reverse=True)


def test_payload_grows_with_snr_and_uses_when_errors_are_the_same():
    sizes = []
    for snr_db in (0.0, 6.0, 12.0, 18.0, 24.0):
        channel = fading(4, 3, 2, snr_db, draws=1)
        options = Candidates.of(channel).options((0.1,))[0]
        sizes.append(max(option.payload for option in options))
    assert sizes == sorted(sizes)


def test_expected_and_measured_error_agree():
    channel = fading(5, 2, 4, 12.0)
    solution = ll.digital.Digital().design(code(), channel)
    torch.testing.assert_close(mse(solution.transceiver, channel), solution.expected_mse, rtol=0.25, atol=0)


def test_lost_blocks_give_the_mean():
    channel = fading(6, 4, 4, 10.0)
    adaptation = Candidates.of(channel)
    protected = [max((o for o in options if o.has_crc), key=lambda o: o.payload) for options in adaptation.options((0.1,))]
    link = ll.digital.Digital().design(code(), channel).transceiver
    link = replace(link, blocks=tuple(adaptation.block(i, option) for i, option in enumerate(protected)))
    noise = torch.view_as_complex(torch.randn(4, 50, 4, 4, 2, dtype=torch.float64, generator=seeded(7)))
    z = link.receive(noise)
    assert (z == 0).all(-1).double().mean() > 0.95
    assert (link.lost(unseen().x[:50], noise) > 0.95).all()
    dead = ll.digital.Digital().design(code(), ll.Channel(torch.zeros(2, 3, 2, 2, dtype=torch.complex128), 0.1))
    assert dead.status_names() == ["nothing to send"]
    assert not dead.transceiver.encode(unseen().x).any()
    torch.testing.assert_close(
        mse(dead.transceiver, dead.transceiver.channel), (unseen().y - modes().mean_y).square().sum(-1).mean().expand(2)
    )


def test_no_accuracy_is_above_the_bound_at_capacity():
    head = ll.fit_head(pilots().y, pilots().labels)
    channel = fading(8, 1, 1, 3.0)
    link = ll.digital.Digital().design(code(), channel).transceiver
    seen = ll.evaluate(link, unseen().x, unseen().y, channel=channel, head=head, labels=unseen().labels, generator=seeded(8))
    bound = ll.bounds.accuracy(ll.bounds.capacity(channel), head(unseen().y).argmax(-1), unseen().labels)
    assert (seen.accuracy <= bound + 0.06).all()  # 300 messages


def test_a_genie_is_no_worse():
    channel = fading(9, 2, 4, 6.0)
    plain, genie = (
        ll.digital.Digital(adaptation=rule).design(code(), channel).transceiver for rule in (ll.digital.BlockError(), ll.digital.Genie())
    )
    assert (mse(genie, channel).mean() < mse(plain, channel).mean()).all()
    torch.testing.assert_close(genie.encode(unseen().x), plain.encode(unseen().x))
    r = channel.apply(plain.encode(unseen().x), seeded(1))
    assert (genie.lost(unseen().x, r) <= plain.lost(unseen().x, r)).all()
    with pytest.raises(ValueError, match="genie must know"):
        genie.receive(r)
    with pytest.raises(ValueError, match="r must hold the 300 messages"):
        genie.informed_by(unseen().x).receive(r[:, :5])


def test_a_goal_is_coded_first():
    head = ll.fit_head(pilots().y, pilots().labels)
    goal = ll.semantic_modes(ll.Moments.from_pairs(pilots().x, pilots().y), ll.Goal.fisher(head, pilots().y, 3.0, 0.01))
    channel = fading(10, 1, 2, 10.0, draws=6)
    seen = [
        ll.evaluate(
            ll.digital.Digital().design(ll.digital.Digital().code(m, pilots()), channel),
            unseen().x,
            unseen().y,
            channel=channel,
            head=head,
            labels=unseen().labels,
            generator=seeded(2),
        )
        for m in (modes(), goal)
    ]
    assert seen[1].accuracy.mean() >= seen[0].accuracy.mean() - 0.02


def test_a_batch_is_its_members_and_precision_changes_little():
    channel = fading(11, 2, 2, 15.0)
    link = ll.digital.Digital().design(code(), channel).transceiver
    alone = ll.digital.Digital().design(code(), channel[1]).transceiver
    assert alone.batch == ()
    torch.testing.assert_close(link.encode(unseen().x)[1], alone.encode(unseen().x))
    single = link.to(torch.float32)
    s = single.encode(unseen().x)
    assert s.dtype == torch.complex64
    r = channel.to(torch.float32).apply(s)
    assert single.decode(r).dtype == torch.float32
    torch.testing.assert_close(single.decode(r).double(), link.decode(r.to(torch.complex128)), rtol=1e-3, atol=1e-3)
    own = unseen().x[:20].expand(4, -1, -1)
    torch.testing.assert_close(link.encode(own), link.encode(unseen().x[:20]))
    assert single.flops.total > 0


def test_nothing_global_is_touched():
    state = torch.get_rng_state()
    channel = fading(12, 2, 8, 10.0)
    mse(ll.digital.Digital().design(code(), channel).transceiver, channel)
    assert torch.equal(torch.get_rng_state(), state)


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="alignment must be"):
        ll.digital.Digital(alignment=ll.digital.AtReceiver)
    with pytest.raises(ValueError, match="adaptation must be"):
        ll.digital.Digital(adaptation=ll.digital.BlockError)
    for rule in (ll.digital.BlockError, ll.digital.Genie):
        with pytest.raises(ValueError, match="target must be"):
            rule(0.6)


def test_bad_inputs_are_named():
    channel = fading(13, 2, 2, 10.0)
    link = ll.digital.Digital().design(code(), channel).transceiver
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., 12\)|x must have shape \(\.\.\., n, 12\)"):
        link.encode(unseen().x[:, :5])
    with pytest.raises(ValueError, match="x must have a batch"):
        link.encode(unseen().x.expand(3, -1, -1))
    with pytest.raises(ValueError, match="r must be complex"):
        link.receive(torch.zeros(4, 10, 2, 3, dtype=torch.complex128))
    with pytest.raises(ValueError, match="r must have a batch"):
        link.receive(torch.zeros(3, 10, 2, 2, dtype=torch.complex128))
    other = ll.Pilots(unseen().x[:, :4], unseen().y, unseen().labels)
    with pytest.raises(ValueError, match="pilots must be of the modes' dimensions"):
        ll.digital.Digital().code(modes(), other)


@pytest.mark.parametrize("adaptation", [ll.digital.BlockError(), ll.digital.Genie()])
def test_power_may_be_set_without_another_design(adaptation):
    channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(3,), generator=torch.Generator().manual_seed(5)), 10.0)
    link, x = ll.digital.Digital(adaptation=adaptation).design(code(), channel).transceiver, unseen().x
    factor = torch.tensor([0.5, 1.0, 2.0]).double()
    louder = link.scaled(factor)
    torch.testing.assert_close(louder.encode(x), factor.sqrt()[:, None, None, None] * link.encode(x))
    assert torch.equal(louder.message_bits, link.message_bits)
    silent = ll.Channel(channel.h, 0.0)
    sent, same = (one.informed_by(x) for one in (louder, link))
    read, before = sent.receive(silent.apply(louder.encode(x))), same.receive(silent.apply(link.encode(x)))
    assert torch.equal(read[1:], before[1:])  # bits are weighed by the SNR, so that with less power they may be read otherwise
