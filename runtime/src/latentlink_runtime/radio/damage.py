"""Which symbols of a payload are not what was sent: χ² of their pilots and of their prefixes, and where the frame ends.

A burst damages a symbol or two. Samples that are missing or doubled shift all that follows: the symbol within which it happened shows it by
its prefix, those after it by their pilots, and where they are blind to the shift, the end of the frame has moved.
"""

from typing import Any

import numpy as np

from latentlink_runtime.radio.prefix import limit
from latentlink_runtime.radio.track import Observation

Array = np.ndarray[Any, Any]

LOST_DEVIATIONS, DOUBTFUL_DEVIATIONS = 6.0, 2.0
SHIFTED_DEVIATIONS, SHIFTED_EXCESS = 6.0, 0.5  # of the mean χ² of all symbols from one on
SILENCE_MARGIN = 6.0  # of the log-likelihood of pilots over silence behind the payload


def lost_symbols(chi_square: Array, freedom: int, prefix: Array, prefix_freedom: float) -> Array:
    """True (symbols,) for those that χ² of pilots and of prefixes (symbols,), each of so many complex values, tell to be damaged.

    A symbol is lost where one of the two or their mean is above 1 + 6 / √freedom; beside a lost one, where the pilots' is above
    1 + 2 / √freedom; and between two. Samples that are missing or doubled shift all that follows, which pilots and prefixes see by chance
    more or less: all symbols are lost from where on the mean of those that are left is above 1 + 6 / √(freedom symbols) and 1.5, or after
    a lost one above 1 + 2 / √(freedom symbols).
    """
    both = (freedom * chi_square + prefix_freedom * prefix) / (freedom + prefix_freedom)
    views = (chi_square, freedom), (both, freedom + prefix_freedom)
    lost: Array = np.any([value > 1 + LOST_DEVIATIONS / np.sqrt(count) for value, count in views], axis=0) | (
        prefix > limit(prefix_freedom)
    )
    doubtful = chi_square > 1 + DOUBTFUL_DEVIATIONS / np.sqrt(freedom)
    for order in (slice(None), slice(None, None, -1)):
        seen = False
        for symbol in np.arange(len(lost))[order]:
            lost[symbol] |= seen and doubtful[symbol]
            seen = bool(lost[symbol])
    lost[1:-1] |= lost[:-2] & lost[2:]
    shifted = np.any([_shifted(value, count, lost) for value, count in views], axis=0)
    return lost | np.logical_or.accumulate(shifted)


def _shifted(chi_square: Array, freedom: float, lost: Array) -> Array:
    """True (symbols,) where the mean χ² from a symbol on, lost ones left out, tells of a shift (see `lost_symbols`)."""
    kept = ~lost
    count = np.maximum(np.cumsum(kept[::-1])[::-1], 1)
    excess = np.cumsum((kept * (chi_square - 1))[::-1])[::-1] / count
    behind = np.concatenate([[False], np.logical_or.accumulate(lost)])[:-1]
    likely = behind & (excess > DOUBTFUL_DEVIATIONS / np.sqrt(freedom * count))
    sure: Array = excess > np.maximum(SHIFTED_DEVIATIONS / np.sqrt(freedom * count), SHIFTED_EXCESS)
    return likely | sure


def ends_elsewhere(known: Observation, theta: Array, lost: Array) -> bool:
    """True where the payload ends late, with pilots behind its last symbol, or early, with silence in place of its last, lost symbols.

    Pilots do not see shifts of n_tx symbols, but the end of the frame moves.

    Args:
        known: pilots of the payload and, where there is a gap to hear, of one symbol more, which is not sent.
        theta: θ (symbols, K) of the payload.
        lost: which of the payload's symbols are lost.
    """
    symbols = len(lost)
    behind = known.part(slice(symbols, None))
    heard = np.abs((behind.correlation * np.exp(-1j * theta[-1:])).sum(1))
    if (heard > 0.5 * behind.weight.sum(1) + SILENCE_MARGIN).any():
        return True
    energy = (np.abs(known.received[:symbols]) ** 2 / known.noise[:, None]).mean((1, 2))
    last = np.logical_and.accumulate(lost[::-1])[::-1]
    return bool((last & (energy < 0.5 * (1 + float(np.median(energy))))).any())


def from_first(lost: Array) -> Array:
    """True (symbols,) from the first lost one on that does not merely end the frame; for all where there is none."""
    inner = lost & ~np.logical_and.accumulate(lost[::-1])[::-1]
    found: Array = np.logical_or.accumulate(inner) if inner.any() else np.ones_like(lost)
    return found
