"""Dask schedulers and workers as processes of their own, bound to this machine, for tests that end or lose them.

They are forked from a process that has imported Dask and this package, since importing them takes longer than most of these tests.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from processes import ENVIRONMENT, SOURCE

_PATIENCE_S = 60
_FORK = """
import json, os, signal, sys, warnings
warnings.simplefilter("ignore")
import dask.config, distributed.cli.dask_scheduler, distributed.cli.dask_worker, distributed.http.scheduler.api
import latentlink.studies.running.runner
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    arguments, folder, environment, log = json.loads(line)
    child = os.fork()
    if child == 0:
        for number, path, flags in ((0, os.devnull, os.O_RDONLY), (1, log, os.O_WRONLY), (2, log, os.O_WRONLY)):
            os.dup2(os.open(path, flags), number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)
        dask.config.refresh()
        sys.argv = arguments
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        sys.modules["distributed.cli." + arguments[0]].main()
        os._exit(0)
    print(child, flush=True)
"""


@cache
def _forking() -> "subprocess.Popen[str]":
    """The process that is forked; it ends with its input, as this one does."""
    return subprocess.Popen([sys.executable, "-c", _FORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)


class Process:
    """A process with its output in a file; `kill` ends it as the operating system does, without a word."""

    def __init__(self, log: Path, *command: str, env: Mapping[str, str], prefix: tuple[str, ...] = ()) -> None:
        self.log = log
        log.touch()
        self._own: subprocess.Popen[bytes] | None = None
        if prefix:
            with log.open("wb") as out:
                full = [*prefix, sys.executable, "-m", f"distributed.cli.{command[0]}", *command[1:]]
                self._own = subprocess.Popen(full, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env, cwd=log.parent)
            self.pid = self._own.pid
            return
        forking = _forking()
        assert forking.stdin is not None
        assert forking.stdout is not None
        forking.stdin.write(json.dumps([command, str(log.parent), dict(env), str(log)]) + "\n")
        forking.stdin.flush()
        self.pid = int(forking.stdout.readline())

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        if self._own is not None:
            self._own.wait(_PATIENCE_S)

    def says(self, word: str) -> str:
        """The end of the first line of its output that has a word, once there is one."""
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            lines = [line for line in self.log.read_text().splitlines() if word in line]
            if lines:
                return lines[0].partition(word)[2].strip()
            time.sleep(0.02)
        raise AssertionError(f"no {word!r} in {self.log.read_text()}")


class TestCluster:
    """A scheduler, and workers of one thread each.

    Args:
        folder: for outputs of the processes, and their current folder.
        env: variables of their environment.
        host: that they listen at.
        prefix: of their command lines; they are started as commands then, not forked.
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
        return Process(log, f"dask_{kind}", "--no-dashboard", *arguments, env=self.env, prefix=self.prefix)

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
