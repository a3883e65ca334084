"""No two uses of randomness share a stream: in studies, in the codec's training and in that of the paper's networks."""

import ast
from itertools import pairwise
from pathlib import Path

import pytest
import torch

import latentlink as ll
from latentlink.channels.draws import ChannelDraws
from latentlink.neural.codec.examples import Examples, draw_bank
from latentlink.neural.codec.loop import CodecLoop
from latentlink.neural.seeding import CodecDraw, NetworkDraw
from latentlink.studies.seeding import Draw
from neural.codec.clouds import training, world

ROOMS = {Draw: "studies", CodecDraw: "neural", NetworkDraw: "neural"}
EVERY = [draw for kind in ROOMS for draw in kind]
SHARED = {  # the same channels; names of methods; a network of one user is a link
    Draw.CHANNELS: ["studies/channels.py", "running/situation.py"],
    Draw.DESIGN: ["methods/codec.py", "methods/method.py"],
    Draw.NOISE: ["running/measure.py", "running/measure_network.py"],
    CodecDraw.ORDER: ["codec/examples.py", "codec/loop.py"],
    CodecDraw.AUGMENTATION: ["codec/examples.py", "codec/loop.py"],
    CodecDraw.DISTURBANCE: ["codec/examples.py", "codec/loop.py"],
}


def sources(room):
    folder = Path(ll.__file__).parent / room
    return {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")) if path.name != "seeding.py"}


def test_no_two_draws_share_a_stream():
    """Over all kinds of draws, seeds that sums and multiples of the usual kind would make meet, and sizes of channels."""
    seeds = [*range(60), 1009, 1_000_003, 2**32 - 1]
    streams = [draw.generator(seed).initial_seed() for draw in EVERY for seed in seeds]
    streams += [
        Draw.CHANNELS.generator(seed, n_rx, n_tx).initial_seed() for seed in range(20) for n_rx in range(1, 17) for n_tx in range(1, 17)
    ]
    assert len(set(streams)) == len(streams)
    small = [draw.seed(seed) for draw in EVERY for seed in seeds]
    assert len(set(small)) == len(small)
    assert all(0 <= seed < 2**31 for seed in small)


@pytest.mark.parametrize("room", sorted(set(ROOMS.values())))
def test_a_room_draws_from_named_streams_only(room):
    for path, text in sources(room).items():
        calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        assert not [call for call in calls if call.endswith(("manual_seed", "Generator"))], path


def test_every_name_is_used_for_one_thing():
    used = {room: {f"{path.parent.name}/{path.name}": _attributes(text) for path, text in sources(room).items()} for room in ROOMS.values()}
    uses = {}
    for draw in EVERY:
        name = f"{type(draw).__name__}.{draw.name}"
        uses[draw] = [module for module, names in used[ROOMS[type(draw)]].items() if name in names]
    assert {draw: places for draw, places in uses.items() if len(places) != 1} == SHARED


def _attributes(text):
    return {ast.unparse(node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}


class Recording(ChannelDraws):
    """Channels as usual, with what they were drawn from."""

    def draw(self, count, generator):
        STARTS.append(generator.initial_seed())
        return super().draw(count, generator)


STARTS: list[int] = []


def test_trainings_of_neighbouring_seeds_draw_no_channel_from_the_same_stream():
    """Four draws of each: the validation channels of seed 0 were the training channels of seed 1, and its gate's those of seed 2."""
    data, _, head, modes = world()
    STARTS.clear()
    for seed in range(3):
        training(seed=seed, rounds=1, steps=1, draws=Recording(antennas=(1, 2))).fit(modes, data, ll.objectives.HeadDivergence(head))
    assert len(STARTS) == len(set(STARTS)) == 12


def test_noise_does_not_depend_on_dropout_or_augmentation():
    """Each has a stream of its own, so that what one more option draws leaves all else as it was."""
    data, _, head, modes = world()
    drawn = []
    for changes in ({}, {"dropout": 0.5}, {"augmentation": ll.Augmentation(0.0, 0.0, 0.0)}):
        settings = training(rounds=1, steps=3, **changes)
        codec = settings.untrained(modes, data)
        loop = _loop(settings, codec, data, head)
        loop.train()
        drawn.append((loop.random[CodecDraw.ORDER].get_state(), loop.random[CodecDraw.TRAINING_NOISE].get_state()))
    assert all(torch.equal(a, b) for states in zip(*drawn, strict=True) for a, b in pairwise(states))


def _loop(settings, codec, data, head):
    bank = draw_bank(settings.draws, 40, codec, CodecDraw.TRAINING_CHANNELS.generator(0))
    examples = Examples(codec.modes, ll.objectives.HeadDivergence(head), data, data[:9], None, settings.augmentation)
    return CodecLoop(codec, examples, bank, bank, settings)


def test_one_seed_gives_each_kind_of_draw_a_stream_of_its_own():
    """The noise of `apply(s, 0)` was the channel of `rayleigh(generator=0)`, and so was the error of `estimated(generator=0)`."""
    shape = {"batch": (400,), "generator": 0}
    h = ll.rayleigh(2, 2, **shape).to(torch.complex128)
    channel = ll.Channel(h.unsqueeze(-3), 1.0, 1.0)
    draws = {
        "channel": h,
        "noise": channel.apply(torch.zeros(400, 2, 1, 2, dtype=torch.complex128), 0),
        "estimation error": channel.estimated(1.0, generator=0).h - channel.h / 2,
        "innovation": ll.csi.age_channel(channel.h, 1.0, 300.0, carrier_hz=3.5e9, generator=0),
    }
    for name, first in draws.items():
        for other, second in draws.items():
            a, b = first.flatten(), second.flatten()
            correlation = (a.conj() * b).mean().abs() / (a.abs().square().mean() * b.abs().square().mean()).sqrt()
            assert name == other or correlation < 0.15, (name, other)
