"""Laws of sessions under delay and loss: stale frames in flight make no livelock, and a lossy wire links again."""

import random
from collections import deque
from typing import Any

import pytest

from runtime.control.ends import DIGEST, World


def livelock(world: World, receives: Any, latency_frames: int, seconds: float) -> tuple[int, int]:
    """Frames decoded and stale, of 30 a second, where samples arrive `latency_frames` frames late and any frame tells the channel."""
    air: deque[int | None] = deque([None] * latency_frames)
    decoded = stale = 0
    for _ in range(round(seconds * 30)):
        for _ in range(3):
            world.step(1 / 90, measures=False)
        air.append(world.tx.epoch)
        epoch = air.popleft()
        known = receives(world, epoch)
        decoded, stale = decoded + (known is True), stale + (known is False)
    return decoded, stale


def careful(world: World, epoch: int | None) -> bool | None:
    world.measure()
    return None if epoch is None else world.rx.frame(epoch) is not None


def naive(world: World, epoch: int | None) -> bool | None:
    """The prototype's first receiver: it knows the newest epoch alone, and a stale frame asks for another."""
    rx = world.rx
    known = None if epoch is None else epoch in rx.epochs
    if rx.state != "idle" and not known:
        rx._outstanding = None
        rx.epochs.clear()
        world.post("tx", rx.measured(b"FB", DIGEST, 10.0, world.now))
    return known


@pytest.mark.parametrize("latency", [1, 10, 45])
def test_stale_frames_in_flight_make_no_livelock(latency: int) -> None:
    world = World()
    decoded, stale = livelock(world, careful, latency, 10.0)
    assert decoded >= 300 - latency - 10
    assert stale == 0
    assert world.count("csi") <= 4


def test_the_livelock_is_there_to_be_seen() -> None:
    decoded, stale = livelock(World(), naive, 10, 10.0)
    assert decoded == 0
    assert stale > 200


def test_renewed_csi_with_samples_late_by_many_epochs() -> None:
    world = World()
    world.coherence_s = 0.4
    decoded, stale = livelock(world, careful, 45, 10.0)
    assert decoded >= 230
    assert stale == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_lossy_wire_links_again_and_again(seed: int) -> None:
    rng = random.Random(seed)
    world = World(keep=lambda message: rng.random() < 0.8)
    states = []
    for _ in range(3000):
        world.step()
        states.append(world.tx.state == world.rx.state == "linked")
    assert sum(states) > 2100
