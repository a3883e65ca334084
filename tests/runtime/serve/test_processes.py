"""Three processes as a user starts them: messages arrive, all end cleanly when they are told to, and none outlives its parent."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import latentlink_runtime as lr
from runtime.serve.loop import CONFORMANCE, conformance

COMMAND = [sys.executable, "-m", "latentlink_runtime"]
PATIENCE_S = 90
PER_FRAME = 96
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(lr.__file__).parents[1])}
pytest.importorskip("zmq")


@cache
def keys() -> dict[str, bytes]:
    """Files of keys of both ends, as the command makes them: once for all tests, since each process starts for long."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("tx", "rx"):
            subprocess.run([*COMMAND, "keys", Path(folder) / name], check=True, env=ENVIRONMENT, timeout=PATIENCE_S)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


class Place:
    """A folder with keys, latents and labels, and the processes that were started in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []
        for file, content in keys().items():
            (folder / file).write_bytes(content)
            (folder / file).chmod(0o600)
        (folder / "allowed").write_bytes((folder / "tx.public").read_bytes())
        design, rng = conformance("pair"), np.random.default_rng(1)
        self.z = rng.standard_normal((1000, len(design.strength)))
        np.save(folder / "latents.npy", self.z @ np.linalg.pinv(design.analysis.astype(float)).T + design.mean_x)
        self.y = self.z @ design.synthesis.T + design.mean_y
        np.save(folder / "labels.npy", conformance("head")(self.y).argmax(-1))

    def start(self, command: str, **given: object) -> subprocess.Popen[str]:
        arguments = [text for name, value in given.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        process = subprocess.Popen([*COMMAND, command, *arguments], env=ENVIRONMENT, stdout=-1, stderr=-1, text=True)
        self.processes.append(process)
        return process

    def end(self, name: str) -> dict[str, object]:
        return {"design": CONFORMANCE / "pair.safetensors", "keys": self.folder / f"{name}.secret", "control": self.at("c"),
                "per_frame": PER_FRAME}  # fmt: skip

    def tx(self, **given: object) -> subprocess.Popen[str]:
        own = {"iq": self.at("a"), "latents": self.folder / "latents.npy", "server_key": self.folder / "rx.public"}
        return self.start("tx", **self.end("tx"), **own, **given)

    def rx(self, **given: object) -> subprocess.Popen[str]:
        return self.start("rx", **self.end("rx"), iq=self.at("b"), allowed=self.folder / "allowed", **given)

    def air(self, **given: object) -> subprocess.Popen[str]:
        return self.start("air", **{"from": self.at("a"), "to": self.at("b")}, **given)

    def at(self, name: str) -> str:
        return f"ipc://{self.folder}/{name}"


def ended(process: subprocess.Popen[str]) -> dict[str, float]:
    """What a process counted."""
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    counts: dict[str, float] = json.loads(out)
    return counts


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="ll-") as folder:  # pytest's own are longer than an ipc address may be
        place = Place(Path(folder))
        yield place
        for process in place.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def test_messages_arrive_and_all_end_cleanly(place: Place) -> None:
    tx, air = place.tx(), place.air(snr_db=20, frequency=0.004, ppm=10, delay=11.5)
    counts = ended(place.rx(out=place.folder / "y.npy", messages=1000, record=place.folder / "air"))
    for process in (tx, air):
        process.send_signal(signal.SIGTERM)
    sent, carried = ended(tx), ended(air)
    y, rows = (np.load(place.folder / name) for name in ("y.npy", "y.rows.npy"))
    design, there = conformance("pair"), rows >= 0
    assert len(y) == len(rows) >= 1000
    assert there.mean() > 0.9
    wanted = place.y[rows[there] % len(place.y)]
    assert ((y[there] - wanted) ** 2).sum() / ((wanted - design.mean_y) ** 2).sum() < 0.2
    assert counts["ok"] >= 10
    assert counts["frequency"] == pytest.approx(0.004, abs=1e-4)
    assert sent["messages"] >= 1000
    assert carried["samples"] > 10_000
    replayed(place)


def replayed(place: Place) -> None:
    """A recording is sent as it was, and means nothing to another session."""
    arguments = [place.folder / "air", "--to", place.at("r")]
    process = subprocess.Popen([*COMMAND, "replay", *map(str, arguments)], env=ENVIRONMENT, stdout=-1, stderr=-1, text=True)
    place.processes.append(process)
    from latentlink_runtime.iq.zeromq import ZmqSource

    source = ZmqSource(place.at("r"), 1e5, 4)
    try:
        first = source.read(1000, PATIENCE_S).samples
    finally:
        source.close()
    content = np.fromfile(place.folder / "air.sigmf-data", "<c8").reshape(-1, 4)
    np.testing.assert_array_equal(first, content[: len(first)])
    process.send_signal(signal.SIGTERM)
    assert ended(process)["samples"] > 0


def test_a_transmitter_that_has_sent_its_number_ends_after_all_have_arrived(place: Place) -> None:
    air, rx = place.air(snr_db=20), place.rx(metrics=0)
    assert rx.stderr is not None
    address = json.loads(rx.stderr.readline())["metrics"]
    arrived = 0.0
    for _ in range(3):  # a machine that is busy with other work loses samples, and says so
        before = heard(address)
        assert ended(place.tx(messages=960))["messages"] == 960
        arrived = within(5.0, lambda: heard(address) - before, 0.9 * 960)  # noqa: B023
        if arrived >= 0.9 * 960:
            break
    assert arrived >= 0.9 * 960
    for process in (air, rx):
        process.send_signal(signal.SIGTERM)
    assert ended(rx)["messages"] >= arrived
    ended(air)


def test_a_transmitter_that_was_killed_is_heard_again_and_decisions_are_counted(place: Place) -> None:
    first = place.tx()
    place.air(snr_db=20)
    rx = place.rx(head=CONFORMANCE / "head.safetensors", labels=place.folder / "labels.npy", messages=20_000, metrics=0)
    assert rx.stderr is not None
    address = json.loads(rx.stderr.readline())["metrics"]
    wait_for(lambda: "latentlink_linked 1" in seen(address))
    wait_for(lambda: heard(address) > 500)
    first.kill()
    first.wait(PATIENCE_S)
    assert heard(address) < 15_000
    second = place.tx()
    counts = ended(rx)
    assert counts["messages"] >= 20_000
    second.send_signal(signal.SIGTERM)
    assert ended(second)["messages"] > 4_000
    assert counts["accuracy"] > 0.8
    assert counts["known_faults"] == 0


def test_a_receiver_that_was_killed_and_an_air_that_was_killed_are_found_again(place: Place) -> None:
    place.tx()
    air, rx = place.air(snr_db=20), place.rx(metrics=0)
    assert rx.stderr is not None
    address = json.loads(rx.stderr.readline())["metrics"]
    wait_for(lambda: heard(address) > 500)
    for process in (rx, air):
        process.kill()
        process.wait(PATIENCE_S)
    place.air(snr_db=15, seed=5)
    counts = ended(place.rx(messages=10_000))  # frames with known messages are every 50th, of 96 messages each
    assert counts["snr_db"] < 18
    assert counts["known_error"] < 0.5


def test_the_live_page_tells_events_and_points_and_view_finds_it(place: Place) -> None:
    place.tx(numerology="ll-256-64")
    place.air(snr_db=20)
    log = place.folder / "frames.csv"
    rx = place.rx(view=0, log=log, numerology="ll-256-64")
    assert rx.stderr is not None
    address = json.loads(rx.stderr.readline())["view"]
    wait_for(lambda: log.exists() and log.read_text().count("\n") > 5)
    wait_for(lambda: ": linked" in seen(f"{address}/events?most=1"))
    state = json.loads(seen(f"{address}/events?most=1").partition("data: ")[2])
    assert state["points"]
    assert state["values"]["snr_db"] > 10
    port = address.rpartition(":")[2]
    found = subprocess.run([*COMMAND, "view", "--port", port, "--no-browser"], capture_output=True, text=True, env=ENVIRONMENT, timeout=90)
    assert (found.returncode, found.stdout) == (0, f"{address}\n")
    rx.send_signal(signal.SIGTERM)
    rx.communicate(timeout=PATIENCE_S)
    gone = subprocess.run([*COMMAND, "view", "--port", port, "--no-browser"], capture_output=True, text=True, env=ENVIRONMENT, timeout=90)
    assert gone.returncode == 2
    assert "--view" in gone.stderr


def test_samples_may_go_by_udp(place: Place) -> None:
    ports = [free_port(), free_port()]
    tx = place.start("tx", **{**place.end("tx"), "iq": f"udp://127.0.0.1:{ports[0]}", "latents": place.folder / "latents.npy",
                              "server_key": place.folder / "rx.public"})  # fmt: skip
    place.start("air", **{"from": f"udp://127.0.0.1:{ports[0]}", "to": f"udp://127.0.0.1:{ports[1]}"})
    rx = place.start(
        "rx", **{**place.end("rx"), "iq": f"udp://127.0.0.1:{ports[1]}", "allowed": place.folder / "allowed", "messages": 1000}
    )
    assert ended(rx)["messages"] >= 1000
    tx.send_signal(signal.SIGTERM)
    ended(tx)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_no_process_outlives_its_parent(place: Place) -> None:
    script = "import subprocess, sys, time\nprocess = subprocess.Popen(sys.argv[1:])\nprint(process.pid, flush=True)\ntime.sleep(600)\n"
    ends = [*COMMAND, "air", "--from", place.at("a"), "--to", place.at("b")]
    parent = subprocess.Popen([sys.executable, "-c", script, *ends], env=ENVIRONMENT, stdout=-1, text=True)
    place.processes.append(parent)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    wait_for(lambda: (place.folder / "b").exists())
    parent.kill()
    parent.wait(PATIENCE_S)
    wait_for(lambda: not is_running(child))


def seen(address: str) -> str:
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


def heard(address: str) -> float:
    found = re.search(r"(?m)^latentlink_messages_total (\S+)", seen(address))
    return 0.0 if found is None else float(found[1])


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def within(seconds: float, count: Callable[[], float], wanted: float) -> float:
    """A count as soon as it is what is wanted, or what it is in the end."""
    end = time.monotonic() + seconds
    while (found := count()) < wanted and time.monotonic() < end:
        time.sleep(0.05)
    return found


def wait_for(happened: object) -> None:
    assert callable(happened)
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_both_ends_say_why_a_session_was_refused(place: Place) -> None:
    rx, tx = place.rx(n_rx=2), place.tx()
    for process in (rx, tx):
        assert process.stderr is not None
        assert process.stderr.readline() == "the session was refused: n_rx is 2 at the receiver, 4 at the transmitter\n"
    tx.kill()
    tx.wait(PATIENCE_S)
    other = place.tx(uses=2, n_rx=2)
    assert other.stderr is not None
    said = other.stderr.readline()
    assert "refused: conventions (uses, per-frame, version) is " in said
    assert said.endswith(" at the transmitter\n")  # whole, although digests are long
