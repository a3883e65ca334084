"""Channel estimation from radio pilots: an estimate of h at a message's resource elements, with its error.

At its pilot elements every antenna pair is seen as y = h_p + n, n ~ CN(0, σ²/P_p), P_p the power of a pilot symbol: the pilots of different
transmit antennas are orthogonal (elements of their own, or a cover code over neighbours), so antennas do not disturb one another. Both
estimators are linear, ĥ = A y for all pairs alike. With the statistics R of the grid (mean zero), d the message's elements, p the pilots',

    LMMSE           A = R_dp (R_pp + σ²/P_p I)^{-1},        E|h − ĥ|² = diag(R_dd − A R_pd)       (posterior mean and variance)
    least squares   A interpolates between pilots,          E|h − ĥ|² = diag(R_dd − A R_pd − R_dp Aᴴ + A (R_pp + σ²/P_p I) Aᴴ).

Pilots may come earlier than the message: LMMSE then predicts, and its error contains the ageing. Least squares knows no prior; `corrected`
shrinks each of its entries to the posterior mean given that entry, so that a design may take what is left for noise [kay1993fundamentals].
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.csi.statistics import GridStatistics
from latentlink.channels.matrices import Scalars, not_negative
from latentlink.channels.ofdm import ResourceElements
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import as_generator, finite
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call

_LOADING = 8 * torch.finfo(torch.float64).eps  # of R_pp per pilot: a smooth channel's R_pp is singular to rounding without noise


@dataclass(frozen=True, eq=False)
class ChannelEstimator(Summarised):
    """ĥ = A y for every antenna pair, from p pilots to a message's u elements; the leading `...` is a batch of pilot noises.

    Attributes:
        weights: A (…, u, p).
        error_variance: E|h − ĥ|² of each element (…, u), from the statistics and the pilot noise alone.
        trust: E[h ĥ*] / E|ĥ|² (…, u): E[h | ĥ] = trust · ĥ, entry by entry; 1 for LMMSE.
        uncertainty: E|h − trust · ĥ|² (…, u).
        pilot_noise: σ²/P_p (…).

    Example:
        >>> import latentlink as ll
        >>> pilots, message = ll.channels.ResourceElements.comb(4, 48), ll.channels.ResourceElements.over_frequency(4, 48)
        >>> statistics = ll.csi.ScatteringStatistics(rms_delay_spread_s=100e-9)
        >>> estimator = ll.csi.lmmse_estimator(statistics, pilots, message, pilot_noise=0.1)
        >>> estimator.estimate(ll.rayleigh(2, 2, batch=(len(pilots),), generator=0), generator=0).shape  # elements × antennas
        torch.Size([4, 2, 2])
    """

    weights: Complex[Tensor, "*batch u p"]
    error_variance: Float[Tensor, "*batch u"]
    trust: Complex[Tensor, "*batch u"]
    uncertainty: Float[Tensor, "*batch u"]
    pilot_noise: Float[Tensor, "*batch"]

    def corrected(self) -> "ChannelEstimator":
        """Shrink each entry to its posterior mean: the error is then uncorrelated with the estimate, as designs suppose."""
        weights = self.trust.unsqueeze(-1) * self.weights
        return replace(self, weights=weights, error_variance=self.uncertainty, trust=torch.ones_like(self.trust))

    def estimate(
        self, at_pilots: Complex[Tensor, "*a p r t"], generator: torch.Generator | int | None = None
    ) -> Complex[Tensor, "*b u r t"]:
        """Estimate ĥ (…, u, n_rx, n_tx) from channels at the pilots, with pilot noise drawn here.

        Args:
            at_pilots: the channels at the pilots (…, p, n_rx, n_tx).
            generator: source of the pilot noise, or its seed.

        Raises:
            ValueError: at_pilots is real, not finite or not of p elements, or the generator is neither a generator nor a seed.
        """
        h = finite("at_pilots", at_pilots)
        if not h.is_complex() or h.ndim < 3 or h.shape[-3] != self.weights.shape[-1]:
            expected = f"(..., {self.weights.shape[-1]}, n_rx, n_tx)"
            raise ValueError(f"at_pilots must be complex of shape {expected}, got {h.dtype} {tuple(h.shape)}")
        batch = torch.broadcast_shapes(h.shape[:-3], self.pilot_noise.shape)
        noise = torch.randn(
            *batch, *h.shape[-3:], dtype=h.dtype, device=h.device, generator=as_generator(generator, "pilot noise", h.device)
        )
        y = h + self.pilot_noise.to(h.real).sqrt()[..., None, None, None] * noise
        return (self.weights.to(h) @ y.flatten(-2)).unflatten(-1, h.shape[-2:])

    def known(self, truth: Channel, at_pilots: Complex[Tensor, "*a p r t"], generator: torch.Generator | int | None = None) -> Channel:
        """Estimate channels: `h` is ĥ and `error_variance` the mean of the error variance over the message's elements.

        Args:
            truth: the channels at the message's elements, of which noise and power are taken.
            at_pilots: the channels at the pilots (…, p, n_rx, n_tx).
            generator: source of the pilot noise, or its seed.

        Raises:
            ValueError: as `estimate`, or the estimate is not of the truth's shape.
        """
        h = self.estimate(at_pilots, generator)
        if h.shape[-3:] != truth.h.shape[-3:]:
            raise ValueError(f"truth must have (uses, n_rx, n_tx) = {tuple(h.shape[-3:])} as estimated, got {tuple(truth.h.shape[-3:])}")
        return replace(truth, h=h, error_variance=self.error_variance.mean(-1))


@validate_call
def lmmse_estimator(
    statistics: GridStatistics, pilots: ResourceElements, message: ResourceElements, *, pilot_noise: Scalars
) -> ChannelEstimator:
    """Make the best linear estimator, which for Gaussian channels is the posterior mean.

    Args:
        statistics: the covariance of the channel over the grid.
        pilots: elements of the grid with pilots, earlier than the message if the estimate is older.
        message: elements of the grid that carry the message.
        pilot_noise: σ²/P_p ≥ 0 (…), noise variance over the power of a pilot.

    Returns:
        The estimator A (…, u, p) = R_up (R_pp + σ²/P_p I)⁻¹, with the error that it leaves.

    Raises:
        ValueError: the noise is negative or not finite, or the statistics do not cover the elements.

    Example:
        >>> import latentlink as ll
        >>> pilots, message = ll.channels.ResourceElements.comb(4, 48), ll.channels.ResourceElements.over_frequency(4, 48)
        >>> statistics = ll.csi.ScatteringStatistics(rms_delay_spread_s=100e-9)
        >>> ll.csi.lmmse_estimator(statistics, pilots, message, pilot_noise=0.1).error_variance
        tensor([0.0107, 0.0066, 0.0067, 0.0128], dtype=torch.float64)
    """
    R_dp, R_pp, power, noise = _known(statistics, pilots, message, pilot_noise)
    loading = noise + _LOADING * len(pilots) * R_pp.diagonal().real.mean()
    eye = torch.eye(len(pilots), dtype=R_pp.dtype, device=R_pp.device)
    L = torch.linalg.cholesky(R_pp + loading[..., None, None] * eye)
    weights = torch.cholesky_solve(R_dp.mH.expand(*noise.shape, -1, -1), L).mH
    left = (power - (weights * R_dp.conj()).sum(-1).real).clamp(min=0)
    return ChannelEstimator(weights, left, torch.ones_like(left).to(weights), left, noise)


@validate_call
def least_squares_estimator(
    statistics: GridStatistics, pilots: ResourceElements, message: ResourceElements, *, pilot_noise: Scalars, linear: bool = True
) -> ChannelEstimator:
    """Interpolate the pilots as they are received; the statistics serve only to compute the error that remains.

    Within each symbol that has pilots, linearly in frequency between the two nearest, held beyond the outermost; then the same in time
    between symbols, held after the last (an outdated estimate is used as it is). Or, not linear, the nearest symbol's nearest pilot.

    Args:
        statistics: the covariance of the channel over the grid, for the error alone.
        pilots: elements of the grid with pilots.
        message: elements of the grid that carry the message.
        pilot_noise: σ²/P_p ≥ 0 (…), noise variance over the power of a pilot.
        linear: whether to interpolate linearly, or to take the nearest pilot.

    Returns:
        The estimator, which does not shrink what it receives (see `ChannelEstimator.corrected`).

    Raises:
        ValueError: as `lmmse_estimator`.

    Example:
        >>> import latentlink as ll
        >>> pilots, message = ll.channels.ResourceElements.comb(4, 48), ll.channels.ResourceElements.over_frequency(4, 48)
        >>> statistics = ll.csi.ScatteringStatistics(rms_delay_spread_s=100e-9)
        >>> makers = ll.csi.least_squares_estimator, ll.csi.lmmse_estimator
        >>> [round(float(make(statistics, pilots, message, pilot_noise=0.1).error_variance.mean()), 3) for make in makers]
        [0.063, 0.009]
    """
    R_dp, R_pp, power, noise = _known(statistics, pilots, message, pilot_noise)
    weights = _interpolate(pilots, message, linear).to(R_dp).expand(*noise.shape, -1, -1)
    cross = (R_dp * weights.conj()).sum(-1)  # E[h ĥ*]
    seen = ((weights @ R_pp) * weights.conj()).sum(-1).real + noise.unsqueeze(-1) * weights.abs().square().sum(-1)  # E|ĥ|²
    trust = torch.complex(ratio(cross.real, seen), ratio(cross.imag, seen))
    left = (power - (trust.conj() * cross).real).clamp(min=0)
    return ChannelEstimator(weights, (power - 2 * cross.real + seen).clamp(min=0), trust, left, noise)


def _known(
    statistics: GridStatistics, pilots: ResourceElements, message: ResourceElements, pilot_noise: Scalars
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute R_dp, R_pp and the diagonal of R_dd, and check the pilot noise."""
    R_pp = statistics.covariance(pilots, pilots)
    power = statistics.covariance(message, message).diagonal().real
    return statistics.covariance(message, pilots), R_pp, power, not_negative("pilot_noise", pilot_noise, R_pp)


def _interpolate(pilots: ResourceElements, message: ResourceElements, linear: bool) -> Float[Tensor, "u p"]:
    """Compute A (u, p) of least squares: weights in time of each symbol's pilots times weights in frequency among them."""
    k, symbol = torch.tensor(pilots.subcarriers, device="cpu"), torch.tensor(pilots.symbols, device="cpu")
    symbols = symbol.unique()
    A = torch.zeros(len(message), len(pilots), dtype=torch.float64, device="cpu")
    in_time = _between(symbols, torch.tensor(message.symbols, device="cpu"), linear)
    for number, at in enumerate(symbols):
        own = (symbol == at).nonzero().squeeze(-1)
        own = own[k[own].argsort()]
        A[:, own] = in_time[:, number, None] * _between(k[own], torch.tensor(message.subcarriers, device="cpu"), linear)
    return A


def _between(known: Tensor, wanted: Tensor, linear: bool) -> Float[Tensor, "w k"]:
    """Compute the weights (w, k) of values at rising places `known` for places `wanted`: linear or nearest, held outside."""
    place = wanted.clamp(known[0], known[-1])
    right = torch.searchsorted(known, place).clamp(max=len(known) - 1)
    left = torch.where(known[right] == place, right, right - 1).clamp(min=0)
    share = torch.where(right > left, (place - known[left]) / (known[right] - known[left]).clamp(min=1), 0.0).double()
    share = share if linear else share.round()
    weights = torch.zeros(len(wanted), len(known), dtype=torch.float64, device="cpu")
    return weights.scatter_add(1, left[:, None], 1 - share[:, None]).scatter_add(1, right[:, None], share[:, None])
