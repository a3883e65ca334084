"""Laws of messages: round trip, refusals, and mutations, sealed anew or not."""

import json
from typing import Any

import numpy as np
import pytest

from latentlink_runtime.control.wire import MAX_JSON_BYTES, MAX_RAW_BYTES, TYPES, Message, WireError, _digest, decode, encode
from runtime.control.ends import IDENTITY

MESSAGES = [
    Message("hello", 1, "0" * 16, IDENTITY.fields()),
    Message("welcome", 1, "0123456789abcdef", {"to": "f" * 16}, (bytes(range(32)),)),
    Message("refuse", 2, "0" * 16, {"to": "f" * 16, "why": ["n_tx is 4 here and 2 there"]}),
    Message("csi", 3, "0" * 16, {"e": 65535, "c": 0.05}, (b"FB" * 262,)),
    Message("ack", 4, "0" * 16, {"e": 0, "ok": True, "d": "a" * 16}),
    Message("beat", 2**53, "0" * 16, {"want": False}),
    Message("stats", 6, "0" * 16, {"counts": {"frames": 3, "σ̂²": 0.25}}),
    Message("bye", 7, "0" * 16, {"why": ""}),
]


def sealed(*frames: bytes) -> list[bytes]:
    return [_digest(frames), *frames]


def changed(message: Message, **fields: Any) -> list[bytes]:
    """The frames of a message whose JSON has other fields; None takes one away."""
    frames = encode(message)
    head = {**json.loads(frames[1]), **fields}
    return sealed(json.dumps({name: value for name, value in head.items() if value is not None}).encode(), *frames[2:])


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.type)
def test_round_trip(message: Message) -> None:
    assert decode(encode(message)) == message


def test_a_secret_is_not_shown() -> None:
    assert "x01" not in repr(MESSAGES[1])


def test_every_type_is_tried() -> None:
    assert {message.type for message in MESSAGES} == set(TYPES)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.type)
def test_unknown_missing_and_doubled_fields(message: Message) -> None:
    with pytest.raises(WireError, match="fields"):
        decode(changed(message, other=1))
    for name in message.fields:
        with pytest.raises(WireError, match="fields"):
            decode(changed(message, **{name: None}))
        for wrong in ([], {"a": {}}, -1, 1e99, "x" * 4000 if name != "why" else 3, "\x00" * 16):
            with pytest.raises(WireError):
                decode(changed(message, **{name: wrong}))
    with pytest.raises(WireError, match="raw"):
        decode(sealed(*encode(message)[1:], b"more"))
    doubled = encode(message)[1].replace(b'"v":1', b'"v":1,"v":1')
    with pytest.raises(WireError, match="unlike"):
        decode(sealed(doubled, *encode(message)[2:]))


@pytest.mark.parametrize(
    "fields",
    [
        {"v": 2},
        {"v": None},
        {"t": "shout"},
        {"t": ["beat"]},
        {"n": 0},
        {"n": 1.0},
        {"n": True},
        {"n": 2**53 + 1},
        {"s": "0" * 15},
        {"s": "A" * 16},
    ],
)
def test_wrong_heads(fields: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        decode(changed(MESSAGES[5], **fields))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"3",
        b"{" * 4000,
        b"[" * 4000,
        b"\xff",
        b'{"v":NaN}',
        b"1" * 4000,
        b" " * (MAX_JSON_BYTES + 1),
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_what_is_no_object(text: bytes) -> None:
    with pytest.raises(WireError):
        decode(sealed(text))


def test_caps() -> None:
    encode(Message("csi", 1, "0" * 16, {"e": 1, "c": 1}, (bytes(MAX_RAW_BYTES),)))
    with pytest.raises(WireError, match="at most"):
        encode(Message("csi", 1, "0" * 16, {"e": 1, "c": 1}, (bytes(MAX_RAW_BYTES + 1),)))
    for frames in ([], [b"LLC1"], [b"x" * 20, b"{}"], 7 * [b"LLC1" + bytes(16)]):
        with pytest.raises(WireError, match="frames"):
            decode(frames)


def test_the_digest_knows_where_frames_end() -> None:
    assert len({_digest(frames) for frames in ([b"a", b"bc"], [b"ab", b"c"], [b"abc"], [b"abc", b""])}) == 4


def test_mutations_never_have_other_content() -> None:
    rng, taken = np.random.default_rng(1), 0
    for number in range(10_000):
        message = MESSAGES[number % len(MESSAGES)]
        frames = [bytearray(frame) for frame in encode(message)]
        which = rng.integers(len(frames))
        match rng.integers(5):
            case 0:
                frames[which][rng.integers(len(frames[which]))] = rng.integers(256)
            case 1:
                del frames[which][rng.integers(len(frames[which])) :]
            case 2:
                frames.insert(which, bytearray(rng.bytes(rng.integers(30))))
            case 3:
                del frames[which]
            case _:
                cut = int(rng.integers(len(frames[which])))
                frames[which : which + 1] = [frames[which][:cut], frames[which][cut:]]
        try:
            assert decode([bytes(frame) for frame in frames]) == message
            taken += 1
        except WireError:
            continue
    assert taken < 100


def test_mutations_that_are_sealed_anew_are_refused_or_messages() -> None:
    rng, taken = np.random.default_rng(2), 0
    for number in range(10_000):
        frames = [bytearray(frame) for frame in encode(MESSAGES[number % len(MESSAGES)])[1:]]
        for _ in range(rng.integers(1, 4)):
            frames[0][rng.integers(len(frames[0]))] = rng.integers(32, 127)
        try:
            message = decode(sealed(*(bytes(frame) for frame in frames)))
        except WireError:
            continue
        assert decode(encode(message)) == message
        taken += 1
    assert taken > 100
