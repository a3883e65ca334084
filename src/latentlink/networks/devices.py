"""The ends of a network as its devices have them: transmitters of several latents, and receivers of one user each."""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.numerics.doors import AnyArray, finite


@dataclass(frozen=True, eq=False)
class NetworkTransmitter:
    """One transmitter: s = Σ_i F_i Φ_i (x_i − μ_i) over its sources.

    Attributes:
        analysis: Φ_i (c_i, d_i) of each of its sources.
        mean_x: μ_i (d_i,) of each.
        precoder: F (…, 2 u n_tx, Σ c_i).
        shape: (u, n_tx).

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots(x=[x], y=[x.tanh(), x.sin()]))
        >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 2, generator=k)] for k in range(2)], snr_db=10.0)
        >>> solution = ll.networks.Broadcast(starts=2).design(modes, links)
        >>> solution.transmitters[0].encode(x).shape
        torch.Size([500, 1, 2])
    """

    analysis: tuple[Float[Tensor, "_c _d"], ...]
    mean_x: tuple[Float[Tensor, "_d"], ...]
    precoder: Float[Tensor, "*batch t2 c"]
    shape: tuple[int, int]

    def encode(self, *x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x_i (n, d_i) of each source.

        Raises:
            ValueError: there is not one x for each source, or one has another dimension or is not finite.
        """
        if len(x) != len(self.analysis):
            raise ValueError(f"x must be the latents of each of {len(self.analysis)} sources of this transmitter, got {len(x)}")
        latents = [finite("x", each) for each in x]
        for each, mean in zip(latents, self.mean_x, strict=True):
            if each.ndim < 2 or each.shape[-1] != len(mean) or each.is_complex():
                raise ValueError(f"x must be real latents (n, {len(mean)}), got {each.dtype} {tuple(each.shape)}")
        z = torch.cat([(a.to(P) - m) @ P.mT for a, m, P in zip(latents, self.mean_x, self.analysis, strict=True)], -1)
        return _complex(z @ self.precoder.mT, self.shape)


@dataclass(frozen=True, eq=False)
class NetworkReceiver:
    """The receiver of one user: ŷ = μ + Ψ G̃ r.

    Attributes:
        synthesis: Ψ (m, c).
        mean_y: μ (m,).
        decoder: G̃ (…, c, 2 u n_rx).

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots(x=[x], y=[x.tanh(), x.sin()]))
        >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 2, generator=k)] for k in range(2)], snr_db=10.0)
        >>> solution = ll.networks.Broadcast(starts=2).design(modes, links)
        >>> r = links.apply([solution.transmitters[0].encode(x)], generator=0)
        >>> [receiver.decode(each).shape for receiver, each in zip(solution.receivers, r)]
        [torch.Size([500, 8]), torch.Size([500, 8])]
    """

    synthesis: Float[Tensor, "m c"]
    mean_y: Float[Tensor, "m"]
    decoder: Float[Tensor, "*batch c r2"]

    def decode(self, r: AnyArray) -> Float[Tensor, "*batch n m"]:
        """Estimates ŷ (…, n, m) of received symbols r (…, n, u, n_rx); a ValueError where r is real, not finite or of another shape."""
        r = finite("r", r)
        if not r.is_complex() or r.ndim < 3 or 2 * r.shape[-2] * r.shape[-1] != self.decoder.shape[-1]:
            raise ValueError(
                f"r must be complex (..., n, uses, n_rx) with uses · n_rx = {self.decoder.shape[-1] // 2}, got {tuple(r.shape)}"
            )
        stacked = torch.cat([r.real.flatten(-2), r.imag.flatten(-2)], -1).to(self.decoder)
        return self.mean_y + stacked @ self.decoder.mT @ self.synthesis.mT


def _complex(stacked: Float[Tensor, "*batch n t2"], shape: tuple[int, int]) -> Complex[Tensor, "*batch n u t"]:
    """Symbols (…, n, u, n_tx) of their real parts, then imaginary parts (…, n, 2 u n_tx)."""
    return torch.complex(*stacked.unflatten(-1, (2, *shape)).unbind(-3))
