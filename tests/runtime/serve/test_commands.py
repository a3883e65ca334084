"""Laws of the command line within this process: what is wrong is named, and the BLAS has one thread."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from latentlink_runtime.serve import commands
from latentlink_runtime.serve.processes import environment_of_one_thread
from runtime.serve.loop import CONFORMANCE


def test_keys_are_written_and_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["keys", str(tmp_path / "tx")]) == 0
    assert (tmp_path / "tx.secret").stat().st_mode & 0o777 == 0o600
    assert commands.main(["keys", str(tmp_path / "tx")]) == 2
    assert "tx.secret" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"--design": CONFORMANCE / "head.safetensors"}, "must be a pair or a codec"),
        ({"--latents": "flat.npy"}, "2 axes"),
        ({"--latents": "pickle.npy"}, "2 axes"),
        ({"--iq": "tcp://0.0.0.0:5555"}, "i-know"),
        ({"--control": "tcp://10.1.1.1:5555"}, "i-know"),
        ({"--keys": "none.secret"}, "none.secret"),
        ({"--uses": "99"}, "uses"),
        ({"--n-tx": "11"}, "n_tx"),
        ({"--per-frame": "5000"}, "per_frame"),
        ({"--rate": "0"}, "rate"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, object], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "Stop", lambda: lambda: True)
    np.save("latents.npy", np.zeros((5, 24)))
    np.save("flat.npy", np.zeros(5))
    np.save("pickle.npy", np.array([{}], object), allow_pickle=True)
    for name in ("tx", "rx"):
        commands.main(["keys", name])
    right: dict[str, object] = {
        "--design": CONFORMANCE / "pair.safetensors", "--latents": "latents.npy", "--keys": "tx.secret", "--server-key": "rx.public",
        "--control": "ipc://c", "--iq": "ipc://i",
    }  # fmt: skip
    for given, status in ((right, 0), ({**right, **changed}, 2)):
        assert commands.main(["tx", "--outlive-parent", *(str(text) for pair in given.items() for text in pair)]) == status
    assert named in capsys.readouterr().err


def test_the_command_line_is_there_without_torch_and_without_zmq() -> None:
    script = (
        "import sys; from latentlink_runtime.serve.parser import parser; import latentlink_runtime.serve.commands\n"
        "print([name for name in ('torch', 'zmq', 'sigmf', 'latentlink', 'jaxtyping') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_environment_gets_one_thread_unless_it_says_so() -> None:
    made = environment_of_one_thread({"OMP_NUM_THREADS": "4", "A": "b"})
    assert made == {"OMP_NUM_THREADS": "4", "A": "b", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    assert environment_of_one_thread(made) is None
