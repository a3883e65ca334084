"""Laws of both sessions: every transition, nothing acted on twice or for others, and no livelock."""

import itertools
from typing import Any

import pytest

from latentlink_runtime.control.receiver import ReceiverSession
from latentlink_runtime.control.session import is_later
from latentlink_runtime.control.transmitter import TransmitterSession
from latentlink_runtime.control.wire import IDENTITY as FIELDS
from latentlink_runtime.control.wire import MAX_NUMBER, Message, decode, encode
from runtime.control.ends import DIGEST, IDENTITY, World, linked, other_identity


def test_hello_welcome_sound_csi_linked() -> None:
    world = World()
    assert (world.tx.state, world.rx.state) == ("hello", "idle")
    world.step(measures=False)
    world.step(measures=False)
    assert world.rx.state == "sound"
    world.step(measures=False)
    assert (world.tx.state, world.tx.epoch) == ("sound", None)
    assert world.tx.secret == world.rx.secret
    assert len(world.tx.secret) == 32
    assert not world.rx.wants_csi(world.now)  # the transmitter has not been heard in this session yet
    world.step(measures=False)
    assert world.rx.wants_csi(world.now)
    number = world.rx.next_epoch()
    world.run(0.05)
    assert (world.tx.state, world.rx.state, world.tx.epoch) == ("linked", "linked", number)
    assert world.tx.current is not None
    assert world.tx.current.feedback == b"FB%d" % number
    assert world.rx.frame(number) is not None
    assert world.count("csi") == world.count("ack") == 1
    world.run(4.0)
    assert world.count("csi") == 1


def test_hello_backs_off_to_five_seconds() -> None:
    world = World(keep=lambda message: False)
    world.run(30.0)
    times = [at for at, _, message in world.said if message.type == "hello"]
    gaps = [round(second - first, 1) for first, second in itertools.pairwise(times)]
    assert gaps == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]
    assert [message.number for _, _, message in world.said] == list(range(1, 11))


def test_beats_keep_a_session_and_three_missed_end_it() -> None:
    world = linked()
    world.run(5.0)
    assert (world.tx.state, world.rx.state) == ("linked", "linked")
    world.keep = lambda message: False
    world.run(1.4)
    assert (world.tx.state, world.rx.state) == ("linked", "linked")
    world.run(0.7)
    assert (world.tx.state, world.rx.state) == ("hello", "idle")
    assert world.tx.counts["lost"] == world.rx.counts["lost"] == 1
    world.keep = lambda message: True
    world.run(5.2)
    assert (world.tx.state, world.rx.state) == ("linked", "linked")


@pytest.mark.parametrize("end", ["tx", "rx"])
def test_bye_ends_both_and_they_meet_again(end: str) -> None:
    world = linked()
    session = getattr(world, end)
    world.post("rx" if end == "tx" else "tx", session.bye(world.now, "maintenance"))
    assert session.state in ("hello", "idle")
    world.run(0.3)
    assert (world.tx.state, world.rx.state) == ("linked", "linked")
    assert TransmitterSession(IDENTITY).bye(0.0) == ReceiverSession(IDENTITY).bye(0.0) == []


@pytest.mark.parametrize("name", FIELDS)
def test_a_refusal_names_every_difference(name: str) -> None:
    other: dict[str, Any] = {"pair": "0" * 64, "conventions": "1" * 64, "numerology": "ll-256-64", "format": 2, "n_tx": 2, "n_rx": 8}
    world = World()
    world.tx = TransmitterSession(other_identity(**{name: other[name]}))
    world.run(1.0)
    assert world.rx.state == "idle"
    assert len(world.tx.refused) == 1
    assert name in world.tx.refused[0]
    assert str(other[name])[:40] in world.tx.refused[0]
    world.run(12.0)
    assert world.count("hello") == 3
    both = World()
    both.tx = TransmitterSession(other_identity(**other))
    both.run(0.1)
    assert len(both.tx.refused) == len(FIELDS)


def test_a_lost_welcome_is_sent_again() -> None:
    world = World(keep=lambda message: message.type != "welcome" or world.now > 0.5)
    world.run(1.0)
    assert (world.tx.state, world.rx.state) == ("linked", "linked")
    assert len({message.session for _, _, message in world.said if message.type == "welcome"}) == 1


def test_a_welcome_that_was_lost_for_longer_than_a_session_lives_is_no_end() -> None:
    """The receiver answers no nonce by two sessions: a transmitter that kept its own would never be heard again."""
    world = World(keep=lambda message: message.type != "welcome" or world.now > 4.0)
    world.run(8.5)
    assert (world.tx.state, world.rx.state) == ("linked", "linked")
    nonces = [message.session for _, _, message in world.said if message.type == "hello"]
    assert len(nonces) > len(set(nonces)) > 1


def test_one_csi_is_outstanding_and_the_same_is_resent_after_a_second() -> None:
    world = World(keep=lambda message: message.type != "ack" or world.now > 2.5)
    world.run(4.0)
    sent = [(at, message) for at, _, message in world.said if message.type == "csi"]
    assert len({(message.fields["e"], message.raw) for _, message in sent}) == 1
    assert [round(second - first, 1) for (first, _), (second, _) in itertools.pairwise(sent)] == [1.0, 1.0, 1.0]
    left = [message.fields["c"] for _, message in sent]
    assert left == pytest.approx([10.0, 9.0, 8.0, 7.0], abs=0.05)
    assert world.tx.counts["resent"] == 3
    assert world.rx.state == "linked"
    assert world.rx.measured(b"", DIGEST, 1.0, world.now)
    assert world.rx.measured(b"", DIGEST, 1.0, world.now) == []
    assert world.rx.counts["unwanted"] == 1


def test_a_csi_that_is_never_answered_gives_way_to_a_new_measurement() -> None:
    world = World(keep=lambda message: message.type != "csi" or world.now > 3.0)
    world.coherence_s = 0.5
    world.run(3.9)
    assert world.rx.counts["unanswered"] >= 2
    assert (world.tx.state, world.rx.state) == ("linked", "linked")


def test_epochs_follow_and_sixteen_are_known() -> None:
    world = linked()
    for _ in range(40):
        world.post("tx", world.rx.measured(b"FB", DIGEST, 10.0, world.now))
        world.run(0.05, measures=False)
    last = world.tx.epoch
    assert last is not None
    assert len(world.rx.epochs) == 16
    known = [number for number in range(last - 20, last + 1) if world.rx.frame(number % 2**16) is not None]
    assert known == list(range(last - 15, last + 1)) or last < 16
    assert world.rx.counts["unknown epoch"] >= 5


def test_epochs_go_on_around_the_end() -> None:
    world = World()
    world.rx._next = 65534
    world.run(0.1)
    for epoch in (65534, 65535, 0, 1):
        assert world.tx.epoch == epoch
        world.post("tx", world.rx.measured(b"FB", DIGEST, 10.0, world.now))
        world.run(0.05, measures=False)
    assert world.tx.counts["stale"] == 0


def test_other_beams_refuse_the_epoch_and_do_not_hurry() -> None:
    world = World()
    world.answer = lambda tx, now: tx.applied(b"otherone", now)
    world.run(5.0)
    assert world.rx.counts["other beams"] == pytest.approx(5, abs=1)
    assert (world.rx.state, len(world.rx.epochs)) == ("sound", 0)
    world.answer = lambda tx, now: tx.applied(DIGEST, now)
    world.run(1.5)
    assert world.rx.state == "linked"


def test_a_rejected_report_is_replaced() -> None:
    world = World()
    world.answer = lambda tx, now: tx.rejected(now) if now < 2 else tx.applied(DIGEST, now)
    world.run(1.0)
    assert world.tx.state == "sound"
    assert world.rx.counts["rejected"] == 1
    world.run(2.0)
    assert world.tx.state == "linked"
    for wrong in (lambda: world.tx.rejected(1.0), lambda: world.tx.applied(DIGEST, 1.0)):
        with pytest.raises(ValueError, match="pending"):
            wrong()


def test_outdated_csi_is_asked_for_then_not_used() -> None:
    world = linked()
    assert not any(message.fields["want"] for _, _, message in world.said[-5:] if message.type == "beat" and world.now > 1)
    world.run(10.5, measures=False)
    assert world.tx.state == "linked"
    assert [message for _, to, message in world.said if to == "rx"][-1].fields["want"]
    assert world.rx.wants_csi(world.now)
    world.run(10.0, measures=False)
    assert (world.tx.state, world.tx.epoch, world.tx.counts["outdated"]) == ("sound", None, 1)
    world.run(0.1)
    assert world.tx.state == "linked"


def test_csi_is_renewed_at_half_its_coherence_time() -> None:
    world = World()
    world.coherence_s = 0.4
    world.run(4.0)
    assert world.count("csi") == pytest.approx(20, abs=4)
    assert world.tx.counts["outdated"] == 0


def test_a_receiver_that_was_restarted_says_so() -> None:
    world = linked()
    old = world.tx.session
    world.rx = ReceiverSession(IDENTITY)
    world.run(0.8)
    assert (world.tx.state, world.rx.state) == ("linked", "linked")
    assert world.tx.session != old


def test_a_transmitter_that_was_restarted_takes_its_place_at_once() -> None:
    world = linked()
    old = world.rx.session
    world.tx = TransmitterSession(IDENTITY)
    world.run(0.1)
    assert (world.tx.state, world.rx.state) == ("linked", "linked")
    assert world.rx.session != old


def test_another_transmitter_has_to_wait() -> None:
    world = linked()
    other = TransmitterSession(IDENTITY)
    (hello,) = other.tick(world.now)
    (refusal,) = world.rx.received(hello, world.now, b"another key")
    other.received(decode(encode(refusal)), world.now)
    assert "busy" in other.refused[0]
    assert world.rx.state == "linked"


def test_epochs_come_after_each_other_around_the_end() -> None:
    assert is_later(0, 65535)
    assert is_later(5, 4)
    assert not is_later(4, 4)
    assert not is_later(65535, 0)


def test_stats_arrive() -> None:
    world = linked()
    world.post("tx", world.rx.stats({"frames": 3}, world.now))
    world.run(0.05)
    assert world.tx.counts["stats"] == 1
    assert ReceiverSession(IDENTITY).stats({}, 0.0) == []


def test_bye_of_a_stranger_changes_nothing() -> None:
    world = linked()
    world.tx.received(Message("bye", MAX_NUMBER, "0" * 16, {"why": ""}), world.now)
    assert world.tx.state == "linked"
    idle = ReceiverSession(IDENTITY)
    assert idle.received(Message("bye", 1, "0" * 16, {"why": ""}), 0.0) == []
