"""Hostile input of devices: what the runtime's parsers, sessions and receiver make of changed frames, files and messages.

Run: nice python benchmarks/fuzz_air.py [--cases 1000000] [--seed 0] [--seconds 3600] [--kinds header report …] [--no-record]

Every case is a valid input with changes: bits flipped, bytes cut, inserted, or taken from elsewhere, numbers at the edges of their types,
parts of JSON and of tensors exchanged. Half of the cases have their digest, CRC or tag made anew, so that the code behind it is reached.
A case has to end in something valid, or in the error that its parser documents, within a second of computing. What is taken has to be
sound: a report and a message are the same when they are written and read again, samples and beams are finite, queues keep their bounds.
A process's memory may grow by twice what the parser declares as its most, beside what the interpreter and its allocator take.

Findings are printed with the seed and the number of their case, which `--kinds KIND --only NUMBER` runs alone, and the script ends with 1.
"""

import argparse
import copy
import json
import math
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

if __name__ == "__main__":
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np

import latentlink_runtime as lr
from latentlink_runtime.artifacts.artifact_file import BLANK, MAX_FILE_BYTES, ArtifactError, seal
from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.codec.design import CodecDesign
from latentlink_runtime.control import keys, wire
from latentlink_runtime.control.receiver import ReceiverSession
from latentlink_runtime.control.session import Identity
from latentlink_runtime.control.transmitter import TransmitterSession
from latentlink_runtime.feedback.report import MAX_BYTES, FeedbackError, Report
from latentlink_runtime.iq.protocol import Block, IQError
from latentlink_runtime.iq.protocol import finite as without_nonfinite
from latentlink_runtime.iq.sigmf import SigMFSink, SigMFSource
from latentlink_runtime.iq.sigmf_metadata import MAX_META_BYTES, digest_of
from latentlink_runtime.iq.udp import UdpSource, pack_packet
from latentlink_runtime.linear.design import LinearDesign
from latentlink_runtime.radio import FrameFormat, Header, HeaderError, Receiver, Transmitter
from latentlink_runtime.radio import header as headers
from latentlink_runtime.serve.air import Air, rayleigh
from latentlink_runtime.serve.receive import ReceiverNode
from latentlink_runtime.serve.transmit import TransmitterNode
from latentlink_runtime.tasks.head import Head

LATEST_S, STUCK_S = 1.0, 30  # of computing; of the clock, after which a case is ended
SLACK = 24 << 20  # bytes that an allocator takes and keeps, whatever is asked for
BATCH = 200  # cases between two looks at the memory
KIT = Path(lr.__file__).parents[2] / "conformance"
IDENTITY = Identity("ab" * 32, "cd" * 32, "ll-64-16", 1, 4, 4)
Case = Callable[[random.Random], bool]  # True where the input was taken, False where it was refused; raises for a finding


class UnsoundError(AssertionError):
    """What was taken is not sound."""


class Late(BaseException):
    """A case did not end."""


class Kind(NamedTuple):
    """A parser.

    Attributes:
        share: of the cases.
        declared: bytes that its input may have, by its own caps.
        begin: makes the function that runs a case.
    """

    share: float
    declared: int
    begin: Callable[[Path], Case]


# ---- changes -------------------------------------------------------------------------------------------------------------------------

NUMBERS: tuple[Any, ...] = (0, -1, 1, 15, 16, 17, 255, 256, 2**16, 2**31, 2**53, 2**53 + 1, 2**63, 2**64, 10**400, 0.0, -0.0, 1e-320, 1e15,
                            1e300, 1.7e308, math.inf, -math.inf, math.nan)  # fmt: skip
VALUES: tuple[Any, ...] = (
    *NUMBERS,
    None,
    True,
    False,
    "",
    "\x00",
    "\ud800",
    "x" * 41,
    "ä" * 161,
    "0" * 16,
    "f" * 64,
    [],
    {},
    [[]],
    {"a": {}},
    [1, 2],
)
PARTS = (b"\xff" * 8, b"\x00" * 8, b"\x00\x00\x00\x01", b"\xff\xff", b"\x7f\xff\xff\xff", b"9" * 8, b"-1", b"\n", b"[" * 600)


def changed(content: bytes, other: bytes, drawn: random.Random) -> bytes:
    """Bytes with one to four changes."""
    data = bytearray(content)
    for _ in range(drawn.choice((1, 1, 1, 2, 4))):
        place = drawn.randrange(len(data) + 1) if drawn.random() < 0.6 else drawn.randrange(min(len(data), 24) + 1)
        match drawn.randrange(6):
            case 0 | 1 if place < len(data):
                data[place] ^= 1 << drawn.randrange(8)
            case 2:
                del data[place:]
            case 3:
                data[place:place] = drawn.randbytes(drawn.choice((1, 2, 8, 300)))
            case 4:
                data[place : place + drawn.randrange(1, 64)] = other[place : place + drawn.randrange(1, 64)]
            case _:
                part = drawn.choice(PARTS)
                data[place : place + len(part)] = part
    return bytes(data)


def changed_json(value: Any, drawn: random.Random) -> Any:
    """A copy of a value of JSON with one to three of its parts exchanged, left out, doubled or added."""
    whole = [copy.deepcopy(value)]
    for _ in range(drawn.choice((1, 1, 1, 2, 3))):
        holder: Any = whole
        place: Any = 0
        while isinstance(holder[place], (dict, list)) and holder[place] and drawn.random() < 0.85:
            holder = holder[place]
            place = drawn.choice(list(holder)) if isinstance(holder, dict) else drawn.randrange(len(holder))
        match drawn.randrange(6):
            case 0 if holder is not whole:
                del holder[place]
                if not holder:
                    break
            case 1 if isinstance(holder, dict):
                holder[drawn.choice((*holder, "other", "v", "to"))] = copy.deepcopy(drawn.choice(VALUES))
            case 2 if isinstance(holder, dict):
                other = drawn.choice(list(holder))
                holder[place], holder[other] = holder[other], holder[place]
            case 3 if isinstance(holder, list):
                holder.extend([copy.deepcopy(holder[place])] * drawn.choice((1, 70)))
            case 4 if isinstance(holder[place], (int, float)) and abs(holder[place]) < 2**60:
                holder[place] = holder[place] + drawn.choice((-1, 1, 16))
            case _:
                holder[place] = copy.deepcopy(drawn.choice(VALUES))
    return whole[0]


def doubled_name(text: bytes, drawn: random.Random) -> bytes:
    """The text of an object one of whose names comes twice."""
    return text[:1] + b'"' + drawn.choice((b"v", b"n", b"t", b"e")) + b'":1,' + text[1:]


def must(sound: Any, what: str) -> None:
    """UnsoundError unless it is sound."""
    if not sound:
        raise UnsoundError(what)


# ---- headers, reports, control messages ----------------------------------------------------------------------------------------------


def of_headers(folder: Path) -> Case:
    """16 bytes under a key, and the symbols of a header in noise or not."""
    key = bytes(range(32))

    def case(drawn: random.Random) -> bool:
        valid = Header(1, drawn.randbytes(4), drawn.randrange(2**16), drawn.randrange(2**24), drawn.randrange(256), drawn.randrange(256))
        content = valid.pack(key)
        if drawn.random() < 0.25:
            soft = headers.encode(content)
            places = [drawn.randrange(len(soft)) for _ in range(drawn.choice((5, 30, 100, 208)))]
            soft[places] *= [drawn.choice((-1, 0, 1j, 1e30, 1e-30)) for _ in places]
            try:
                found, _ = headers.receive(soft, key)
            except HeaderError:
                return False
            must(found == valid, f"another header: {found}")  # 2^-27 for noise
            return True
        body = changed(content, drawn.randbytes(16), drawn)
        is_sealed = drawn.random() < 0.7
        if is_sealed:
            body = body[:12] + headers._tag(body[:12], key)
        try:
            found = Header.unpack(body, key)
        except HeaderError:
            return False
        must(found.pack(key) == body, "not the header that was read")
        must(is_sealed or body == content, "a tag that nobody made")
        return True

    return case


def resealed_report(content: bytes) -> bytes:
    """A report with the CRC-32 of its bytes."""
    return content[:16] + zlib.crc32(content[20:], zlib.crc32(content[:16])).to_bytes(4, "big") + content[20:]


def reports() -> list[bytes]:
    """Reports of several sizes."""
    rng, made = np.random.default_rng(0), []
    for n_rx, n_tx, bits, groups in ((1, 1, 1, 1), (2, 2, 6, 4), (4, 4, 6, 48), (4, 2, 16, 12), (8, 8, 4, 48), (16, 16, 3, 2)):
        h = rng.standard_normal((groups, n_rx, n_tx, 2)) @ np.array([1, 1j])
        made.append(Report.measure(h, 0.1, 0.01, bits=bits, epoch=7).to_bytes())
    return made


def of_reports(folder: Path) -> Case:
    """Reports, and the links that are made of them."""
    valid = reports()
    designs = [lr.load(KIT / f"{name}.safetensors") for name in ("pair", "codec-mean")]
    from latentlink_runtime.feedback.links import link_from_feedback

    def case(drawn: random.Random) -> bool:
        content = changed(drawn.choice(valid), drawn.choice(valid), drawn)
        if drawn.random() < 0.3 and len(content) > 16:  # gain, noise and error at the edges
            place = drawn.choice((10, 12, 14))
            content = content[:place] + drawn.choice((b"\x80\x00", b"\x80\x01", b"\x7f\xff", b"\x00\x00")) + content[place + 2 :]
        is_sealed = drawn.random() < 0.7
        content = resealed_report(content) if is_sealed else content
        try:
            report = Report.from_bytes(content)
        except FeedbackError:
            return False
        must(report.to_bytes() == content, "not the report that was read")
        if drawn.random() < 0.1:
            try:
                made = link_from_feedback(drawn.choice(designs), content, 48)
            except ValueError:
                return False
            must(np.isfinite(made.beams).all(), "beams that are not finite")
            must(np.linalg.norm(made.beams) ** 2 <= 1.001 * math.prod(made.beams.shape[:-2]), "beams beyond their power")
        return True

    return case


MESSAGES = (
    wire.Message("hello", 1, "0" * 16, IDENTITY.fields()),
    wire.Message("welcome", 1, "0123456789abcdef", {"to": "f" * 16}, (bytes(range(32)),)),
    wire.Message("refuse", 2, "0" * 16, {"to": "f" * 16, "why": ["n_tx is 4 here and 2 there"]}),
    wire.Message("csi", 3, "0" * 16, {"e": 65535, "c": 0.05}, (b"FB" * 262,)),
    wire.Message("ack", 4, "0" * 16, {"e": 0, "ok": True, "d": "a" * 16}),
    wire.Message("beat", 2**53, "0" * 16, {"want": False}),
    wire.Message("stats", 6, "0" * 16, {"counts": {"frames": 3, "noise": 0.25}}),
    wire.Message("bye", 7, "0" * 16, {"why": ""}),
)


def changed_frames(frames: list[bytes], drawn: random.Random) -> tuple[list[bytes], bool]:
    """Frames of a control message with changes, and whether their digest was made anew, as it is of most."""
    head, *raw = frames[1:]
    match drawn.randrange(4):
        case 0:
            head = changed(head, frames[0], drawn)
        case 1 if raw:
            raw = [changed(raw[0], head, drawn), *raw[1:]]
        case 2:
            raw = drawn.choice(([], [b""], raw * 2, [*raw, head], [b"x"] * 9))
        case _:
            with suppress(ValueError):
                head = json.dumps(changed_json(json.loads(head), drawn), separators=(",", ":")).encode("utf-8", "surrogatepass")
            head = doubled_name(head, drawn) if drawn.random() < 0.1 else head
    made = [frames[0], head, *raw]
    if drawn.random() < 0.7:
        return [wire._digest(made[1:]), *made[1:]], True
    return ([changed(frames[0], head, drawn), *made[1:]] if drawn.random() < 0.5 else made), False


def of_messages(folder: Path) -> Case:
    """Frames of control messages."""
    valid = [wire.encode(message) for message in MESSAGES]

    def case(drawn: random.Random) -> bool:
        original = drawn.choice(valid)
        frames, is_sealed = changed_frames(original, drawn)
        try:
            message = wire.decode(frames)
        except wire.WireError:
            return False
        must(is_sealed or frames == original, "a message under a digest that nobody made")
        must(wire.decode(wire.encode(message)) == message, "not the message that was read")
        return True

    return case


# ---- sessions of both ends, with their nodes -------------------------------------------------------------------------------------------


class Sessions:
    """Both nodes, linked over a wire and an air, one end of which is fed with what somebody made of true messages.

    After some hundred messages both begin anew, so that every case can be run again from the batch that it is in.
    """

    def __init__(self) -> None:
        self.designs = [lr.load(KIT / f"{name}.safetensors") for name in ("pair", "codec-mean")]
        self.left = 0

    def begin(self, drawn: random.Random) -> None:
        """Two nodes and their time."""
        design = drawn.choice(self.designs)
        self.now, self.left = 0.0, 100
        self.tx = TransmitterNode(design, FrameFormat(4), TransmitterSession(IDENTITY, drawn.randbytes), rate=1e6, per_frame=48)
        self.rx = ReceiverNode(design, FrameFormat(4), ReceiverSession(IDENTITY, drawn.randbytes), coherence_s=0.1)
        self.air, self.clock = Air(rayleigh(3, 2, 4, 4), 0.01, seed=1), 0
        self.seen: list[tuple[str, list[bytes]]] = []
        self.to_tx: list[wire.Message] = []
        self.to_rx: list[wire.Message] = []
        self.latents = np.zeros((48, len(getattr(design, "modes", design).mean_x)))

    def step(self) -> None:
        """Messages are delivered, and a frame goes over the air."""
        self.now += 0.005
        out = self.tx.control(self.to_tx, self.now)
        back = [message for _, message in self.rx.control([(b"key", message) for message in self.to_rx], self.now)]
        self.seen = [*self.seen[-30:], *(("rx", wire.encode(m)) for m in out), *(("tx", wire.encode(m)) for m in back)]
        self.to_tx, self.to_rx = back, out
        if not len(self.tx):
            self.tx.offer(self.latents, self.now)
        samples = self.tx.step(self.now)
        if samples is None:
            return
        must(np.isfinite(samples).all(), "a transmitter that sends what is not finite")
        must((np.abs(samples) ** 2).sum(1).max() < 1000, "a transmitter that sends beyond its power")
        received = self.air(samples)
        for decoded in self.rx.push(Block(received, self.clock), self.now):
            must(np.isfinite(decoded.values).all(), "latents that are not finite")
        self.clock += len(received)

    def case(self, drawn: random.Random) -> bool:
        """One message, changed, renumbered, of another session or out of place, at either end."""
        if self.left <= 0:
            self.begin(drawn)
        self.left -= 1
        self.step()
        if not self.seen:
            return False
        to, frames = drawn.choice(self.seen)
        with suppress(ValueError):
            head = json.loads(frames[1])
            if drawn.random() < 0.8:  # past the numbers and the name of the session
                session = self.tx.session if to == "tx" else self.rx.session
                head["n"], head["s"] = drawn.choice((session._heard_number + 1, 2**53)), session.session or head["s"]
            if drawn.random() < 0.6:
                head = changed_json(head, drawn)
            raw = list(frames[2:])
            if raw and drawn.random() < 0.5:
                raw[0] = resealed_report(changed(raw[0], frames[1], drawn)) if len(raw[0]) > 32 else drawn.randbytes(32)
            text = json.dumps(head, separators=(",", ":")).encode("utf-8", "surrogatepass")
            frames = [wire._digest([text, *raw]), text, *raw]
        try:
            message = wire.decode(frames)
        except wire.WireError:
            return False
        if to == "tx":
            self.to_rx += self.tx.control([message], self.now)
        else:
            self.to_tx += [answer for _, answer in self.rx.control([(drawn.choice((b"key", b"key", b"else")), message)], self.now)]
        must(self.tx.session.state in ("hello", "sound", "linked") and self.rx.session.state in ("idle", "sound", "linked"), "no state")
        must(len(self.rx.session.epochs) <= 16 and len(self.rx.session._nonces) <= 64, "a session that remembers too much")
        return True


def of_sessions(folder: Path) -> Case:
    """Messages to both nodes, over which frames go on."""
    return Sessions().case


# ---- samples ---------------------------------------------------------------------------------------------------------------------------


def of_packets(folder: Path) -> Case:
    """UDP packets of samples."""
    rng = np.random.default_rng(0)
    samples = (rng.standard_normal((20, 4, 2)) @ np.array([1, 1j])).astype(np.complex64)
    packets = [
        pack_packet(samples[:count], first, 7, form) for count, first, form in ((20, 0, "cf32"), (20, 40, "ci16"), (1, 2**40, "cf32"))
    ]
    source = UdpSource("127.0.0.1", 0, 1e6, 4, budget_s=0.01)
    source.close()  # packets are handed to it
    clock = [0.0]

    def case(drawn: random.Random) -> bool:
        packet = bytearray(drawn.choice(packets))
        packet[12:20] = drawn.choice((source._next, source._next + 20, 0, 2**64 - 1, drawn.randrange(2**64))).to_bytes(8, "big") \
            if 0 <= source._next < 2**64 - 40 else bytes(8)  # fmt: skip
        content = bytes(packet) if drawn.random() < 0.2 else changed(bytes(packet), packets[0], drawn)
        clock[0] += drawn.choice((1e-4, 1e-4, 2.0))
        before, held = sum(source.counts.values()), len(source.buffer) + source.buffer.dropped
        source.take(content, drawn.choice((("127.0.0.1", 1), ("127.0.0.1", 2))), clock[0])
        after = len(source.buffer) + source.buffer.dropped
        must(after > held or sum(source.counts.values()) > before, "a packet that nobody counts")
        must(len(source.buffer) <= source.buffer.budget, "a buffer beyond its budget")
        if len(source.buffer) and drawn.random() < 0.2:
            block = source.buffer.pop(4096, 0.0)
            must(np.isfinite(block.samples).all() and 0 < len(block.samples) <= 4096, "samples that are not finite")
        return after > held

    return case


def of_recordings(folder: Path) -> Case:
    """SigMF metadata and data."""
    sink = SigMFSink(folder / "air", 1e6, 2, datatype="ci16_le", fields={"pair": "ab" * 32})
    sink.write(np.zeros((50, 2), np.complex64) + 0.5)
    sink.annotate(3, 5, "frame", sequence=7)
    sink.close()
    meta, data = (folder / f"air.sigmf-{end}" for end in ("meta", "data"))
    text, samples = meta.read_bytes(), data.read_bytes()
    described = json.loads(text)

    def case(drawn: random.Random) -> bool:
        content, described_anew = text, False
        match drawn.randrange(4):
            case 0:
                content = changed(text, samples, drawn)
            case 1:
                data.write_bytes(changed(samples, text, drawn))
            case _:
                whole = changed_json(described, drawn)
                with suppress(AttributeError, ValueError, KeyError, TypeError):
                    whole["global"].pop("latentlink:sha256")
                    whole["global"]["latentlink:sha256"] = digest_of(whole)
                content, described_anew = json.dumps(whole).encode("utf-8", "surrogatepass"), True
        meta.write_bytes(content)
        try:
            with closing(SigMFSource(folder / "air")) as source:
                block = source.read(4096)
        except (IQError, EOFError):
            return False
        finally:
            data.write_bytes(samples)
        must(block.samples.shape == (source.samples, source.antennas) and np.isfinite(block.samples).all(), "no samples")
        is_foreign = not {"latentlink:sha256", "core:recorder"} & json.loads(content)["global"].keys()
        must(described_anew or is_foreign or json.loads(content) == described, "another recording")
        return True

    return case


def of_iq(folder: Path) -> Case:
    """Samples of a receiver: frames of a transmitter over an air, with pieces missing, doubled, exchanged, scaled or overwritten."""
    rng = np.random.default_rng(0)
    streams = []
    for n_tx, n_rx in ((1, 1), (2, 3), (4, 4)):
        transmitter, air = Transmitter(FrameFormat(n_tx), bytes(4), b"key"), Air(rayleigh(1, 3, n_rx, n_tx), 0.01, frequency=0.004)
        payload = rng.standard_normal((96, n_tx, 2)) @ np.array([1, 1j]) / np.sqrt(2 * n_tx)
        sent = np.concatenate([transmitter.frame(0), transmitter.frame(1, payload), np.zeros((300, n_tx))])
        streams.append((n_tx, n_rx, air(sent)))
    receivers = [Receiver(FrameFormat(n_tx), n_rx, key=b"key", link=bytes(4)) for n_tx, n_rx, _ in streams]

    def case(drawn: random.Random) -> bool:
        number = drawn.randrange(len(streams))
        _, n_rx, stream = streams[number]
        samples = stream.copy()
        for _ in range(drawn.choice((1, 1, 2, 4))):
            start = drawn.randrange(len(samples))
            part = slice(start, start + drawn.choice((1, 16, 80, 500, 5000)))
            samples, _ = without_nonfinite(np.ascontiguousarray(samples, np.complex64))
            match drawn.randrange(9):
                case 0:
                    samples[part] = drawn.choice((0, 1, 1e15, 1e-38, 1j))
                case 1:
                    samples[part] *= drawn.choice((0, -1, 1e12, 1e-30, 1e-6, 1j))
                case 2:
                    samples = np.delete(samples, part, 0)
                case 3:
                    samples = np.insert(samples, start, samples[part], 0)
                case 4:
                    samples[part] = samples[: len(samples[part])]
                case 5:
                    samples[part, drawn.randrange(n_rx)] = 0
                case 6:
                    samples[part] = np.exp(2j * np.pi * drawn.choice((0, 1 / 16, 0.013, 0.5)) * np.arange(len(samples[part])))[:, None]
                case 7:
                    samples = np.repeat(samples, drawn.choice((1, 2)), 0)
                case _:
                    samples[part] = samples[part].view(np.float32).view(np.uint32).__xor__(1 << drawn.randrange(32)).view(np.complex64)
            if not len(samples):
                return False
        samples, _ = without_nonfinite(np.ascontiguousarray(samples, np.complex64))
        receiver = receivers[number]
        with np.errstate(all="ignore"):  # as the node has it
            frames = receiver.push(samples)
        for frame in frames:
            must(frame.header.link == bytes(4), "a foreign frame")
            must(frame.lost.shape == frame.chi_square.shape, "no verdict on a symbol")
        must(len(receiver._buffer._samples) < 60_000, "a receiver that keeps samples")
        return bool(frames)

    return case


def of_nodes(folder: Path) -> Case:
    """Samples of a receiver's node with a session: reports, links and latents of damaged frames."""
    sessions = Sessions()

    def case(drawn: random.Random) -> bool:
        if sessions.left <= 0:
            sessions.begin(drawn)
            for _ in range(8):
                sessions.step()
        sessions.left -= 1
        sessions.now += 0.005
        sessions.to_rx = sessions.tx.control(sessions.to_tx, sessions.now)
        back = sessions.rx.control([(b"key", message) for message in sessions.to_rx], sessions.now)
        sessions.to_tx = [message for _, message in back]
        sessions.tx.offer(sessions.latents, sessions.now)
        samples = sessions.tx.step(sessions.now)
        if samples is None:
            return False
        scale = drawn.choice((1, 1, 1e14, 1e-18, 1e-30, 0))
        samples = sessions.air(samples * scale).astype(np.complex64)
        if drawn.random() < 0.5:
            start = drawn.randrange(len(samples))
            samples[start : start + drawn.choice((10, 100, 1000))] *= drawn.choice((0, 1e6, 1e-10, -1))
        if drawn.random() < 0.5:
            sessions.air.noise_variance = drawn.choice((0.0, 0.01, 1e-30, 1e20))
        if scale == 0 or drawn.random() < 0.2:
            samples = samples * np.complex64(drawn.choice((0, 1e-30, 1e10)))
        samples, _ = without_nonfinite(samples)
        came = sessions.rx.push(Block(samples, sessions.clock, drawn.choice((0, 0, len(samples)))), sessions.now)
        sessions.clock += len(samples)
        for decoded in came:
            must(np.isfinite(decoded.values[~decoded.lost]).all(), "latents that are not finite")
        for name, value in sessions.rx.gauges.items():
            must(math.isfinite(value), f"the gauge {name} is {value}")
        return bool(came)

    return case


# ---- files -----------------------------------------------------------------------------------------------------------------------------


def unpacked(content: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Header and manifest of a file of safetensors, and the bytes behind them."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["manifest"]), content[8 + length :]


def packed(header: dict[str, Any], manifest: Any, body: bytes) -> bytes:
    """The file of these, with the digest that belongs to it where the manifest has one."""
    if isinstance(manifest, dict) and "sha256" in manifest:
        manifest = {**manifest, "sha256": BLANK}
    header = {**header, "__metadata__": {"manifest": json.dumps(manifest)}}
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return seal(len(text).to_bytes(8, "little") + text + body)


def changed_file(content: bytes, other: bytes, drawn: random.Random) -> bytes:
    """A file with changes, most of them under a right digest."""
    if drawn.random() < 0.25:
        return changed(content, other, drawn)
    header, manifest, body = unpacked(content)
    names = [name for name in header if name != "__metadata__"]
    name = drawn.choice(names)
    match drawn.randrange(6):
        case 0:
            manifest = changed_json(manifest, drawn)
        case 1:
            own = {each: header[each] for each in names}
            header = changed_json(own, drawn)
            header = header if isinstance(header, dict) else {}
        case 2:
            first, last = header[name]["data_offsets"]
            size = {"F32": 4, "F64": 8}.get(header[name]["dtype"], 1)
            if last - first >= size:
                number = drawn.choice([value for value in NUMBERS if isinstance(value, float)])
                with np.errstate(over="ignore"):
                    part = np.full(1, number, f"<f{size}" if size > 1 else "u1" if math.isfinite(number) and 0 <= number < 256 else "<f8")
                place = first + size * drawn.randrange((last - first) // size)
                part_bytes = part.tobytes()[:size] * drawn.choice((1, (last - place) // size))
                body = body[:place] + part_bytes + body[place + len(part_bytes) :]
        case 3:  # another shape of as many numbers
            shape = header[name]["shape"]
            header[name] = {**header[name], "shape": drawn.choice((shape[::-1], [*shape, 1], [1, *shape], [math.prod(shape)], shape[:-1]))}
        case 4:  # one tensor less, or one under another's name
            if drawn.random() < 0.5:
                other_name = drawn.choice(names)
                header[name], header[other_name] = header[other_name], header[name]
            else:
                header[drawn.choice(("analysis2", "power.weight2"))] = header.pop(name)
        case _:  # fewer rows
            first, last = header[name]["data_offsets"]
            shape = header[name]["shape"]
            if shape and shape[0] > 1:
                row = (last - first) // shape[0]
                kept = drawn.choice((0, 1, shape[0] - 1))
                cut = row * (shape[0] - kept)
                body = body[: last - cut] + body[last:]
                header = {each: dict(header[each]) for each in names}
                header[name] |= {"shape": [kept, *shape[1:]]}
                for each in names:
                    start, end = header[each]["data_offsets"]
                    moved = cut if start >= last else 0
                    header[each]["data_offsets"] = [start - moved, end - moved - (cut if each == name else 0)]
    return packed(header, manifest, body)


def of_files(folder: Path) -> Case:
    """Files of every kind that devices read; what is loaded has to serve, or to refuse by a ValueError that says why."""
    kinds = ("pair", "head", "link-mean-4x4-2", "link-equal-4x4-2", "codec-mean", "codec-per-message", "codec-link-on", "codec-link-off")
    valid = {name: (KIT / f"{name}.safetensors").read_bytes() for name in kinds}
    path = folder / "changed.safetensors"
    channel = Channel(np.eye(2, dtype=complex)[None], 0.01)

    def case(drawn: random.Random) -> bool:
        name = drawn.choice(kinds)
        content = changed_file(valid[name], valid[drawn.choice(kinds)], drawn)
        path.write_bytes(content)
        try:
            loaded = lr.load(path)
        except ArtifactError:
            return False
        if content == valid[name]:
            return True
        with np.errstate(all="ignore"):
            if isinstance(loaded, Head):
                loaded(np.zeros((1, loaded.weight.shape[1])))
                return True
            link = loaded.design(channel) if isinstance(loaded, (LinearDesign, CodecDesign)) else loaded.matched_to(loaded.channel)
            s = link.encode(np.zeros((1, len(link.mean_x))))
            y = link.decode(np.zeros((*link.channel.batch, 1, link.channel.uses, link.channel.n_rx), complex))
            must(y.shape[-1] == len(link.mean_y), "a decoder of another size")
            must(s.shape[-2:] == (link.channel.uses, link.channel.n_tx), "symbols of another channel")
        return True

    return case


def of_keys(folder: Path) -> Case:
    """Files of keys and the list of those that are let in."""
    made = keys.make_keys(folder / "end")
    secret, public, allowed = (folder / name for name in ("end.secret", "end.public", "allowed"))
    contents = {secret: secret.read_bytes(), public: public.read_bytes(), allowed: made.public + b" the roof\n#\n" + made.public + b"\n"}

    def case(drawn: random.Random) -> bool:
        path = drawn.choice((secret, public, allowed))
        path.write_bytes(changed(contents[path], drawn.choice(list(contents.values())), drawn))
        if path == allowed:
            listed = keys.AllowList(path)
            must(len(listed) <= keys.MAX_KEYS and (not listed.problem or not len(listed)), "a list that is wrong and lets in")
            must(all(map(keys._is_key, listed._keys)), "no key")
            return not listed.problem
        try:
            found = keys.read_secret(path).secret if path == secret else keys.read_public(path)
        except keys.KeyFileError as error:
            must(made.secret.decode() not in str(error), "a message that tells the secret")
            return False
        must(keys._is_key(found), "no key")
        return True

    return case


KINDS = {
    "header": Kind(0.27, 16, of_headers),
    "report": Kind(0.2, MAX_BYTES, of_reports),
    "message": Kind(0.25, wire.MAX_JSON_BYTES + wire.MAX_RAW * wire.MAX_RAW_BYTES, of_messages),
    "packet": Kind(0.15, 10_000 * 4 * 8, of_packets),
    "recording": Kind(0.05, MAX_META_BYTES, of_recordings),
    "key": Kind(0.03, keys.MAX_BYTES, of_keys),
    "file": Kind(0.025, 2**20, of_files),  # the largest of them; the cap is MAX_FILE_BYTES
    "session": Kind(0.018, 2**20, of_sessions),
    "iq": Kind(0.005, 60_000 * 4 * 16, of_iq),
    "node": Kind(0.002, 60_000 * 4 * 16, of_nodes),
}
assert MAX_FILE_BYTES == 2**28


class Outcome:
    """Of the cases of a kind.

    Attributes:
        taken: cases whose input was valid.
        refused: cases whose input was refused by the documented error.
        wrong: findings by their words, with the number of the first case of each.
        seconds: of computing, all together.
        slowest: seconds of computing of one case.
        grown: bytes by which the memory of the process grew at most within a batch.
    """

    def __init__(self) -> None:
        self.taken = self.refused = self.grown = 0
        self.wrong: Counter[str] = Counter()
        self.seconds = self.slowest = 0.0

    def run(self, number: int, case: Case, drawn: random.Random) -> None:
        """Run a case and keep what became of it."""
        signal.alarm(STUCK_S)
        begun = time.thread_time()
        try:
            word = "" if case(drawn) else "refused"
        except Late:
            word = f"no end within {STUCK_S} s"
        except Exception as error:  # all that is no documented error is a finding
            place = traceback.extract_tb(error.__traceback__)[-1]
            word = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {str(error)[:120]}"
        signal.alarm(0)
        took = time.thread_time() - begun
        self.seconds, self.slowest = self.seconds + took, max(self.slowest, took)
        if took > LATEST_S:
            word = f"{took:.1f} s of computing"
        self.taken += not word
        self.refused += word == "refused"
        if word and word != "refused":
            if word not in self.wrong:
                print(f"  case {number}: {word}", file=sys.stderr, flush=True)
            self.wrong[word] += 1


def memory(forget: bool) -> tuple[int, int]:
    """Bytes of this process now and at its peak, which is forgotten first if so wished."""
    if forget:
        Path("/proc/self/clear_refs").write_text("5")
    facts = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    now, peak = (1024 * int(facts[name].split()[0]) for name in ("VmRSS", "VmHWM"))
    return now, peak


def numbers(count: int, only: int | None) -> Iterator[int]:
    """Cases to be run: all, or one with those before it in its batch, on whose state it may depend."""
    first = 0 if only is None else only - only % BATCH
    yield from range(first, count if only is None else only + 1)


def fuzzed(name: str, count: int, seed: int, until: float = math.inf, only: int | None = None) -> Outcome:
    """Run cases of a kind."""
    kind, outcome = KINDS[name], Outcome()
    signal.signal(signal.SIGALRM, late)
    with tempfile.TemporaryDirectory() as folder:
        case = kind.begin(Path(folder))
        before = memory(True)[0]
        for number in numbers(count, only):
            if number % BATCH == 0:
                case = kind.begin(fresh(folder, number)) if name in ("session", "node", "iq", "packet") else case
                before = memory(True)[0]
            outcome.run(number, case, random.Random(f"{seed} {name} {number}"))
            if number % BATCH == BATCH - 1 or number == count - 1:
                outcome.grown = max(outcome.grown, memory(False)[1] - before)
                if time.monotonic() > until:
                    break
            if number % 20_000 == 19_999:
                print(f"  {name}: {number + 1:,} of {count:,}", file=sys.stderr, flush=True)
    if outcome.grown > 2 * kind.declared + SLACK:
        outcome.wrong[f"{outcome.grown >> 20} MB more memory within {BATCH} cases"] += 1
    return outcome


def fresh(folder: str, number: int) -> Path:
    """An empty folder."""
    made = Path(folder) / str(number)
    made.mkdir()
    return made


def late(*_: object) -> None:
    """End a case."""
    raise Late


def main() -> int:
    """Run what the command line says; 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000_000, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=math.inf, help="after which no batch begins any more")
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--only", type=int, help="number of the one case to run, of one kind")
    parser.add_argument("--no-record", action="store_true", help="print, and write no file of results")
    given = parser.parse_args()
    whole, until = sum(KINDS[name].share for name in given.kinds), time.monotonic() + given.seconds
    outcomes = {}
    for name in given.kinds:
        count = max(1, round(given.cases * KINDS[name].share / whole))
        outcomes[name] = fuzzed(name, count, given.seed, until, given.only)
    cells: list[tuple[str, ...]] = [
        (
            name,
            f"{o.taken:,}",
            f"{o.refused:,}",
            str(o.wrong.total()),
            f"{1e3 * o.slowest:.1f}",
            f"{o.grown / 2**20:.1f}",
            f"{o.seconds:.0f}",
        )
        for name, o in outcomes.items()
    ]
    report(
        cells, f"{sum(o.taken + o.refused + o.wrong.total() for o in outcomes.values()):,} cases of seed {given.seed}", not given.no_record
    )
    return int(any(outcome.wrong for outcome in outcomes.values()))


def report(cells: list[tuple[str, ...]], title: str, recorded: bool) -> None:
    """Print the table, and keep it."""
    header = ("input", "taken", "refused", "findings", "slowest (ms)", "memory (MB)", "computing (s)")
    if not recorded:
        for row in (header, *cells):
            print("  ".join(f"{cell:>13}" for cell in row))
        print(title)
        return
    from rich.console import Console
    from rich.table import Table

    from record import record

    table = Table(*header, title=title)
    for row in cells:
        table.add_row(*row)
    Console().print(table)
    record("fuzz_air", table, threads=1)


if __name__ == "__main__":
    sys.exit(main())
