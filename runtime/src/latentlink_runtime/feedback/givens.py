"""Matrices with orthonormal columns as Givens angles, as 802.11 and `latentlink.csi` feed precoders back.

Up to phases of its columns, which do not matter to any design, V (n_tx × q) is

    V = Π_{i < min(q, n_tx − 1)} [ D_i(φ) Π_{l > i} G_il(ψ)ᵀ ] I_{n_tx × q},

D_i turning the phases of rows i … n_tx − 2 and G_il rotating rows i and l, with φ ∈ [0, 2π) and ψ ∈ [0, π/2].
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def angle_count(n_tx: int, q: int) -> int:
    """The number of φ of an n_tx × q matrix, which has as many ψ."""
    return sum(n_tx - 1 - i for i in range(min(q, n_tx - 1)))


def givens_angles(V: Array) -> tuple[Array, Array]:
    """φ and ψ (…, a) of matrices (…, n_tx, q) with orthonormal columns, in the order in which they turn V into I."""
    n, q = V.shape[-2:]
    rows = [V[..., row, :] for row in range(n)]
    phi: list[Array] = []
    psi: list[Array] = []
    for i in range(min(q, n - 1)):
        turn = np.conj(_phase(rows[n - 1][..., i]))  # of the column, which costs nothing
        for row in range(i, n - 1):
            phase = _phase(rows[row][..., i] * turn)
            phi.append(np.angle(phase))
            rows[row] = rows[row] * np.conj(phase)[..., None]
        for row in range(i + 1, n):
            angle = np.arctan2(np.abs(rows[row][..., i]), np.abs(rows[i][..., i]))
            psi.append(angle)
            cos, sin = np.cos(angle)[..., None], np.sin(angle)[..., None]
            rows[i], rows[row] = cos * rows[i] + sin * rows[row], cos * rows[row] - sin * rows[i]
    empty = np.zeros((*V.shape[:-2], 0), V.real.dtype)
    return (np.stack(phi, -1), np.stack(psi, -1)) if phi else (empty, empty)


def from_givens_angles(phi: Array, psi: Array, q: int, n_tx: int) -> Array:
    """V (…, n_tx, q) of its angles, in their precision; its columns are orthonormal whatever the angles are."""
    eye = np.broadcast_to(np.eye(n_tx, q, dtype=np.result_type(phi.dtype, np.complex64)), (*phi.shape[:-1], n_tx, q))
    rows = [eye[..., row, :] for row in range(n_tx)]
    for i in reversed(range(min(q, n_tx - 1))):
        start = i * (n_tx - 1) - i * (i - 1) // 2  # number of the first angle
        for row in reversed(range(i + 1, n_tx)):
            angle = psi[..., start + row - i - 1, None]
            cos, sin = np.cos(angle), np.sin(angle)
            rows[i], rows[row] = cos * rows[i] - sin * rows[row], cos * rows[row] + sin * rows[i]
        for row in range(i, n_tx - 1):
            angle = phi[..., start + row - i, None]
            rows[row] = rows[row] * (np.cos(angle) + 1j * np.sin(angle)).astype(rows[row].dtype)
    return np.stack(rows, -2)


def _phase(z: Array) -> Array:
    """z / |z|; 1 for 0."""
    angle = np.angle(z)
    phase: Array = np.cos(angle) + 1j * np.sin(angle)
    return phase
