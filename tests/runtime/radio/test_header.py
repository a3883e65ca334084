"""The header's bytes and its code."""

import numpy as np
import pytest

from latentlink_runtime.radio import header as headers
from latentlink_runtime.radio.header import Header, HeaderError
from runtime.radio.air import noise

KEY = b"a session's secret"
WHOLE = Header(kind=2, link=b"\x01\x80\xff\x00", epoch=65_535, sequence=2**24 - 1, units=255, flags=170)


@pytest.mark.parametrize(
    "header",
    [
        *(Header(kind=kind) for kind in (0, 1, 2)),
        *(Header(flags=1 << bit) for bit in range(8)),
        *(Header(units=1 << bit) for bit in range(8)),
        *(Header(epoch=1 << bit) for bit in range(16)),
        *(Header(sequence=1 << bit) for bit in range(24)),
        *(Header(link=(1 << bit).to_bytes(4, "big")) for bit in range(32)),
        WHOLE,
    ],
)
def test_every_bit_of_every_field_comes_back_with_any_one_chip_flipped(header: Header) -> None:
    content = header.pack(KEY)
    assert len(content) == 16
    symbols = headers.encode(content)
    assert np.abs(symbols) == pytest.approx(1)
    decoded, _ = headers.decode(symbols)
    assert decoded == content
    assert Header.unpack(decoded, KEY) == header
    for place in range(0, 208, 23):
        flipped = symbols.copy()
        flipped[place] = np.conj(flipped[place])
        assert headers.decode(flipped)[0] == content
        flipped[place] = -flipped[place]
        assert headers.decode(flipped)[0] == content


def test_bytes_are_those_of_the_table() -> None:
    content = WHOLE.pack(KEY)
    assert content[:12] == bytes([0x12, 170, 1, 0x80, 0xFF, 0, 255, 255, 255, 255, 255, 255])
    assert Header().pack()[0] == 0x11


def test_three_chips_of_any_block_may_be_flipped() -> None:
    content = WHOLE.pack()
    chips = np.empty(416)
    symbols = headers.encode(content)
    chips[0::2], chips[1::2] = symbols.real, symbols.imag
    for block in range(26):
        turned = chips.copy()
        turned[59 * (16 * block + np.array([0, 5, 11])) % 416] *= -1
        assert headers.decode(turned[0::2] + 1j * turned[1::2])[0] == content


def test_other_keys_changed_bytes_and_short_ones_are_refused() -> None:
    content = WHOLE.pack(KEY)
    for wrong in (b"", b"another"):
        with pytest.raises(HeaderError, match="tag"):
            Header.unpack(content, wrong)
    for byte in range(16):
        for bit in range(8):
            changed = bytearray(content)
            changed[byte] ^= 1 << bit
            with pytest.raises(HeaderError):
                Header.unpack(bytes(changed), KEY)
    with pytest.raises(HeaderError):
        Header.unpack(content[:-1], KEY)


def test_another_version_or_kind_under_the_right_key_is_named() -> None:
    for first, message in ((0x21, "frame format is 2"), (0x17, "kind"), (0x10, "units")):
        body = bytes([first]) + WHOLE.pack(KEY)[1:12]
        with pytest.raises(HeaderError, match=message):
            Header.unpack(body + headers._tag(body, KEY), KEY)


def test_no_header_among_five_thousand_mutated_ones_is_taken_for_another() -> None:
    rng = np.random.default_rng(3)
    content = WHOLE.pack(KEY)
    chips = headers.encode(content).view(float).copy()
    right = 0
    for _ in range(5_000):
        turned = chips.copy()
        turned[rng.choice(416, rng.integers(10, 250), replace=False)] *= -1
        try:
            assert headers.receive(turned.view(complex), KEY)[0] == WHOLE
        except HeaderError:
            continue
        right += 1
    assert right > 300


def test_one_or_two_blocks_may_be_read_as_their_second() -> None:
    content = WHOLE.pack(KEY)
    for blocks in ((3,), (0, 25), (7, 8)):
        chips = headers.encode(content).view(float).copy()
        for block in blocks:
            chips[59 * (16 * block + np.arange(16)) % 416] *= 0.45 + 0.55 * (-1.0) ** np.arange(16)  # mostly another row
        assert headers.decode(chips.view(complex))[0] != content
        assert headers.receive(chips.view(complex), KEY) == (WHOLE, content)
    with pytest.raises(HeaderError, match="tag"):
        headers.receive(chips.view(complex), b"another")


def test_the_most_likely_hypothesis_wins() -> None:
    rng = np.random.default_rng(4)
    content = WHOLE.pack()
    symbols = headers.encode(content)
    turns = np.exp(1j * np.linspace(-2, 2, 5))[:, None] * np.ones(208)
    decoded, score = headers.decode(symbols * turns + noise(rng, (5, 208), 0.05))
    assert decoded == content
    assert score.argmax() == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": 3}, "kind"),
        ({"epoch": -1}, "epoch"),
        ({"sequence": 2**24}, "sequence"),
        ({"units": 256}, "units"),
        ({"flags": True}, "flags"),
        ({"link": b"abc"}, "link"),
        ({"kind": 0, "units": 1}, "units must be 0"),
    ],
)
def test_fields_out_of_range_are_refused_by_name(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Header(**fields)  # type: ignore[arg-type]
