"""First-K, Eigen-K and the disjoint design: coefficients whitened, sent, equalised, unwhitened; every step designed separately.

    c = B (x − μx)  →  z = S c,   S C Sᵀ = I,  C = B R_λ Bᵀ  →  ẑ = equalised z  →  ĉ = C Sᵀ ẑ  →  ŷ = μy + L ĉ.

S takes the principal components of c, strongest first, so that the first k of them are the Karhunen–Loève transform; components that do not
vary are left out. The link is linear, ẑ = T z + n, hence with Φ = S B, Ψ = L C Sᵀ and C_z = Φ Rx Φᵀ

    E||y − ŷ||² = tr Ry − 2 tr(T Φ Rxy Ψ) + tr(ΨᵀΨ (T C_z Tᵀ + C_n)).

Power is counted under the pilots' own C_z, whose diagonal is 1 without shrinkage.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentlink.baselines.alignment import Aligner, Alignment, LeastSquares
from latentlink.baselines.equalisers import Equaliser, SvdEqualiser
from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.latents.whitening import Spectrum
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.shapes import check_channel
from latentlink.links.solution import Solution
from latentlink.links.status import Status
from latentlink.numerics.doors import choice, integer
from latentlink.numerics.reprs import Summarised


class Sent(NamedTuple):
    """The coefficients that a linear baseline sends.

    Attributes:
        coefficients: B (c, d).
        synthesis: L (m, c).
        components: principal components of c under R_λ, the spectrum of C.
        k: number of components that are sent, at most `channel.real_symbols`.
    """

    coefficients: Float[Tensor, "c d"]
    synthesis: Float[Tensor, "m c"]
    components: Spectrum
    k: int


@dataclass(frozen=True, kw_only=True)
class Baseline(Summarised):
    """The parts of every baseline, each designed separately.

    Attributes:
        k: real numbers sent of each message; None for as many as there are, at most `channel.real_symbols`.
        aligner: LeastSquares() or Procrustes(), or an `Alignment` found before.
        equaliser: SvdEqualiser(), ZeroForcing() or MmseEqualiser().

    Raises:
        ValueError: naming the attribute that is something else.
    """

    k: int | None = None
    aligner: Aligner = field(default_factory=LeastSquares)
    equaliser: Equaliser = field(default_factory=SvdEqualiser)

    def __post_init__(self) -> None:
        if self.k is not None:
            integer("k", self.k)

    def number_sent(self, available: int, channel: Channel) -> int:
        """The number of real numbers sent of the `available` ones: k, or as many as the channel can carry.

        Raises:
            ValueError: k is more than there are, or than the channel can carry.
        """
        fits = channel.real_symbols
        if self.k is None:
            return min(fits, available)
        if self.k > fits:
            raise ValueError(f"k must be at most 2 * uses * min(n_rx, n_tx) = {fits}, the real numbers that fit the channel, got {self.k}")
        if self.k > available:
            raise ValueError(f"k must be at most {available}, the numbers to send, got {self.k}")
        return self.k

    def link(self, factors: tuple[Tensor, Tensor, Tensor, Tensor], channel: Channel, variance: Float[Tensor, "s"]) -> LinearTransceiver:
        """The link of the factors Φ, Ψ, μx, μy, whose coefficients of this variance (s,) the equaliser carries."""
        placed = self.equaliser.carry(channel, variance)
        assert placed.decoder is not None  # an equaliser is one
        return LinearTransceiver(*factors, placed.streams, placed.precoder, placed.decoder, channel)


class LinearBaseline(Baseline, ABC):
    """A baseline that sends coefficients linear in x (see the module); a subclass says which."""

    @abstractmethod
    def sent(self, aligned: Alignment, channel: Channel) -> Sent:
        """The coefficients that are sent; raises as `number_sent`."""

    def design(self, moments: Moments, channel: Channel) -> Solution[LinearTransceiver]:
        """Design the link for every channel of the batch at once.

        Args:
            moments: of the semantic pilots.
            channel: (…, u, n_rx, n_tx); h counts as known exactly.

        Returns:
            Solution with a `LinearTransceiver` whose decoder is the equaliser's (`matched_to` makes it the linear estimate of least error).

        Raises:
            ValueError: moments or channel are of another type or on different devices, or k is more than fits the channel or the latents.
        """
        moments, channel = prepare(moments, channel)
        coefficients, synthesis, components, k = self.sent(self.aligner.fit(moments), channel)
        values, vectors = components.kept(0.0)
        root, V = values[:k].sqrt(), vectors[:, :k]
        analysis, synthesis = V.mT / root.unsqueeze(-1) @ coefficients, synthesis @ (V * root)
        Cz = analysis @ moments.cov_x @ analysis.mT
        link = self.link((analysis, synthesis, moments.mean_x, moments.mean_y), channel, Cz.diagonal())
        T, noise = link.response()
        explained, gram = analysis @ moments.cov_yx.mT @ synthesis, synthesis.mT @ synthesis
        received = T @ Cz @ T.mT + noise
        mse = moments.cov_y.trace() - 2 * (T * explained.mT).sum((-2, -1)) + (gram * received).sum((-2, -1))
        return Solution(link, Status.BASELINE.where(sends(link)), mse, link.expected_power(Cz))


@dataclass(frozen=True, kw_only=True)
class FirstK(LinearBaseline):
    """First-K: the first k entries of the latent are sent, the others are left at their mean (see `Baseline`).

    Aligned after transmission, ŷ = μy + A [ĉ; 0] with c the first k entries of x − μx; aligned before it, ŷ = μy + [ĉ; 0] with c the first
    k of A (x − μx). In its fair form: means cost no power, the entries are whitened, the whitening is undone at the receiver, and the
    decoder adds μy.

    Attributes:
        k: real numbers sent of each message; None for as many as there are, at most `channel.real_symbols`.
        aligner: LeastSquares() or Procrustes(), or an `Alignment` found before.
        equaliser: SvdEqualiser(), ZeroForcing() or MmseEqualiser().
        align: "after" transmission, by the receiver, or "before" it, by the transmitter.

    Raises:
        ValueError: naming the attribute that is something else.

    References:
        [pandolfo2025latent]

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> ll.baselines.FirstK(align="before").design(moments, channel)
        Solution(1 channel, 2×2, 1 use, baseline)
    """

    align: str = "after"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("align", self.align, ("after", "before"))

    def sent(self, aligned: Alignment, channel: Channel) -> Sent:
        """The first k entries of x − μx or, aligned before transmission, of A (x − μx)."""
        A, after = aligned.matrix, self.align == "after"
        eye = torch.eye(A.shape[1] if after else A.shape[0], dtype=A.dtype, device=A.device)
        k = self.number_sent(len(eye), channel)
        c, synthesis = (eye[:k], A[:, :k]) if after else (A[:k], eye[:, :k])
        return Sent(c, synthesis, aligned.components(c), k)


@dataclass(frozen=True, kw_only=True)
class EigenK(LinearBaseline):
    """Eigen-K: the k strongest singular directions of the alignment are sent, half of it applied at each end (see `Baseline`).

        A = U S Vᵀ,      c = √S_k V_kᵀ (x − μx),      ŷ = μy + U_k √S_k ĉ

    keeps the matrix of rank k ≤ min(d, m) that is nearest to A, whatever the distribution of x; the fair form is that of First-K.

    Attributes:
        k: real numbers sent of each message; None for as many as there are, at most `channel.real_symbols`.
        aligner: LeastSquares() or Procrustes(), or an `Alignment` found before.
        equaliser: SvdEqualiser(), ZeroForcing() or MmseEqualiser().

    Raises:
        ValueError: naming the attribute that is something else.

    References:
        [pandolfo2025latent]

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> ll.baselines.EigenK(k=2).design(moments, channel)
        Solution(1 channel, 2×2, 1 use, baseline)
    """

    def sent(self, aligned: Alignment, channel: Channel) -> Sent:
        """The k strongest singular directions of the alignment."""
        U, S, Vt = aligned.svd
        k = self.number_sent(len(S), channel)
        root = S[:k].sqrt()
        c = root.unsqueeze(-1) * Vt[:k]
        return Sent(c, U[:, :k] * root, aligned.components(c), k)


@dataclass(frozen=True, kw_only=True)
class Disjoint(LinearBaseline):
    """Alignment, compression and equalisation, each the best of its kind, without regard to the others (see `Baseline`).

    The transmitter aligns, u = A (x − μx); compresses, keeping the k ≤ min(d, m) principal components of u (the Karhunen–Loève transform,
    no linear compression loses less of u); whitens them, and sends them with equal power over an equalised channel. With a perfect channel
    and k = m this is alignment itself; what the joint design gains elsewhere is power and streams spent where they matter for y.

    Attributes:
        k: real numbers sent of each message; None for as many as there are, at most `channel.real_symbols`.
        aligner: LeastSquares() or Procrustes(), or an `Alignment` found before.
        equaliser: SvdEqualiser(), ZeroForcing() or MmseEqualiser().

    Raises:
        ValueError: naming the attribute that is something else.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> ll.baselines.Disjoint(aligner=ll.baselines.Procrustes()).design(moments, channel)
        Solution(1 channel, 2×2, 1 use, baseline)
    """

    def sent(self, aligned: Alignment, channel: Channel) -> Sent:
        """The k strongest principal components of the aligned latent."""
        A = aligned.matrix
        eye = torch.eye(len(A), dtype=A.dtype, device=A.device)
        return Sent(A, eye, aligned.principal, self.number_sent(min(A.shape), channel))


def sends(link: LinearTransceiver) -> Bool[Tensor, "*batch"]:
    """True (…) where anything is sent over a channel."""
    return (link.precoder != 0).flatten(-3).any(-1)


def prepare(moments: Moments, channel: Channel) -> tuple[Moments, Channel]:
    """The moments without rounding in dimensions that do not vary, and the channel in their precision, without an error."""
    check_channel(channel, moments.mean_x)
    return moments.without_rounding(), channel.to(moments.mean_x.dtype).without_error()
