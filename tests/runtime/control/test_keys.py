"""Laws of key files and of the list of keys that are let in."""

import os
from pathlib import Path

import pytest

from latentlink_runtime.control.keys import AllowList, KeyFileError, KeyPair, make_keys, read_public, read_secret, z85

zmq = pytest.importorskip("zmq")
encode_z85 = pytest.importorskip("zmq.utils.z85").encode


def fresh() -> bytes:
    return zmq.curve_keypair()[0]


def test_keys_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        pair = make_keys(tmp_path / "tx")
    finally:
        os.umask(before)
    assert (tmp_path / "tx.secret").stat().st_mode & 0o777 == 0o600
    assert read_secret(tmp_path / "tx.secret") == pair
    assert read_public(tmp_path / "tx.public") == pair.public
    assert zmq.curve_public(pair.secret) == pair.public
    assert pair.secret.decode() not in repr(pair)
    with pytest.raises(FileExistsError):
        make_keys(tmp_path / "tx")
    assert read_secret(tmp_path / "tx.secret") == pair


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o622])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    pair = make_keys(tmp_path / "tx")
    (tmp_path / "tx.secret").chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600") as caught:
        read_secret(tmp_path / "tx.secret")
    assert pair.secret.decode() not in str(caught.value)


def test_links_folders_and_pipes_are_no_secrets(tmp_path: Path) -> None:
    make_keys(tmp_path / "tx")
    (tmp_path / "link").symlink_to(tmp_path / "tx.secret")
    with pytest.raises(OSError, match="link"):
        read_secret(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", "."):
        with pytest.raises((KeyFileError, OSError)):
            read_secret(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"short\nshort\n", b"\x00" * 81, b"#" * 40 + b"\n" + b"#" * 40 + b"\n", b"a" * 40 + b"\n"])
def test_malformed_key_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tx.secret").write_bytes(content)
    (tmp_path / "tx.secret").chmod(0o600)
    with pytest.raises(KeyFileError, match="two lines"):
        read_secret(tmp_path / "tx.secret")
    (tmp_path / "tx.public").write_bytes(content + content)
    with pytest.raises(KeyFileError, match=r"never NAME\.secret"):
        read_public(tmp_path / "tx.public")


def test_z85_is_that_of_zeromq() -> None:
    for _ in range(50):
        raw = os.urandom(32)
        assert z85(raw) == encode_z85(raw)
    with pytest.raises(ValueError, match="32 bytes"):
        z85(b"a" * 40)


def test_the_list_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "allowed"
    first, second = fresh(), fresh()
    allowed = AllowList(path)
    assert len(allowed) == 0
    assert "allowed" in allowed.problem
    path.write_bytes(b"#transmitters\n\n" + first + b" the roof\n#\n")
    assert (first in allowed, second in allowed, allowed.problem) == (True, False, "")
    path.write_bytes(second + b"\n")
    assert (first in allowed, second in allowed) == (False, True)
    path.unlink()
    assert second not in allowed
    path.write_bytes(second + b"\r\n" + first)
    assert len(allowed) == 2
    assert z85(bytes(32)) not in allowed


def test_no_key_begins_with_the_mark_of_a_remark(tmp_path: Path) -> None:
    assert z85(b"\xff" * 32).startswith(b"%nSc0")
    assert all(85**4 * place >= 2**32 for place in (83, 84))


@pytest.mark.parametrize("line", [b"short", b"a" * 41, b"\xff" * 40, b"'" * 40, b"%" * 40, b"$" * 40])
def test_a_malformed_list_lets_nobody_in(tmp_path: Path, line: bytes) -> None:
    key = fresh()
    (tmp_path / "allowed").write_bytes(key + b"\n" + line + b"\n")
    allowed = AllowList(tmp_path / "allowed")
    assert key not in allowed
    assert "line 2" in allowed.problem
    assert KeyPair(b"a", b"b") == KeyPair(b"a", b"b")


def test_lists_are_capped(tmp_path: Path) -> None:
    (tmp_path / "allowed").write_bytes(fresh() + b"\n" + b"\n" * 2**16)
    assert "at most" in AllowList(tmp_path / "allowed").problem
    (tmp_path / "allowed").write_bytes(b"".join(fresh() + b"\n" for _ in range(257)))
    assert "256" in AllowList(tmp_path / "allowed").problem
