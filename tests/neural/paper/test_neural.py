from dataclasses import replace

import numpy as np
import pytest
import torch

import latentlink as ll
from neural.paper.networks_small import channel, pilots, small


def mse_on(link, unseen, radio, seed=0):
    return float(ll.metrics.mse(ll.transmit(link, unseen.x, radio, generator=torch.Generator().manual_seed(seed)), unseen.y.double()))


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


def test_it_learns_at_least_what_a_linear_pair_with_the_same_power_can():
    data, unseen, radio = pilots(3000), pilots(2000, seed=7), channel(2, 2)
    solution = small(hidden_tx=24, hidden_rx=24, epochs=60, learning_rate=3e-3, batch_size=128).design(data, radio)
    reached = mse_on(solution.transceiver, unseen, radio)
    moments = ll.Moments.from_pairs(data.x, data.y)
    modes, power = ll.semantic_modes(moments), ll.power.PerMessage(x=data.x, y=data.y)
    scaled = float(ll.ClosedForm(power=power).design(modes, radio).expected_mse)  # linear, under the same limit on every message
    assert reached < 1.02 * scaled
    assert reached > 5 * 0.05**2  # what y itself holds of noise
    assert reached == pytest.approx(float(solution.expected_mse), rel=0.25)


def test_training_is_deterministic_and_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = (small().design(pilots(), channel()) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.trace["validation_mse"], second.trace["validation_mse"])
    for a, b in zip(first.transceiver.precoder.weights, second.transceiver.precoder.weights, strict=True):
        assert torch.equal(a, b)
    other = small(seed=1).design(pilots(), channel())
    assert not torch.equal(first.trace["validation_mse"], other.trace["validation_mse"])


class Stop(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("pruning", [None, ll.HardThreshold(30.0), ll.budget.Weights(0.3)])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path, pruning):
    path, design = tmp_path / "state.pt", small(pruning=pruning, learning_rate=3e-3)
    whole = design.design(pilots(), channel())

    def stop_at_three(epoch, epochs, train, val):
        if epoch == 3:
            raise Stop

    with pytest.raises(Stop):
        design.design(pilots(), channel(), checkpoint=path, progress=stop_at_three)
    assert path.is_file()
    seen = []
    resumed = design.design(pilots(), channel(), checkpoint=path, progress=lambda *news: seen.append(news[0]))
    assert seen == [4, 5, 6]
    assert not path.exists()
    assert torch.equal(whole.trace["training_mse"], resumed.trace["training_mse"])
    assert torch.equal(whole.trace["validation_mse"], resumed.trace["validation_mse"])
    for a, b in zip(whole.transceiver.decoder.weights, resumed.transceiver.decoder.weights, strict=True):
        assert torch.equal(a, b)


def test_checkpoints_of_other_trainings_are_refused(tmp_path):
    path = tmp_path / "state.pt"

    def stop(*news):
        raise Stop

    with pytest.raises(Stop):
        small().design(pilots(), channel(), checkpoint=path, progress=stop)
    for design, data, radio in (
        (small(seed=4), pilots(), channel()),
        (small(), pilots(seed=1), channel()),
        (small(), pilots(), channel(seed=9)),
    ):
        with pytest.raises(ValueError, match="same settings"):
            design.design(data, radio, checkpoint=path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"checkpoint must be one of a training.*changed or cut"):
        small().design(pilots(), channel(), checkpoint=path)


def test_a_changed_byte_of_a_checkpoint_is_noticed_and_any_name_will_do(tmp_path):
    path = tmp_path / "state"  # no suffix

    def stop(*news):
        raise Stop

    with pytest.raises(Stop):
        small().design(pilots(), channel(), checkpoint=path, progress=stop)
    content = bytearray(path.read_bytes())
    for place in (0, 40, len(content) // 2, len(content) - 1):
        damaged = content.copy()
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="checkpoint must be one of a training"):
            small().design(pilots(), channel(), checkpoint=path)


@pytest.mark.parametrize("rate", [1e4, 1e8, 1e30])
@pytest.mark.parametrize("pruning", [None, ll.budget.Weights(0.5), ll.HardThreshold(0.0)])
def test_a_training_that_diverges_says_so_and_still_sends(rate, pruning):
    solution = small(learning_rate=rate, pruning=pruning).design(pilots(), channel())
    assert solution.messages() == [ll.Status.DIVERGED.message]
    assert ll.transmit(solution.transceiver, pilots().x, channel()).isfinite().all()


def test_training_ends_when_validation_stops_improving():
    solution = small(epochs=200, patience=2, learning_rate=0.05).design(pilots(60), channel())
    losses = solution.trace["validation_mse"]
    assert len(losses) < 200
    assert int(losses.argmin()) == len(losses) - 3
    assert float(solution.expected_mse) == pytest.approx(float(losses.min()))
    assert solution.messages() == [ll.Status.TRAINED.message]
    assert small(epochs=1).design(pilots(), channel()).messages() == [ll.Status.UNDERTRAINED.message]


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


@pytest.mark.parametrize("pruning", [ll.HardThreshold(40.0), ll.SoftThreshold(10.0), ll.budget.Weights(0.2)])
def test_what_is_delivered_is_pruned_and_counted(pruning):
    solution = small(pruning=pruning, epochs=8, learning_rate=5e-3).design(pilots(), channel())
    link = solution.transceiver
    nonzero = sum(int((w != 0).any(0).sum()) for end in (link.precoder, link.decoder) for w in end.weights)
    total = sum(w[0].numel() for end in (link.precoder, link.decoder) for w in end.weights)
    assert 0 < nonzero < total
    assert link.density == nonzero / total
    if isinstance(pruning, ll.budget.Weights):
        assert link.density <= 0.2
    linear = [line for line in link.layer_flops() if "linear" in line.name]
    assert sum(line.weights for line in linear) == nonzero
    assert sum(line.flops for line in linear) == 8 * nonzero
    assert link.flops.total == sum(line.flops for line in link.layer_flops())


def test_stronger_thresholds_leave_less():
    densities = [
        small(pruning=ll.HardThreshold(strength), learning_rate=5e-3).design(pilots(), channel()).transceiver.density
        for strength in (0.0, 10.0, 40.0, 400.0)
    ]
    assert densities == sorted(densities, reverse=True)
    assert densities[0] == 1.0
    assert densities[-1] == 0.0


@pytest.mark.parametrize("pruning", [ll.HardThreshold(40.0), ll.HardThreshold(400.0), ll.budget.Weights(0.05)])
def test_compacted_and_sparse_forms_are_the_same_function(pruning):
    link = small(pruning=pruning, learning_rate=5e-3).design(pilots(), channel()).transceiver
    x, r = pilots(20, seed=4).x, channel().apply(link.encode(pilots(20, seed=4).x))
    for form in (link.compacted(), link.as_sparse(), link.compacted().as_sparse(), link.fastest(x)):
        torch.testing.assert_close(form.encode(x), link.encode(x), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(form.decode(r), link.decode(r), rtol=1e-4, atol=1e-5)
    assert link.compacted().flops.total <= link.flops.total


def test_save_and_load(tmp_path):
    link = small(epochs=1, pruning=ll.budget.Weights(0.5)).design(pilots(), channel(2, 3, 2)).transceiver
    link.save(tmp_path / "link.safetensors")
    loaded = ll.load(tmp_path / "link.safetensors")
    assert isinstance(loaded, ll.NeuralTransceiver)
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
    by_hand = ll.metrics.accuracy(
        head, ll.transmit(link, data.x, radio, generator=torch.Generator().manual_seed(0)), data.labels
    ).overall.value
    assert float(seen.accuracy) == pytest.approx(by_hand, abs=0.01)
    torch.testing.assert_close(seen.power, torch.ones_like(seen.power), rtol=1e-5, atol=0.0)


def test_numpy_latents_and_doubles_are_taken():
    link = small(epochs=1).design(pilots(), channel()).transceiver
    x = pilots(4).x
    torch.testing.assert_close(link.encode(np.asarray(x.double())), link.encode(x))
    assert link.to(torch.float64).encode(x).dtype == torch.complex128


def test_the_price_is_a_time():
    design = small(epochs=10)
    assert 0 < design.price(pilots(), channel()) < 60
    assert small(epochs=1000).price(pilots(), channel()) > design.price(pilots(), channel())


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


@pytest.mark.parametrize("pruning", [ll.HardThreshold(8.0), ll.SoftThreshold(4.0), ll.budget.Weights(0.1)])
def test_what_is_delivered_is_never_denser_than_the_last_mask_and_its_error_is_its_own(pruning):
    design = small(pruning=pruning, epochs=30, patience=4, learning_rate=2e-2)  # it overfits: the best epoch is early
    solution = design.design(pilots(120), channel())
    assert int(solution.trace["best_epoch"]) < len(solution.trace["density"])
    assert solution.transceiver.density <= float(solution.trace["density"][-1])
    assert (solution.trace["density"].diff() <= 0).all()
    data = pilots(120)  # validation pilots, by the seed of the design
    held = torch.randperm(120, generator=torch.Generator().manual_seed(0))[:12]
    noisy = [mse_on(solution.transceiver, data[held], channel(), seed) for seed in range(200)]
    assert float(solution.expected_mse) == pytest.approx(sum(noisy) / 200, rel=0.2)


@pytest.mark.parametrize("excess", [0, 400, 800])
def test_a_budget_of_operations_is_met_and_used(excess):
    full = small(epochs=1).design(pilots(), channel()).transceiver
    fixed = full.flops.total - 8 * (full.precoder.size + full.decoder.size)
    flops = fixed + 8 + excess
    link = small(pruning=ll.budget.Weights(flops=flops), epochs=4).design(pilots(), channel()).transceiver
    assert flops - 8 * 32 < link.flops.total <= flops  # units that die give their activation back
    with pytest.raises(ValueError, match=f"flops must be above {fixed}"):
        small(pruning=ll.budget.Weights(flops=fixed)).design(pilots(), channel())


def test_no_symbol_leaves_where_nothing_is_to_send():
    for radio in (channel().with_power(0.0), ll.Channel(torch.zeros(1, 2, 2, dtype=torch.complex128), 0.1)):
        solution = small().design(pilots(), radio)
        assert (solution.transceiver.encode(pilots().x) == 0).all()
        assert float(solution.expected_power) == 0.0


def test_networks_that_lose_all_weights_send_nothing_and_say_so():
    solution = small(pruning=ll.HardThreshold(1e6)).design(pilots(), channel())
    assert solution.transceiver.density == 0.0
    assert float(solution.expected_power) == 0.0
    for link in (solution.transceiver, solution.transceiver.compacted(), solution.transceiver.compacted().as_sparse()):
        y_hat = ll.transmit(link, pilots().x, channel())
        torch.testing.assert_close(y_hat, pilots().y.mean(0).expand_as(y_hat), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_that_diverges_delivers_the_best_before(precision):
    solution = small(learning_rate=1e30, epochs=9, precision=precision).design(pilots(), channel())
    assert solution.messages() == [ll.Status.DIVERGED.message]
    assert ll.transmit(solution.transceiver, pilots().x, channel()).isfinite().all()
    assert solution.expected_mse.isfinite()


def test_channels_known_up_to_an_error_are_trained_for():
    data, known = pilots(2000), channel(3, 2)
    sure = small(epochs=15, learning_rate=5e-3).design(data, known)
    known = replace(known, error_variance=torch.tensor(0.3, dtype=torch.float64))
    wary = small(epochs=15, learning_rate=5e-3).design(data, known)
    generator, errors = torch.Generator().manual_seed(5), {}
    radios = known.h + 0.3**0.5 * torch.randn(200, 1, 3, 2, dtype=known.h.dtype, generator=generator)
    for name, solution in (("sure", sure), ("wary", wary)):
        unseen = pilots(800, seed=3)
        y_hat = ll.transmit(solution.transceiver, unseen.x, ll.Channel(radios, known.noise_variance), generator=generator)
        errors[name] = float((y_hat - unseen.y).square().sum(-1).mean())
    assert errors["wary"] < 0.9 * errors["sure"]
    assert errors["wary"] == pytest.approx(float(wary.expected_mse), rel=0.2)


def test_surroundings_do_not_matter():
    radio = channel(2, 2)
    reference = small().design(pilots(), radio)
    conjugate = replace(radio, h=radio.h.conj().resolve_conj().conj())  # a lazy conjugate
    leaf = ll.Pilots(pilots().x.requires_grad_(), pilots().y, pilots().labels)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            doubled = small().design(leaf, conjugate)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(reference.trace["training_mse"], doubled.trace["training_mse"])


def test_links_pass_gradients_to_what_is_sent_and_received():
    link = small(epochs=1).design(pilots(), channel()).transceiver
    x = pilots(4).x.requires_grad_()
    ll.metrics.latency(link, x.detach(), channel(), repeats=1)  # must leave nothing that has no gradient
    ll.transmit(link, x, channel()).square().sum().backward()
    assert x.grad.isfinite().all()
    assert (x.grad != 0).any()


def test_forms_are_saved_with_the_link(tmp_path):
    link = small(pruning=ll.budget.Weights(0.2)).design(pilots(), channel()).transceiver.compacted().as_sparse()
    link.save(tmp_path / "link.safetensors")
    loaded = ll.load(tmp_path / "link.safetensors")
    assert (loaded.precoder.form, loaded.decoder.form) == ("sparse", "sparse")
    assert torch.equal(loaded.encode(pilots(5).x), link.encode(pilots(5).x))
    assert loaded.flops == link.flops


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


def test_pruned_weights_stay_zero_within_an_epoch_though_momentum_would_move_them():
    training, _ = small(pruning=ll.HardThreshold(1.0), learning_rate=0.1)._prepared(pilots(), channel())
    rows = torch.arange(64)
    for _ in range(3):
        training.step(rows)  # momentum
    masks = []
    for layer in training.pair.linears():
        layer.prune(layer.modulus() > layer.modulus().median())
        masks.append(layer.mask.clone())
    for _ in range(3):
        training.step(rows)
        for layer, mask in zip(training.pair.linears(), masks, strict=True):
            assert (layer.weight[:, ~mask] == 0).all()
            assert (layer.weight[:, mask] != 0).all()
