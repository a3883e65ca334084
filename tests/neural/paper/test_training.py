"""Training of the paper's networks: deterministic, resumed to the same bits, honest where it diverges."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
from latentlink.neural.paper.design import TRAINED, TRAINING_DIVERGED, UNDERTRAINED
from latentlink.neural.seeding import NetworkDraw
from neural.paper.networks_small import by, channel, pilots, small


def mse_on(link, unseen, radio, seed=0):
    return float(ll.metrics.mse(ll.transmit(link, unseen.x, radio, generator=seed), unseen.y.double()).mean())


def test_it_learns_at_least_what_a_linear_pair_with_the_same_power_can():
    data, unseen, radio = pilots(1500), pilots(2000, seed=7), channel(2, 2)
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
    path, design = tmp_path / "state.pt", small(**by(pruning), learning_rate=3e-3)
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


@pytest.mark.parametrize(("rate", "pruning"), [(1e5, None), (1e30, None), (1e8, ll.budget.Weights(0.5)), (1e8, ll.HardThreshold(0.0))])
def test_a_training_that_diverges_says_so_and_still_sends(rate, pruning):
    solution = small(learning_rate=rate, **by(pruning)).design(pilots(), channel())
    assert solution.messages() == [TRAINING_DIVERGED.message]
    assert ll.transmit(solution.transceiver, pilots().x, channel()).isfinite().all()


def test_training_ends_when_validation_stops_improving():
    solution = small(epochs=200, patience=2, learning_rate=0.05).design(pilots(60), channel())
    losses = solution.trace["validation_mse"]
    assert len(losses) < 200
    assert int(losses.argmin()) == len(losses) - 3
    assert float(solution.expected_mse) == pytest.approx(float(losses.min()))
    assert solution.messages() == [TRAINED.message]
    assert small(epochs=1).design(pilots(), channel()).messages() == [UNDERTRAINED.message]


@pytest.mark.parametrize("pruning", [ll.HardThreshold(8.0), ll.SoftThreshold(4.0), ll.budget.Weights(0.1)])
def test_what_is_delivered_is_never_denser_than_the_last_mask_and_its_error_is_its_own(pruning):
    design = small(**by(pruning), epochs=30, patience=4, learning_rate=2e-2)  # it overfits: the best epoch is early
    solution = design.design(pilots(120), channel())
    assert int(solution.trace["best_epoch"]) < len(solution.trace["density"])
    assert solution.transceiver.density <= float(solution.trace["density"][-1])
    assert (solution.trace["density"].diff() <= 0).all()
    data = pilots(120)  # validation pilots, by the seed of the design
    held = torch.randperm(120, generator=NetworkDraw.SPLIT.generator(0))[:12]
    again = ll.Channel(channel().h.expand(200, 1, -1, -1), channel().noise_variance)  # the same channel, other noise
    noisy = mse_on(solution.transceiver, data[held], again)
    assert float(solution.expected_mse) == pytest.approx(noisy, rel=0.2)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_that_diverges_delivers_the_best_before(precision):
    solution = small(learning_rate=1e30, epochs=9, precision=precision).design(pilots(), channel())
    assert solution.messages() == [TRAINING_DIVERGED.message]
    assert ll.transmit(solution.transceiver, pilots().x, channel()).isfinite().all()
    assert solution.expected_mse.isfinite()


def test_channels_known_up_to_an_error_are_trained_for():
    data, known = pilots(1000), channel(3, 2)
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
    assert errors["wary"] == pytest.approx(float(wary.expected_mse), rel=0.3)  # of 100 validation pilots


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


def test_pruned_weights_stay_zero_within_an_epoch_though_momentum_would_move_them():
    loop, _ = small(pruning=ll.HardThreshold(1.0), learning_rate=0.1).untrained_loop(pilots(), channel())
    rows = torch.arange(64)
    for _ in range(3):
        loop.step(rows)  # momentum
    masks = []
    for layer in loop.pair.linears():
        layer.prune(layer.modulus() > layer.modulus().median())
        masks.append(layer.mask.clone())
    for _ in range(3):
        loop.step(rows)
        for layer, mask in zip(loop.pair.linears(), masks, strict=True):
            assert (layer.weight[:, ~mask] == 0).all()
            assert (layer.weight[:, mask] != 0).all()
