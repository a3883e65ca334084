"""Top-K: of every message the k entries of largest magnitude are sent; their indices are side information.

For c = x − μx (aligned after transmission) or c = A (x − μx) (aligned before it), I the indices of the k largest |c_i|, in rising order,

    v = c_I − a_I      →      v̂      →      ĉ_I = a_I + v̂,   0 elsewhere,      ŷ = μy + Ψ ĉ,   Ψ = A or the identity.

a_i is the mean of entry i where it is among the largest, known at both ends: it costs no power. I is side information, free of error. The
k values v cross the channel as the latent of a linear link does. They are neither Gaussian nor linear in x, so their statistics are
measured, on pilots or on draws of the Gaussian with their moments. With v_j in slot j,

    a_i = Σ c_i / (n_i + 1)    over the n_i messages that send entry i;       C_v = E v vᵀ  + (k/n) (mean variance) I,

in C_v with a_i estimated without the message itself, so that the power limit also holds on unseen latents, and for entries that are seldom
sent. The slots are whitened by C_v and sent with equal power, as the entries of First-K are. The error is measured on the same latents,
exactly over the noise: with v̂ = T v + n, Ψ_I the columns of Ψ at the k indices,

    E||y − ŷ||² = mean over messages of ||y − μy − Ψ_I (a_I + T v)||² + tr(Ψ_I C_n Ψ_Iᵀ).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.baselines.alignment import LeastSquares
from latentlink.baselines.first_k_eigen_k import Baseline, prepare, sends
from latentlink.baselines.top_k_transceiver import TopKTransceiver, largest
from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.latents.rows import as_latents
from latentlink.latents.whitening import Spectrum
from latentlink.links.solution import Solution
from latentlink.links.status import Status
from latentlink.numerics.doors import AnyArray, choice, integer

_PILOTS = 2**13  # largest number that is measured on


@dataclass(frozen=True, kw_only=True)
class TopK(Baseline):
    """The k entries of largest magnitude of each message, aligned after or before transmission (see `Baseline`).

    The cost of the indices is counted by the transceiver: `side_symbols`, `side_bits`.

    Attributes:
        k: real numbers sent of each message; None for as many as there are, at most `channel.real_symbols`.
        aligner: LeastSquares() or Procrustes(), or an `Alignment` found before.
        equaliser: SvdEqualiser(), ZeroForcing() or MmseEqualiser().
        align: "after" transmission, by the receiver, or "before" it, by the transmitter.
        pilots: data on which power and error are measured: Pilots, or the transmitter's latents (n, d) alone, y then being its linear
            regression on x with a residual of the moments' size; None for Gaussian latents with the moments of x.
        draws: number of Gaussian latents where no pilots are given.
        seed: seed of these draws, or of the choice of pilots.
        expects: True if a design also measures its expected error, which takes most of its time; otherwise `expected_mse` of the
            solution is None and can be measured later.
        products: largest number of products of entries for the error; 2^28 take about a second.
        entries: largest number of entries of an intermediate tensor, which bounds the memory.

    Raises:
        ValueError: naming the attribute that is something else.

    References:
        [pandolfo2025latent]

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> solution = ll.baselines.TopK(k=2, draws=256).design(moments, channel)
        >>> solution.transceiver.side_symbols, round(solution.transceiver.side_bits, 1)  # which 2 of 8 entries
        (1, 4.8)
    """

    align: str = "after"
    pilots: Pilots | AnyArray | None = field(default=None, repr=False)
    draws: int = 4096
    seed: int = 0
    expects: bool = True
    products: int = 2**28
    entries: int = 2**22

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("align", self.align, ("after", "before"))
        if not isinstance(self.pilots, Pilots | None):
            as_latents("pilots", self.pilots)
        integer("draws", self.draws, 2)
        integer("seed", self.seed, 0, 2**64 - 1)

    def design(self, moments: Moments, channel: Channel) -> Solution[TopKTransceiver]:
        """Design the link for every channel of the batch at once; arguments and errors as in `LinearBaseline.design`.

        Returns:
            Solution with a `TopKTransceiver`. Its expected error and power are measured, on at most 8192 pilots drawn at random, the error
            on fewer for large k, with its standard error in `trace["expected_mse_error"]` (…); the power is at most the budget.

        Raises:
            ValueError: also if the pilots are malformed or of other dimensions.
        """
        moments, channel = prepare(moments, channel)
        measured, before = self._latents(moments), self.align == "before"
        A = self.aligner.fit(moments).matrix
        c = measured.x @ A.mT if before else measured.x
        k = self.number_sent(c.shape[-1], channel)
        chosen, entries = largest(c, k)
        n, index = len(c), chosen.flatten()
        times = torch.bincount(index, minlength=c.shape[-1]).to(entries)
        offsets = c.new_zeros(c.shape[-1]).scatter_add(0, index, entries.flatten()) / (times + 1)
        seen = entries - offsets[chosen]
        unseen = seen * (1 + 1 / times[chosen])  # by the offsets of the other messages: c − (n + 1) a / n + c / n
        C = unseen.mT @ unseen / n
        whitened = Spectrum.of(C)
        values, vectors = whitened.kept(k / n)
        analysis, synthesis = whitened.root_inverse(k / n), vectors * values.sqrt()
        power = [(v @ analysis.mT).square().mean(0) for v in (seen, unseen)]
        link = self.link((analysis, synthesis, c.new_zeros(k), c.new_zeros(k)), channel, torch.maximum(*power))
        transceiver = TopKTransceiver(A, before, moments.mean_x, moments.mean_y, offsets, link)
        spent = link.expected_power(analysis @ (seen.mT @ seen / n) @ analysis.mT)
        error, deviation = self._error(transceiver, measured) if self.expects else (None, None)
        trace = {} if deviation is None else {"expected_mse_error": deviation}
        return Solution(transceiver, Status.BASELINE.where(sends(link)), error, spent, trace)

    def expected_mse(self, transceiver: TopKTransceiver, moments: Moments) -> Float[Tensor, "*batch"]:
        """The error (…) to expect of a transceiver that was designed by this design with these moments; raises as `design`."""
        return self._error(transceiver, self._latents(prepare(moments, transceiver.channel)[0]))[0]

    def _latents(self, moments: Moments) -> "_Measured":
        """The latents for measuring, without the rounding errors of means."""
        pilots, varies = self.pilots, moments.cov_x.diagonal() > 0
        if isinstance(pilots, Pilots):
            if (got := (pilots.x.shape[1], pilots.y.shape[1])) != (expected := (len(moments.mean_x), len(moments.mean_y))):
                raise ValueError(f"pilots must be of the moments' dimensions {expected}, got {got}")
            rows = self._taken(len(pilots)).to(pilots.x.device)
            x, y = pilots.x[rows].to(moments.cov_x) - moments.mean_x, pilots.y[rows].to(moments.cov_y) - moments.mean_y
            return _Measured(x * varies, y, moments.cov_y.new_zeros(()))
        if pilots is None:
            spectrum, generator = Spectrum.of(moments.cov_x), torch.Generator().manual_seed(self.seed)
            white = torch.randn(self.draws, len(spectrum.values), dtype=torch.float64, generator=generator, device="cpu").to(moments.cov_x)
            x = white @ (spectrum.values.sqrt() * spectrum.vectors).mT
        else:
            if (x := as_latents("pilots", pilots)).shape[1] != len(moments.mean_x):
                raise ValueError(f"pilots must have shape (n, {len(moments.mean_x)}), got {tuple(x.shape)}")
            x = x[self._taken(len(x)).to(x.device)].to(moments.cov_x) - moments.mean_x
        A = LeastSquares(0.0).fit(moments).matrix
        return _Measured(x * varies, x @ A.mT, (moments.cov_y.trace() - (A * moments.cov_yx).sum()).clamp(min=0))

    def _taken(self, count: int) -> Int[Tensor, "n"]:
        """The numbers of the chosen pilots, in random order."""
        return torch.randperm(count, generator=torch.Generator().manual_seed(self.seed), device="cpu")[:_PILOTS]

    def _error(self, transceiver: TopKTransceiver, measured: "_Measured") -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
        """The mean over messages of ||y − μy − ŷ||² (…), exact over the noise, and its standard error."""
        before, A = transceiver.aligned_before, transceiver.alignment
        chosen, entries = largest(measured.x @ A.mT if before else measured.x, transceiver.k)
        v = entries - transceiver.offsets[chosen]
        link, psi = transceiver.link, transceiver.synthesis
        response, noise = link.response()
        T = link.synthesis @ response @ link.analysis
        noise = link.synthesis @ noise @ link.synthesis.mT
        k, batch, sent = transceiver.k, T.shape[:-2], sends(link)[..., None, None]
        count = max(1, self.products // (k**2 + psi.numel() // 16))
        chosen, v, wanted = chosen[:count], v[:count], measured.y[:count]
        gram = psi if before else A.mT @ A  # ΨᵀΨ
        errors = []
        rows = max(1, self.entries // max(k**2, batch.numel() * k))
        for index, vi, yi in zip(chosen.split(rows), v.split(rows), wanted.split(rows), strict=True):
            G = gram[index.unsqueeze(-1), index.unsqueeze(-2)]  # (n, k, k)
            received = torch.where(sent, transceiver.offsets[index] + vi @ T.mT, 0.0)  # (…, n, k)
            projected = (yi @ psi).gather(-1, index)
            seen = torch.einsum("...nj,njl->...nl", received, G) - 2 * projected
            errors.append((seen * received).sum(-1) + torch.einsum("...jl,njl->...n", noise, G) + yi.square().sum(-1))
        error = torch.cat(errors, -1)  # (…, n)
        mean, n = error.mean(-1), len(v)
        variance = (error - mean.unsqueeze(-1)).square().sum(-1) / max(1, n - 1)
        return mean + measured.residual, (variance / n).sqrt()


class _Measured(NamedTuple):
    """The latents on which power and error are measured.

    Attributes:
        x: x − μx (n, d).
        y: y − μy (n, m), or its estimate from x.
        residual: E||·||² of the error of that estimate, ().
    """

    x: Float[Tensor, "n d"]
    y: Float[Tensor, "n m"]
    residual: Float[Tensor, ""]
