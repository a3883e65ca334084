"""The paper's networks as a design: shapes, power, edge cases, files."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import latentlink as ll
from latentlink.neural.paper.transceiver import NeuralTransceiver
from neural.paper.networks_small import channel, pilots, small


@pytest.mark.parametrize(("n_rx", "n_tx", "uses", "d", "m"), [(2, 2, 1, 7, 5), (3, 2, 1, 8, 5), (1, 3, 2, 7, 6), (2, 1, 3, 1, 1)])
def test_shapes_and_power_of_every_message(n_rx, n_tx, uses, d, m):
    radio = channel(n_rx, n_tx, uses, power=2.5)
    link = small(epochs=1).design(pilots(d=d, m=m), radio).transceiver
    unseen = pilots(30, d, m, seed=5)
    s = link.encode(unseen.x)
    assert s.shape == (30, uses, n_tx)
    assert s.is_complex()
    torch.testing.assert_close(s.abs().square().sum((-2, -1)), torch.full((30,), 2.5 * uses))
    y_hat = ll.transmit(link, unseen.x, radio)
    assert y_hat.shape == (30, m)
    torch.testing.assert_close(link.mean_y + link.receive(radio.apply(s)) @ link.synthesis.mT, link.decode(radio.apply(s)), atol=1, rtol=1)


def test_a_batch_of_one_channel_has_that_batch():
    solution = small(epochs=1).design(pilots(), channel(batch=(1,)))
    assert solution.status.shape == solution.expected_mse.shape == solution.expected_power.shape == (1,)
    assert solution.transceiver.encode(pilots().x[:3]).shape == (1, 3, 1, 2)
    assert ll.transmit(solution.transceiver, pilots().x[:3], channel(batch=(1,))).shape == (1, 3, 5)


def test_nothing_is_sent_where_nothing_can_be():
    for radio in (channel(power=1.0).with_power(0.0), ll.Channel(torch.zeros(1, 2, 2, dtype=torch.complex128), 0.1)):
        solution = small().design(pilots(), radio)
        assert solution.messages() == [ll.Status.NOTHING_TO_SEND.message]
        y_hat = ll.transmit(solution.transceiver, pilots().x, radio)
        torch.testing.assert_close(y_hat, pilots().y.mean(0).expand_as(y_hat))


def test_without_noise_and_unaware():
    radio = channel(3, 2)
    for known in (replace(radio, noise_variance=torch.zeros(())), radio.unaware()):
        solution = small(epochs=2).design(pilots(), known)
        assert ll.transmit(solution.transceiver, pilots().x, radio).isfinite().all()


def test_constant_latents_and_two_pilots():
    data = ll.Pilots(torch.ones(2, 4), torch.ones(2, 3), torch.tensor([0, 1]))
    solution = small(epochs=2).design(data, channel())
    torch.testing.assert_close(ll.transmit(solution.transceiver, data.x, channel()), data.y, atol=1.0, rtol=0.0)


def test_save_and_load(tmp_path):
    link = small(epochs=1, budget=ll.budget.Weights(0.5)).design(pilots(), channel(2, 3, 2)).transceiver
    link.save(tmp_path / "link.safetensors")
    loaded = ll.load(tmp_path / "link.safetensors")
    assert isinstance(loaded, NeuralTransceiver)
    x = pilots(5).x
    assert torch.equal(loaded.encode(x), link.encode(x))
    r = channel(2, 3, 2).apply(link.encode(x))
    assert torch.equal(loaded.decode(r), link.decode(r))
    content = bytearray((tmp_path / "link.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "bad.safetensors").write_bytes(content)
    with pytest.raises(ll.ArtifactError):
        ll.load(tmp_path / "bad.safetensors")


def test_evaluate_takes_it_like_any_other():
    data, radio = pilots(600), channel(batch=(1,))
    head = ll.fit_head(data.y, data.labels)
    link = small(epochs=20, learning_rate=3e-3).design(data, radio).transceiver
    seen = ll.evaluate(link, data.x, data.y, channel=radio, head=head, labels=data.labels, generator=torch.Generator().manual_seed(0))
    received = ll.transmit(link, data.x, radio, generator=torch.Generator().manual_seed(0))
    by_hand = ll.metrics.accuracy(head, received, data.labels).overall.value
    assert float(seen.accuracy) == pytest.approx(by_hand, abs=0.01)
    torch.testing.assert_close(seen.power, torch.ones_like(seen.power), rtol=1e-5, atol=0.0)


def test_numpy_latents_and_doubles_are_taken():
    link = small(epochs=1).design(pilots(), channel()).transceiver
    x = pilots(4).x
    torch.testing.assert_close(link.encode(np.asarray(x.double())), link.encode(x))
    assert link.to(torch.float64).encode(x).dtype == torch.complex128


def test_the_estimate_of_the_time_is_a_time():
    design = small(epochs=10)
    assert 0 < design.estimated_seconds(pilots(), channel()) < 60
    assert small(epochs=1000).estimated_seconds(pilots(), channel()) > design.estimated_seconds(pilots(), channel())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"hidden_tx": 0}, "hidden_tx"),
        ({"layers": 0}, "layers"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"patience": 0}, "patience"),
        ({"validation": 1.0}, "validation"),
    ],
)
def test_settings_out_of_range(changes, complaint):
    with pytest.raises(ValueError, match=f"{complaint} must be"):
        small(**changes)


def test_input_that_does_not_fit():
    with pytest.raises(ValueError, match=r"one channel.*\(3,\)"):
        small().design(pilots(), channel(batch=(3,)))
    with pytest.raises(ValueError, match="at least 2"):
        small().design(pilots(1), channel())
    link = small(epochs=1).design(pilots(), channel()).transceiver
    with pytest.raises(ValueError, match="x must have shape"):
        link.encode(torch.zeros(3, 8))
    with pytest.raises(ValueError, match="NaN"):
        link.encode(torch.full((3, 7), torch.nan))
    with pytest.raises(ValueError, match="r must be complex"):
        link.decode(torch.zeros(3, 1, 2))


def test_no_symbol_leaves_where_nothing_is_to_send():
    for radio in (channel().with_power(0.0), ll.Channel(torch.zeros(1, 2, 2, dtype=torch.complex128), 0.1)):
        solution = small().design(pilots(), radio)
        assert (solution.transceiver.encode(pilots().x) == 0).all()
        assert float(solution.expected_power) == 0.0


def test_links_pass_gradients_to_what_is_sent_and_received():
    link = small(epochs=1).design(pilots(), channel()).transceiver
    x = pilots(4).x.requires_grad_()
    ll.metrics.latency(link, x.detach(), channel(), repeats=1)  # must leave nothing that has no gradient
    ll.transmit(link, x, channel()).square().sum().backward()
    assert x.grad.isfinite().all()
    assert (x.grad != 0).any()


def test_more_latents_in_odd_shapes():
    link = small(epochs=1).design(pilots(), channel(3, 2, 2)).transceiver
    x = pilots(12).x
    s = link.encode(x.view(3, 4, 7))
    assert s.shape == (3, 4, 2, 2)
    torch.testing.assert_close(s.flatten(0, 1), link.encode(x))
    r = channel(3, 2, 2).apply(s)
    torch.testing.assert_close(link.decode(r).flatten(0, 1), link.decode(r.flatten(0, 1)))
    assert link.encode(x[:0]).shape == (0, 2, 2)
    assert link.decode(r[0, :0]).shape == (0, 5)
