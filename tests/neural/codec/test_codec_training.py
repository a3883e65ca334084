"""Training: resumed to the same end, logged, deterministic; few pilots, other goals, power limits, bad settings."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
import torch

import latentlink as ll
from latentlink import objectives
from latentlink.neural.codec.pruning import flops
from latentlink.neural.codec.words import codec_training
from neural.codec.clouds import channel, fitted, pilots, training, understood, world


class Stop(Exception):  # noqa: N818
    pass


def stopping_after(rounds):
    def told(number, *_):
        if number == rounds:
            raise Stop

    return told


def weights(codec):
    return [*codec.encoder.state_dict().values(), *codec.decoder.state_dict().values()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True)) and torch.equal(a.gate.open, b.gate.open)


def short_training(**changes):
    """On few channels, for laws that do not depend on what is learnt."""
    return training(**{"bank": (200, 32, 100), **changes})


@cache
def uninterrupted(budget):
    """A short training, and its end."""
    data, _, head, modes = world()
    short = short_training(rounds=4, steps=5, budget=budget)
    return short, short.fit(modes, data, objectives.HeadDivergence(head))


@pytest.mark.parametrize(("budget", "stop"), [(None, 2), (ll.budget.Flops(3000), 1), (ll.budget.Flops(3000), 3)])
def test_an_interrupted_training_goes_on_to_the_same_end(tmp_path, budget, stop):
    data, _, head, modes = world()
    short, whole = uninterrupted(budget)
    path = tmp_path / "training"
    with pytest.raises(Stop):
        short.fit(modes, data, objectives.HeadDivergence(head), checkpoint=path, progress=stopping_after(stop))
    assert path.is_file()
    resumed = short.fit(modes, data, objectives.HeadDivergence(head), checkpoint=path)
    assert same(whole.codec, resumed.codec)
    assert torch.equal(whole.trace["validation_loss"], resumed.trace["validation_loss"])
    assert not path.exists()


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    data, _, head, modes = world()
    path, short = tmp_path / "training", short_training(rounds=3, steps=2)
    with pytest.raises(Stop):
        short.fit(modes, data, objectives.HeadDivergence(head), checkpoint=path, progress=stopping_after(1))
    for other, objective in (
        (short_training(rounds=3, steps=2, seed=1), objectives.HeadDivergence(head)),
        (short, objectives.HeadDivergence(head, 2.0)),
    ):
        with pytest.raises(ValueError, match="checkpoint must be of the same settings"):
            other.fit(modes, data, objective, checkpoint=path)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="delete it to start anew"):
        short.fit(modes, data, objectives.HeadDivergence(head), checkpoint=path)


def test_training_is_deterministic_and_leaves_the_global_generator_alone():
    data, _, head, modes = world()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = (short_training(rounds=2, steps=5).fit(modes, data, objectives.HeadDivergence(head)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert same(first.codec, second.codec)


def test_rounds_are_told_and_logged():
    class Logger:
        def __init__(self):
            self.seen = {}

        def add_scalar(self, name, value, step):
            self.seen.setdefault(name, []).append((step, value))

    data, _, head, modes = world()
    logger, told = Logger(), []
    fit = short_training(rounds=3, steps=5).fit(
        modes, data, objectives.HeadDivergence(head), progress=lambda *facts: told.append(facts), logger=logger
    )
    assert [facts[:2] for facts in told] == [(1, 3), (2, 3), (3, 3)]
    assert (
        [score for *_, score in told] == fit.trace["validation_score"].tolist() == [value for _, value in logger.seen["score/validation"]]
    )
    assert logger.seen["loss/training"][2] == (3, float(fit.trace["training_loss"][2]))


def test_validation_gets_better():
    trace = fitted().trace
    assert trace["validation_loss"][-3:].min() < 0.8 * trace["validation_loss"][0]
    assert 0 < float(trace["open"]) <= 1


@pytest.mark.parametrize(
    ("objective", "rounds"),
    [(objectives.Regression(), 2), (objectives.Cosine(), 2), (objectives.Retrieval(), 3)],
    ids=["mse", "cosine", "retrieval"],
)
def test_goals_without_labels_go_through_the_same_door(objective, rounds):
    data, unseen, _, _ = world()
    modes = ll.semantic_modes(ll.Moments.from_pairs(data.x, data.y))
    codec = training(rounds=rounds).fit(modes, data, objective).codec
    radio = channel(1, 1, snr_db=20.0, batch=(50,), seed=4)
    ends = [codec.design(radio).transceiver, ll.ClosedForm().design(modes, radio).transceiver.to(torch.float32)]
    wanted = objective.wanted(unseen.y.float(), modes.synthesis.float(), modes.mean_y.float())
    rows = torch.arange(len(unseen))
    scores = []
    for link in ends:
        z = link.receive(radio.apply(link.encode(unseen.x), torch.Generator().manual_seed(1)))
        missing = len(modes) - z.shape[-1]
        scores.append(wanted.score(torch.nn.functional.pad(z, (0, missing)), rows).mean())
    assert scores[0] > scores[1]


def test_few_pilots_help_and_do_not_hurt():
    _, _, head, _ = world()
    few = pilots(64)
    modes = ll.semantic_modes(ll.Moments.from_pairs(few.x, few.y), ll.Goal.fisher(head, few.y, 3.0, 0.01))
    radios = {n: channel(n, n, snr_db=15.0, batch=(40,), seed=8) for n in (1, 2, 4)}
    exact = {n: ll.ClosedForm().design(modes, radio).transceiver.to(torch.float32) for n, radio in radios.items()}
    linear = {n: understood(exact[n], radio).mean() for n, radio in radios.items()}
    for unpaired, rounds in ((None, 4), (pilots(600, seed=3).x, 2)):
        codec = training(rounds=rounds, validation=0.25).fit(modes, few, objectives.HeadDivergence(head), unpaired=unpaired).codec
        for n, gain in ((1, 0.05), (2, -0.01), (4, -0.01)):
            assert understood(codec.design(radios[n]).transceiver, radios[n]).mean() >= linear[n] + gain, n


@pytest.mark.parametrize("power", [ll.power.Mean(), ll.power.Mean(peak=1.5), ll.power.PerMessage()])
def test_power_on_unseen_latents(power):
    data, unseen, head, modes = world()
    codec = training(rounds=1, power=power).fit(modes, data, objectives.HeadDivergence(head)).codec
    for radio in (channel(1, 1, power=2.0, batch=(20,)), channel(2, 2, uses=2, power=2.0, batch=(20,))):
        solution = codec.design(radio)
        spent = solution.transceiver.encode(unseen.x).abs().square().sum((-2, -1)) / radio.uses
        assert float(spent.mean()) == pytest.approx(2.0, rel=0.06) or power.limits_messages
        assert (spent.mean(-1) <= 2.0 * 1.1).all()
        if power == ll.power.Mean(peak=1.5):
            assert float(spent.max()) <= 3.0 * (1 + 1e-5)
        if isinstance(power, ll.power.PerMessage):
            torch.testing.assert_close(spent, torch.full_like(spent, 2.0))
        torch.testing.assert_close(solution.expected_power, spent.mean(-1).double(), rtol=0.1, atol=0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width must be an integer >= 1, got 0"),
        ({"modes": True}, "modes must be an integer, got True"),
        ({"learning_rate": 0}, "learning_rate must be a finite number > 0"),
        ({"validation": 1.0}, "validation must be a finite number > 0 and < 1"),
        ({"dropout": -0.1}, "dropout must be a finite number >= 0 and < 1"),
        ({"draws": ll.channels.ChannelDraws}, "draws must be a ChannelSource, such as ChannelDraws"),
        ({"bank": (0, 4, 4)}, "bank.train must be an integer >= 1, got 0"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        training(**changes)


def test_bad_arguments_are_named():
    data, _, head, modes = world()
    with pytest.raises(ValueError, match="modes must be at least 10, what the linear design may send, got 4"):
        training(modes=4).untrained(modes, data)
    with pytest.raises(ValueError, match=r"pilots must be of the modes' dimensions \(12, 10\)"):
        training().fit(modes, ll.Pilots(data.x[:, :5], data.y, data.labels), objectives.HeadDivergence(head))
    with pytest.raises(ValueError, match="objective must be"):
        training().fit(modes, data, objectives.HeadDivergence)
    with pytest.raises(ValueError, match="pilots must be at least 4"):
        training().fit(modes, data[:3], objectives.HeadDivergence(head))
    with pytest.raises(ValueError, match=r"unpaired must have shape \(\.\.\., n, 12\)"):
        training().fit(modes, data, objectives.HeadDivergence(head), unpaired=data.x[:, :3])
    with pytest.raises(ValueError, match="at most max_symbols = 1 symbols, got none"):
        training(max_symbols=1, draws=ll.channels.ChannelDraws(antennas=(2,), uses=(1,))).fit(modes, data, objectives.HeadDivergence(head))
    with pytest.raises(ValueError, match="peak must be"):
        ll.power.Mean(peak=0.5)
    with pytest.raises(ValueError, match="mixed must be"):
        ll.Augmentation(mixed=2.0)


def test_mixed_precision_trains_to_about_the_same():
    data, _, head, modes = world()
    losses = [
        training(rounds=2, steps=10, precision=precision).fit(modes, data, objectives.HeadDivergence(head)).trace["validation_loss"]
        for precision in ("float32", "bfloat16")
    ]
    assert float(losses[1][-1]) == pytest.approx(float(losses[0][-1]), rel=0.1)
    assert not torch.equal(*losses)


def test_the_estimate_of_time_is_about_what_training_takes():
    data, _, head, modes = world()
    settings = training(rounds=2, steps=50)
    assert 0 < settings.estimated_seconds(modes, data, objectives.HeadDivergence(head)) < 60


def test_dropout_is_of_the_training_alone(tmp_path):
    data, _, head, modes = world()
    torch.manual_seed(3)
    before, short = torch.get_rng_state(), short_training(rounds=3, steps=6, dropout=0.2)
    whole = short.fit(modes, data, objectives.HeadDivergence(head))
    assert torch.equal(torch.get_rng_state(), before)
    path = tmp_path / "training"
    with pytest.raises(Stop):
        short.fit(modes, data, objectives.HeadDivergence(head), checkpoint=path, progress=stopping_after(2))
    assert same(whole.codec, short.fit(modes, data, objectives.HeadDivergence(head), checkpoint=path).codec)


def test_weights_do_not_depend_on_what_other_threads_draw():
    data, _, _, modes = world()
    alone = weights(training().untrained(modes, data))
    with ThreadPoolExecutor(4) as pool:
        every = list(pool.map(lambda seed: weights(training(seed=seed % 2).untrained(modes, data)), range(40)))
    for found in every[::2]:
        assert all(torch.equal(a, b) for a, b in zip(found, alone, strict=True))


def test_a_training_that_diverges_keeps_its_budget_and_its_numbers():
    data, unseen, head, modes = world()
    fit = short_training(rounds=6, steps=5, learning_rate=1e8, budget=ll.budget.Flops(3000)).fit(
        modes, data, objectives.HeadDivergence(head)
    )
    assert flops(fit.codec) <= 3000
    solution = fit.codec.design(channel(batch=(3,)))
    assert solution.transceiver.encode(unseen.x).isfinite().all()
    assert solution.expected_mse.isfinite().all()


def test_a_budget_that_no_codec_meets_is_refused_before_training():
    data, _, head, modes = world()
    with pytest.raises(ValueError, match="flops must be at least"):
        training(budget=ll.budget.Flops(10)).fit(modes, data, objectives.HeadDivergence(head), progress=stopping_after(1))


def test_trainings_are_told_apart_by_all_they_depend_on():
    data, _, head, modes = world()
    usual = training().identity(modes, data, objectives.HeadDivergence(head))
    assert usual == training().identity(modes, data, objectives.HeadDivergence(head))
    tanh, relu = (torch.nn.Sequential(torch.nn.Linear(10, 16), act()).double() for act in (torch.nn.Tanh, torch.nn.ReLU))
    relu.load_state_dict(tanh.state_dict())
    names = [
        usual,
        training(seed=1).identity(modes, data, objectives.HeadDivergence(head)),
        training(draws=ll.channels.ChannelDraws(antennas=(1, 2, 4), uses=(1,), gain=0.5)).identity(
            modes, data, objectives.HeadDivergence(head)
        ),
        training().identity(modes, data, objectives.HeadDivergence(head, fidelity=0.1)),
        training().identity(modes, data, objectives.HeadDivergence(tanh)),
        training().identity(modes, data, objectives.HeadDivergence(relu)),
        training().identity(modes, data[:700], objectives.HeadDivergence(head)),
        training().identity(modes, data, objectives.HeadDivergence(head), data.x[:3]),
        training(modes=9).identity(modes, data, objectives.HeadDivergence(head)),
    ]
    assert len(set(names)) == len(names)


class Bank:
    """Channels from a bank of measured ones, as a user may write it."""

    def draw(self, count, generator):
        return [channel(1, 1, snr_db=15.0, batch=(count,), seed=int(torch.randint(99, (1,), generator=generator)))]


class Loudness:
    """An objective of a user's own: only the first number of the latent counts."""

    def wanted(self, y, synthesis, mean_y):
        class Wanted:
            def __init__(self, y):
                self.y = y.to(synthesis)[:, 0]

            def loss(self, z, rows):
                return (mean_y[0] + z @ synthesis[0] - self.y[rows]).square()

            def score(self, z, rows):
                return -self.loss(z, rows)

            def of(self, y):
                return Wanted(y)

        return Wanted(y)


def test_sources_and_objectives_of_a_users_own(tmp_path):
    data, _, _, modes = world()
    settings = short_training(draws=Bank(), rounds=2, steps=5, max_symbols=2)
    with pytest.raises(Stop):
        settings.fit(modes, data, Loudness(), checkpoint=tmp_path / "t", progress=stopping_after(1))
    resumed = short_training(draws=Bank(), rounds=2, steps=5, max_symbols=2).fit(modes, data, Loudness(), checkpoint=tmp_path / "t")
    assert same(resumed.codec, settings.fit(modes, data, Loudness()).codec)


def test_complex_linear_modes_of_odd_number():
    data, _, _, _ = world()
    modes = ll.semantic_modes(ll.Moments.from_pairs(data.x, data.y), widely_linear=False)
    codec = training(modes=9, max_symbols=2).untrained(modes, data)
    assert len(codec.modes) == 8
    radio = channel(1, 2, batch=(3,))
    torch.testing.assert_close(codec.design(radio).expected_mse, ll.ClosedForm().design(modes, radio).expected_mse, rtol=1e-5, atol=0.0)


def test_the_default_dtype_changes_nothing():
    data, _, head, modes = world()
    settings = short_training(rounds=2, steps=4, dropout=0.2, augmentation=ll.Augmentation(mixed=0.3), budget=ll.budget.Flops(3000))
    usual = settings.fit(modes, data, objectives.HeadDivergence(head))
    torch.set_default_dtype(torch.float64)
    try:
        doubled = settings.fit(modes, data, objectives.HeadDivergence(head))
    finally:
        torch.set_default_dtype(torch.float32)
    assert same(usual.codec, doubled.codec)
    assert torch.equal(usual.trace["validation_loss"], doubled.trace["validation_loss"])
    radio = channel(batch=(2,))
    assert torch.equal(*(fit.codec.design(radio).expected_mse for fit in (usual, doubled)))


@pytest.mark.parametrize("seed", range(3))
def test_banks_of_few_channels_have_one_that_fits(seed):
    data, _, head, modes = world()
    draws = ll.channels.ChannelDraws(antennas=(1, 16), uses=(1, 1, 2))  # most of them are too large
    settings = training(max_symbols=1, rounds=1, steps=1, draws=draws, bank=(1, 1, 1), seed=seed)
    assert settings.estimated_seconds(modes, data, objectives.HeadDivergence(head)) > 0
    assert settings.fit(modes, data, objectives.HeadDivergence(head)).codec.max_symbols == 1


def test_words_are_turned_into_settings_in_one_place():
    assert codec_training(rounds=3) == ll.CodecTraining(rounds=3)
    assert codec_training(peak=2.0, flops=5000).power == ll.power.Mean(peak=2.0)
    assert codec_training(power="per-message", microseconds=4.0).budget == ll.budget.Latency(4.0)
    for words, message in (
        ({"flops": 5, "microseconds": 1.0}, "budgets for the same link"),
        ({"power": "per-message", "peak": 2.0}, "peak limits messages whose mean is limited"),
        ({"power": "per-use"}, r"power must be Mean\(\), Mean\(peak=...\) or PerMessage\(\) in a codec"),
        ({"power": "loud"}, "power must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            codec_training(**words)
