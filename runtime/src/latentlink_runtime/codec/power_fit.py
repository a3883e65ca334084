"""The power of a codec as a function of the channel, so that no latents have to pass the networks when a channel is designed for.

With u what the encoder's reader makes of the channel's features, a regression on [u, u²], standardised, gives

    log( E‖raw‖² / E‖linear‖² ),        a gain in error,        E t_i² of every stream,

of which κ² = E‖linear‖² / E‖raw‖² brings the mean energy of the symbols to the budget. It was fitted on channels whose bits lie between
`least` and `most` for their number of symbols; others are left to the latents that the codec carries.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlink_runtime.artifacts.artifact_file import Tensors, check_arrays
from latentlink_runtime.codec.network import Network
from latentlink_runtime.codec.streams import Streams

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class PowerFit:
    """The regression of the module.

    Attributes:
        mean: means of the regressors (2 f,).
        scale: standard deviations of the regressors (2 f,).
        weight: of the standardised regressors and of 1 (2 f + 1, 2 + S).
        least: fewest bits of a message that it was fitted to, by number of symbols.
        most: most bits likewise; −1 where there was no channel.
    """

    mean: Array
    scale: Array
    weight: Array
    least: Array
    most: Array

    @classmethod
    def from_tensors(cls, tensors: Tensors, symbols: int, units: int) -> "PowerFit | None":
        """The fit of a codec whose encoder's reader has so many units, or None where it has none; ValueError for arrays of other shapes."""
        if not any(name.startswith("power.") for name in tensors):
            return None
        names = ("mean", "scale", "weight", "least", "most")
        shapes = ((2 * units,), (2 * units,), (2 * units + 1, 2 + 2 * symbols), (symbols + 1,), (symbols + 1,))
        check_arrays(tensors, {f"power.{name}": shape for name, shape in zip(names, shapes, strict=True)}, (np.float32,))
        return cls(*(tensors[f"power.{name}"] for name in names))

    def covers(self, streams: Streams) -> Array:
        """True for the channels that lie among those that it was fitted to."""
        bits, symbols = streams.bits, streams.symbols
        covered: Array = (bits >= self.least[symbols]) & (bits <= self.most[symbols])
        return covered

    def predict(self, encoder: Network, streams: Streams, ceiling: Array) -> tuple[Array, Array]:
        """The energy (…) of what is sent relative to that of the linear design, and the energies (…, S) of the streams."""
        u = encoder.read(streams.features(ceiling)).astype(np.float64)
        x = (np.concatenate([u, u**2], -1) - self.mean) / self.scale.astype(np.float64)
        found = (x @ self.weight[:-1].astype(np.float64) + self.weight[-1]).astype(np.float32)
        return np.exp(found[..., 0]), np.maximum(found[..., 2:], 0) * streams.alive
