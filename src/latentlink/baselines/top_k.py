"""Top-K: of every message the k entries of largest magnitude are sent, whichever they are; the indices are side information.

What is sent is neither Gaussian nor linear in x: its statistics are measured, on pilots or on draws of the Gaussian with their moments.
With the entries in the order of their indices, v_j = c_i − a_i in slot j,

    a_i = Σ c_i / (n_i + 1)    over the n_i messages that send entry i;       C_v = E v vᵀ  + (k/n) (mean variance) I,

in C_v with the a_i that the message itself has no part in, so that power holds on latents not seen, also where an entry is seldom sent.
The slots are whitened by C_v and sent with equal power, as the entries of First-K are.

The error is measured on the same latents, exactly over the noise: with v̂ = T v + n, Ψ_I the columns of Ψ at the k indices,

    E||y − ŷ||² = mean over messages of ||y − μy − Ψ_I (a_I + T v)||² + tr(Ψ_I C_n Ψ_Iᵀ).
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from latentlink.baselines.alignment import Aligner, LeastSquares
from latentlink.baselines.equalisers import Equaliser, SvdEqualiser
from latentlink.baselines.top_k_transceiver import TopKTransceiver, largest
from latentlink.baselines.whitened import baseline_status, check_parts, checked, count_of, sends
from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments, as_latents
from latentlink.latents.pilots import Pilots
from latentlink.latents.whitening import Spectrum
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.solution import Solution

_PILOTS = 2**13  # measured on at most
_PRODUCTS = 2**28  # of pairs of entries, over all messages that the error is measured on: about a second
_HELD = 2**22  # of them held at a time


@dataclass(frozen=True)
class TopK:
    """The k entries of largest magnitude of each message, aligned after or before transmission.

    Attributes:
        k: how many; None for all that the channel has room for, two for each of u·min(n_rx, n_tx) symbols, at most all. What their
            indices cost is counted by the transceiver: `side_symbols`, `side_bits`.
        align: whether the receiver aligns ("after") or the transmitter ("before").
        aligner: LeastSquares() or Procrustes().
        equalizer: SvdEqualizer(), ZeroForcing() or MmseEqualizer().
        draws: Gaussian latents to measure on where no pilots are given. seed: of these draws, or of which pilots are taken.
        expects: whether a design also measures its expected error, which takes most of its time; without, `expected_mse` is NaN in the
            solution and can be measured later.

    Raises:
        ValueError: naming the attribute that is something else.

    References:
        [pandolfo2025latent]
    """

    k: int | None = None
    align: str = "after"
    aligner: Aligner = field(default_factory=LeastSquares)
    equalizer: Equaliser = field(default_factory=SvdEqualiser)
    draws: int = 4096
    seed: int = 0
    expects: bool = True

    def __post_init__(self) -> None:
        check_parts(self.k, self.aligner, self.equalizer, self.align)
        if not isinstance(self.draws, int) or self.draws < 2:
            raise ValueError(f"draws must be an integer >= 2, got {self.draws!r}")

    def design(self, moments: Moments, channel: Channel, pilots: Pilots | Tensor | NDArray[Any] | None = None) -> Solution:
        """The link for every channel of the batch at once.

        Args:
            moments: of the semantic pilots.
            channel: (…, u, n_rx, n_tx); its h is taken for known exactly.
            pilots: what power and error are measured on: Pilots, or the transmitter's latents (n, d) alone, y then being its linear
                regression on x and a residual of the moments' size; None for `draws` Gaussian ones with the moments of x, likewise.

        Returns:
            Solution with a `TopKTransceiver`. Its expected error and power are those measured, the power at most the budget; on 8192
            pilots drawn from them where there are more, the error on fewer for large k.

        Raises:
            ValueError: moments or channel are of another type or on different devices, k is more than fits the channel or the latent, or
                the pilots are malformed or of other dimensions.
        """
        moments, channel = checked(moments, channel)
        x, wanted, residual = self._latents(moments, pilots)
        x = x * (moments.cov_x.diagonal() > 0)  # no rounding of means
        aligned = self.aligner.fit(moments)
        before = self.align == "before"
        A = aligned.matrix
        c = x @ A.mT if before else x
        k = count_of(self.k, c.shape[-1], channel)
        chosen, entries = largest(c, k)
        offsets, seen, unseen = _usual(chosen, entries, c.shape[-1])
        C = unseen.mT @ unseen / len(x)
        whitened = Spectrum.of(C)
        values, vectors = whitened.kept(k / len(x))
        analysis, synthesis = whitened.root_inverse(k / len(x)), vectors * values.sqrt()
        power = [(v @ analysis.mT).square().mean(0) for v in (seen, unseen)]
        crossing = self.equalizer.carry(channel, torch.maximum(*power))
        zero = x.new_zeros(k)
        link = LinearTransceiver(analysis, synthesis, zero, zero, crossing.streams, crossing.precoder, crossing.decoder, channel)
        transceiver = TopKTransceiver(A, before, moments.mean_x, moments.mean_y, offsets, link)
        spent = link.expected_power(analysis @ (seen.mT @ seen / len(x)) @ analysis.mT)
        error = torch.full_like(spent, torch.nan)
        if self.expects:
            error = _measured_error(transceiver, None if before else aligned.gram, chosen, seen, wanted) + residual
        return Solution(transceiver, baseline_status(link), error, spent)

    def expected_mse(
        self, transceiver: TopKTransceiver, moments: Moments, pilots: Pilots | Tensor | NDArray[Any] | None = None
    ) -> Float[Tensor, "*batch"]:
        """The error (…) to expect of a transceiver that was designed with these moments and pilots; raises as `design`."""
        moments, _ = checked(moments, transceiver.channel)
        x, wanted, residual = self._latents(moments, pilots)
        x = x * (moments.cov_x.diagonal() > 0)
        chosen, entries = largest(x @ transceiver.alignment.mT if transceiver.aligned_before else x, transceiver.k)
        gram = None if transceiver.aligned_before else self.aligner.fit(moments).gram
        return _measured_error(transceiver, gram, chosen, entries - transceiver.offsets[chosen], wanted) + residual

    def _latents(
        self, moments: Moments, pilots: Pilots | Tensor | NDArray[Any] | None
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n m"], Float[Tensor, ""]]:
        """x − μx, what is known of y − μy with it, and the error E||·||² of that."""
        if isinstance(pilots, Pilots):
            got, expected = (pilots.x.shape[1], pilots.y.shape[1]), (len(moments.mean_x), len(moments.mean_y))
            if got != expected:
                raise ValueError(f"pilots must be of the moments' dimensions {expected}, got {got}")
            rows = self._taken(len(pilots)).to(pilots.x.device)
            x, y = pilots.x[rows].to(moments.cov_x) - moments.mean_x, pilots.y[rows].to(moments.cov_y) - moments.mean_y
            return x, y, moments.cov_y.new_zeros(())
        if pilots is None:
            spectrum = Spectrum.of(moments.cov_x)
            generator = torch.Generator().manual_seed(self.seed)
            white = torch.randn(self.draws, len(spectrum.values), dtype=torch.float64, generator=generator).to(moments.cov_x)
            x = white @ (spectrum.values.sqrt() * spectrum.vectors).mT
        else:
            x = as_latents("pilots", pilots)
            if x.shape[1] != len(moments.mean_x):
                raise ValueError(f"pilots must have shape (n, {len(moments.mean_x)}), got {tuple(x.shape)}")
            x = x[self._taken(len(x)).to(x.device)].to(moments.cov_x) - moments.mean_x
        A = LeastSquares(0.0).fit(moments).matrix
        return x, x @ A.mT, (moments.cov_y.trace() - (A * moments.cov_yx).sum()).clamp(min=0)

    def _taken(self, count: int) -> Int[Tensor, "n"]:
        """Which pilots, in no order of theirs."""
        return torch.randperm(count, generator=torch.Generator().manual_seed(self.seed))[:_PILOTS]


def _usual(
    chosen: Int[Tensor, "n k"], entries: Float[Tensor, "n k"], size: int
) -> tuple[Float[Tensor, "c"], Float[Tensor, "n k"], Float[Tensor, "n k"]]:
    """a, the shrunk mean of each entry where it is sent, and what is left of the entries: by a, and by the a of the other messages."""
    index = chosen.flatten()
    times = torch.bincount(index, minlength=size).to(entries)
    offsets = entries.new_zeros(size).scatter_add(0, index, entries.flatten()) / (times + 1)
    left = entries - offsets[chosen]
    return offsets, left, left * (1 + 1 / times[chosen])  # c − (n + 1) a / n + c / n


def _measured_error(
    transceiver: TopKTransceiver,
    gram: Float[Tensor, "s s"] | None,
    chosen: Int[Tensor, "n k"],
    v: Float[Tensor, "n k"],
    wanted: Float[Tensor, "n m"],
) -> Float[Tensor, "*batch"]:
    """Mean over messages of ||y − μy − ŷ||² (…), exact over the noise; ΨᵀΨ is given, None where Ψ = I."""
    link, psi = transceiver.link, transceiver.synthesis
    T, noise = link.response()
    T, noise = link.synthesis @ T @ link.analysis, link.synthesis @ noise @ link.synthesis.mT
    k, batch, sent = len(link.mean_x), T.shape[:-2], sends(link)[..., None, None]
    count = max(1, _PRODUCTS // (k**2 + psi.numel() // 16))
    chosen, v, wanted = chosen[:count], v[:count], wanted[:count]
    gram, total = psi if gram is None else gram, T.new_zeros(batch)
    rows = max(1, _HELD // max(k**2, batch.numel() * k))
    for index, vi, yi in zip(chosen.split(rows), v.split(rows), wanted.split(rows), strict=True):
        G = gram[index.unsqueeze(-1), index.unsqueeze(-2)]  # (n, k, k)
        entries = torch.where(sent, transceiver.offsets[index] + vi @ T.mT, 0.0)  # (…, n, k)
        projected = (yi @ psi).gather(-1, index)
        seen = torch.einsum("...nj,njl->...nl", entries, G) - 2 * projected
        total = total + (seen * entries).sum((-2, -1)) + (noise * G.sum(0)).sum((-2, -1))
    return total / len(v) + wanted.square().sum(-1).mean()
