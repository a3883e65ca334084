"""A codec as ONNX graphs that serve every channel: what the channel sets are inputs, what training set are constants.

    transmitter.onnx    x, scale.l, bias.l, offset, direct, residual, beams               → symbols
    receiver.onnx       symbols, scale.l, bias.l, offset, direct, evened, residual, beams → coefficients, y
    coefficients.onnx   the same inputs                                                   → coefficients, and outputs of a head

The last forms no latent: runtimes compute a graph whole, and Ψ would be half of what a classifying receiver computes. Numbers of messages,
channels and antennas are free, that of streams is what the codec was trained for; a channel of fewer has zeros there. Symbols are
interleaved, (re, im) of one antenna after the other and one use after the other; beams are a real matrix that takes streams to them, or
back. `latentlink_runtime.onnx_link` makes the inputs of a link, and `examples/onnx/README.md` says how other languages do.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latentlink.deploy.graph import Graph
from latentlink.numerics.validation import validate_call
from latentlink.storage.atomic import write_atomically
from latentlink_runtime.artifacts.artifact_file import pair_digest
from latentlink_runtime.codec.design import CodecDesign
from latentlink_runtime.codec.link import CodecLink
from latentlink_runtime.codec.network import Network
from latentlink_runtime.linear.limit import Limit
from latentlink_runtime.loading import load
from latentlink_runtime.onnx_link import COEFFICIENTS, RECEIVER, TRANSMITTER
from latentlink_runtime.onnx_session import FORMAT
from latentlink_runtime.tasks.head import Head

Array = np.ndarray[Any, Any]


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
        means = codec if isinstance(codec, CodecLink) else codec.modes
        return cls(codec.analysis, codec.synthesis, means.mean_x, means.mean_y, **rest)


@validate_call
def export_onnx(
    path: str | os.PathLike[str], folder: str | os.PathLike[str], head: str | os.PathLike[str] | None = None
) -> tuple[Path, Path, Path]:
    """Write `transmitter.onnx`, `receiver.onnx` and `coefficients.onnx` of a codec that was saved.

    Args:
        path: the file of a codec, of a codec for devices, or of a codec's link.
        folder: where the files go; it is made, and files of these names are replaced.
        head: the file of a head that `coefficients.onnx` gives the outputs of, folded into the decoder; None for coefficients alone.

    Returns:
        The paths of the three graphs, in the order above.

    Raises:
        ImportError: the package onnx is not installed.
        OSError: a file cannot be read or written.
        ArtifactError: a file is no whole artifact.
        ValueError: the file is another artifact than a codec or a codec's link, or the head is none, or takes other latents.

    Example:
        >>> import latentlink as ll
        >>> codec = ll.CodecTraining().fit(modes, pilots, objective).codec  # doctest: +SKIP
        >>> codec.save("codec.safetensors")  # doctest: +SKIP
        >>> ll.deploy.export_onnx("codec.safetensors", "onnx", head="head.safetensors")  # doctest: +SKIP
    """
    codec = load(path)
    if not isinstance(codec, CodecDesign | CodecLink):
        kind = type(codec).__name__
        raise ValueError(f"path must be the file of a codec or of a codec's link, got {path}, a {kind}; linear links need one product")
    constants = Constants.of(codec)
    own = {"latentlink.format": FORMAT, "latentlink.codec": pair_digest(path)}
    graphs = {TRANSMITTER: transmitter(constants), RECEIVER: receiver(constants)}
    graphs[COEFFICIENTS] = coefficients(constants, None if head is None else _read_head(head, len(constants.mean_y)))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, graph in graphs.items():
        write_atomically(folder / name, graph.model(own, "latentlink").SerializeToString(deterministic=True))
    return folder / TRANSMITTER, folder / RECEIVER, folder / COEFFICIENTS


def transmitter(constants: Constants) -> Graph:
    """t = limit( direct ⊙ z + residual ⊙ f(z) ), z = Φ (x − μx); symbols = t · beams."""
    graph, encoder = Graph("transmitter"), constants.encoder
    x = graph.input("x", "batch", "messages", len(constants.mean_x))
    modulation = _modulation(graph, encoder)
    direct, residual = (graph.input(name, "channels", 1, encoder.outputs) for name in ("direct", "residual"))
    beams = graph.input("beams", "channels", encoder.outputs, "interleaved")
    centred = graph.node("Sub", x, graph.constant("mean_x", constants.mean_x))
    z = graph.node("MatMul", centred, graph.constant("analysis", constants.analysis.T))
    linear = graph.node("Mul", direct, graph.carry(z, encoder.inputs, encoder.outputs))
    t = graph.node("Add", linear, graph.node("Mul", residual, _network(graph, encoder, z, modulation)))
    t = _limited(graph, t, constants.limit)
    graph.output("symbols", graph.node("MatMul", t, beams), "all", "messages", "interleaved")
    return graph


def receiver(constants: Constants) -> Graph:
    """w = symbols · beams; ẑ = direct ⊙ w + residual g(evened ⊙ w); y = μy + Ψ ẑ."""
    graph = Graph("receiver")
    received = _received(graph, constants.decoder)
    y = graph.node("MatMul", received, graph.constant("synthesis", constants.synthesis.T))
    y = graph.node("Add", y, graph.constant("mean_y", constants.mean_y))
    graph.output("y", y, "all", "messages", len(constants.mean_y))
    return graph


def coefficients(constants: Constants, head: Head | None = None) -> Graph:
    """ẑ as `receiver` has it, and with a head its outputs (W Ψ) ẑ + W μy + b; no latent is formed."""
    graph = Graph("coefficients")
    received = _received(graph, constants.decoder)
    if head is not None:
        weight, bias = head.weight @ constants.synthesis, head.weight @ constants.mean_y + head.bias
        outputs = graph.node("MatMul", received, graph.constant("head", weight.T))
        graph.output("outputs", graph.node("Add", outputs, graph.constant("head_bias", bias)), "all", "messages", len(bias))
    return graph


def _received(graph: Graph, decoder: Network) -> str:
    """The coefficients ẑ, which are given out, too."""
    symbols = graph.input("symbols", "batch", "messages", "interleaved")
    modulation = _modulation(graph, decoder)
    direct, evened = (graph.input(name, "channels", 1, decoder.inputs) for name in ("direct", "evened"))
    residual = graph.input("residual", "channels", 1, 1)
    w = graph.node("MatMul", symbols, graph.input("beams", "channels", "interleaved", decoder.inputs))
    linear = graph.carry(graph.node("Mul", direct, w), decoder.inputs, decoder.outputs)
    other = graph.node("Mul", residual, _network(graph, decoder, graph.node("Mul", evened, w), modulation))
    received = graph.node("Add", linear, other)
    return graph.output("coefficients", received, "all", "messages", decoder.outputs)


def _read_head(path: str | os.PathLike[str], m: int) -> Head:
    head = load(path)
    if not isinstance(head, Head) or head.weight.shape[1] != m:
        found = f"one of {head.weight.shape[1]}" if isinstance(head, Head) else f"a {type(head).__name__}"
        raise ValueError(f"head must be the file of a head on latents of {m} dimensions, got {path}, {found}")
    return head


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
