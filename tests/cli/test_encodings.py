import numpy as np
import pytest

from latentlink.cli.encodings import spell_what_consoles_lack
from processes import LATENTLINK

ASCII = "import sys\nfor stream in (sys.stdout, sys.stderr):\n    stream.reconfigure(encoding='ascii', errors='strict')\n"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", rb"20 -> 15 +- 2, R^2 y^, n\xf6, \u65e5\u672c"),
        ("cp1252", b"20 -> 15 \xb1 2, R\xb2 y^, n\xf6, \\u65e5\\u672c"),
        ("utf-8", "20 → 15 ± 2, R² ŷ, nö, 日本".encode()),
    ],
)
def test_what_an_encoding_lacks_is_spelled(encoding, shown):
    spell_what_consoles_lack()
    assert "20 → 15 ± 2, R² ŷ, nö, 日本".encode(encoding, "latentlink.spelled") == shown


def test_commands_end_well_on_a_console_of_ascii(forge, tmp_path):
    g = np.random.default_rng(0)
    x = g.normal(size=(80, 4))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", x @ g.normal(size=(4, 3)))
    for command in (("fit", "x.npy", "y.npy", "--n-tx", 1, "--n-rx", 1), ("inspect", "link/link.safetensors"), ("inspect", "nö.npy")):
        done = forge.run(ASCII + LATENTLINK, *command, folder=tmp_path)
        assert done.returncode == (1 if "nö.npy" in command else 0), done.stderr
        assert (done.stdout + done.stderr).isascii()
    assert r"n\xf6.npy" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_learns_commands_and_options(forge, tmp_path, shell):
    done = forge.run(LATENTLINK, "--install-completion", "--shell", shell, folder=tmp_path, env={"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    scripts = [path.read_text() for path in tmp_path.rglob("*latentlink*") if path.is_file()]
    assert len(scripts) == 1
    assert all(word in scripts[0] for word in ("evaluate", "archive", "temperature"))
