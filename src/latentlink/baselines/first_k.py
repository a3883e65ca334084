"""First-K: the first k entries of the latent are sent, the others are left at their mean.

Aligned after transmission, ŷ = μy + A [ĉ; 0] with c the first k entries of x − μx; aligned before it, ŷ = μy + [ĉ; 0] with c the first k
of A (x − μx). In its fair form: means cost no power, the entries are whitened, the whitening is undone at the receiver, and the decoder
adds μy [pandolfo2025latent].
"""

from dataclasses import dataclass, field

import torch

from latentlink.baselines.alignment import Aligner, LeastSquares
from latentlink.baselines.equalisers import Equaliser, SvdEqualiser
from latentlink.baselines.whitened import check_parts, number_sent, prepare, whitened_design
from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.latents.whitening import Spectrum
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.solution import Solution


@dataclass(frozen=True, kw_only=True)
class FirstK:
    """The first k entries, aligned after or before transmission.

    Attributes:
        k: how many real entries; None for all that the channel has room for, two for each of u·min(n_rx, n_tx) symbols, at most all.
        align: "after" transmission, by the receiver, or "before" it, by the transmitter.
        aligner: LeastSquares() or Procrustes(), or an `Alignment` found before.
        equaliser: SvdEqualiser(), ZeroForcing() or MmseEqualiser().

    Raises:
        ValueError: naming the attribute that is something else.

    References:
        [pandolfo2025latent]
    """

    k: int | None = None
    align: str = "after"
    aligner: Aligner = field(default_factory=LeastSquares)
    equaliser: Equaliser = field(default_factory=SvdEqualiser)

    def __post_init__(self) -> None:
        check_parts(self.k, self.aligner, self.equaliser, self.align)

    def design(self, moments: Moments, channel: Channel) -> Solution[LinearTransceiver]:
        """Design the link for every channel of the batch at once.

        Args:
            moments: of the semantic pilots.
            channel: (…, u, n_rx, n_tx); its h is taken for known exactly.

        Returns:
            Solution with a `LinearTransceiver` whose decoder is the equaliser's (`matched_to` makes it the linear estimate of least error).

        Raises:
            ValueError: moments or channel are of another type or on different devices, or k is more than fits the channel or the latent.
        """
        moments, channel = prepare(moments, channel)
        aligned = self.aligner.fit(moments)
        A = aligned.matrix
        eye = torch.eye(A.shape[1] if self.align == "after" else A.shape[0], dtype=A.dtype, device=A.device)
        k = number_sent(self.k, len(eye), channel)
        coefficients, synthesis = (eye[:k], A[:, :k]) if self.align == "after" else (A[:k], eye[:, :k])
        components = Spectrum.of(coefficients @ aligned.covariance @ coefficients.mT)
        return whitened_design(moments, channel, self.equaliser, components, coefficients, synthesis, k)
