"""Processes for tests that run commands and scripts as a user does.

Starting Python and PyTorch takes longer than most commands do. A `Forge` starts once and imports what takes long; each command then runs in
a child of its own that is forked from it, with its own folder, environment, arguments and output.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import latentlink
import latentlink_runtime

SOURCE = os.pathsep.join(str(Path(package.__file__).parents[1]) for package in (latentlink, latentlink_runtime))
ENVIRONMENT = {**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1", "PYTHONPATH": SOURCE}
LATENTLINK = "from latentlink.__main__ import main; main()"
IMPORTS = """
import os
os.fsync = lambda file: None
import torch, torch._dynamo, polars, pydantic, cyclopts, rich.table, rich.progress, joblib, scipy.optimize, sklearn.datasets
import matplotlib.figure, plotly.graph_objects, jinja2
import latentlink.cli, latentlink.studies.experiments, latentlink.report.page
"""
SERVE = """
import json, os, sys, traceback
for line in sys.stdin:
    code, *told = json.loads(line)
    if not told:
        exec(code, {})
        print(0, flush=True)
        continue
    arguments, folder, environment, out, err = told
    child = os.fork()
    if child == 0:
        for number, path, flags in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
            os.dup2(os.open(path, flags), number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv, status = arguments, 0
        try:
            exec(compile(code, "<command>", "exec"), {"__name__": "__main__"})
        except SystemExit as end:
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forge:
    """A Python process that has imported what takes long, and forks a child for each command.

    Args:
        preamble: what it runs first.
    """

    def __init__(self, preamble: str) -> None:
        command = [sys.executable, "-c", preamble + SERVE]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)

    def run(self, code: str, *arguments: object, folder: Path, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Run code as a program of its own, in a folder and with further variables of the environment."""
        with tempfile.TemporaryDirectory() as said:
            out, err = Path(said) / "out", Path(said) / "err"
            out.touch()
            err.touch()
            told: Sequence[Any] = (["command", *map(str, arguments)], str(folder), {**ENVIRONMENT, **(env or {})}, str(out), str(err))
            status = self._ask(code, *told)
            return subprocess.CompletedProcess(told[0], status, out.read_text(), err.read_text())

    def prepare(self, code: str) -> None:
        """Run code in the process that forks, whose later children find done what it does."""
        self._ask(code)

    def _ask(self, *told: Any) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the process that forks ended: what it said is on stderr"
        return int(answer)

    def close(self) -> None:
        """End the process."""
        self.process.communicate(timeout=60)
