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

import math
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from latentlink.baselines.alignment import LeastSquares
from latentlink.baselines.first_k_eigen_k import Baseline, prepare, sends
from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments, as_latents
from latentlink.latents.pilots import Pilots
from latentlink.latents.whitening import Spectrum
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.link_file import saved_tensors, taken_out
from latentlink.links.operation_count import REAL_WEIGHT, OperationCount
from latentlink.links.shapes import check_latents
from latentlink.links.solution import Solution
from latentlink.links.status import Status
from latentlink.links.transceiver import BaseTransceiver
from latentlink.numerics.doors import AnyArray, choice, integer
from latentlink.storage.artifacts import artifact

_PILOTS = 2**13  # largest number that is measured on


@artifact("top-k link")
@dataclass(frozen=True, eq=False, repr=False)
class TopKTransceiver(BaseTransceiver):
    """Sends the k largest entries of each message (see the module); c entries to choose from, a batch `...` of channels.

    Attributes:
        alignment: A (m, d).
        aligned_before: True if the transmitter applies A, so that c = m; False if the receiver does, so that c = d.
        mean_x: μx (d,).
        mean_y: μy (m,).
        offsets: a (c,).
        link: carries v (k) over the channel.
        indices: I (…, n, k) of the messages that are received; None until `informed_by`.
    """

    alignment: Float[Tensor, "m d"]
    aligned_before: bool
    mean_x: Float[Tensor, "d"]
    mean_y: Float[Tensor, "m"]
    offsets: Float[Tensor, "c"]
    link: LinearTransceiver
    indices: Int[Tensor, "*more n k"] | None = None

    @property
    def k(self) -> int:
        """Entries sent of each message."""
        return len(self.link.mean_x)

    @property
    def channel(self) -> Channel:
        """The channel that the decoder was made for; its power is the budget."""
        return self.link.channel

    @property
    def synthesis(self) -> Float[Tensor, "m s"]:
        """Ψ (m, c): A where the receiver aligns, else the identity."""
        return torch.diag(torch.ones_like(self.mean_y)) if self.aligned_before else self.alignment

    @property
    def side_symbols(self) -> int:  # type: ignore[override]
        """Complex symbols to add for the indices at one real number each, as many as carry the values [pandolfo2025latent]."""
        return -(-self.k // 2)

    @property
    def side_bits(self) -> float:  # type: ignore[override]
        """Bits per message for the set of k among c indices, all sets being equally likely: log2 of their number."""
        return math.log2(math.comb(len(self.offsets), self.k))

    @property
    def flops(self) -> OperationCount:
        """The operations for one message, by dense real matrices and the k columns of Ψ that it needs; comparisons are not counted."""
        align = REAL_WEIGHT * self.alignment.numel() if self.aligned_before else 0
        restore = 0 if self.aligned_before else REAL_WEIGHT * self.k * len(self.mean_y)
        return OperationCount(align + self.link.flops.encode, self.link.flops.decode + restore)

    def choose(self, x: AnyArray) -> tuple[Int[Tensor, "*a n k"], Float[Tensor, "*a n k"]]:
        """The indices I (…, n, k), rising, and the entries c_I (…, n, k) of latents x (…, n, d).

        Raises:
            ValueError: x is complex or not finite, its last dimension is not d, or it has no message axis.
        """
        x = check_latents(x, len(self.mean_x))
        c = x.to(self.alignment) - self.mean_x
        return largest(c @ self.alignment.mT if self.aligned_before else c, self.k)

    def encode(self, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d); raises as `Transceiver.encode`."""
        chosen, entries = self.choose(x)
        return self.link.encode(entries - self.offsets[chosen])

    def informed_by(self, x: AnyArray) -> "TopKTransceiver":
        """The same transceiver, whose receiver knows the indices of these messages x (n, d) or (…, n, d); raises as `choose`."""
        return replace(self, indices=self.choose(x)[0])

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n s"]:
        """Entries ĉ (…, n, c), zero where nothing was sent, of the received symbols r (…, n, u, n_rx).

        Raises:
            ValueError: the receiver does not know the indices, or those of another number of messages, or r does not fit.
        """
        if self.indices is None:
            raise ValueError("a Top-K receiver must know the indices: decode with transceiver.informed_by(x), or let ll.transmit do it")
        v, indices = self.link.decode(r), self.indices
        if indices.shape[-2] != v.shape[-2]:
            raise ValueError(f"r must hold the {indices.shape[-2]} messages whose indices the receiver knows, got {v.shape[-2]}")
        sent = sends(self.link)[..., None, None]  # a silent link carries nothing, not even the offsets
        entries = torch.where(sent, self.offsets[indices] + v, 0.0)
        empty = entries.new_zeros(*entries.shape[:-1], len(self.offsets))
        return empty.scatter(-1, indices.expand(entries.shape), entries)

    def decode(self, r: AnyArray) -> Float[Tensor, "*batch n m"]:
        return self.mean_y + self.receive(r) if self.aligned_before else super().decode(r)

    def matched_to(self, channel: Channel) -> "TopKTransceiver":
        """The same precoder, with the LMMSE decoder of the values for this channel; raises as `LinearTransceiver.matched_to`."""
        return replace(self, link=self.link.matched_to(channel))

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        _, facts = self.link.to_tensors()
        own = {"tx_dim": len(self.mean_x), "rx_dim": len(self.mean_y), "k": self.k, "aligned_before": self.aligned_before}
        return saved_tensors(replace(self, indices=None)), facts | own

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "TopKTransceiver":
        """The link of a saved file."""
        link = LinearTransceiver.from_tensors(taken_out(tensors, "link."), manifest)
        return cls(**tensors, aligned_before=manifest["aligned_before"], link=link)


def largest(c: Float[Tensor, "*a n c"], k: int) -> tuple[Int[Tensor, "*a n k"], Float[Tensor, "*a n k"]]:
    """The indices of the k entries of greatest magnitude, in rising order, and the entries."""
    chosen = c.abs().topk(k, dim=-1, sorted=False).indices.sort(-1).values
    return chosen, c.gather(-1, chosen)


@dataclass(frozen=True, kw_only=True)
class TopK(Baseline):
    """The k entries of largest magnitude of each message, aligned after or before transmission (see `Baseline`).

    The cost of the indices is counted by the transceiver: `side_symbols`, `side_bits`.

    Attributes:
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
        deviation = error.std(-1, correction=min(1, len(v) - 1)) / len(v) ** 0.5
        return error.mean(-1) + measured.residual, deviation


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
