"""A codec's link on ONNX Runtime: NumPy designs for a channel, two graphs that serve every channel compute messages.

    codec = load_onnx("codec.safetensors", "onnx")      # the folder that latentlink.deploy.onnx.export_onnx wrote
    link = codec.design(channel)
    s = link.encode(x)

One thread computes: messages are small, and a second thread costs more than it brings. Needs onnxruntime, which is optional.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from latentlink_runtime.artifacts.artifact_file import MAX_FILE_BYTES, ArtifactError, verify
from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.codec.design import CodecDesign
from latentlink_runtime.codec.link import CodecLink
from latentlink_runtime.codec.network import Modulation
from latentlink_runtime.linear.base import Link, check_latents, check_received, interleave
from latentlink_runtime.loading import load

Array = np.ndarray[Any, Any]
Feeds = dict[str, Array]

FORMAT = "1"
TRANSMITTER, RECEIVER = "transmitter.onnx", "receiver.onnx"


@dataclass(frozen=True, eq=False)
class Graphs:
    """The two sessions of a codec.

    Attributes:
        transmitter: from latents to symbols.
        receiver: from symbols to coefficients and latents.
    """

    transmitter: Any
    receiver: Any

    @classmethod
    def read(cls, folder: str | os.PathLike[str], codec: str) -> "Graphs":
        """The graphs of a folder that were made of the codec with this SHA-256.

        Raises:
            ImportError: onnxruntime is not installed.
            OSError: a file cannot be read.
            ArtifactError: a file is too large, no graph, of another format, or of another codec.
        """
        return cls(*(_session(Path(folder) / name, codec) for name in (TRANSMITTER, RECEIVER)))

    def link(self, link: CodecLink) -> "OnnxLink":
        """The same link on these graphs, which must be those of its codec."""
        return OnnxLink(self, link, transmitter_feeds(link), receiver_feeds(link))


@dataclass(frozen=True, eq=False)
class OnnxDesign:
    """A codec whose links run on ONNX Runtime.

    Attributes:
        codec: the codec.
        graphs: its graphs.
    """

    codec: CodecDesign
    graphs: Graphs

    def design(self, channel: Channel) -> "OnnxLink":
        """Both ends for every channel of a batch; ValueError as `CodecDesign.design`."""
        return self.graphs.link(self.codec.design(channel))


@dataclass(frozen=True, eq=False)
class OnnxLink(Link):
    """A codec's link whose messages ONNX Runtime computes; for a batch of channels they have one axis of channels.

    Attributes:
        graphs: of the codec.
        link: as NumPy has it.
        sends: what the channel sets of the transmitter's graph.
        receives: what the channel sets of the receiver's graph.
    """

    graphs: Graphs
    link: CodecLink
    sends: Feeds
    receives: Feeds

    def __post_init__(self) -> None:
        if len(self.link.channel.batch) > 1:
            raise ValueError(f"link must be of one channel or of one axis of channels, got {self.link.channel.batch}; flatten the batch")
        for name in ("synthesis", "mean_x", "mean_y"):
            object.__setattr__(self, name, getattr(self.link, name))

    def encode(self, x: Array) -> Array:
        """Channel symbols s (…, n, u, n_tx), complex64, of latents x; ValueError as `CodecLink.encode`."""
        x = check_latents(x, len(self.mean_x), np.float32)
        (symbols,) = self.graphs.transmitter.run(["symbols"], {"x": _three(x), **self.sends})
        return symbols.view(np.complex64).reshape(*self._axes(symbols, x), self.link.beams.uses, -1)

    def receive(self, r: Array) -> Array:
        """Coefficients ẑ (…, n, o) of received symbols r; ValueError as `CodecLink.receive`."""
        return self._received(r, "coefficients")

    def decode(self, r: Array) -> Array:
        """Latents ŷ (…, n, m) of received symbols r; ValueError as `CodecLink.receive`."""
        return self._received(r, "y")

    def matched_to(self, channel: Channel) -> "OnnxLink":
        """The same transmitter with the receiver matched to what it measures; ValueError as `CodecLink.matched_to`."""
        link = self.link.matched_to(channel)
        return replace(self, link=link, receives=receiver_feeds(link))

    def _received(self, r: Array, name: str) -> Array:
        flat = check_received(r, self.link.channel.uses, self.link.channel.n_rx, np.float32)
        (value,) = self.graphs.receiver.run([name], {"symbols": _three(flat), **self.receives})
        return value.reshape(*self._axes(value, flat), value.shape[-1])

    def _axes(self, value: Array, given: Array) -> tuple[int, ...]:
        """Axes of channels and messages: that of channels is gone where neither the link nor what it was given has one."""
        shape: tuple[int, ...] = value.shape[:-1] if given.ndim > 2 or self.link.active.ndim else value.shape[1:-1]
        return shape


def load_onnx(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> OnnxDesign | OnnxLink:
    """A codec, or a codec's link, whose messages the graphs of a folder compute.

    Args:
        path: the file of the codec or of the link, from which the graphs were made.
        folder: that has `transmitter.onnx` and `receiver.onnx`.

    Raises:
        ImportError: onnxruntime is not installed.
        OSError: a file cannot be read.
        ArtifactError: a file is not whole, or the graphs are those of another codec.
    """
    codec = load(path)
    if not isinstance(codec, CodecDesign | CodecLink):
        raise ArtifactError(f"{path}: a {type(codec).__name__}, expected a codec or a codec's link; graphs are made of these only")
    graphs = Graphs.read(folder, verify(Path(path).read_bytes(), path)["sha256"])
    return OnnxDesign(codec, graphs) if isinstance(codec, CodecDesign) else graphs.link(codec)


def transmitter_feeds(link: CodecLink) -> Feeds:
    """What the channels of a link set of the transmitter's graph, with an axis of channels."""
    ends = link.ends
    beams = real_matrix(np.swapaxes(link.beams.transmit, -1, -2))
    own = {"direct": ends.direct_tx, "residual": ends.residual_tx, "beams": beams, **_modulation(ends.precoding)}
    return {name: _three(value) for name, value in own.items()}


def receiver_feeds(link: CodecLink) -> Feeds:
    """What the channels of a link set of the receiver's graph, with an axis of channels."""
    ends = link.ends
    own = {"direct": ends.direct_rx, "evened": ends.evened, "residual": ends.residual_rx, **_modulation(ends.decoding)}
    return {name: _three(value) for name, value in {**own, "beams": real_matrix(link.beams.receive.conj())}.items()}


def real_matrix(matrix: Array) -> Array:
    """The real matrix (…, 2 a, 2 b) that takes interleaved parts as a complex matrix (…, a, b) takes complex rows."""
    rows = np.stack([interleave(matrix), interleave(1j * matrix)], -2)
    return rows.reshape(*matrix.shape[:-2], 2 * matrix.shape[-2], -1)


def _modulation(at: Modulation) -> Feeds:
    layers = {f"{kind}.{number}": value for kind in ("scale", "bias") for number, value in enumerate(getattr(at, kind))}
    return {**layers, "offset": at.offset}


def _three(value: Array) -> Array:
    return np.ascontiguousarray(value if value.ndim > 2 else value[None], np.float32)


def _session(path: Path, codec: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("links on ONNX Runtime need onnxruntime, which is not installed: pip install onnxruntime") from error
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise ArtifactError(f"{path}: has {size} bytes, expected at most {MAX_FILE_BYTES}; no codec's graph is as large")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base but this
        raise ArtifactError(f"{path}: no ONNX graph that onnxruntime reads ({str(error)[:120]})") from error
    own = session.get_modelmeta().custom_metadata_map
    if own.get("latentlink.format") != FORMAT:
        raise ArtifactError(f"{path}: has the format {own.get('latentlink.format')}, expected {FORMAT}; export it again")
    if own.get("latentlink.codec") != codec:
        raise ArtifactError(f"{path}: was made of another codec, expected that of SHA-256 {codec[:12]}…; export it again from this file")
    return session
