"""Keys of the control plane: CURVE key pairs in files of their owner alone, and the list of keys that are let in.

    NAME.secret     two lines: the public and the secret key in Z85, mode 0600
    NAME.public     one line: the public key, to be copied to the other end
    allowed         one public key a line, then spaces and a remark; lines that are empty or begin with "#" say nothing

Keys are read from files only: arguments of a process are there for all to see. "#" is a character of Z85, but no key begins with it, as
84 · 85⁴ ≥ 2³².
"""

import os
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path

MAX_BYTES, MAX_KEYS = 2**16, 256
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_KEY_CHARACTERS = 40


class KeyFileError(ValueError):
    """A file of keys is malformed, or others may read it; the message says what to do, and never has the key."""


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key pair.

    Attributes:
        public: in Z85.
        secret: in Z85.
    """

    public: bytes
    secret: bytes = field(repr=False)


def make_keys(path: str | os.PathLike[str]) -> KeyPair:
    """Make a key pair, and write PATH.secret and PATH.public; FileExistsError if there are such."""
    try:
        import zmq
    except ImportError as error:  # pragma: no cover
        raise ImportError("CURVE keys need pyzmq: pip install 'latentlink-runtime[zmq]'") from error
    pair = KeyPair(*zmq.curve_keypair())
    secret, public = (Path(f"{os.fspath(path)}.{end}") for end in ("secret", "public"))
    if taken := [str(file) for file in (secret, public) if os.path.lexists(file)]:
        raise FileExistsError(f"{', '.join(taken)}: there are keys of this name already; choose another name, or remove them")
    for file, mode, content in ((secret, 0o600, pair.public + b"\n" + pair.secret + b"\n"), (public, 0o644, pair.public + b"\n")):
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "wb") as out:
            out.write(content)
    return pair


def read_secret(path: str | os.PathLike[str]) -> KeyPair:
    """The key pair of a file NAME.secret.

    Raises:
        OSError: there is no such file, or it is a link.
        KeyFileError: others may read it, it is another user's, or it has not two keys.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if str(path).endswith(".public"):
            raise KeyFileError(f"{path}: is a public key; the secret one of this end is in NAME.secret")
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077 or status.st_uid not in (os.geteuid(), 0):
            raise KeyFileError(f"{path}: must be a file that only its owner may read, got mode {status.st_mode & 0o777:04o}: chmod 600 it")
        lines = file.read(MAX_BYTES).split()
    if len(lines) != 2 or not all(map(_is_key, lines)):
        raise KeyFileError(f"{path}: must have two lines, the public and the secret key in Z85; make new ones with `latentlink radio keys`")
    return KeyPair(*lines)


def read_public(path: str | os.PathLike[str]) -> bytes:
    """The public key of a file NAME.public; OSError or KeyFileError as `read_secret`."""
    with Path(path).open("rb") as file:
        lines = file.read(MAX_BYTES).split()
    if len(lines) != 1 or not _is_key(lines[0]):
        raise KeyFileError(f"{path}: must have one line, a public key in Z85; copy NAME.public of the other end, never NAME.secret")
    return lines[0]


class AllowList:
    """The public keys that are let in, read anew when the file changes; a file that is malformed or gone lets nobody in.

    Attributes:
        path: the file.
        problem: what is wrong with it, or "".
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path, self.problem = Path(path), ""
        self._keys: dict[bytes, str] = {}
        self._seen: tuple[int, ...] | None = None
        self._reload()

    def __contains__(self, key: bytes) -> bool:
        """True if a public key in Z85 is let in."""
        self._reload()
        return bytes(key) in self._keys

    def __len__(self) -> int:
        self._reload()
        return len(self._keys)

    def _reload(self) -> None:
        try:
            status = self.path.stat()
            seen = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
            if seen == self._seen:
                return
            self._keys, self.problem, self._seen = {}, "", seen
            if status.st_size > MAX_BYTES:
                raise KeyFileError(f"{self.path}: must have at most {MAX_BYTES} bytes, got {status.st_size}")
            self._keys = _allowed(self.path.read_bytes(), self.path)
        except (OSError, KeyFileError) as error:
            self._keys, self.problem = {}, str(error)
            if isinstance(error, OSError):
                self._seen = None


def z85(key: bytes) -> bytes:
    """The 40 characters of a key of 32 bytes: what ZAP has, where pyzmq's own callback has the characters already."""
    if len(key) != 32:
        raise ValueError(f"key must have 32 bytes, got {len(key)}")
    text = ""
    for number in struct.unpack(">8I", key):
        text += "".join(_Z85[number // 85**place % 85] for place in (4, 3, 2, 1, 0))
    return text.encode()


def _allowed(content: bytes, path: Path) -> dict[bytes, str]:
    keys: dict[bytes, str] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        key, _, remark = line.strip().partition(b" ")
        if not _is_key(key) or len(keys) >= MAX_KEYS:
            raise KeyFileError(
                f"{path}, line {number}: must be a public key in Z85 (at most {MAX_KEYS} of them); nobody is let in until it is"
            )
        keys[key] = remark.strip().decode("utf-8", "replace")
    return keys


def _is_key(text: bytes) -> bool:
    """True for 40 characters of Z85 that are 32 bytes."""
    if len(text) != _KEY_CHARACTERS or not set(text) <= set(_Z85.encode()):
        return False
    places = [_Z85.encode().index(character) for character in text]
    groups = [places[start : start + 5] for start in range(0, _KEY_CHARACTERS, 5)]
    return all(sum(place * 85 ** (4 - power) for power, place in enumerate(group)) < 2**32 for group in groups)
