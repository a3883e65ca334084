"""The systemd unit and the container of `examples/deploy` say what the commands take."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from latentlink_runtime.serve.parser import parser
from latentlink_runtime.serve.processes import environment_of_one_thread

FOLDER = Path(__file__).parents[2] / "examples" / "deploy"
UNIT = FOLDER / "latentlink-receiver.service"
COMMAND = "-m latentlink_runtime "


def text_of(name):
    """A file with its continued lines joined."""
    return re.sub(r"\\\n\s*", "", (FOLDER / name).read_text(encoding="utf-8"))


def variables(name, setting):
    """Environment variables that lines which begin so set."""
    lines = re.findall(rf"^{setting}(.*)$", text_of(name), re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in shlex.split(line))


def test_every_command_is_one_that_the_runtime_takes():
    found = [line.split(COMMAND)[1] for line in text_of(UNIT.name).splitlines() if COMMAND in line]
    found += re.findall(r"^podman run .* latentlink-runtime (.*)$", text_of("README.md"), re.MULTILINE)
    given = [parser().parse_args(shlex.split(line)) for line in found]
    assert sorted(each.command for each in given) == ["keys", "rx", "rx"]
    unit = next(line for line in found if line.startswith("rx"))
    sent = unit.replace("rx ", "tx ", 1).replace("--allowed", "--latents x.npy --server-key")  # as the README says
    assert parser().parse_args(shlex.split(sent)).server_key == Path("/etc/latentlink/allowed")


def test_processes_start_once_with_one_thread():
    """What lacks a variable of the number of threads starts itself anew."""
    assert environment_of_one_thread(variables(UNIT.name, "Environment=")) is None
    assert environment_of_one_thread(variables("Containerfile", "ENV ")) is None


def test_the_unit_is_not_started_again_where_that_would_not_help(tmp_path):
    """Files that are not there end the process with the status that the unit names."""
    line = next(line for line in text_of(UNIT.name).splitlines() if line.startswith("ExecStart="))
    arguments = shlex.split(line.split(COMMAND)[1].replace("/etc/latentlink", str(tmp_path)))
    done = subprocess.run([sys.executable, "-m", "latentlink_runtime", *arguments], capture_output=True, text=True, check=False)
    assert f"RestartPreventExitStatus={done.returncode}" in text_of(UNIT.name).splitlines()
    assert "codec.safetensors" in done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed: the unit was not verified")
def test_systemd_takes_the_unit(tmp_path):
    """With the interpreter of the tests in place of the one that the unit's header says how to install."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/latentlink/bin/python", sys.executable), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert UNIT.stem not in done.stderr
