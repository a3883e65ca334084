"""Dask schedulers and workers as processes of their own, bound to this machine, for tests that end or lose them."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from processes import ENVIRONMENT, SOURCE

_PATIENCE_S = 60


class Process:
    """A process with its output in a file; `kill` ends it as the operating system does, without a word."""

    def __init__(self, log: Path, *command: str, env: Mapping[str, str]) -> None:
        self.log = log
        with log.open("wb") as out:
            self._running = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env, cwd=log.parent)

    def kill(self) -> None:
        self._running.kill()
        self._running.wait(_PATIENCE_S)

    @property
    def pid(self) -> int:
        return self._running.pid

    def says(self, word: str) -> str:
        """The end of the first line of its output that has a word, once there is one."""
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            lines = [line for line in self.log.read_text().splitlines() if word in line]
            if lines:
                return lines[0].partition(word)[2].strip()
            assert self._running.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError(f"no {word!r} in {self.log.read_text()}")


class TestCluster:
    """A scheduler, and workers of one thread each.

    Args:
        folder: for outputs of the processes, and their current folder.
        env: variables of their environment.
        host: that they listen at.
        prefix: of their command lines.
    """

    __test__ = False

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None, host: str = "127.0.0.1", prefix: tuple[str, ...] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.host, self.prefix, self.workers = folder, host, prefix, list[Process]()
        paths = os.pathsep.join((SOURCE, str(Path(__file__).parent)))  # workers know the modules of tests, too
        self.env = {**ENVIRONMENT, "PYTHONPATH": paths, "PYTHONWARNINGS": "ignore", **(env or {})}
        protocol = "tls" if "DASK_DISTRIBUTED__COMM__TLS__CA_FILE" in self.env else "tcp"
        self.scheduler = self._start("scheduler", "--protocol", protocol, "--host", host, "--port", "0")
        self.address = self.scheduler.says("Scheduler at:")

    def _start(self, kind: str, *arguments: str) -> Process:
        log = self.folder / f"{kind}-{len(self.workers)}.log"
        command = [*self.prefix, sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard", *arguments]
        return Process(log, *command, env=self.env)

    def add_worker(self, wait: bool = True) -> Process:
        options = ("--host", self.host, "--nthreads", "1", "--no-nanny", "--local-directory", str(self.folder))
        self.workers.append(self._start("worker", self.address, *options))
        if wait:
            self.workers[-1].says("Registered to:")
        return self.workers[-1]

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()


@contextlib.contextmanager
def cluster(folder: Path, workers: int = 2, env: Mapping[str, str] | None = None, **place: object) -> Iterator[TestCluster]:
    """A scheduler with workers, which end with the context."""
    started = TestCluster(folder, env, **place)  # type: ignore[arg-type]
    try:
        for _ in range(workers):
            started.add_worker(wait=False)
        for worker in started.workers:
            worker.says("Registered to:")
        yield started
    finally:
        started.close()


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
