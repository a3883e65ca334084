"""Eigen-K: the k strongest singular directions of the alignment are sent, half of it applied at each end.

    A = U S Vᵀ,      c = √S_k V_kᵀ (x − μx),      ŷ = μy + U_k √S_k ĉ

keeps the matrix of rank k that is nearest to A, whatever the distribution of x [pandolfo2025latent]; the fair form is that of First-K.
"""

from dataclasses import dataclass, field

from latentlink.baselines.alignment import Aligner, LeastSquares
from latentlink.baselines.equalisers import Equaliser, SvdEqualiser
from latentlink.baselines.whitened import check_parts, number_sent, prepare, whitened_design
from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.latents.whitening import Spectrum
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.solution import Solution


@dataclass(frozen=True, kw_only=True)
class EigenK:
    """The k strongest singular directions of the alignment.

    Attributes:
        k: how many; None for all that the channel has room for, two for each of u·min(n_rx, n_tx) symbols, at most min(d, m).
        aligner: LeastSquares() or Procrustes(), or an `Alignment` found before.
        equaliser: SvdEqualiser(), ZeroForcing() or MmseEqualiser().

    Raises:
        ValueError: naming the attribute that is something else.

    References:
        [pandolfo2025latent]
    """

    k: int | None = None
    aligner: Aligner = field(default_factory=LeastSquares)
    equaliser: Equaliser = field(default_factory=SvdEqualiser)

    def __post_init__(self) -> None:
        check_parts(self.k, self.aligner, self.equaliser)

    def design(self, moments: Moments, channel: Channel) -> Solution[LinearTransceiver]:
        """Design the link for every channel of the batch at once.

        Args:
            moments: of the semantic pilots.
            channel: (…, u, n_rx, n_tx); its h is taken for known exactly.

        Returns:
            Solution with a `LinearTransceiver` whose decoder is the equaliser's.

        Raises:
            ValueError: moments or channel are of another type or on different devices, or k is more than fits the channel or the latents.
        """
        moments, channel = prepare(moments, channel)
        aligned = self.aligner.fit(moments)
        U, S, Vt = aligned.svd
        k = number_sent(self.k, len(S), channel)
        root = S[:k].sqrt()
        sent = root.unsqueeze(-1) * Vt[:k]
        components = Spectrum.of(sent @ aligned.covariance @ sent.mT)
        return whitened_design(moments, channel, self.equaliser, components, sent, U[:, :k] * root, k)
