"""Disjoint design: alignment, compression and equalisation, each the best of its kind, none knowing of the others.

The transmitter aligns, u = A (x − μx); compresses, keeping the k principal components of u (the Karhunen–Loève transform, no linear
compression loses less of u); whitens them, and sends them with equal power over an equalised channel. With a perfect channel and k = m
this is alignment itself; what the joint design gains elsewhere is power and streams spent where they matter for y over this channel.
"""

from dataclasses import dataclass, field

import torch

from latentlink.baselines.alignment import Aligner, LeastSquares
from latentlink.baselines.equalisers import Equaliser, SvdEqualiser
from latentlink.baselines.whitened import check_parts, number_sent, prepare, whitened_design
from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.solution import Solution


@dataclass(frozen=True, kw_only=True)
class Disjoint:
    """Alignment, compression and equalisation designed apart.

    Attributes:
        k: principal components kept; None for all that the channel has room for, two for each of u·min(n_rx, n_tx) symbols, at most
            min(d, m).
        aligner: LeastSquares() or Procrustes(), or an `Alignment` found before.
        equaliser: SvdEqualiser(), ZeroForcing() or MmseEqualiser().

    Raises:
        ValueError: naming the attribute that is something else.
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
        k = number_sent(self.k, min(aligned.matrix.shape), channel)
        eye = torch.eye(len(aligned.matrix), dtype=aligned.matrix.dtype, device=aligned.matrix.device)
        return whitened_design(moments, channel, self.equaliser, aligned.principal, aligned.matrix, eye, k)
