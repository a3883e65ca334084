"""Whether a link of three processes grows, and what it does when its receiver is too slow: `nice python benchmarks/soak.py --minutes 10`.

A transmitter, the NumPy air and a receiver run as a user starts them (`python -m latentlink_runtime`), over CURVE and ZeroMQ. Every few
seconds the memory, threads and open files of each are noted, and what both tell on their pages of metrics. After a warm-up the slope of the
memory by least squares and the ratio of its end to its beginning are what matters, and not the speed.

Then the receiver is stopped and continued by signals, so that it has a tenth of the computing that the link takes: frames are lost and
counted, memory stays, and once it may go on all is as before. The script ends with 1 where something grew or did not come back.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

import latentlink_runtime as lr
from record import record

KIT = Path(lr.__file__).parents[2] / "conformance"
COMMAND = [sys.executable, "-m", "latentlink_runtime"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(lr.__file__).parents[1])}
OVERLOAD, TURN_S = 10, 0.01
MOST_GROWTH = 1.05  # of the memory, from the beginning to the end of what is measured
PATIENCE_S = WARM_UP_S = 60
SLACK_MB = 10.0  # for two buffers of the receiver's, beside the interpreter's own


class Sample(NamedTuple):
    """What a process takes."""

    seconds: float
    megabytes: float
    threads: int
    files: int
    computing: float


class Link:
    """The three processes, in a folder of their own."""

    def __init__(self, folder: Path, rate: float, seed: int) -> None:
        self.folder, self.begun = folder, time.monotonic()
        for name in ("tx", "rx"):
            subprocess.run([*COMMAND, "keys", folder / name], check=True, env=ENVIRONMENT, timeout=PATIENCE_S)
        (folder / "allowed").write_bytes((folder / "tx.public").read_bytes())
        design, head = lr.load(KIT / "pair.safetensors"), lr.load(KIT / "head.safetensors")
        z = np.random.default_rng(seed).standard_normal((5000, len(design.strength)))
        np.save(folder / "latents.npy", z @ np.linalg.pinv(design.analysis.astype(float)).T + design.mean_x)
        np.save(folder / "labels.npy", head(z @ design.synthesis.T + design.mean_y).argmax(-1))
        both = {"design": KIT / "pair.safetensors", "control": self.at("c"), "rate": rate, "metrics": 0}
        own = {"latents": folder / "latents.npy", "server-key": folder / "rx.public", "iq": self.at("a")}
        end = {"allowed": folder / "allowed", "head": KIT / "head.safetensors", "labels": folder / "labels.npy", "iq": self.at("b")}
        self.processes = {
            "tx": start("tx", **both, keys=folder / "tx.secret", **own),
            "air": start("air", **{"from": self.at("a"), "to": self.at("b"), "snr-db": 20, "frequency": 0.004, "ppm": 10, "rate": rate}),
            "rx": start("rx", **both, keys=folder / "rx.secret", **end),
        }
        self.pages = {name: json.loads(line(self.processes[name]))["metrics"] for name in ("tx", "rx")}

    def at(self, name: str) -> str:
        """An address."""
        return f"ipc://{self.folder}/{name}"

    def sample(self, name: str) -> Sample:
        """What a process takes now."""
        place = Path(f"/proc/{self.processes[name].pid}")
        facts = dict(each.split(":", 1) for each in (place / "status").read_text().splitlines())
        ticks = (place / "stat").read_text().rpartition(")")[2].split()[11:13]
        computing = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        files = len(list((place / "fd").iterdir()))
        return Sample(time.monotonic() - self.begun, int(facts["VmRSS"].split()[0]) / 1024, int(facts["Threads"]), files, computing)

    def told(self, name: str) -> dict[str, float]:
        """The numbers of a page of metrics, by their names without prefix and with their labels."""
        with urllib.request.urlopen(self.pages[name], timeout=PATIENCE_S) as answer:
            text = answer.read().decode()
        found = re.findall(r"(?m)^latentlink_(\S+) (\S+)$", text)
        return {key: float(value) for key, value in found}

    def wait_until_linked(self) -> float:
        """Seconds until the receiver has decoded a frame."""
        begun = time.monotonic()
        while not self.told("rx").get("messages_total"):
            if time.monotonic() - begun > PATIENCE_S:
                raise TimeoutError(f"no message within {PATIENCE_S} s")
            time.sleep(0.1)
        return time.monotonic() - self.begun

    def close(self) -> None:
        """End the processes."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes.values():
            process.wait(PATIENCE_S)


def start(command: str, **given: object) -> subprocess.Popen[str]:
    """A process of the runtime."""
    arguments = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    return subprocess.Popen([*COMMAND, command, *arguments], env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def line(process: subprocess.Popen[str]) -> str:
    """The first line that a process writes of itself."""
    assert process.stderr is not None
    return process.stderr.readline()


def growth(samples: list[Sample]) -> tuple[float, float]:
    """MB a minute by least squares, and the memory's mean of the last tenth over that of the first."""
    seconds, megabytes = np.array([(sample.seconds, sample.megabytes) for sample in samples]).T
    tenth = max(1, len(samples) // 10)
    return float(60 * np.polyfit(seconds, megabytes, 1)[0]), float(megabytes[-tenth:].mean() / megabytes[:tenth].mean())


def watched(link: Link, seconds: float, every: float) -> tuple[dict[str, list[Sample]], list[dict[str, float]]]:
    """Samples of each process, and what the receiver told, at the beginning and every so many seconds."""
    samples: dict[str, list[Sample]] = {name: [] for name in link.processes}
    told, end = [], time.monotonic() + seconds
    while True:
        for name, taken in samples.items():
            taken.append(link.sample(name))
        told.append({**link.told("rx"), "at": time.monotonic()})
        if time.monotonic() > end:
            return samples, told
        time.sleep(every)


def rate_of(name: str, told: list[dict[str, float]]) -> float:
    """How fast a count rose, a second."""
    return (told[-1].get(name, 0.0) - told[0].get(name, 0.0)) / (told[-1]["at"] - told[0]["at"])


def slowed(link: Link, share: float, seconds: float) -> list[Sample]:
    """Let the receiver have a share of a processor only, by signals that stop and continue it."""
    samples, begun, pid = [], time.monotonic(), link.processes["rx"].pid
    first = computed(pid)
    while (passed := time.monotonic() - begun) < seconds:
        os.kill(pid, signal.SIGCONT if computed(pid) - first < share * passed else signal.SIGSTOP)
        samples.append(link.sample("rx"))
        time.sleep(TURN_S)
    os.kill(pid, signal.SIGCONT)
    return samples


def computed(pid: int) -> float:
    """Seconds that the first thread of a process has run."""
    return 1e-9 * int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def soaked(link: Link, minutes: float, every: float, table: Table) -> tuple[bool, list[Sample], float]:
    """Rows of the growth of each process; whether none grew, the receiver's samples, and the computing it takes, a second."""
    time.sleep(WARM_UP_S)
    samples, told = watched(link, 60 * minutes, every)
    flat = True
    for name, taken in samples.items():
        slope, ratio = growth(taken)
        steady = all(max(column) - min(column) <= 1 for column in (list(map(int, part)) for part in list(zip(*taken, strict=True))[2:4]))
        flat &= ratio <= MOST_GROWTH and steady
        threads, files = (sorted({getattr(sample, part) for sample in taken}) for part in ("threads", "files"))
        span = (taken[-1].computing - taken[0].computing) / (taken[-1].seconds - taken[0].seconds)
        table.add_row(f"{name}: memory at first, at last (MB)", f"{taken[0].megabytes:.1f}, {taken[-1].megabytes:.1f}")
        table.add_row(f"{name}: growth (MB a minute; last over first)", f"{slope:+.3f}; {ratio:.3f}")
        table.add_row(f"{name}: threads; open files", f"{threads[0]}–{threads[-1]}; {files[0]}–{files[-1]}")
        table.add_row(f"{name}: computing (seconds a second)", f"{span:.2f}")
    first, last = told[0], told[-1]
    ok, missed = (last.get(key, 0.0) - first.get(key, 0.0) for key in ('frames_total{result="ok"}', "missed_total"))
    table.add_row("messages a second", f"{rate_of('messages_total', told):,.0f}")
    table.add_row("frames decoded; missed", f"{ok:,.0f}; {missed:,.0f}")
    table.add_row(
        "messages in damaged symbols (of all)", f"{rate_of('lost_messages_total', told) / max(rate_of('messages_total', told), 1):.5f}"
    )
    table.add_row("samples lost a second, as the receiver was late", f"{rate_of('lost_samples_total', told):,.1f}")
    table.add_row("accuracy at first, at last", f"{first['accuracy']:.4f}, {last['accuracy']:.4f}")
    rx = samples["rx"]
    return flat, rx, (rx[-1].computing - rx[0].computing) / (rx[-1].seconds - rx[0].seconds)


def overloaded(link: Link, seconds: float, usual: list[Sample], computing: float, table: Table) -> bool:
    """Rows of what a receiver with a tenth of its computing does, and whether all came back."""
    before, normal = [link.told("rx")], max(sample.megabytes for sample in usual)
    before[0]["at"] = time.monotonic()
    samples = slowed(link, computing / OVERLOAD, seconds)
    time.sleep(2.0)
    during = [*before, {**link.told("rx"), "at": time.monotonic()}]
    time.sleep(8.0)
    _, after = watched(link, 10.0, 1.0)
    most = max(sample.megabytes for sample in samples)
    order, began = (during[1].get(key, 0.0) - during[0].get(key, 0.0) for key in ('frames_total{result="replayed"}', "jumps_total"))
    table.add_row(f"at a {OVERLOAD}th of its computing, {seconds:.0f} s: memory at most (MB)", f"{most:.1f}")
    table.add_row("   messages a second", f"{rate_of('messages_total', during):,.0f}")
    table.add_row("   frames missed a second; samples lost a second",
                  f"{rate_of('missed_total', during):.1f}; {rate_of('lost_samples_total', during):,.0f}")  # fmt: skip
    table.add_row("   frames out of order; jumps", f"{order:.0f}; {began:.0f}")
    table.add_row("   messages a second, from 10 s afterwards on", f"{rate_of('messages_total', after):,.0f}")
    return most < normal + SLACK_MB and order == 0 and rate_of("messages_total", after) > 0


def main() -> int:
    """Run what the command line says; 1 where something grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between samples")
    parser.add_argument("--rate", type=float, default=1e5, help="samples a second of each antenna")
    parser.add_argument("--overload", type=float, default=60.0, help="seconds with a receiver that is too slow; 0 for none")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table = Table("three processes", "", title=f"a link of {given.minutes:g} minutes, 4×4 antennas, {given.rate:g} samples a second")
    with tempfile.TemporaryDirectory(prefix="ll-") as folder, ExitStack() as stack:
        link = Link(Path(folder), given.rate, given.seed)
        stack.callback(link.close)
        table.add_row("first message after (s)", f"{link.wait_until_linked():.1f}")
        flat, usual, computing = soaked(link, given.minutes, given.every, table)
        back = overloaded(link, given.overload, usual, computing, table) if given.overload else True
    Console().print(table)
    record("soak", table, threads=1)
    if not flat:
        print("something grew", file=sys.stderr)
    if not back:
        print("the link did not bear its overload", file=sys.stderr)
    return int(not (flat and back))


if __name__ == "__main__":
    sys.exit(main())
