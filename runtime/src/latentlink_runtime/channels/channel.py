"""The channel between two devices, r_u = H_u s_u + v_u over u channel uses, v ~ CN(0, σ² I), as a device knows it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Channel:
    """A batch `...` of channels, such as the carriers of an OFDM symbol.

    Attributes:
        h: (…, u, n_rx, n_tx) complex, one matrix for each channel use.
        noise_variance: σ² ≥ 0 (…), of the complex noise at one receive antenna.
        power: P ≥ 0 (…), mean transmit power of a channel use.
        error_variance: τ ≥ 0 (…), variance of each entry of H around h; it counts as white noise τ P.

    Raises:
        ValueError: h is not complex, not finite or has other axes, or a number is negative or not finite.

    Example:
        >>> import numpy as np, latentlink_runtime as lr
        >>> channel = lr.Channel(np.eye(2, dtype=complex)[None], noise_variance=0.01, error_variance=0.02)
        >>> channel.uses, channel.n_rx, channel.n_tx, round(float(channel.effective_noise), 2)
        (1, 2, 2, 0.03)
    """

    h: Array
    noise_variance: Array
    power: Array
    error_variance: Array

    def __init__(self, h: Any, noise_variance: Any = 0.0, power: Any = 1.0, *, error_variance: Any = 0.0) -> None:
        h = np.asarray(h)
        if not np.iscomplexobj(h) or h.ndim < 3 or 0 in h.shape[-3:]:
            raise ValueError(f"h must be complex of shape (..., uses, n_rx, n_tx), got {h.dtype} {h.shape}")
        if not np.isfinite(h.view(h.real.dtype) if h.flags.c_contiguous else np.stack([h.real, h.imag])).all():
            raise ValueError("h has NaN or infinite entries")
        real = np.float64 if h.dtype == np.complex128 else np.float32
        values = {"noise_variance": noise_variance, "power": power, "error_variance": error_variance}
        arrays: dict[str, Array] = {name: np.asarray(value, real) for name, value in values.items()}
        for name, value in arrays.items():
            if not np.isfinite(value).all() or (value < 0).any():
                raise ValueError(f"{name} must be finite and not negative, got {value}")
        batch = np.broadcast_shapes(h.shape[:-3], *(value.shape for value in arrays.values()))
        object.__setattr__(self, "h", np.broadcast_to(h, (*batch, *h.shape[-3:])))
        for name, value in arrays.items():
            object.__setattr__(self, name, np.broadcast_to(value, batch))

    @property
    def batch(self) -> tuple[int, ...]:
        """The leading dimensions `...`."""
        return self.h.shape[:-3]

    @property
    def uses(self) -> int:
        """u, channel uses of a message."""
        return int(self.h.shape[-3])

    @property
    def n_rx(self) -> int:
        """Receive antennas."""
        return int(self.h.shape[-2])

    @property
    def n_tx(self) -> int:
        """Transmit antennas."""
        return int(self.h.shape[-1])

    @property
    def effective_noise(self) -> Array:
        """σ² + τ P (…): the noise, and the signal through the unknown error of the channel."""
        return self.noise_variance + self.error_variance * self.power

    @property
    def is_block_fading(self) -> bool:
        """True if all uses of every channel have the same matrix."""
        return self.uses == 1 or bool((self.h == self.h[..., :1, :, :]).all())

    def astype(self, dtype: Any) -> "Channel":
        """The same channels in the precision of a real dtype."""
        if self.h.real.dtype == dtype:
            return self
        h = self.h.astype(np.result_type(dtype, np.complex64))
        return Channel(h, self.noise_variance, self.power, error_variance=self.error_variance)

    def with_power(self, power: Any) -> "Channel":
        """The same channels and noise under another budget P (…)."""
        return Channel(self.h, self.noise_variance, power, error_variance=self.error_variance)
