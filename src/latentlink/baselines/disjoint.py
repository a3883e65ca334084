"""Disjoint design: alignment, compression and equalisation, each the best of its kind, none knowing of the others.

The transmitter aligns, u = A (x − μx); compresses, keeping the k principal components of u (the Karhunen–Loève transform, no linear
compression loses less of u); whitens them, and sends them with equal power over an equalised channel. With a perfect channel and k = m
this is alignment itself; what the joint design gains elsewhere is power and streams spent where they matter for y over this channel.
"""

from dataclasses import dataclass, field

import torch

from latentlink.baselines.alignment import Aligner, LeastSquares
from latentlink.baselines.equalisers import Equaliser, SvdEqualiser
from latentlink.baselines.whitened import check_parts, checked, count_of, whitened_design
from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.links.solution import Solution


@dataclass(frozen=True)
class Disjoint:
    """Alignment, compression and equalisation designed apart.

    Attributes:
        k: principal components kept; None for all that the channel has room for, two for each of u·min(n_rx, n_tx) symbols, at most
            min(d, m).
        aligner: LeastSquares() or Procrustes().
        equalizer: SvdEqualizer(), ZeroForcing() or MmseEqualizer().

    Raises:
        ValueError: naming the attribute that is something else.
    """

    k: int | None = None
    aligner: Aligner = field(default_factory=LeastSquares)
    equalizer: Equaliser = field(default_factory=SvdEqualiser)

    def __post_init__(self) -> None:
        check_parts(self.k, self.aligner, self.equalizer)

    def design(self, moments: Moments, channel: Channel) -> Solution:
        """The link for every channel of the batch at once.

        Args:
            moments: of the semantic pilots.
            channel: (…, u, n_rx, n_tx); its h is taken for known exactly.

        Returns:
            Solution with a `LinearTransceiver` whose decoder is the equaliser's.

        Raises:
            ValueError: moments or channel are of another type or on different devices, or k is more than fits the channel or the latents.
        """
        moments, channel = checked(moments, channel)
        aligned = self.aligner.fit(moments)
        k = count_of(self.k, min(aligned.matrix.shape), channel)
        eye = torch.eye(len(aligned.matrix), dtype=aligned.matrix.dtype, device=aligned.matrix.device)
        return whitened_design(moments, channel, self.equalizer, aligned.principal, aligned.matrix, eye, k)
