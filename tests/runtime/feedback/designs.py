"""Small designs with random weights: what the laws of feedback need of a pair and of a codec."""

from typing import Any

import numpy as np

from latentlink_runtime.codec.design import BITS, SYMBOLS, CodecDesign
from latentlink_runtime.codec.network import Network
from latentlink_runtime.linear.design import LinearDesign
from latentlink_runtime.linear.limit import Limit

Array = np.ndarray[Any, Any]


def strengths(count: int = 32) -> Array:
    return 2.0 ** (-np.arange(count) / 6)


def linear_design(count: int = 32) -> LinearDesign:
    rng = np.random.default_rng(5)
    phi = np.linalg.qr(rng.standard_normal((40, count)))[0].T
    psi = np.linalg.qr(rng.standard_normal((36, count)))[0] * strengths(count)
    return LinearDesign(phi, psi, strengths(count), rng.standard_normal(40), rng.standard_normal(36))


def codec_design(symbols: int = 16) -> CodecDesign:
    rng = np.random.default_rng(6)
    streams, hidden, k = 2 * symbols, 24, 32

    def pair(out: int, given: int, scale: float) -> tuple[Array, Array]:
        weight = scale * rng.standard_normal((out, given)) / given**0.5
        return weight.astype(np.float32), (scale * rng.standard_normal(out)).astype(np.float32)

    def network(given: int, out: int) -> Network:
        reader = (pair(12, 2 * streams, 1.0), pair(12, 12, 1.0))
        return Network((pair(hidden, given, 1.0),), pair(out, hidden, 0.1), reader, (pair(2 * hidden, 12, 0.1),), pair(out + 1, 12, 0.1))

    gate = np.ones((len(SYMBOLS) + 1, len(BITS) + 1), bool)
    gate[:, 6:] = False
    return CodecDesign(
        modes=linear_design(k),
        covariance=np.ones(k),
        encoder=network(k, streams),
        decoder=network(streams, k),
        inputs=np.arange(k),
        outputs=np.arange(k),
        latents=rng.standard_normal((64, k)).astype(np.float32),
        gate=gate,
        limit=Limit(),
        ceiling=np.full(symbols + 1, 1e3, np.float32),
        most=streams,
    )


def channels(carriers: int, n_rx: int, n_tx: int, seed: int, taps: int = 4) -> Array:
    """Rayleigh channels (carriers, n_rx, n_tx) of some taps, as the carriers of an OFDM symbol see them."""
    rng = np.random.default_rng(seed)
    power = np.exp(-np.arange(taps))
    h = rng.standard_normal((taps, n_rx, n_tx, 2)) @ np.array([1, 1j]) * np.sqrt(power / power.sum() / 2)[:, None, None]
    turns = np.exp(-2j * np.pi * np.outer(np.arange(carriers), np.arange(taps)) / 64)
    return np.einsum("ct,tab->cab", turns, h)
