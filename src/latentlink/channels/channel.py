"""The channel between the two devices: r_u = H_u s_u + v_u over u channel uses, v ~ CN(0, σ² I), Σ_u E||s_u||² ≤ u·P."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.csi.posterior import posterior
from latentlink.channels.interference import checked_interference, drawn_interference, of_more_uses
from latentlink.channels.matrices import Scalars, broadcast, complex_matrices, not_negative, real_numbers
from latentlink.channels.snr import noise_variance_from_snr, snr_db_from_noise_variance, warn_of_gain, warn_of_phases
from latentlink.numerics.doors import AnyArray, as_generator, finite, integer
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts
from latentlink.numerics.reprs import Summarised, counted, spread

_SCALARS = ("noise_variance", "power", "error_variance")


@made_by("Channel.from_snr(h, snr_db)")
@dataclass(frozen=True, eq=False, init=False, repr=False)
class Channel(Summarised, Parts):
    """A batch of MIMO channels; every tensor shares the leading dimensions `...`, one channel each.

    Attributes:
        h: (…, u, n_rx, n_tx) complex, one matrix per channel use.
        noise_variance: σ² ≥ 0 (…), of the complex noise at one receive antenna; half of it per real dimension; 0 is noise-free.
        power: P ≥ 0 (…), mean transmit power per channel use.
        error_variance: τ ≥ 0 (…), variance of each entry of H around h given what is known; 0 is perfect CSI (see `estimated`).
        interference: covariance (…, 2 u n_rx, 2 u n_rx) of Gaussian interference beside that noise, such as other users' signals: of the
            real parts of all uses and antennas, then of their imaginary parts; None without it.

    Raises:
        ValueError: naming the argument that is real, has the wrong shape, is not finite or negative, or does not broadcast with the others.

    Example:
        >>> import latentlink as ll
        >>> ll.Channel(ll.rayleigh(4, 2, batch=(10, 3), generator=0), noise_variance=0.01)  # 3 uses each
        Channel(10 channels, 4×2, 3 uses, SNR 16.99 dB, power 1)
    """

    h: Complex[Tensor, "*batch u r t"]
    noise_variance: Float[Tensor, "*batch"]
    power: Float[Tensor, "*batch"]
    error_variance: Float[Tensor, "*batch"]
    interference: Float[Tensor, "*batch r2 r2"] | None = None

    def __init__(
        self,
        h: AnyArray,
        noise_variance: Scalars = 0.0,
        power: Scalars = 1.0,
        *,
        error_variance: Scalars = 0.0,
        interference: AnyArray | None = None,
    ) -> None:
        h = complex_matrices("h", h, 3, "(..., uses, n_rx, n_tx)")
        values = {
            name: not_negative(name, value, h)
            for name, value in (("noise_variance", noise_variance), ("power", power), ("error_variance", error_variance))
        }
        outside = None if interference is None else checked_interference(interference, h)
        batches = {} if outside is None else {"interference": outside.shape[:-2]}
        batch = broadcast(h=h.shape[:-3], **{name: value.shape for name, value in values.items()}, **batches)
        object.__setattr__(self, "h", h.expand(*batch, *h.shape[-3:]))
        for name, value in values.items():
            object.__setattr__(self, name, value.expand(batch))
        object.__setattr__(self, "interference", None if outside is None else outside.expand(*batch, *outside.shape[-2:]))

    @classmethod
    def from_snr(cls, h: AnyArray, snr_db: Scalars, power: Scalars = 1.0) -> "Channel":
        """One use of each h (…, n_rx, n_tx) at an SNR of P / (n_tx σ²); `snr_db` and `power` broadcast with the batch `...`.

        Raises:
            ValueError: as the class, or `snr_db` is NaN or −inf, or `power` is zero.

        Warns:
            UserWarning: what arrives has a mean SNR below −60 or above 130 dB, as where a path loss was left in h, or several
                channels have no phases.

        Example:
            >>> import latentlink as ll
            >>> ll.Channel.from_snr(ll.rayleigh(2, 4, batch=(100,), generator=0), snr_db=20.0)
            Channel(100 channels, 2×4, 1 use, SNR 20 dB, power 1)
        """
        h = complex_matrices("h", h, 2, "(..., n_rx, n_tx)")
        return cls.from_grid(h.unsqueeze(-3), snr_db, power)

    @classmethod
    def from_grid(cls, grid: AnyArray, snr_db: Scalars, power: Scalars = 1.0) -> "Channel":
        """Channel uses that differ (OFDM, time, measured): grid (…, u, n_rx, n_tx), all at the same noise; raises as `from_snr`.

        Example:
            >>> import latentlink as ll
            >>> ll.Channel.from_grid(ll.rayleigh(2, 4, batch=(100, 12), generator=0), snr_db=20.0)
            Channel(100 channels, 2×4, 12 uses, SNR 20 dB, power 1)
        """
        grid = complex_matrices("grid", grid, 3, "(..., uses, n_rx, n_tx)")
        snr_db = real_numbers("snr_db", snr_db, grid)
        if snr_db.isnan().any() or snr_db.isneginf().any():
            raise ValueError("snr_db must be finite, or +inf for no noise, got NaN or -inf")
        power = not_negative("power", power, grid)
        if (power == 0).any():
            raise ValueError("power must be positive for an SNR to say anything about the noise, got 0")
        broadcast(h=grid.shape[:-3], snr_db=snr_db.shape, power=power.shape)
        noise_variance = noise_variance_from_snr(snr_db, power, grid.shape[-1])
        if not noise_variance.isfinite().all():
            raise ValueError(f"snr_db must leave the noise finite, got {float(snr_db.min()):g} dB")
        warn_of_gain(grid, snr_db)
        warn_of_phases(grid)
        return cls(grid, noise_variance, power)

    @property
    def uses(self) -> int:
        """u, number of channel uses that one message takes."""
        return self.h.shape[-3]

    @property
    def n_rx(self) -> int:
        """Number of receive antennas."""
        return self.h.shape[-2]

    @property
    def n_tx(self) -> int:
        """Number of transmit antennas."""
        return self.h.shape[-1]

    @property
    def real_symbols(self) -> int:
        """The number of real symbols of a message, 2 u min(n_rx, n_tx): two for each singular value of each use."""
        return 2 * self.uses * min(self.n_rx, self.n_tx)

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...`."""
        return self.h.shape[:-3]

    @property
    def snr_db(self) -> Float[Tensor, "*batch"]:
        """SNR per transmit antenna in dB (…), +inf without noise; interference does not count."""
        return snr_db_from_noise_variance(self.noise_variance, self.power, self.n_tx)

    @property
    def effective_noise(self) -> Float[Tensor, "*batch"]:
        """Effective noise σ² + τ P (…) of a use with power P: white noise and the signal through the unknown error, no interference."""
        return self.noise_variance + self.error_variance * self.power

    @property
    def uncertain(self) -> bool:
        """True if any channel of the batch is known only up to an error."""
        return bool((self.error_variance > 0).any())

    @property
    def coloured(self) -> bool:
        """True if there is interference, so that the noise is not white."""
        return self.interference is not None

    def without_error(self) -> "Channel":
        """The channels with error variance zero: a naive design takes an estimate for the true channel."""
        return replace(self, error_variance=torch.zeros_like(self.error_variance))

    def flattened(self) -> "Channel":
        """The same channels with one batch dimension."""
        values = {name: getattr(self, name).reshape(-1) for name in _SCALARS}
        outside = None if self.interference is None else self.interference.reshape(-1, *self.interference.shape[-2:])
        return type(self)(self.h.reshape(-1, *self.h.shape[-3:]), **values, interference=outside)

    def repeated(self, uses: int) -> "Channel":
        """Block fading: each use of h comes `uses` times in a row; its interference is independent in each of them.

        Raises:
            ValueError: `uses` is no integer >= 1.

        Example:
            >>> import latentlink as ll
            >>> ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=10.0).repeated(4).uses
            4
        """
        uses = integer("uses", uses)
        copies = self.h.unsqueeze(-3).expand(*self.h.shape[:-2], uses, *self.h.shape[-2:])
        outside = None if self.interference is None else of_more_uses(self.interference, self.uses, uses)
        return replace(self, h=copies.flatten(-4, -3) if self.uses > 1 else copies.squeeze(-4), interference=outside)

    def with_power(self, power: Scalars) -> "Channel":
        """The same channels and noise under another budget P (broadcast with the batch)."""
        return type(self)(self.h, self.noise_variance, power, error_variance=self.error_variance, interference=self.interference)

    def estimated(self, error_variance: Scalars, gain: float = 1.0, generator: torch.Generator | int | None = None) -> "Channel":
        """Estimate the channels from one noisy measurement Ĥ = H + E', E' ~ CN(0, error_variance), per use.

        Args:
            error_variance: E|Ĥ − H|² of each entry (…).
            gain: E|h|², the prior variance of each entry.
            generator: source of the errors, or its seed.

        Returns:
            Channels whose `h` is the posterior mean and whose `error_variance` is the posterior variance, under the prior CN(0, gain);
            an estimate of repeated uses of one matrix is made once.

        Raises:
            ValueError: a variance or the gain is negative or not finite, or the generator is neither a generator nor a seed.

        Example:
            >>> import latentlink as ll
            >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=10.0)
            >>> round(float(channel.estimated(0.25, generator=0).error_variance), 2)  # 0.25 · gain / (0.25 + gain)
            0.2
        """
        variance = not_negative("error_variance", error_variance, self.h)
        h = self.h.expand(*broadcast(h=self.batch, error_variance=variance.shape), *self.h.shape[-3:])
        once = h.narrow(-3, 0, 1) if is_block_fading(h) else h
        source = as_generator(generator, "estimation error", once.device)
        noise = torch.randn(once.shape, dtype=once.dtype, device=once.device, generator=source)
        mean, uncertainty = posterior(once + variance.sqrt()[..., None, None, None] * noise, variance, gain)
        return replace(self, h=mean.expand(h.shape), error_variance=uncertainty)

    def unaware(self) -> "Channel":
        """The paper's channel-unaware design point: H = I without noise or interference, at the same power."""
        eye = torch.eye(self.n_rx, self.n_tx, dtype=self.h.dtype, device=self.h.device)
        return type(self)(eye.expand(self.h.shape), power=self.power)

    def __getitem__(self, index: Any) -> "Channel":
        """Some of the batch, indexed as a tensor of shape `batch` is; an IndexError where that cannot be."""
        keys = index if isinstance(index, tuple) else (index,)
        matrices = (*keys, slice(None), slice(None), slice(None)) if any(key is ... for key in keys) else index  # "..." ends at the batch
        try:
            h, values = self.h[matrices], {name: getattr(self, name)[index] for name in _SCALARS}
            square = (*keys, slice(None), slice(None)) if any(key is ... for key in keys) else index
            outside = None if self.interference is None else self.interference[square]
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            raise IndexError(f"index must be one of a tensor of shape {tuple(self.batch)}: {str(error).splitlines()[0]}") from error
        return type(self)(h, **values, interference=outside)

    @property
    def sizes(self) -> dict[str, str]:
        """The number of channels, the receive × transmit antennas and the number of uses, in words."""
        batch = f" ({'×'.join(map(str, self.batch))})" if len(self.batch) > 1 else ""
        return {
            "channels": counted(self.batch.numel(), "channel") + batch,
            "antennas (receive × transmit)": f"{self.n_rx}×{self.n_tx}",
            "channel uses": counted(self.uses, "use"),
        }

    def _facts(self) -> dict[str, str]:
        error = f"error variance {spread(self.error_variance)}" if self.uncertain else ""
        coloured = "" if self.interference is None else f"interference {spread(self.interference.diagonal(dim1=-2, dim2=-1).sum(-1))}"
        facts = {"SNR": f"SNR {spread(self.snr_db)} dB", "power": f"power {spread(self.power)}", "error variance": error}
        return {**self.sizes, **facts, "interference": coloured}

    def apply(self, s: AnyArray, generator: torch.Generator | int | None = None) -> Complex[Tensor, "*b n u r"]:
        """Send n messages s (…, n, u, n_tx) through each channel: r = H s + v, fresh noise for each.

        Args:
            s: channel symbols.
            generator: source of the noise, or its seed.

        Raises:
            ValueError: s is real or not finite, its uses or antennas are not the channel's, its batch does not fit, or the generator is
                neither a generator nor a seed.

        Example:
            >>> import torch, latentlink as ll
            >>> channel = ll.Channel.from_snr(ll.rayleigh(4, 2, generator=0), snr_db=10.0)
            >>> channel.apply(torch.ones(50, 1, 2, dtype=torch.complex64), generator=0).shape  # messages × uses × receive antennas
            torch.Size([50, 1, 4])
        """
        s = finite("s", s)
        if not s.is_complex():
            raise ValueError(f"s must be complex, got {s.dtype}")
        if s.ndim < 3 or s.shape[-2:] != (self.uses, self.n_tx):
            raise ValueError(f"s must end in (uses, n_tx) = {(self.uses, self.n_tx)}, got {tuple(s.shape)}")
        broadcast(h=self.batch, s=s.shape[:-3])
        r = (s.transpose(-3, -2) @ self.h.to(s.dtype).mT).transpose(-3, -2)
        generator = as_generator(generator, "noise", r.device)
        noise = torch.randn(r.shape, dtype=r.dtype, device=r.device, generator=generator)
        r = r + self.noise_variance.to(r.real.dtype).sqrt()[..., None, None, None] * noise
        return r if self.interference is None else r + drawn_interference(self.interference, r, generator)


def is_block_fading(h: Complex[Tensor, "*batch u r t"]) -> bool:
    """Return True if all uses of every channel of the batch have the same matrix."""
    return h.shape[-3] == 1 or h.stride(-3) == 0 or bool((h == h.narrow(-3, 0, 1)).all())
