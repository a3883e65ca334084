"""Laws of the codec as a design: it is the exact linear design before training, and never below it after."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
from latentlink.linear.per_message import REFITTED
from latentlink.neural.codec.calibration import Calibration
from latentlink.neural.codec.design import CODEC, LINEAR
from latentlink.neural.seeding import CodecDraw
from neural.codec.clouds import channel, fitted, training, understood, world

SHAPES = [(1, 1, 1), (2, 2, 1), (4, 4, 1), (3, 2, 2), (2, 5, 1), (1, 4, 3)]


@pytest.mark.parametrize(("n_rx", "n_tx", "uses"), SHAPES)
@pytest.mark.parametrize("snr_db", [-10.0, 10.0, 40.0, float("inf")])
def test_before_training_it_is_the_exact_linear_design(n_rx, n_tx, uses, snr_db):
    data, unseen, _, modes = world()
    radio = channel(n_rx, n_tx, uses, snr_db, batch=(3,), power=2.0)
    codec, exact = training().untrained(modes, data).design(radio), ll.ClosedForm().design(modes, radio)
    silent = ll.Channel(radio.h, 0.0)  # so that only the pair itself is compared
    got, expected = (ll.transmit(s.transceiver, unseen.x[:40], silent) for s in (codec, exact))
    torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
    torch.testing.assert_close(codec.expected_mse, exact.expected_mse, rtol=1e-5, atol=0.0)
    torch.testing.assert_close(codec.expected_power, exact.expected_power, rtol=1e-5, atol=0.0)
    powers = [s.transceiver.encode(unseen.x).abs().square().sum((-2, -1)).mean(-1).double() for s in (codec, exact)]
    torch.testing.assert_close(*powers, rtol=1e-5, atol=0.0)


def test_switched_off_it_is_the_exact_linear_design_to_the_last_bit_of_float32():
    _, unseen, _, modes = world()
    codec = fitted().codec
    off = codec.with_gate(type(codec.gate)(torch.zeros_like(codec.gate.open)))
    radio = channel(batch=(4,))
    solution, exact = off.design(radio), ll.ClosedForm().design(modes, radio)
    assert solution.messages() == [LINEAR.message]
    assert not solution.trace["active"].any()
    torch.testing.assert_close(solution.expected_mse, exact.expected_mse, rtol=1e-6, atol=0.0)
    silent = ll.Channel(radio.h, 0.0)
    got, expected = (ll.transmit(s.transceiver, unseen.x[:40], silent) for s in (solution, exact))
    torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 10.0, 20.0, 30.0])
def test_after_training_it_is_never_below_the_linear_design(n, snr_db):
    data, _, head, modes = world()
    held = data[torch.randperm(len(data), generator=CodecDraw.SPLIT.generator(0))[:80]]  # the validation pilots of seed 0
    radio = channel(n, n, snr_db=snr_db, batch=(300,), seed=11)
    codec, exact = fitted().codec.design(radio), ll.ClosedForm().design(modes, radio)
    agreed = [
        ll.evaluate(
            link, held.x, held.y, channel=radio, head=head, labels=held.labels, generator=torch.Generator().manual_seed(5)
        ).agreement
        for link in (codec.transceiver, exact.transceiver.to(torch.float32))
    ]
    difference = agreed[0].double() - agreed[1].double()
    assert difference.mean() >= -2 * difference.std() / 300**0.5
    assert set(codec.messages()) <= {CODEC.message, LINEAR.message}


def test_one_symbol_tells_the_class_where_the_linear_design_cannot():
    modes, radio = world()[3], channel(1, 1, snr_db=25.0, batch=(200,), seed=2)
    codec, exact = fitted().codec.design(radio), ll.ClosedForm().design(modes, radio)
    codec, exact = understood(codec.transceiver, radio).mean(), understood(exact.transceiver, radio).mean()
    assert codec > exact + 0.1
    assert codec > 0.75


def test_one_set_of_weights_serves_sizes_uses_and_grids():
    codec, unseen = fitted().codec, world()[1]
    for radio in (channel(1, 3), channel(5, 5), channel(2, 2, uses=2), channel(1, 1).repeated(5), channel(3, 1, uses=4, batch=(2, 3))):
        solution = codec.design(radio)
        s = solution.transceiver.encode(unseen.x[:7])
        assert s.shape == (*radio.batch, 7, radio.uses, radio.n_tx)
        assert solution.transceiver.decode(radio.apply(s)).shape == (*radio.batch, 7, 10)
        assert solution.status.shape == solution.expected_mse.shape == radio.batch


def test_a_batch_is_its_members():
    codec, unseen = fitted().codec, world()[1]
    radio = channel(2, 2, batch=(5,), snr_db=torch.tensor([-5.0, 0.0, 10.0, 20.0, 30.0]))
    together = codec.design(radio)
    for i in range(5):
        alone = codec.design(radio[i])
        torch.testing.assert_close(together.expected_mse[i], alone.expected_mse, rtol=1e-4, atol=0.0)
        a, b = together.transceiver.encode(unseen.x[:5])[i], alone.transceiver.encode(unseen.x[:5])
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_a_message_may_have_a_channel_of_its_own():
    codec, unseen = fitted().codec, world()[1]
    radio = channel(2, 2, batch=(6,))
    link = codec.design(radio).transceiver
    each = link.encode(unseen.x[:6].unsqueeze(1))
    every = link.encode(unseen.x[:6])
    torch.testing.assert_close(each[:, 0], every[torch.arange(6), torch.arange(6)], rtol=1e-4, atol=1e-5)


def test_dead_channels_send_nothing():
    codec, unseen = fitted().codec, world()[1]
    silent = codec.design(ll.Channel(torch.zeros(1, 2, 2, dtype=torch.complex128), 0.1))
    assert silent.messages() == [ll.Status.NOTHING_TO_SEND.message]
    assert not silent.transceiver.encode(unseen.x[:3]).abs().any()
    torch.testing.assert_close(
        silent.transceiver.decode(torch.zeros(3, 1, 2, dtype=torch.complex64)), world()[3].mean_y.float().expand(3, -1)
    )
    assert not codec.design(ll.Channel(channel().h, 0.1, 0.0)).trace["active"].any()


def test_expected_error_is_what_is_measured():
    """By the latents that the codec carries; the 80 that were held back here say it to a tenth or two only."""
    _, unseen, _, _ = world()
    radio = channel(2, 2, batch=(50,))
    codec = fitted().codec
    solution = codec.design(radio)
    measured = ll.evaluate(
        solution.transceiver, unseen.x, unseen.y, channel=radio, head=world()[2], generator=torch.Generator().manual_seed(1)
    ).mse
    assert float((measured / solution.expected_mse).mean()) == pytest.approx(1, abs=0.2)
    many = replace(codec, power=None, calibration=Calibration.of(codec.modes, unseen.x, unseen.y)).design(radio)
    assert float((measured / many.expected_mse).mean()) == pytest.approx(1, abs=0.03)


def test_saved_codecs_and_links_come_back_to_the_bit(tmp_path):
    codec, unseen, radio = fitted().codec.named("theirs", "ours"), world()[1], channel(batch=(3,))
    codec.save(tmp_path / "codec.safetensors")
    again = ll.load(tmp_path / "codec.safetensors")
    first, second = codec.design(radio), again.design(radio)
    assert torch.equal(first.expected_mse, second.expected_mse)
    assert torch.equal(first.transceiver.encode(unseen.x), second.transceiver.encode(unseen.x))
    first.transceiver.save(tmp_path / "link.safetensors")
    link = ll.load(tmp_path / "link.safetensors")
    r = radio.apply(link.encode(unseen.x), torch.Generator().manual_seed(0))
    assert torch.equal(link.decode(r), first.transceiver.decode(r))
    assert link.encoders == again.modes.encoders == ("theirs", "ours")
    content = bytearray((tmp_path / "codec.safetensors").read_bytes())
    content[-7] ^= 1
    (tmp_path / "codec.safetensors").write_bytes(content)
    with pytest.raises(ll.ArtifactError, match="SHA-256"):
        ll.load(tmp_path / "codec.safetensors")


def test_bad_input_is_named():
    codec, unseen = fitted().codec, world()[1]
    with pytest.raises(ValueError, match=r"at most 5 symbols .* got 6 \(2 use\(s\) of 3×3\)"):
        codec.design(channel(3, 3, uses=2))
    link = codec.design(channel(batch=(2,))).transceiver
    with pytest.raises(ValueError, match="x must have shape"):
        link.encode(unseen.x[:, :5])
    with pytest.raises(ValueError, match="x must have a batch"):
        link.encode(unseen.x[:6].view(3, 2, -1))
    with pytest.raises(ValueError, match="r must be complex of shape"):
        link.decode(torch.zeros(4, 1, 3, dtype=torch.complex64))
    with pytest.raises(ValueError, match="r must have a batch"):
        link.decode(torch.zeros(3, 4, 1, 2, dtype=torch.complex64))
    with pytest.raises(ValueError, match="NaN"):
        link.encode(unseen.x[:2] * float("nan"))


def test_few_modes_may_use_more_streams_than_there_are_modes():
    data, unseen, _, _ = world()
    narrow = ll.Pilots(data.x, data.y[:, :2], data.labels)
    modes = ll.semantic_modes(ll.Moments.from_pairs(narrow.x, narrow.y))
    assert len(modes) == 2
    radio = channel(3, 3, batch=(4,))
    solution = training(rounds=1, steps=2).fit(modes, narrow, ll.objectives.Regression()).codec.design(radio)
    assert ll.transmit(solution.transceiver, unseen.x[:5], radio).shape == (4, 5, 2)
    before = training().untrained(modes, narrow).design(radio)
    torch.testing.assert_close(before.expected_mse, ll.ClosedForm().design(modes, radio).expected_mse, rtol=1e-5, atol=0.0)


def test_operations_are_those_of_the_layers():
    link = fitted().codec.design(channel(2, 3, uses=2)).transceiver
    lines = {line.name: line.flops for line in link.layer_flops()}
    assert lines["precoder: modes"] == 2 * 10 * 12
    assert lines["precoder: layer 1"] == 2 * 10 * 32
    assert lines["precoder: activation 1"] == 7 * 32
    assert lines["precoder: layer 3"] == 2 * 32 * 10
    assert lines["decoder: layer 1"] == 2 * 10 * 32
    assert lines["precoder: beams"] == 2 * (2 * 2 * 3) * 8
    assert lines["decoder: modes"] == 2 * 10 * 10
    assert link.flops.total == sum(lines.values())


@pytest.mark.parametrize("snr_db", [-5.0, 10.0, 30.0, float("inf")])
def test_a_receiver_matched_to_the_design_channel_is_the_design(snr_db):
    codec, unseen = fitted().codec, world()[1]
    radio = channel(3, 2, uses=2, snr_db=snr_db, batch=(4,))
    link = codec.design(radio).transceiver
    again = link.matched_to(radio)
    r = radio.apply(link.encode(unseen.x[:50]), torch.Generator().manual_seed(0))
    torch.testing.assert_close(again.decode(r), link.decode(r), rtol=1e-3, atol=1e-3 * float(link.decode(r).abs().max()))


def test_a_receiver_that_measures_its_channel_understands_more():
    codec = fitted().codec
    known = channel(2, 2, snr_db=20.0, batch=(100,), seed=5)
    drift = ll.rayleigh(2, 2, 0.1, batch=(100, 1), generator=torch.Generator().manual_seed(9))
    met = ll.Channel(known.h + drift, known.noise_variance, known.power)
    link = codec.design(known).transceiver
    assert understood(link.matched_to(met), met).mean() > understood(link, met).mean() + 0.02
    one = codec.design(known[0]).transceiver.matched_to(met)
    assert one.batch == (100,)
    with pytest.raises(ValueError, match=r"\(uses, n_tx\)"):
        link.matched_to(channel(2, 3))


def test_switched_off_a_matched_receiver_is_the_linear_one():
    codec, modes, unseen = fitted().codec, world()[3], world()[1]
    off = codec.with_gate(type(codec.gate)(torch.zeros_like(codec.gate.open)))
    known = channel(3, 3, snr_db=15.0)
    met = ll.Channel(known.h + 0.2 * channel(3, 3, seed=8).h, known.noise_variance)
    ours, exact = off.design(known).transceiver.matched_to(met), ll.ClosedForm().design(modes, known).transceiver.matched_to(met)
    errors = [
        float(ll.evaluate(link, unseen.x, unseen.y, channel=met, head=world()[2], generator=torch.Generator().manual_seed(2)).mse)
        for link in (ours, exact)
    ]
    assert errors[1] <= errors[0] < 1.1 * errors[1]  # it estimates symbol by symbol, which costs a little beside the joint LMMSE


@pytest.mark.parametrize("power", [ll.power.Mean(peak=1.2), ll.power.PerMessage()])
def test_switched_off_under_a_limit_on_messages_it_says_what_it_does(power):
    data, unseen, head, modes = world()
    codec = training(power=power).untrained(modes, data)
    off = codec.with_gate(type(codec.gate)(torch.zeros_like(codec.gate.open)))
    radio = channel(2, 2, snr_db=15.0, batch=(20,))
    solution = off.design(radio)
    assert solution.messages() == [REFITTED.message]
    measured = ll.evaluate(solution.transceiver, unseen.x, unseen.y, channel=radio, head=head, generator=torch.Generator().manual_seed(0))
    assert float((measured.mse / solution.expected_mse).mean()) == pytest.approx(1, abs=0.06)
    assert float(measured.peak_power.max()) <= (getattr(power, "peak", None) or 1.0) * (1 + 1e-5)
    if isinstance(power, ll.power.PerMessage):  # beside the design that refits all streams together
        joint = ll.ClosedForm(power=ll.power.PerMessage(x=data.x, y=data.y)).design(modes, radio).transceiver.to(torch.float32)
        reference = ll.evaluate(joint, unseen.x, unseen.y, channel=radio, head=head, generator=torch.Generator().manual_seed(0))
        assert float((measured.mse / reference.mse).mean()) < 1.05


def test_an_empty_batch_and_single_precision_modes():
    codec, modes = fitted().codec, world()[3]
    nothing = codec.design(channel(batch=(0,)))
    assert nothing.expected_mse.shape == (0,)
    single = training().untrained(modes.to(torch.float32), world()[0])
    torch.testing.assert_close(
        single.design(channel()).expected_mse.double(), ll.ClosedForm().design(modes, channel()).expected_mse, rtol=1e-3, atol=0.0
    )


@pytest.mark.parametrize(("n_rx", "n_tx"), [(4, 1), (1, 4), (8, 2)])
def test_a_receiver_matches_itself_with_many_antennas_and_little_noise(n_rx, n_tx):
    codec, unseen = fitted().codec, world()[1]
    known = channel(n_rx, n_tx, snr_db=70.0)
    met = channel(n_rx, n_tx, snr_db=70.0, batch=(20,), seed=1)
    link = codec.design(known).transceiver.matched_to(met)
    decoded = link.decode(met.apply(link.encode(unseen.x[:9]), torch.Generator().manual_seed(0)))
    assert decoded.shape == (20, 9, 10)
    assert decoded.isfinite().all()
    again = codec.design(met).transceiver.matched_to(known)  # one channel for a batch of links
    assert again.batch == (20,)


def test_an_error_of_the_channel_counts_as_noise():
    codec, modes = fitted().codec, world()[3]
    radio = channel(2, 2, snr_db=20.0, batch=(3,))
    known = ll.Channel(radio.h, radio.noise_variance, radio.power, error_variance=0.05)
    louder = ll.Channel(radio.h, radio.noise_variance + 0.05, radio.power)
    torch.testing.assert_close(codec.design(known).expected_mse, codec.design(louder).expected_mse, rtol=1e-5, atol=0.0)
    exact = ll.ClosedForm().design(modes, known)
    off = codec.with_gate(type(codec.gate)(torch.zeros_like(codec.gate.open)))
    torch.testing.assert_close(off.design(known).expected_mse, exact.expected_mse, rtol=1e-3, atol=0.0)  # of one use
