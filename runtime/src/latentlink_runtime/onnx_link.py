"""A codec's link on ONNX Runtime: NumPy designs for a channel, graphs that serve every channel compute messages.

    codec = load_onnx("codec.safetensors", "onnx")      # the folder that latentlink.deploy.onnx.export_onnx wrote
    link = codec.design(channel)
    s = link.encode(x)

A device needs only the graphs of its end: `transmitter.onnx` to encode, `receiver.onnx` to decode, `coefficients.onnx` to receive without
forming latents. One thread computes: messages are small, and a second thread costs more than it brings. What the channel sets is bound
once, as is the memory of the result. Needs onnxruntime, which is optional.
"""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from latentlink_runtime.artifacts.artifact_file import ArtifactError, pair_digest
from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.codec.design import CodecDesign
from latentlink_runtime.codec.ends import carry
from latentlink_runtime.codec.link import CodecLink
from latentlink_runtime.codec.network import Modulation
from latentlink_runtime.linear.base import Link, check_latents, check_received, interleave
from latentlink_runtime.loading import load
from latentlink_runtime.onnx_session import BoundGraph, session

Array = np.ndarray[Any, Any]
Feeds = dict[str, Array]

TRANSMITTER, RECEIVER, COEFFICIENTS = NAMES = "transmitter.onnx", "receiver.onnx", "coefficients.onnx"


@dataclass(frozen=True, eq=False)
class Graphs:
    """The sessions of a codec; those whose files are not there are None.

    Attributes:
        transmitter: from latents to symbols.
        receiver: from symbols to coefficients and latents.
        coefficients: from symbols to coefficients alone, and to the outputs of a head where it was exported with one.
    """

    transmitter: Any
    receiver: Any
    coefficients: Any = None

    @classmethod
    def read(cls, folder: str | os.PathLike[str], codec: str) -> "Graphs":
        """The graphs in a folder, which were made of the codec with this SHA-256.

        Raises:
            ImportError: onnxruntime is not installed.
            OSError: none is there, or a file cannot be read.
            ArtifactError: a file is too large, no graph, of another format, or of another codec.
        """
        paths = [Path(folder) / name for name in NAMES]
        if not any(path.exists() for path in paths):
            raise FileNotFoundError(f"{folder}: has none of {', '.join(NAMES)}; export_onnx writes them")
        return cls(*(session(path, codec) if path.exists() else None for path in paths))

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
        receives: what the channel sets of the receiver's graphs.
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
        """Channel symbols s (…, n, u, n_tx), complex64, of latents x; ValueError as `CodecLink.encode`, or without transmitter.onnx."""
        return self._symbols(check_latents(x, len(self.mean_x), np.float32))

    def receive(self, r: Array) -> Array:
        """Coefficients ẑ (…, n, o) of received symbols r; ValueError as `CodecLink.receive`, or without a receiver's graph."""
        return self._received(r, self._coefficients)

    def decode(self, r: Array) -> Array:
        """Latents ŷ (…, n, m) of received symbols r; ValueError as `CodecLink.receive`, or without receiver.onnx."""
        return self._received(r, self._latents)

    def outputs(self, r: Array) -> Array:
        """Outputs (…, n, q) of the head that coefficients.onnx was exported with, such as logits; no latent is formed.

        Raises:
            ValueError: as `CodecLink.receive`, or the graph is not there or has no head.
        """
        return self._received(r, self._outputs)

    def matched_to(self, channel: Channel) -> "OnnxLink":
        """The same transmitter with the receiver matched to what it measures; ValueError as `CodecLink.matched_to`."""
        link = self.link.matched_to(channel)
        return replace(self, link=link, receives=receiver_feeds(link))

    @cached_property
    def _symbols(self) -> BoundGraph:
        symbols = self.link.beams.uses, self.link.channel.n_tx
        return BoundGraph(self.graphs.transmitter, ("x", self.sends), "symbols", TRANSMITTER, self._batched, symbols)

    @cached_property
    def _latents(self) -> BoundGraph:
        return BoundGraph(self.graphs.receiver, ("symbols", self.receives), "y", RECEIVER, self._batched)

    @cached_property
    def _coefficients(self) -> BoundGraph:
        graph = self.graphs.receiver if self.graphs.coefficients is None else self.graphs.coefficients
        return BoundGraph(graph, ("symbols", self.receives), "coefficients", COEFFICIENTS, self._batched)

    @cached_property
    def _outputs(self) -> BoundGraph:
        return BoundGraph(self.graphs.coefficients, ("symbols", self.receives), "outputs", COEFFICIENTS, self._batched)

    @property
    def _batched(self) -> bool:
        return self.link.active.ndim > 0

    def _received(self, r: Array, graph: BoundGraph) -> Array:
        return graph(check_received(r, self.link.channel.uses, self.link.channel.n_rx, np.float32))


def load_onnx(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> OnnxDesign | OnnxLink:
    """A codec, or a codec's link, whose messages the graphs of a folder compute.

    Args:
        path: the file of the codec or of the link from which the graphs were made, or the codec's file for devices.
        folder: that has the graphs, all or some.

    Raises:
        ImportError: onnxruntime is not installed.
        OSError: a file cannot be read.
        ArtifactError: a file is not whole, or the graphs are those of another codec.
    """
    codec = load(path)
    if not isinstance(codec, CodecDesign | CodecLink):
        raise ArtifactError(f"{path}: a {type(codec).__name__}, expected a codec or a codec's link; graphs are made of these only")
    graphs = Graphs.read(folder, pair_digest(path))
    return OnnxDesign(codec, graphs) if isinstance(codec, CodecDesign) else graphs.link(codec)


def transmitter_feeds(link: CodecLink) -> Feeds:
    """What the channels of a link set of the transmitter's graph, with an axis of channels."""
    ends, most = link.ends, link.encoder.outputs
    beams = np.swapaxes(carry(np.swapaxes(real_matrix(np.swapaxes(link.beams.transmit, -1, -2)), -1, -2), most), -1, -2)
    own = {"direct": carry(ends.direct_tx, most), "residual": carry(ends.residual_tx, most), "beams": beams, **_modulation(ends.precoding)}
    return {name: _three(value) for name, value in own.items()}


def receiver_feeds(link: CodecLink) -> Feeds:
    """What the channels of a link set of the receiver's graphs, with an axis of channels."""
    ends, most = link.ends, link.decoder.inputs
    own = {"direct": carry(ends.direct_rx, most), "evened": carry(ends.evened, most), "residual": ends.residual_rx}
    own |= {"beams": carry(real_matrix(link.beams.receive.conj()), most), **_modulation(ends.decoding)}
    return {name: _three(value) for name, value in own.items()}


def real_matrix(matrix: Array) -> Array:
    """The real matrix (…, 2 a, 2 b) that takes interleaved parts as a complex matrix (…, a, b) takes complex rows."""
    rows = np.stack([interleave(matrix), interleave(1j * matrix)], -2)
    return rows.reshape(*matrix.shape[:-2], 2 * matrix.shape[-2], -1)


def _modulation(at: Modulation) -> Feeds:
    layers = {f"{kind}.{number}": value for kind in ("scale", "bias") for number, value in enumerate(getattr(at, kind))}
    return {**layers, "offset": at.offset}


def _three(value: Array) -> Array:
    return np.ascontiguousarray(value if value.ndim > 2 else value[None], np.float32)
