"""The page of the air interface: its test vectors, numbers and fields are those of the code."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

import latentlink_runtime as lr
from latentlink_runtime.artifacts.artifact_file import MAX_FILE_BYTES, read
from latentlink_runtime.control import session, wire
from latentlink_runtime.control.keys import MAX_KEYS
from latentlink_runtime.control.link import QUEUE
from latentlink_runtime.feedback import report
from latentlink_runtime.feedback.codes import NOTHING
from latentlink_runtime.feedback.links import beams_digest
from latentlink_runtime.iq import udp, zeromq
from latentlink_runtime.radio import LL_64_16, LL_256_64, Header, header, transmitter
from latentlink_runtime.radio.frame import MAX_ANTENNAS
from latentlink_runtime.radio.waveform import training_matrix
from latentlink_runtime.serve import commands, layout
from latentlink_runtime.serve.transmit import KNOWN_EVERY

PAGE = (Path(__file__).parents[2] / "docs" / "air-interface.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
KIT = Path(__file__).parents[2] / "runtime" / "conformance"


def row(name):
    """The cells of the table's row that begins so."""
    return re.search(rf"^\| {re.escape(name)} \|(.*)\|$", PAGE, re.MULTILINE)[1].strip().split(" | ")


def test_headers():
    content = Header(1, bytes.fromhex("01020304"), 5, 6, 2).pack(bytes(range(32)))
    assert f"`{content.hex()}`" in TEXT
    np.testing.assert_allclose(header.encode(content)[:4] * 2**0.5, [1 - 1j, 1 + 1j, -1 + 1j, -1 - 1j])
    for label, count in ("latentlink header", 8), ("latentlink payload 6", 8):
        assert f'signs("{label}") begins `{"".join("+-"[int(s < 0)] for s in header.signs(label, count))}`' in TEXT
    np.testing.assert_allclose(training_matrix(4)[[0, -1]], [[1, -1, 1, -1], [1, 1, 1, 1]])


def told_known_latents(tensors, codec, c=48):
    """Known latents as the page says, of arrays of a file alone."""
    name = "modes." if codec else ""
    analysis, mean = tensors[f"{name}analysis"], tensors[f"{name}mean_x"]
    k = len(analysis)
    deviation = np.sqrt(np.diagonal(tensors["modes.covariance"])) if codec else 1.0
    bits = np.unpackbits(np.frombuffer(hashlib.shake_128(f"latentlink known messages {c}".encode()).digest(c * k // 8 + 1), np.uint8))
    return mean + (np.linalg.pinv(analysis) @ ((1 - 2.0 * bits[: c * k].reshape(k, c).T) * deviation).T).T


def test_padding_and_known_messages():
    flags = layout.flags_of(48 + 37, known=True)
    made = Header(1, bytes.fromhex("01020304"), 5, 6, 6, flags)
    assert f"flags `{flags:02x}`: the header above becomes `{made.pack(bytes(range(32))).hex()}`" in TEXT
    assert (layout.messages_of(made), layout.has_known(made)) == (85, True)
    assert [layout.flags_of(n, False) for n in (1, 15, 16, 17)] == [15, 1, 0, 15]
    first = "".join("+-"[int(s < 0)] for s in header.signs("latentlink known messages 48", 8))
    assert f'signs("latentlink known messages 48") begins `{first}`' in TEXT
    for name in ("pair", "codec-mean"):
        path = KIT / f"{name}.safetensors"
        known = layout.known_latents(lr.load(path), 48)
        np.testing.assert_allclose(known, told_known_latents(read(path)[0], name != "pair"), atol=1e-9)
        assert ", ".join(f"{value:.4f}" for value in known[0, :3]) in TEXT
    assert f"every {KNOWN_EVERY}th after it" in TEXT
    assert f"`{commands._CONVENTIONS}; uses U; per frame N`" in TEXT


def test_reports():
    codes = (np.array([row]) for row in ([10], [3], [9, 14]))
    made = report.Report(7, 2, 2, 6, -301, -2000, NOTHING, *codes)
    assert f"`{made.to_bytes().hex()}`" in TEXT
    assert f"are {report.report_bytes(4, 4, 6, 48)} bytes" in TEXT
    assert f"`{beams_digest(np.array([[[0.5, 0.5j]]]), np.array([True])).hex()}`" in TEXT


def test_control_messages():
    first, second = wire.encode(wire.Message("beat", 3, "0011223344556677", {"want": True}))
    assert f"`{first.hex()}` and `{second.decode()}`" in TEXT
    for name, (fields, raw) in wire.TYPES.items():
        _, written, frames = row(f"`{name}`")
        assert set(re.findall(r"`([a-z_]+)`", written)) - {"s"} == set(fields)
        assert (frames == "–") == (raw == 0)


@pytest.mark.parametrize(("column", "numerology"), [(0, LL_64_16), (1, LL_256_64)], ids=["ll-64-16", "ll-256-64"])
def test_numerologies(column, numerology):
    expected = {
        "N, carriers of the FFT": numerology.n_fft,
        "CP, samples of the cyclic prefix": numerology.cyclic_prefix,
        "used carriers, without 0": f"−{-numerology.used[0]} … {numerology.used[-1]}",
        "K, their number": numerology.n_used,
        "pilots": ", ".join(f"±{pilot}" for pilot in numerology.pilots if pilot > 0),
        "data carriers": numerology.n_data,
        "STF samples, gap": f"{numerology.stf_length}, {numerology.gap}",
        "R, header repetitions": numerology.header_repetitions,
        "OFDM symbols of the header": numerology.header_symbols,
        "longest channel (CP less a lead of 3)": f"{numerology.longest_channel} taps",
    }
    assert {name: row(name)[column] for name in expected} == {name: str(value) for name, value in expected.items()}


def test_caps_and_times():
    expected = {
        "antennas of a frame; of a report": f"{MAX_ANTENNAS}; {report.MAX_ANTENNAS}",
        "messages of a frame": f"{transmitter.MAX_MESSAGES}",
        "groups, bits of a report": f"{report.MAX_GROUPS}, {report.MAX_BITS}",
        "file of a pair or a codec; its header": f"{MAX_FILE_BYTES // 2**20} MiB; 1 MiB",
        "control: JSON, raw frames, queue": (
            f"{wire.MAX_JSON_BYTES // 2**10} KiB, {wire.MAX_RAW} of {wire.MAX_RAW_BYTES // 2**10} KiB, {QUEUE} messages"
        ),
        "keys that are let in": f"{MAX_KEYS}",
        "samples by UDP in a packet; by ZeroMQ in a message": f"{udp.MAX_PAYLOAD} bytes; {zeromq._MOST_MESSAGE_BYTES // 2**20} MiB",
    }
    assert {name: row(name)[0] for name in expected} == expected
    assert f"after {session.FIRST_HELLO_S} s, doubling to {session.LAST_HELLO_S:g} s" in TEXT
    assert f"nothing heard for {session.BEAT_S * session.MISSED_BEATS} s" in TEXT
    assert f"the last {session.EPOCHS} epochs" in TEXT
    assert f"the last {session.NONCES} of them" in TEXT
    assert f"{session.RESEND_S:g} s without an ack" in TEXT
