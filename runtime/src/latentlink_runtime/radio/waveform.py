"""Samples of known symbols: training fields, pilots, and the two directions of OFDM.

    STF, antenna t    s(n + n₀), n₀ = 16 t / n_tx, of 12 tones at every N/16-th carrier (period 16), Zadoff–Chu of root 5
    LTF, symbol m     W[t, m] b_k / √n_tx on antenna t and carrier k, b the Zadoff–Chu sequence of root 7, W W^H = n I
    pilots            e^{j2π t (l + i) / n_tx} / √n_tx on antenna t, in payload symbol l, for pilot i

W is a Hadamard matrix, or a DFT matrix where n_tx is no power of two, with its rows turned by one: a symmetric W would hide a receiver that
transposes it. Every part has the power 1, summed over antennas.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from latentlink_runtime.radio.numerology import STF_PERIOD, Numerology

Array = np.ndarray[Any, Any]

_TONES = 12  # of the short training field


def zadoff_chu(root: int, length: int) -> Array:
    """The Zadoff–Chu sequence e^{−jπ root n (n + 1) / length} of an odd length, its middle entry left out (length − 1,)."""
    n = np.arange(length)
    return np.delete(np.exp(-1j * np.pi * root * n * (n + 1) / length), length // 2)


@lru_cache(maxsize=32)
def hadamard(order: int) -> Array:
    """The Hadamard matrix (order, order) of Sylvester's construction; order is a power of two."""
    matrix = np.ones((1, 1))
    while len(matrix) < order:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


@lru_cache(maxsize=64)
def training_matrix(n: int, repetitions: int = 1) -> Array:
    """W (n, n × repetitions), entries of modulus 1 and orthogonal rows: Hadamard, or DFT where n is no power of two; not symmetric."""
    power_of_two = n & (n - 1) == 0
    rows = hadamard(n).astype(complex) if power_of_two else np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)
    return np.tile(np.roll(rows, -1, axis=0), repetitions)


@lru_cache(maxsize=32)
def ltf_sequence(numerology: Numerology) -> Array:
    """b (K,): the base sequence of the long training field on the used carriers."""
    return zadoff_chu(7, numerology.n_used + 1)


@lru_cache(maxsize=32)
def stf(numerology: Numerology, n_tx: int) -> Array:
    """The short training field (stf_length, n_tx)."""
    tones = np.array([k for k in range(-_TONES // 2, _TONES // 2 + 1) if k])
    shift = np.arange(n_tx) * STF_PERIOD / n_tx
    n = np.arange(numerology.stf_length)
    turns = tones[:, None, None] * (n[None, :, None] + shift) / STF_PERIOD
    field: Array = np.tensordot(zadoff_chu(5, _TONES + 1), np.exp(2j * np.pi * turns), 1) / np.sqrt(_TONES * n_tx)
    return field


def ltf(numerology: Numerology, n_tx: int) -> Array:
    """The long training field ((N + CP) n_tx repetitions, n_tx)."""
    W = training_matrix(n_tx, numerology.ltf_repetitions)
    grid = W.T[:, None, :] * ltf_sequence(numerology)[:, None] / np.sqrt(n_tx)
    return modulate(numerology, grid)


@lru_cache(maxsize=64)
def pilots(numerology: Numerology, n_tx: int, symbols: int) -> Array:
    """Pilots (symbols, pilots, n_tx) of the payload's first symbols."""
    turns = (np.arange(symbols)[:, None] + np.arange(len(numerology.pilots)))[..., None] * np.arange(n_tx) / n_tx
    return np.exp(2j * np.pi * turns) / np.sqrt(n_tx)


def modulate(numerology: Numerology, grid: Array) -> Array:
    """Samples (symbols (N + CP), antennas) of carriers (symbols, K, antennas)."""
    spectrum = np.zeros((len(grid), numerology.n_fft, grid.shape[-1]), complex)
    spectrum[:, numerology.carriers % numerology.n_fft] = grid
    body = np.fft.ifft(spectrum, axis=1) * (numerology.n_fft / np.sqrt(numerology.n_used))
    return np.concatenate([body[:, -numerology.cyclic_prefix :], body], 1).reshape(-1, grid.shape[-1])


def demodulate(numerology: Numerology, samples: Array, first: int, symbols: int) -> Array:
    """Carriers (symbols, K, antennas) of samples (…, antennas), the first symbol's body beginning at sample `first`."""
    starts = first + numerology.symbol_length * np.arange(symbols)
    body = samples[starts[:, None] + np.arange(numerology.n_fft)]
    spectrum = np.fft.fft(body, axis=1)[:, numerology.carriers % numerology.n_fft]
    return spectrum * (np.sqrt(numerology.n_used) / numerology.n_fft)
