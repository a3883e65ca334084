"""Laws of both nodes over an air: they link by themselves, lose nothing to the simulation, and never decode what they cannot know."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentlink.deploy.device import export_device
from latentlink_runtime.control.receiver import ReceiverSession
from latentlink_runtime.control.session import Identity
from latentlink_runtime.control.transmitter import TransmitterSession
from latentlink_runtime.feedback.codes import code_power
from latentlink_runtime.feedback.report import Report
from latentlink_runtime.iq.protocol import Block
from latentlink_runtime.loading import load
from latentlink_runtime.radio.frame import FrameFormat, Placement
from latentlink_runtime.serve.air import Air, rayleigh
from latentlink_runtime.serve.layout import known_coefficients
from latentlink_runtime.serve.receive import ReceiverNode
from latentlink_runtime.serve.transmit import TransmitterNode
from latentlink_runtime.tasks.head import Head
from runtime.serve.loop import CONFORMANCE, IDENTITY, PER_FRAME, Loop, conformance


def air(seed: int = 3, snr_db: float = 20.0, **given: Any) -> Air:
    return Air(rayleigh(seed, 4, 4, 4), 10 ** (-snr_db / 10), **{"frequency": 0.004, "clock": 10e-6, "delay": 37.25, **given})


@pytest.mark.parametrize("name", ["pair", "codec-mean"])
def test_the_loops_error_is_the_simulations(name: str) -> None:
    loop = Loop(conformance(name), air())
    assert (loop.tx.session.state, loop.rx.session.state) == ("hello", "idle")
    loop.run(0.12)
    assert (loop.tx.session.state, loop.rx.session.state) == ("linked", "linked")
    assert loop.said[:2] == ["hello", "welcome"]
    assert loop.said.count("csi") == 1
    assert len(loop.decoded) >= 15
    assert len(loop.sent) - len(loop.decoded) <= 2
    assert not any(decoded.lost.any() or len(decoded.values) != PER_FRAME for decoded in loop.decoded)
    seen = np.mean([loop.nmse(decoded) for decoded in loop.decoded])
    simulated = np.mean([loop.simulated(decoded) for decoded in loop.decoded])
    assert seen == pytest.approx(simulated, abs=0.01)
    assert loop.rx.counts["ok"] == len(loop.decoded)
    assert {reason: loop.rx.counts[reason] for reason in ("bad_header", "foreign", "stale", "replayed", "known_faults")} == {
        "bad_header": 0, "foreign": 0, "stale": 0, "replayed": 0, "known_faults": 0,
    }  # fmt: skip


def test_the_gauges_tell_the_air() -> None:
    loop = Loop(conformance("pair"), air())
    loop.run(0.15)
    metrics = loop.rx.metrics(loop.now)
    assert metrics["frequency"] == pytest.approx(0.004, abs=1e-5)
    assert metrics["clock_ppm"] == pytest.approx(10, abs=10)
    assert metrics["noise_variance"] == pytest.approx(0.01 * 52 / 64, rel=0.3)
    assert metrics["known_error"] < 0.5
    assert 0 < metrics["epoch_age"] < 0.15
    assert loop.tx.session.current is not None
    report = Report.from_bytes(loop.tx.session.current.feedback)
    assert code_power(report.noise_code) == pytest.approx(metrics["noise_variance"], rel=0.3)
    assert code_power(report.error_code) == pytest.approx(metrics["error_variance"], rel=0.3)


def test_another_channel_gets_another_epoch_and_stale_frames_are_not_decoded_with_it() -> None:
    loop = Loop(conformance("pair"), air(), coherence_s=0.1)
    loop.run(0.1)
    first = loop.rx.session.epochs.copy()
    loop.air.taps = rayleigh(99, 4, 4, 4)
    before = len(loop.decoded)
    loop.run(0.3)
    later = [decoded for decoded in loop.decoded[before:] if decoded.epoch not in first]
    assert len({decoded.epoch for decoded in later}) >= 3
    assert loop.rx.counts["stale"] == 0
    last = later[-10:]
    assert np.mean([loop.nmse(decoded) for decoded in last]) == pytest.approx(np.mean([loop.simulated(d) for d in last]), abs=0.01)


def test_frames_of_an_epoch_that_is_forgotten_are_counted_and_not_decoded() -> None:
    loop = Loop(conformance("pair"), air())
    loop.run(0.06)
    loop.rx.session.epochs.clear()
    before, ok = len(loop.decoded), loop.rx.counts["ok"]
    loop.run(0.02)
    assert (len(loop.decoded), loop.rx.counts["ok"]) == (before, ok)
    assert loop.rx.counts["stale"] >= 3


@pytest.mark.parametrize("count", [1, 16, 37, 49])
def test_any_number_of_messages_arrives_as_it_was_offered(count: int) -> None:
    loop = Loop(conformance("pair"), air(), known_every=2)
    loop.run(0.05, feeds=False)
    for _ in range(2):  # with known messages and without
        loop.sent[loop.tx.sequence] = loop.coefficients(count), b""
        loop.tx.offer(loop.latents(loop.sent[loop.tx.sequence][0]), loop.now)
        loop.run(0.06, feeds=False)
    assert [len(decoded.values) for decoded in loop.decoded] == [count, count]
    assert loop.rx.counts["known"] == 1
    assert max(loop.nmse(decoded) for decoded in loop.decoded) < 0.15


@pytest.mark.parametrize("late", [3, 12])
def test_frames_that_are_late_are_decoded_with_the_epoch_of_their_own(late: int) -> None:
    loop = Loop(conformance("pair"), air(), coherence_s=0.06, late=late)
    loop.run(0.1 + 0.002 * late)
    loop.air.taps = rayleigh(99, 4, 4, 4)
    loop.run(0.25)
    assert loop.rx.counts["stale"] == 0
    assert len({decoded.epoch for decoded in loop.decoded}) >= 4
    behind = [decoded for decoded in loop.decoded if decoded.epoch != loop.newest[decoded.sequence]]
    assert len(behind) >= 3
    for decoded in loop.decoded:
        assert loop.sent[decoded.sequence][1] == loop.feedback[decoded.epoch]
    assert max(loop.nmse(decoded) for decoded in behind) < 0.2  # 0.1 before the precoder is the new channel's, above 1 with another


def test_frames_of_a_former_session_are_not_heard_in_the_next() -> None:
    loop = Loop(conformance("pair"), air(frequency=0.0, clock=0.0, delay=0.0), late=6)
    loop.run(0.1)
    loop.tx.session.bye(loop.now)
    ok = len(loop.decoded)
    loop.run(0.014)
    assert loop.rx.counts["bad_header"] >= 1
    assert len(loop.decoded) <= ok + 3
    loop.run(0.3)
    assert loop.rx.session.state == "linked"
    assert len(loop.decoded) > ok + 20


def test_lost_and_missing_samples_lose_frames_and_nothing_else() -> None:
    loop = Loop(conformance("pair"), air())
    loop.run(0.06)
    for lost in (True, False):
        loop.source.buffer.push(np.zeros((0, 4), np.complex64), 5000)
        block = loop.rx._clock
        loop.rx.push(Block(np.zeros((4000, 4), np.complex64), block + (0 if lost else 1000), 4000 if lost else 0), loop.now)
        loop.antennas.buffer.clock = loop.rx._clock
        before = len(loop.decoded)
        loop.run(0.06)
        assert len(loop.decoded) >= before + 10
        assert all(loop.nmse(decoded) < 0.1 for decoded in loop.decoded[before:] if not decoded.lost.any())
    assert loop.rx.counts["jumps"] == 1


def test_frames_that_come_twice_are_counted_once() -> None:
    loop = Loop(conformance("pair"), air(frequency=0.0, clock=0.0, delay=0.0))
    loop.run(0.06)
    samples = loop.tx.step(loop.now + 1)
    assert samples is not None
    before = loop.rx.counts["replayed"]
    loop.out.write(np.concatenate([samples, samples, np.zeros((500, 4), np.complex64)]))
    loop.sink.write(loop.air(loop.source.read(2**20).samples))
    loop.rx.push(loop.antennas.read(2**20), loop.now)
    assert loop.rx.counts["replayed"] == before + 1


def test_the_queue_is_bounded_under_overload() -> None:
    loop = Loop(conformance("pair"), air(), queue=2 * PER_FRAME)
    loop.run(0.06)
    dropped = loop.tx.counts["dropped"]
    assert dropped == 0
    offered, before = 0, loop.tx.counts["messages"] + len(loop.tx)
    ages = []
    for _ in range(60):
        loop.tx.offer(loop.latents(loop.coefficients(PER_FRAME)), loop.now)
        offered += PER_FRAME
        assert len(loop.tx) <= 2 * PER_FRAME
        loop.step(0.0003, feeds=False)
        ages.append(loop.tx.age(loop.now))
    assert max(ages) < 0.02
    assert loop.tx.counts["messages"] + len(loop.tx) + loop.tx.counts["dropped"] == before + offered
    assert loop.tx.counts["dropped"] > 0.7 * offered


def test_a_transmitter_that_starts_again_is_linked_again() -> None:
    loop = Loop(conformance("pair"), air())
    loop.run(0.06)
    decoded = len(loop.decoded)
    loop.tx.session.bye(loop.now)
    loop.run(0.3)
    assert loop.said.count("welcome") == 2
    assert len(loop.decoded) > decoded + 20


def test_known_messages_see_what_pilots_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(conformance("pair"), air(), known_every=2)
    loop.run(0.06)
    assert loop.rx.counts["known"] >= 3
    assert loop.rx.counts["known_faults"] == 0
    from latentlink_runtime.serve import receive

    right = receive.per_carrier_channels
    monkeypatch.setattr(receive, "per_carrier_channels", lambda frame: _conjugated(right(frame)))
    lost = loop.rx.counts["lost_symbols"]
    loop.run(0.06)
    assert loop.rx.counts["lost_symbols"] == lost
    assert loop.rx.counts["known_faults"] >= 3


def _conjugated(channel: Any) -> Any:
    return type(channel)(channel.h.conj(), channel.noise_variance, channel.power, error_variance=channel.error_variance)


def test_a_receiver_with_a_head_counts_right_decisions() -> None:
    head = conformance("head")
    loop = Loop(conformance("pair"), air())
    labels = np.random.default_rng(0).integers(0, 4, 960)
    loop.rx = ReceiverNode(loop.design, loop.format, ReceiverSession(IDENTITY), head, labels, per_frame=PER_FRAME)
    loop.run(0.06)
    assert all(decoded.values.shape == (PER_FRAME, 4) for decoded in loop.decoded)
    assert loop.rx.metrics(loop.now)["accuracy"] == pytest.approx(0.25, abs=0.1)


def test_what_does_not_belong_together_is_refused() -> None:
    design, other = conformance("pair"), Identity("ab" * 32, "cd" * 32, "ll-64-16", 1, 2, 4)
    with pytest.raises(ValueError, match="n_tx must be 2"):
        ReceiverNode(design, FrameFormat(4), ReceiverSession(other))
    with pytest.raises(ValueError, match="n_tx must be 2"):
        TransmitterNode(design, FrameFormat(4), TransmitterSession(other), rate=1e6)
    with pytest.raises(ValueError, match="per_frame"):
        TransmitterNode(design, FrameFormat(4), TransmitterSession(IDENTITY), rate=1e6, per_frame=5000)
    with pytest.raises(ValueError, match="labels"):
        ReceiverNode(design, FrameFormat(4), ReceiverSession(IDENTITY), labels=np.zeros(3))
    many = FrameFormat(4, placement=Placement.over_frequency(4, 48))
    with pytest.raises(ValueError, match="at most 8 symbols"):
        ReceiverNode(conformance("codec-mean"), many, ReceiverSession(IDENTITY))
    with pytest.raises(ValueError, match="at most 8 symbols"):
        TransmitterNode(conformance("codec-mean"), many, TransmitterSession(IDENTITY), rate=1e6)
    with pytest.raises(ValueError, match="bits"):
        ReceiverNode(design, FrameFormat(4), ReceiverSession(IDENTITY), bits=99)
    with pytest.raises(ValueError, match="head must take latents of 18"):
        ReceiverNode(design, FrameFormat(4), ReceiverSession(IDENTITY), Head(np.zeros((2, 5)), np.zeros(2)))
    node = TransmitterNode(design, FrameFormat(4), TransmitterSession(IDENTITY), rate=1e6)
    for latents in (np.zeros((2, 3)), np.full((2, 24), np.nan), np.zeros(24)):
        with pytest.raises(ValueError, match="latents"):
            node.offer(latents, 0.0)
    assert len(node) == 0


def test_an_end_with_fewer_modes_knows_the_same_messages(tmp_path: Path) -> None:
    full = conformance("pair")
    cut = load(export_device(CONFORMANCE / "pair.safetensors", tmp_path / "cut.safetensors", max_symbols=4))
    assert len(cut.strength) == 8 < len(full.strength)
    np.testing.assert_array_equal(known_coefficients(cut, 48), known_coefficients(full, 48)[:, :8])
    loop = Loop(full, air())
    loop.rx = ReceiverNode(cut, loop.format, loop.rx.session, coherence_s=10.0)
    loop.run(0.05)
    assert loop.rx.counts["known"] >= 1
    assert loop.rx.counts["known_faults"] == 0
    assert loop.rx.gauges["known_error"] < 0.2
