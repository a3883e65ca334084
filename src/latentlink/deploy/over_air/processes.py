"""A transmitter, an air and a receiver as processes that share a file of the design, keys, and nothing else."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from latentlink.deploy.over_air.air import AirSetting
from latentlink.numerics.doors import AnyArray, as_tensor, choice, integer
from latentlink.numerics.reprs import Summarised
from latentlink_runtime.control.keys import make_keys
from latentlink_runtime.serve.processes import environment_of_one_thread

Array = np.ndarray[Any, Any]

PATIENCE_S = 20.0  # for a session, and for what is still on its way at the end
_QUIET_S, _POLL_S = 0.5, 0.05
_QUEUE_S = 2.0  # of samples that may wait: nobody waits for a message here, and other work may hold an air up


@dataclass(frozen=True, eq=False)
class Reception(Summarised):
    """What came of the messages of a run, as `send_over_air` returns it.

    Attributes:
        values: latents (n, m) that were decoded.
        rows: row (n,) of the transmitter's file that each of them is.
        lost: messages that came in damaged symbols; their values are left out.
        frames: lines of the receiver's log, one of each frame of messages.
        frames_sent: frames of messages that the transmitter sent.
        counts: what both ends counted, by name: "tx messages", "rx bad_header" and so on.

    Example:
        >>> import numpy as np, latentlink as ll
        >>> frames = [{"seconds": 0.1 * number, "messages": 500.0, "snr_db": 20.0} for number in range(3)]
        >>> came = ll.deploy.Reception(np.zeros((1500, 6)), np.arange(1500), lost=0, frames=frames, frames_sent=4, counts={})
        >>> came.frames_lost, came.mean("snr_db"), round(came.messages_per_second)
        (1, 20.0, 5000)
    """

    values: Array
    rows: Array
    lost: int
    frames: list[dict[str, float]]
    frames_sent: int
    counts: dict[str, float] = field(repr=False)

    @property
    def frames_lost(self) -> int:
        """Frames of messages that were sent and did not come."""
        return self.frames_sent - len(self.frames)

    def mean(self, column: str) -> float:
        """Mean of a column of the log over frames, NaN where there are none; a ValueError if the log has no such column."""
        if not self.frames:
            return math.nan
        choice("column", column, self.frames[0])
        return float(np.mean([frame[column] for frame in self.frames]))

    @property
    def messages_per_second(self) -> float:
        """Messages a second that were decoded, from the first frame to the last; NaN where there are fewer than two."""
        if len(self.frames) < 2:
            return math.nan
        later = sum(frame["messages"] for frame in self.frames[1:])
        return later / max(self.frames[-1]["seconds"] - self.frames[0]["seconds"], 1e-9)


def send_over_air(
    design: Path,
    latents: AnyArray,
    setting: AirSetting,
    messages: int,
    *,
    view: int | None = None,
    head: Path | None = None,
    labels: AnyArray | None = None,
    told: Callable[[str], None] = print,
) -> Reception:
    """Send rows of latents over and over through an air, between processes that are started for it and end with it.

    Args:
        design: file of the pair or the codec, which both ends read.
        latents: of the transmitter (n, d).
        setting: the air.
        messages: to be sent, rounded up to whole frames.
        view: port of the receiver's live page; 0 takes any, None shows none.
        head: file of the receiver's head, by which the page tells the accuracy; with labels.
        labels: classes (n,) of the latents.
        told: is told the page's address.

    Returns:
        What arrived, and what both ends counted.

    Raises:
        ValueError: messages is not positive, or the files and numbers are not what a process takes; it says which.
        OSError: a process ended before its time.

    Example:
        >>> import torch, latentlink as ll
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> x = torch.randn(480, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> with TemporaryDirectory() as folder:
        ...     pair = Path(folder) / "pair.safetensors"
        ...     modes.save(pair)
        ...     came = ll.deploy.send_over_air(pair, x, ll.deploy.AirSetting(2, 2), messages=1000)
        >>> came.frames_sent, came.values.shape[1]
        (2, 6)
    """
    rows = as_tensor("latents", latents).detach().cpu().float().numpy()
    integer("messages", messages)
    if (head is None) != (labels is None):
        raise ValueError(
            f"head and labels must come together, for the accuracy on the page, got {'labels' if head is None else 'a head'} alone"
        )
    with tempfile.TemporaryDirectory(prefix="ll-") as name:  # short: addresses of ipc may have 107 letters
        folder = Path(name)
        for end in ("tx", "rx"):
            make_keys(folder / end)
        np.save(folder / "latents.npy", rows)
        np.save(folder / "taps.npy", setting.taps)
        judged = {}
        if head is not None and labels is not None:
            np.save(folder / "labels.npy", as_tensor("labels", labels).cpu().numpy())
            judged = {"head": head, "labels": folder / "labels.npy"}
        with _processes() as start:
            receiver = start("rx", *_receiver(design, folder, setting, view), *_options(judged), *(["--latents"] if judged else []))
            if view is not None:
                told(_page(receiver))
            air = start("air", *_air(folder, setting))
            transmitter = start("tx", *_transmitter(design, folder, setting, messages))
            sent = _finished(transmitter, (receiver, air), messages / setting.rate * 20 + PATIENCE_S)
            if 0 < sent.get("messages", 0) < messages:
                raise OSError(f"only {sent['messages']:g} of {messages} messages were sent in time: is the machine too busy for this rate?")
            _wait_until_quiet(folder / "frames.csv")
            heard = _ended(receiver)
        return _read(folder, len(rows), sent, heard)


def _common(design: Path, folder: Path, setting: AirSetting, end: str, at: str) -> list[str]:
    given = {
        "design": design,
        "keys": folder / f"{end}.secret",
        "control": f"ipc://{folder}/control",
        "iq": f"ipc://{folder}/{at}",
        "per-frame": setting.per_frame,
        "numerology": setting.numerology.name,
    }
    return [*_options(given), *_sizes(setting)]


def _receiver(design: Path, folder: Path, setting: AirSetting, view: int | None) -> list[str]:
    (folder / "allowed").write_bytes((folder / "tx.public").read_bytes())
    given = {"allowed": folder / "allowed", "out": folder / "y.npy", "log": folder / "frames.csv", "bits": setting.bits, "keep": 10**9}
    return [*_common(design, folder, setting, "rx", "received"), *_options(given | ({} if view is None else {"view": view}))]


def _transmitter(design: Path, folder: Path, setting: AirSetting, messages: int) -> list[str]:
    given = {"latents": folder / "latents.npy", "server-key": folder / "rx.public", "messages": messages}
    return [*_common(design, folder, setting, "tx", "sent"), *_options(given)]


def _air(folder: Path, setting: AirSetting) -> list[str]:
    given = {
        "from": f"ipc://{folder}/sent",
        "to": f"ipc://{folder}/received",
        "taps": folder / "taps.npy",
        "snr-db": setting.snr_db,
        "frequency": setting.frequency,
        "ppm": setting.ppm,
        "seed": setting.seed,
    }
    return [*_options(given), *_sizes(setting), *(["--gnuradio"] if setting.gnuradio else [])]


def _sizes(setting: AirSetting) -> list[str]:
    return _options({"n-tx": setting.n_tx, "n-rx": setting.n_rx, "rate": setting.rate, "queue": _QUEUE_S})


def _options(given: dict[str, Any]) -> list[str]:
    return [f"--{name}={value}" for name, value in given.items()]


@contextmanager
def _processes() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """What starts commands of the runtime, all of which have ended when this has."""
    running: list[subprocess.Popen[str]] = []

    def start(*command: str) -> "subprocess.Popen[str]":
        environment = environment_of_one_thread(os.environ) or dict(os.environ)
        words = [sys.executable, "-m", "latentlink_runtime", *command]
        running.append(subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return running[-1]

    try:
        yield start
    finally:
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in running:
            with suppress(subprocess.TimeoutExpired, ValueError):
                process.communicate(timeout=2)
            process.kill()
            process.communicate()


def _page(receiver: "subprocess.Popen[str]") -> str:
    """The address of the live page, which the receiver tells first."""
    assert receiver.stderr is not None
    line = receiver.stderr.readline()
    try:
        return str(json.loads(line)["view"])
    except (ValueError, LookupError) as error:
        raise OSError(f"the receiver has no live page: {line.strip()}") from error


def _finished(process: "subprocess.Popen[str]", others: Iterable["subprocess.Popen[str]"], seconds: float) -> dict[str, float]:
    """What the transmitter counted, which ends by itself, or is told to after so many seconds; OSError if another process ends before."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        for other in others:
            if other.poll() is not None:
                _counts(other, other.communicate())
                raise OSError("a process of the link ended before the transmitter had sent its messages")
        time.sleep(_POLL_S)
    return _ended(process) if process.poll() is None else _counts(process, process.communicate())


def _ended(process: "subprocess.Popen[str]") -> dict[str, float]:
    """What a process counted, that is told to end."""
    process.send_signal(signal.SIGTERM)
    return _counts(process, process.communicate(timeout=PATIENCE_S))


def _counts(process: "subprocess.Popen[str]", told: tuple[str, str]) -> dict[str, float]:
    out, err = told
    if process.returncode:
        said = err.strip().rpartition("\n")[2] or f"a process of the link ended with status {process.returncode}"
        raise (ValueError if process.returncode == 2 else OSError)(said)
    counts: dict[str, float] = json.loads(out)
    return counts


def _wait_until_quiet(log: Path) -> None:
    """Wait until no frame has come for half a second."""
    size, since, end = -1, time.monotonic(), time.monotonic() + PATIENCE_S
    while (now := time.monotonic()) < min(since + _QUIET_S, end):
        seen = log.stat().st_size if log.exists() else 0
        if seen != size:
            size, since = seen, now
        time.sleep(_POLL_S)


def _read(folder: Path, count: int, sent: dict[str, float], heard: dict[str, float]) -> Reception:
    """What the receiver wrote."""
    with (folder / "frames.csv").open(encoding="utf-8") as file:
        frames = [{name: float(value) for name, value in line.items()} for line in csv.DictReader(file)]
    if frames:
        values, rows = (np.load(folder / name) for name in ("y.npy", "y.rows.npy"))
    else:
        values, rows = np.zeros((0, 0), np.float32), np.zeros(0, int)
    counts = {**{f"tx {name}": value for name, value in sent.items()}, **{f"rx {name}": value for name, value in heard.items()}}
    came = rows >= 0
    return Reception(values[came], rows[came] % count, int((~came).sum()), frames, int(sent.get("frames", 0)), counts)
