"""Messages of the control plane as frames.

    frame 0   b"LLC1" and the first 16 bytes of SHA-256 over the lengths (u32, big-endian) and contents of all other frames
    frame 1   JSON, at most 4 KiB: v = 1, t = type, n = number, rising in each direction, s = session, and the type's own fields
    frames 2… at most 4 of raw bytes, of at most 128 KiB each, more than the largest report has

CURVE guards the wire; the digest guards the code at both ends of it, and whoever carries messages without CURVE. A message with an unknown,
missing or doubled field, or a field out of its range, is refused whole.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

MAGIC = b"LLC1"
VERSION = 1
MAX_JSON_BYTES, MAX_RAW, MAX_RAW_BYTES = 4096, 4, 2**17
MAX_NUMBER = 2**53

Check = Callable[[Any], bool]


class WireError(ValueError):
    """The frames are no message; the text says why."""


@dataclass(frozen=True)
class Message:
    """A message of the control plane.

    Attributes:
        type: one of `TYPES`.
        number: n, rising in each direction of a session.
        session: s, 16 hexadecimal digits.
        fields: of the type, by name.
        raw: frames of bytes, which are not shown: a welcome has the secret of its session.
    """

    type: str
    number: int
    session: str
    fields: dict[str, Any] = field(default_factory=dict)
    raw: tuple[bytes, ...] = field(default=(), repr=False)


def _integer(least: int, most: int) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def _hexadecimal(digits: int) -> Check:
    pattern = re.compile(f"[0-9a-f]{{{digits}}}")
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _text(most: int) -> Check:
    return lambda value: isinstance(value, str) and len(value) <= most and value.isprintable()


def _seconds(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value <= 3600


def _reasons(value: Any) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= 16 and all(_text(160)(reason) for reason in value)


def _counts(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) > 64:
        return False
    return all(_text(40)(name) and type(number) in (int, float) and abs(number) <= MAX_NUMBER for name, number in value.items())


_EPOCH = _integer(0, 2**16 - 1)
IDENTITY: dict[str, Check] = {  # what both ends must agree on, all of it named in a refusal where they do not
    "pair": _hexadecimal(64),
    "conventions": _hexadecimal(64),
    "numerology": _text(40),
    "format": _integer(0, 255),
    "n_tx": _integer(1, 16),
    "n_rx": _integer(1, 16),
}
TYPES: dict[str, tuple[dict[str, Check], int]] = {  # fields, raw frames
    "hello": (IDENTITY, 0),
    "welcome": ({"to": _hexadecimal(16)}, 1),
    "refuse": ({"to": _hexadecimal(16), "why": _reasons}, 0),
    "csi": ({"e": _EPOCH, "c": _seconds}, 1),
    "ack": ({"e": _EPOCH, "ok": lambda value: type(value) is bool, "d": _hexadecimal(16)}, 0),
    "beat": ({"want": lambda value: type(value) is bool}, 0),
    "stats": ({"counts": _counts}, 0),
    "bye": ({"why": _text(160)}, 0),
}
_SESSION = _hexadecimal(16)


def encode(message: Message) -> list[bytes]:
    """The frames of a message; WireError if it is none that `decode` would take."""
    head = {**message.fields, "v": VERSION, "t": message.type, "n": message.number, "s": message.session}
    frames = [json.dumps(head, sort_keys=True, separators=(",", ":"), allow_nan=False).encode(), *message.raw]
    frames = [_digest(frames), *frames]
    decode(frames)
    return frames


def decode(frames: Sequence[bytes]) -> Message:
    """The message of frames.

    Raises:
        WireError: they are foreign, changed, too many or too large, or the message has other fields than its type.
    """
    if not 2 <= len(frames) <= 2 + MAX_RAW or len(frames[0]) != len(MAGIC) + 16 or not frames[0].startswith(MAGIC):
        raise WireError(f"a message must have 2 to {2 + MAX_RAW} frames and begin with {MAGIC!r} and 16 bytes, got {len(frames)}")
    if len(frames[1]) > MAX_JSON_BYTES or any(len(raw) > MAX_RAW_BYTES for raw in frames[2:]):
        raise WireError(f"a message must have at most {MAX_JSON_BYTES} bytes of JSON and {MAX_RAW_BYTES} of each raw frame")
    if _digest(frames[1:]) != frames[0]:
        raise WireError("a message's digest does not match, it was changed on its way")
    try:
        head = json.loads(frames[1].decode("utf-8", "strict"), object_pairs_hook=_object, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise WireError(f"a message's header must be JSON of unlike names ({str(error)[:80]})") from error
    if not isinstance(head, dict) or head.pop("v", None) != VERSION:
        raise WireError(f"a message must be an object of version {VERSION}; update the older end")
    return _checked(head, tuple(bytes(raw) for raw in frames[2:]))


def _checked(head: dict[str, Any], raw: tuple[bytes, ...]) -> Message:
    kind, number, session = (head.pop(name, None) for name in ("t", "n", "s"))
    if not isinstance(kind, str) or kind not in TYPES:
        raise WireError(f"a message's type must be one of {', '.join(TYPES)}, got {str(kind)[:40]!r}")
    if not _integer(1, MAX_NUMBER)(number) or not _SESSION(session):
        raise WireError(f"a {kind} must have a number n from 1 and a session s of 16 hexadecimal digits")
    fields, count = TYPES[kind]
    if head.keys() != fields.keys() or len(raw) != count:
        names = ", ".join(sorted(str(name)[:40] for name in head))[:200]
        raise WireError(f"a {kind} must have the fields {', '.join(fields)} and {count} raw frames, got {names or 'none'} and {len(raw)}")
    wrong = [name for name, check in fields.items() if not check(head[name])]
    if wrong:
        raise WireError(f"a {kind}'s {', '.join(wrong)} must be in range, got {str([head[name] for name in wrong])[:200]}")
    return Message(kind, number, session, head, raw)


def _digest(frames: Sequence[bytes]) -> bytes:
    hasher = hashlib.sha256(b"".join(len(frame).to_bytes(4, "big") for frame in frames))
    for frame in frames:
        hasher.update(frame)
    return MAGIC + hasher.digest()[:16]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name comes twice")
    return made


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")
