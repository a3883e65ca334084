"""Eigen-K: the k strongest singular directions of the alignment are sent, half of it applied at each end.

    A = U S Vᵀ,      c = √S_k V_kᵀ (x − μx),      ŷ = μy + U_k √S_k ĉ

keeps the matrix of rank k that is nearest to A, whatever the distribution of x [pandolfo2025latent]; the fair form is that of First-K.
"""

from dataclasses import dataclass

from latentlink.baselines.alignment import Alignment
from latentlink.baselines.whitened import LinearBaseline, Sent
from latentlink.channels.channel import Channel


@dataclass(frozen=True, kw_only=True)
class EigenK(LinearBaseline):
    """The k strongest singular directions of the alignment, at most min(d, m) (see `Baseline`).

    References:
        [pandolfo2025latent]
    """

    def sent(self, aligned: Alignment, channel: Channel) -> Sent:
        """The latent in the strongest singular directions."""
        U, S, Vt = aligned.svd
        k = self.number_sent(len(S), channel)
        root = S[:k].sqrt()
        c = root.unsqueeze(-1) * Vt[:k]
        return Sent(c, U[:, :k] * root, aligned.components(c), k)
