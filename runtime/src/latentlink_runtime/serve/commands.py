"""The commands: each reads its files, opens its sockets, runs until it is told to end, and writes what it counted as a line of JSON."""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from latentlink_runtime.artifacts.artifact_file import ArtifactError, pair_digest
from latentlink_runtime.codec.design import CodecDesign
from latentlink_runtime.control import keys
from latentlink_runtime.control.receiver import ReceiverSession
from latentlink_runtime.control.session import Identity
from latentlink_runtime.control.transmitter import TransmitterSession
from latentlink_runtime.iq.sigmf import SigMFSink, SigMFSource
from latentlink_runtime.linear.design import LinearDesign
from latentlink_runtime.loading import load
from latentlink_runtime.radio.frame import FrameFormat, Placement
from latentlink_runtime.radio.numerology import FRAME_FORMAT
from latentlink_runtime.serve import running
from latentlink_runtime.serve.air import Air, carry, rayleigh
from latentlink_runtime.serve.flow_graph import run_flow_graph
from latentlink_runtime.serve.keeping import FrameLog, Kept, Recording, ValueStream
from latentlink_runtime.serve.layout import Design, known_latents
from latentlink_runtime.serve.metrics import MetricsServer
from latentlink_runtime.serve.parser import NUMEROLOGIES, parser
from latentlink_runtime.serve.processes import Stop, die_with_parent
from latentlink_runtime.serve.publish import Publisher
from latentlink_runtime.serve.receive import ReceiverNode
from latentlink_runtime.serve.streams import Radio, open_sink, open_source
from latentlink_runtime.serve.transmit import TransmitterNode
from latentlink_runtime.serve.view import View, ViewServer, open_page
from latentlink_runtime.tasks.head import Head

Array = np.ndarray[Any, Any]

_MOST_DB = 200.0
_KINDS = {"biuf": "real numbers", "biu": "integers", "biufc": "numbers"}
_CONVENTIONS = "latentlink serve 1: over_frequency, known messages first, padding in flags, report of one group a carrier or fewer"


def main(arguments: list[str] | None = None, program: str = "latentlink_runtime") -> int:
    """Run a command; returns the exit status: 0, or 2 for arguments and files that are not what they should be."""
    given = parser(program).parse_args(arguments)
    try:
        if given.command == "keys":
            keys.make_keys(given.name)
            return 0
        if given.command == "view":
            print(open_page(given.port, given.no_browser))
            return 0
        if not given.outlive_parent:
            die_with_parent()
        counts = {"tx": _tx, "rx": _rx, "air": _air, "replay": _replay}[given.command](given, Stop())
    except (OSError, ValueError, ImportError) as error:
        print(f"{program} {given.command}: {error}", file=sys.stderr)
        return 2
    streamed = str(getattr(given, "stream", None)) == "-"  # standard output has arrays then
    print(json.dumps(counts, sort_keys=True), file=sys.stderr if streamed else sys.stdout, flush=True)
    return 0


def _tx(given: argparse.Namespace, stop: Stop) -> dict[str, float]:
    from latentlink_runtime.control.link import ControlClient

    design, identity, frame_format = _agreed(given)
    rows, d = _array(given.latents, 2), known_latents(design, 1).shape[1]
    if not np.isfinite(rows).all():
        row = int(np.flatnonzero(~np.isfinite(rows).all(1))[0])
        raise ValueError(f"{given.latents}: row {row} has NaN or infinite entries; leave such rows out")
    if rows.shape[1] != d:
        raise ValueError(f"{given.latents}: latents must have shape (messages, {d}), as the design's transmitter, got {rows.shape}")
    session = TransmitterSession(identity)
    node = TransmitterNode(design, frame_format, session, rate=given.rate, per_frame=given.per_frame)
    pair, server = keys.read_secret(given.keys), keys.read_public(given.server_key)
    linger_s = 1.0 if given.messages else 0.0
    with (
        closing(ControlClient(given.control, pair, server, i_know=given.i_know)) as client,
        closing(open_sink(given.iq, given.rate, given.n_tx, **_at(given), linger_s=linger_s)) as sink,
        _published(given, "transmitter") as publish,
    ):
        running.transmit(node, client, sink, rows, given.per_frame, given.messages, stop, publish)
        node.counts["dropped_samples"] += sink.dropped
    return {**node.counts, **{f"session {name}": count for name, count in session.counts.items()}}


def _rx(given: argparse.Namespace, stop: Stop) -> dict[str, float]:
    from latentlink_runtime.control.link import ControlServer

    design, identity, frame_format = _agreed(given)
    session = ReceiverSession(identity)
    report = {"bits": given.bits, "groups": given.groups, "coherence_s": given.coherence}
    labels = None if given.labels is None else _array(given.labels, 1, "biu")
    head = _head(given.head)
    node = ReceiverNode(design, frame_format, session, head, labels, per_frame=given.per_frame, latents=given.latents, **report)
    pair, allowed = keys.read_secret(given.keys), keys.AllowList(given.allowed)
    if allowed.problem:
        raise keys.KeyFileError(allowed.problem)
    kept = Kept(given.out, given.per_frame, given.keep)
    with (
        closing(ControlServer(given.control, pair, allowed, i_know=given.i_know)) as server,
        closing(open_source(given.iq, given.rate, given.n_rx, **_at(given))) as source,
        _published(given, "receiver") as publish,
        ExitStack() as files,  # written once everything else is there: none is replaced by a start that fails
    ):
        log = files.enter_context(closing(FrameLog(given.log)))
        stream = files.enter_context(closing(ValueStream(given.stream)))
        files.enter_context(closing(kept))
        record = None
        if given.record is not None:
            record = Recording(SigMFSink(given.record, given.rate, given.n_rx, fields={"pair": identity.pair}))
            files.enter_context(closing(record))
        running.receive(node, server, source, (kept, log, stream), given.messages, stop, publish, record)
    return {**node.metrics(time.monotonic()), **{f"session {name}": count for name, count in session.counts.items()}}


def _air(given: argparse.Namespace, stop: Stop) -> dict[str, float]:
    taps = rayleigh(given.seed, 4, given.n_rx, given.n_tx) if given.taps is None else _array(given.taps, 3, "biufc")
    if taps.shape[1:] != (given.n_rx, given.n_tx):
        raise ValueError(f"taps must have shape (taps, {given.n_rx}, {given.n_tx}), got {taps.shape}; give --n-rx and --n-tx")
    if not abs(given.snr_db) <= _MOST_DB:
        raise ValueError(f"--snr-db must be from {-_MOST_DB:g} to {_MOST_DB:g}, got {given.snr_db}")
    noise = 10 ** (-given.snr_db / 10)
    air = Air(taps, noise, frequency=given.frequency, clock=1e-6 * given.ppm, delay=given.delay, seed=given.seed)
    if given.gnuradio:
        run_flow_graph(air, given.source, given.to, given.seed, stop)
        return {}
    with (
        closing(open_source(given.source, given.rate, given.n_tx, **_at(given))) as source,
        closing(open_sink(given.to, given.rate, given.n_rx, **_at(given))) as sink,
    ):
        carried = carry(source, sink, air, stop)
        return {"samples": carried, "dropped_before": source.buffer.dropped, "dropped_after": sink.dropped}


def _replay(given: argparse.Namespace, stop: Stop) -> dict[str, float]:
    with (
        closing(SigMFSource(given.recording)) as source,
        closing(open_sink(given.to, source.rate, source.antennas, **_at(given), linger_s=1.0)) as sink,
    ):
        return {"samples": running.replay(source, sink, stop), "dropped": sink.dropped}


def _at(given: argparse.Namespace) -> dict[str, Any]:
    """How streams of samples are opened."""
    return {"i_know": given.i_know, "radio": Radio(given.carrier, given.gain), "budget_s": given.queue}


def _agreed(given: argparse.Namespace) -> tuple[Design, Identity, FrameFormat]:
    """The design, and what both ends must have in common."""
    design = load(given.design)
    if not isinstance(design, LinearDesign | CodecDesign):
        raise ArtifactError(f"{given.design}: must be a pair or a codec, got a {type(design).__name__}; save the pair itself")
    numerology = NUMEROLOGIES[given.numerology]
    frame_format = FrameFormat(given.n_tx, numerology, placement=Placement.over_frequency(given.uses, numerology.n_data))
    conventions = f"{_CONVENTIONS}; uses {given.uses}; per frame {given.per_frame}"
    identity = Identity(
        pair=pair_digest(given.design),
        conventions=hashlib.sha256(conventions.encode()).hexdigest(),
        numerology=numerology.name,
        format=FRAME_FORMAT,
        n_tx=given.n_tx,
        n_rx=given.n_rx,
    )
    return design, identity, frame_format


@contextmanager
def _published(given: argparse.Namespace, what: str) -> Iterator[Publisher]:
    """What publishes metrics and the live page, at the ports that were given."""
    with ExitStack() as servers:
        server: MetricsServer | None = None
        view: View | None = None
        if given.metrics is not None:
            server = MetricsServer(given.metrics)
            servers.enter_context(server)
            _tell({"metrics": f"{server.address}/metrics"})
        if given.view is not None:
            view = View(f"{what}, {given.n_tx} to {given.n_rx} antennas")
            page = servers.enter_context(ViewServer(view, given.view))
            _tell({"view": page.address})
        yield Publisher(server, view)


def _tell(what: dict[str, str]) -> None:
    print(json.dumps(what), file=sys.stderr, flush=True)


def _head(path: Path | None) -> Head | None:
    if path is None:
        return None
    head = load(path)
    if not isinstance(head, Head):
        raise ArtifactError(f"{path}: must be a head, got a {type(head).__name__}")
    return head


def _array(path: Path, axes: int, kinds: str = "biuf") -> Array:
    """An array of a .npy file, which has no pickles, of NumPy's kinds of numbers; ValueError for anything else."""
    array: Any = None
    with suppress(ValueError, EOFError, MemoryError, OverflowError):
        array = np.load(path, allow_pickle=False)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds or array.ndim != axes or not array.size:
        raise ValueError(f"{path}: must be a .npy file of {_KINDS[kinds]} with {axes} axes, got {_told(array)}; np.save one")
    return array


def _told(array: Any) -> str:
    """What came in place of an array, in words."""
    return f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "something else"
