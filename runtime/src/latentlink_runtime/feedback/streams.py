"""Streams of a report: the precoder as a function of bytes, with no tie that rounding may decide.

An SVD of diag(ĥ) V̂ᴴ would turn the space of equally quantised amplitudes as rounding has it, and two BLAS libraries, or two precisions,
would give two ends different beams. So ĥ is sorted stably and the columns of V̂ are used as they are: beams are continuous in V̂.
"""

from typing import Any

import numpy as np

from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.channels.spatial import SpatialModes
from latentlink_runtime.feedback.report import Report, group_of

Array = np.ndarray[Any, Any]


def streams_from_feedback(amplitude: Array, V: Array, noise_variance: Any, n_rx: int | None = None) -> tuple[SpatialModes, Channel]:
    """The modes, strongest first in each use, and the channel Ĥ = diag(ĥ) V̂ᴴ that has them, of ĥ (…, u, q) and V̂ (…, u, n_tx, q).

    Its receive vectors are the unit vectors: a report does not say what the receiver combines by, which matches its decoder itself.

    Args:
        amplitude: ĥ ≥ 0, in any order.
        V: the beam of each.
        noise_variance: σ̂² (…).
        n_rx: receive antennas, at least q; q if None.

    Raises:
        ValueError: the shapes do not belong together.
    """
    q, n_rx = V.shape[-1], V.shape[-1] if n_rx is None else n_rx
    if V.ndim < 3 or amplitude.shape != (*V.shape[:-2], q) or n_rx < q:
        raise ValueError(f"amplitude must be (..., u, q) and V (..., u, n_tx, q) with q <= n_rx, got {amplitude.shape}, {V.shape}, {n_rx}")
    order = np.argsort(-amplitude, -1, kind="stable")
    h = np.take_along_axis(amplitude, order, -1)
    transmit = np.take_along_axis(V, order[..., None, :], -1)
    receive = np.broadcast_to(np.eye(n_rx, q, dtype=V.dtype), (*V.shape[:-2], n_rx, q))
    matrix = receive @ (h[..., None] * np.conj(np.swapaxes(transmit, -1, -2)))
    return SpatialModes(h, transmit, receive), Channel(matrix, noise_variance)


def modes_of_carriers(report: Report, carriers: int, elements: Array | None = None, power: float = 1.0) -> tuple[SpatialModes, Channel]:
    """What both ends know of the channel of each message.

    Args:
        report: the receiver's.
        carriers: data carriers, over which the groups of the report are spread.
        elements: carriers (…, u) of the u uses of each message; the message of one use of each carrier if None.
        power: P, of a channel use.

    Raises:
        ValueError: there are fewer carriers than groups, or an element is no carrier.
    """
    if carriers < report.groups:
        raise ValueError(f"carriers must be at least the report's {report.groups} groups, got {carriers}")
    elements = np.arange(carriers)[:, None] if elements is None else np.asarray(elements)
    if elements.ndim < 1 or elements.size == 0 or not 0 <= elements.min() <= elements.max() < carriers:
        raise ValueError(f"elements must be carriers (..., u) from 0 to {carriers - 1}, got {elements}")
    h, V = report.modes()
    group = group_of(carriers, report.groups)[elements]
    modes, channel = streams_from_feedback(h[group], V[group], report.noise_variance, report.n_rx)
    return modes, Channel(channel.h, report.noise_variance, power, error_variance=report.error_variance)
