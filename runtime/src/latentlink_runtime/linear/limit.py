"""Power limits of single messages: a peak above which messages are clipped, or one energy for all of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlink_runtime.numerics.waterfilling import ratio

Array = np.ndarray[Any, Any]

WORDS = ("mean", "per-use", "per-message", "per-antenna", "equal", "one-use-at-a-time")


@dataclass(frozen=True)
class Limit:
    """The power limit of a saved link, by its word in the manifest.

    Attributes:
        word: what the budget limits: one of `WORDS`.
        peak: largest energy of a message over u P, or None.
    """

    word: str = "mean"
    peak: float | None = None

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> "Limit":
        """The limit of a saved link."""
        word, peak = manifest["power_limit"], manifest.get("peak")
        if word not in WORDS:
            raise ValueError(f"power_limit must be one of {', '.join(WORDS)}, got {word!r}")
        if peak is not None and not (type(peak) in (int, float) and 0 < peak < float("inf")):
            raise ValueError(f"peak must be a number above 0, got {peak!r}")
        return cls(word, None if peak is None else float(peak))

    @property
    def limits_messages(self) -> bool:
        """True where single messages are scaled, so that what is sent is not linear in the latent."""
        return self.word == "per-message" or self.peak is not None

    def gain(self, energy: Array, budget: Array) -> Array:
        """The factor (…, n) of messages of these energies (…, n), with the budget u P (…, 1)."""
        if self.word == "per-message":
            return np.sqrt(ratio(np.broadcast_to(budget, energy.shape), energy))
        if self.peak is not None:
            return np.where(energy > self.peak * budget, np.sqrt(ratio(np.broadcast_to(self.peak * budget, energy.shape), energy)), 1.0)
        return np.ones_like(energy)
