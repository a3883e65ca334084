"""Laws of sessions against messages that are replayed, foreign, misplaced or mutated: counted, and never acted on."""

import random
from dataclasses import replace

from latentlink_runtime.control.transmitter import TransmitterSession
from latentlink_runtime.control.wire import MAX_NUMBER, Message, WireError, decode, encode
from runtime.control.ends import IDENTITY, World, linked, state_of


def test_replayed_and_foreign_messages_are_counted_and_change_nothing() -> None:
    world = linked()
    world.run(3.0)
    before, counts = (state_of(world.tx), state_of(world.rx)), world.tx.counts + world.rx.counts
    foreign = [(to, message) for _, to, message in linked().said if message.type != "hello"]
    replayed = [(to, message) for _, to, message in world.said]
    for to, message in foreign + replayed:
        answer = world.tx.received(message, world.now) if to == "tx" else world.rx.received(message, world.now, b"key")
        assert answer == []
    counts = world.tx.counts + world.rx.counts - counts
    assert counts.total() == len(foreign) + len(replayed)
    assert set(counts) <= {"foreign", "replayed", "misplaced"}
    for to, message in replayed:
        if to == "rx" and message.type != "hello":
            assert world.rx.received(replace(message, number=MAX_NUMBER), world.now, b"another key") == []
    assert (state_of(world.tx), state_of(world.rx)) == before


def test_a_welcome_to_another_is_counted() -> None:
    world = World(keep=lambda message: False)
    world.run(0.1)
    (greeted,) = (message for _, _, message in world.said)
    for to, secret, count in (("0" * 16, bytes(32), "foreign"), (greeted.session, bytes(31), "misplaced")):
        assert world.tx.received(Message("welcome", 1, "1" * 16, {"to": to}, (secret,)), world.now) == []
        assert world.tx.counts[count] == 1
    world.tx.received(Message("refuse", 1, "1" * 16, {"to": "0" * 16, "why": ["no"]}), world.now)
    assert (world.tx.state, world.tx.refused, world.tx.session) == ("hello", [], "")


def test_a_hello_of_an_earlier_session_is_not_answered() -> None:
    world = linked()
    old = [message for _, _, message in world.said if message.type == "hello"]
    world.tx = TransmitterSession(IDENTITY)
    world.run(0.2)
    session = world.rx.session
    assert world.rx.received(old[0], world.now, b"key") == []
    assert world.rx.received(replace(old[0], number=MAX_NUMBER), world.now, b"key") == []
    assert (world.rx.session, world.rx.counts["replayed"]) == (session, 2)


def test_a_message_in_the_wrong_direction_is_misplaced() -> None:
    world = linked()
    for kind in ("ack", "hello"):
        message = next(message for _, _, message in world.said if message.type == kind)
        state = world.tx.state
        assert world.tx.received(replace(message, session=world.tx.session, number=1000 + len(kind)), world.now) == []
        assert world.tx.state == state
    csi = next(message for _, _, message in world.said if message.type == "csi")
    assert world.rx.received(replace(csi, number=1000), world.now, b"key") == []
    assert (world.tx.counts["misplaced"], world.rx.counts["misplaced"]) == (2, 1)


def test_mutated_messages_never_act() -> None:
    """Messages with other bytes do not decode; those that decode to the same are acted on once."""
    rng = random.Random(1)
    world = linked()
    world.run(1.0)
    frames = [(to, encode(message)) for _, to, message in world.said]
    before, accepted = (state_of(world.tx), state_of(world.rx)), 0
    for _ in range(10_000):
        to, whole = rng.choice(frames)
        changed = [bytearray(frame) for frame in whole]
        place = rng.randrange(len(changed))
        changed[place][rng.randrange(len(changed[place]))] ^= 1 << rng.randrange(8)
        try:
            message = decode([bytes(frame) for frame in changed])
        except WireError:
            continue
        accepted += 1
        world.tx.received(message, world.now) if to == "tx" else world.rx.received(message, world.now, b"key")
    assert accepted == 0
    assert (state_of(world.tx), state_of(world.rx)) == before
