"""Processes as a user starts them, with GNU Radio as their air: they link, carry messages, and go on after kill −9 of any of them."""

import json
import subprocess
import time

import numpy as np
import pytest

from latentlink_runtime.serve.view import PERIOD_S
from runtime.gnuradio import airs
from runtime.radio.air import Air, rayleigh
from runtime.serve.loop import CONFORMANCE
from runtime.serve.test_processes import PATIENCE_S, Place, heard, place, seen, wait_for

__all__ = ["place"]

AGAIN_S = 5.0  # after which frames have to come again
PUBLISHED_S = 1.2 * PERIOD_S  # within which numbers on the page of metrics are new
RATE = 1e5


class Sessions:
    """A transmitter, a receiver and a flow graph between them."""

    def __init__(self, place: Place) -> None:
        self.place = place
        taps = rayleigh(np.random.default_rng(74), 4, 4, 4)
        self.channel = Air(taps, 0.01, frequency=0.004, clock=10e-6)
        self.tx, self.air = place.tx(rate=RATE), self.start_air()
        self.rx, self.address = self.start_rx()

    def start_air(self) -> "subprocess.Popen[str]":
        """A flow graph from the transmitter's address to the receiver's."""
        words = airs.command(self.channel, self.place.folder)
        words[4:6] = [self.place.at("a"), self.place.at("b")]
        process = subprocess.Popen([*words, f"--rate={RATE}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.place.processes.append(process)
        return process

    def start_rx(self) -> "tuple[subprocess.Popen[str], str]":
        """A receiver, and its page of metrics."""
        labels, head = self.place.folder / "labels.npy", CONFORMANCE / "head.safetensors"
        rx = self.place.rx(rate=RATE, metrics=0, head=head, labels=labels)
        assert rx.stderr is not None
        return rx, json.loads(rx.stderr.readline())["metrics"]

    def restart(self, name: str) -> float:
        """Kill a process with −9, and start it again once nothing of it is on its way; seconds from then to the next frame decoded."""
        process: subprocess.Popen[str] = getattr(self, name)
        process.kill()
        process.wait(PATIENCE_S)
        before = 0.0
        while name != "rx" and self.frames() > before:
            before = self.frames()
            time.sleep(PUBLISHED_S)
        begun = time.monotonic()
        if name == "rx":
            self.rx, self.address = self.start_rx()
        else:
            setattr(self, name, self.place.tx(rate=RATE) if name == "tx" else self.start_air())
        wait_for(lambda: self.frames() > before)
        return time.monotonic() - begun

    def frames(self) -> float:
        """Frames that were decoded."""
        return values(self.address).get('frames_total{result="ok"}', 0.0)


def values(address: str) -> dict[str, float]:
    """The numbers on a page of metrics."""
    lines = [line.removeprefix("latentlink_").rpartition(" ") for line in seen(address).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


@pytest.fixture
def sessions(place: Place) -> Sessions:
    airs.skip_without_gnuradio()
    return Sessions(place)


def test_messages_go_through_a_flow_graph_and_go_on_after_any_process_was_killed(sessions: Sessions) -> None:
    wait_for(lambda: heard(sessions.address) > 1000)
    told = values(sessions.address)
    assert told["accuracy"] > 0.8
    assert told["frequency"] == pytest.approx(0.004, abs=1e-4)
    assert told["noise_variance"] == pytest.approx(0.01 * 52 / 64, rel=0.3)
    assert told.get("known_faults_total", 0) == 0
    seconds = {name: sessions.restart(name) for name in ("tx", "rx", "air")}
    print({name: round(value, 2) for name, value in seconds.items()})
    assert max(seconds.values()) <= AGAIN_S, seconds
    before = heard(sessions.address)
    wait_for(lambda: heard(sessions.address) > before + 1000)
    wait_for(lambda: "known_error" in values(sessions.address))
    last = values(sessions.address)
    assert last["accuracy"] > 0.8
    assert last["known_error"] < 0.5
