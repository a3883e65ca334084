"""A codec as two ONNX graphs that serve every channel: what the channel sets are inputs, what training set are constants.

    transmitter.onnx   x, scale.l, bias.l, offset, direct, residual, beams          → symbols
    receiver.onnx      symbols, scale.l, bias.l, offset, direct, evened, residual, beams → coefficients, y

Numbers of messages, channels, streams and antennas are free. Symbols are interleaved, (re, im) of one antenna after the other and one use
after the other; beams are a real matrix that takes streams to them, or back. `latentlink_runtime.onnx_link` makes the inputs of a link, and
`examples/onnx/README.md` says how other languages do.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latentlink.deploy.graph import Graph
from latentlink_runtime.artifacts.artifact_file import verify
from latentlink_runtime.codec.design import CodecDesign
from latentlink_runtime.codec.link import CodecLink
from latentlink_runtime.codec.network import Network
from latentlink_runtime.linear.limit import Limit
from latentlink_runtime.loading import load

Array = np.ndarray[Any, Any]

FORMAT = "1"
TRANSMITTER, RECEIVER = "transmitter.onnx", "receiver.onnx"


@dataclass(frozen=True, eq=False)
class Constants:
    """What training set of a codec.

    Attributes:
        analysis: Φ (i, d) of the modes that the encoder reads.
        synthesis: Ψ (m, o) of the modes that the decoder gives.
        mean_x: μx (d,).
        mean_y: μy (m,).
        encoder: the transmitter's network.
        decoder: the receiver's network.
        limit: the power limit.
    """

    analysis: Array
    synthesis: Array
    mean_x: Array
    mean_y: Array
    encoder: Network
    decoder: Network
    limit: Limit

    @classmethod
    def of(cls, codec: CodecDesign | CodecLink) -> "Constants":
        """The constants of a codec, or of a link of one."""
        rest: dict[str, Any] = {"encoder": codec.encoder, "decoder": codec.decoder, "limit": codec.limit}
        if isinstance(codec, CodecLink):
            return cls(codec.analysis, codec.synthesis, codec.mean_x, codec.mean_y, **rest)
        modes = codec.modes
        return cls(modes.analysis[codec.inputs], modes.synthesis[:, codec.outputs], modes.mean_x, modes.mean_y, **rest)


def export_onnx(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write `transmitter.onnx` and `receiver.onnx` of a codec that was saved.

    Args:
        path: the file of a codec or of a codec's link.
        folder: where the two files go; it is made, and files of these names are replaced.

    Returns:
        The paths of the transmitter's and the receiver's graph.

    Raises:
        ImportError: the package onnx is not installed.
        OSError: a file cannot be read or written.
        ArtifactError: the file is no whole artifact.
        ValueError: it is another artifact than a codec or a codec's link.

    Example:
        codec.save("codec.safetensors")
        export_onnx("codec.safetensors", "onnx")
    """
    codec = load(path)
    if not isinstance(codec, CodecDesign | CodecLink):
        kind = type(codec).__name__
        raise ValueError(f"path must be the file of a codec or of a codec's link, got {path}, a {kind}; linear links need one product")
    constants = Constants.of(codec)
    own = {"latentlink.format": FORMAT, "latentlink.codec": verify(Path(path).read_bytes(), path)["sha256"]}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / TRANSMITTER, folder / RECEIVER
    for file, graph in zip(files, (transmitter(constants), receiver(constants)), strict=True):
        file.write_bytes(graph.model(own, "latentlink").SerializeToString(deterministic=True))
    return files


def transmitter(constants: Constants) -> Graph:
    """t = limit( direct ⊙ z + residual ⊙ f(z) ), z = Φ (x − μx); symbols = t · beams."""
    graph, encoder = Graph("transmitter"), constants.encoder
    x = graph.input("x", "batch", "messages", len(constants.mean_x))
    modulation = _modulation(graph, encoder)
    direct, residual = (graph.input(name, "channels", 1, "streams") for name in ("direct", "residual"))
    beams = graph.input("beams", "channels", "streams", "interleaved")
    centred = graph.node("Sub", x, graph.constant("mean_x", constants.mean_x))
    z = graph.node("MatMul", centred, graph.constant("analysis", constants.analysis.T))
    count = graph.streams_of(direct)
    linear = graph.node("Mul", direct, graph.carry(z, count, encoder.outputs))
    other = graph.first(_network(graph, encoder, z, modulation), count)
    t = graph.node("Add", linear, graph.node("Mul", residual, other))
    t = _limited(graph, t, constants.limit)
    graph.output("symbols", graph.node("MatMul", t, beams), "all", "messages", "interleaved")
    return graph


def receiver(constants: Constants) -> Graph:
    """w = symbols · beams; ẑ = direct ⊙ w + residual g(evened ⊙ w); y = μy + Ψ ẑ."""
    graph, decoder = Graph("receiver"), constants.decoder
    symbols = graph.input("symbols", "batch", "messages", "interleaved")
    modulation = _modulation(graph, decoder)
    direct, evened = (graph.input(name, "channels", 1, "streams") for name in ("direct", "evened"))
    residual = graph.input("residual", "channels", 1, 1)
    beams = graph.input("beams", "channels", "interleaved", "streams")
    w = graph.node("MatMul", symbols, beams)
    linear = graph.carry(graph.node("Mul", direct, w), graph.integers(decoder.outputs), decoder.outputs)
    read = graph.carry(graph.node("Mul", evened, w), graph.integers(decoder.inputs), decoder.inputs)
    other = graph.node("Mul", residual, _network(graph, decoder, read, modulation))
    coefficients = graph.node("Add", linear, other)
    graph.output("coefficients", coefficients, "all", "messages", decoder.outputs)
    y = graph.node("MatMul", coefficients, graph.constant("synthesis", constants.synthesis.T))
    y = graph.node("Add", y, graph.constant("mean_y", constants.mean_y))
    graph.output("y", y, "all", "messages", len(constants.mean_y))
    return graph


def _modulation(graph: Graph, network: Network) -> list[tuple[str, str]]:
    """Inputs that modulate a network: α and the folded bias of each layer, then (the output's offset, "")."""
    layers = [
        tuple(graph.input(f"{kind}.{number}", "channels", 1, len(weight)) for kind in ("scale", "bias"))
        for number, (weight, _) in enumerate(network.layers)
    ]
    return [*((scale, bias) for scale, bias in layers), (graph.input("offset", "channels", 1, network.outputs), "")]


def _network(graph: Graph, network: Network, x: str, modulation: list[tuple[str, str]]) -> str:
    for number, ((weight, _), (scale, bias)) in enumerate(zip(network.layers, modulation[:-1], strict=True)):
        units = graph.node("MatMul", x, graph.constant(f"layers.{number}", weight.T))
        x = graph.gelu(graph.node("Add", graph.node("Mul", units, scale), bias))
    out = graph.node("MatMul", x, graph.constant("out", network.out[0].T))
    return graph.node("Add", out, modulation[-1][0])


def _limited(graph: Graph, t: str, limit: Limit) -> str:
    """Messages scaled by what limits them, for a budget of 1; a message of no energy stays one."""
    if not limit.limits_messages:
        return t
    energy = graph.energy(t)
    level = 1.0 if limit.word == "per-message" or limit.peak is None else limit.peak
    tiny = graph.number(float(np.finfo(np.float32).tiny))
    gain = graph.node("Sqrt", graph.node("Div", graph.number(level), graph.node("Max", energy, tiny)))
    if limit.word != "per-message":
        gain = graph.node("Min", gain, graph.number(1.0))
    return graph.node("Mul", t, gain)
