"""Laws of the command line within this process: what is wrong is named, and the BLAS has one thread."""

import socket
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
        ({"--latents": "nan.npy"}, "row 3 has NaN"),
        ({"--latents": "text.npy"}, "2 axes"),
        ({"--latents": "complex.npy"}, "real numbers with 2 axes, got complex128"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, object], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "Stop", lambda: lambda: True)
    np.save("latents.npy", np.zeros((5, 24)))
    np.save("flat.npy", np.zeros(5))
    np.save("nan.npy", np.where(np.arange(5)[:, None] == 3, np.nan, np.zeros((5, 24))))
    np.save("complex.npy", np.zeros((5, 24), complex))
    np.save("text.npy", np.full((5, 24), "a"))
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


@pytest.mark.parametrize("wrong", [["--rate", "0"], ["--rate", "nan"], ["--messages", "-3"], ["--queue", "inf"], ["--messages", "1.5"]])
def test_numbers_out_of_range_are_named_before_anything_is_read(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.main(["tx", "--design", "d", "--keys", "k", "--control", "c", "--iq", "i", "--latents", "l", "--server-key", "s", *wrong])
    assert f"argument {wrong[0]}: must be" in capsys.readouterr().err


def test_a_receiver_that_cannot_start_replaces_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("zmq")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "Stop", lambda: lambda: True)
    commands.main(["keys", "rx"])
    (tmp_path / "allowed").write_bytes((tmp_path / "rx.public").read_bytes())
    (tmp_path / "frames.csv").write_text("of another run")
    words = ["rx", "--outlive-parent", "--design", str(CONFORMANCE / "pair.safetensors"), "--keys", "rx.secret", "--allowed", "allowed",
             "--iq", "ipc://iq", "--log", "frames.csv", "--record", "air"]  # fmt: skip
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as taken:
        taken.bind("control")
        taken.listen()
        assert commands.main([*words, "--control", "ipc://control"]) == 2
    assert "another process listens there" in capsys.readouterr().err
    assert (tmp_path / "frames.csv").read_text() == "of another run"
    assert not list(tmp_path.glob("air.*"))
    assert commands.main([*words, "--control", "ipc://other", "--out", "missing/y.npy"]) == 2
    assert "there is no folder missing" in capsys.readouterr().err
    assert commands.main([*words, "--control", "ipc://other", "--out", "y.dat"]) == 2
    assert "must be a file NAME.npy" in capsys.readouterr().err
    assert commands.main([*words, "--control", "ipc://other"]) == 0
    assert (tmp_path / "frames.csv").read_text().startswith("seconds,")
