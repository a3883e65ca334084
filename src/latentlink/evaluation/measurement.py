"""A measurement under way: messages are sent part by part, and only sums over them are kept.

Decoders end in ŷ = μy + Ψ ẑ with few coefficients ẑ, so all that is asked of ŷ is asked of ẑ, and neither channels × messages × latent
dimension nor all latents y are ever held:

    ||y − ŷ||² = ||y − μy||² − 2 p + ẑᵀΨᵀΨ ẑ,    ⟨y, ŷ⟩ = ⟨y, μy⟩ + p + ⟨Ψᵀμy, ẑ⟩,    p = ⟨Ψᵀ(y − μy), ẑ⟩.
"""

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor, nn

from latentlink.channels.channel import Channel
from latentlink.evaluation.amplifier import Amplifier
from latentlink.evaluation.clusters import Clusters
from latentlink.evaluation.figures import Evaluation
from latentlink.evaluation.ranks import Ranks
from latentlink.evaluation.readings import Decisions, Outputs, Task
from latentlink.evaluation.spread import Spread
from latentlink.links.transceiver import Transceiver
from latentlink.tasks.heads import is_affine
from latentlink.tasks.judges import Fidelity, head_reader

ENTRIES = 2**23  # numbers in the largest intermediate tensor


class Measurement:
    """Figures of a link over channels, of messages that come in parts (shards of latents): `add` each, then ask for the `evaluation`.

    Args of the constructor:
        link: designed for the batch of `channel`, or for one channel.
        channel: the channels really passed, a batch `...`.
        head: the receiver's, if any, and `task` what it does (see `readings.task_of`).
        gallery: latents (g, m) that are searched for each message, row i for message i in the order in which they are added.
        clusters: into how many the latents are grouped, if they are; all coefficients ẑ are then kept.
        amplifier: of the transmitter, where it is not ideal.
        noise: the source of the noise.
        entries: numbers in the largest intermediate tensor.
    """

    def __init__(
        self,
        link: Transceiver,
        channel: Channel,
        *,
        head: nn.Module | None = None,
        task: Task | None = None,
        gallery: Float[Tensor, "g m"] | None = None,
        clusters: int | None = None,
        amplifier: Amplifier | None = None,
        noise: torch.Generator | None = None,
        entries: int = ENTRIES,
    ) -> None:
        psi = link.synthesis
        self.link, self.channel, self.amplifier, self.noise, self.entries = link, channel, amplifier, noise, entries
        self.fidelity: Fidelity | None = None
        reading = None if head is None else head_reader(head, psi, link.mean_y)
        self.decisions = Decisions(head, reading) if head is not None and reading is not None and task == "classification" else None
        self.outputs = Outputs(head, reading) if head is not None and reading is not None and task == "regression" else None
        self.ranks = None if gallery is None else Ranks(gallery, psi, link.mean_y, entries)
        self.clusters = None if clusters is None else Clusters(clusters, psi)
        width = head.out_features if head is not None and is_affine(head) else len(link.mean_y)  # other heads need ŷ itself
        self.widest = max(2 * channel.uses * max(channel.n_tx, channel.n_rx), psi.shape[-1], width)
        self.count, self.variance = 0, Spread()
        self.error, self.cosine, self.peak = psi.new_zeros(3, *channel.batch, dtype=torch.float64)
        self.energy, self.squares = psi.new_zeros(2, *channel.batch, dtype=torch.float64)
        self.antennas = psi.new_zeros(*channel.batch, channel.n_tx, dtype=torch.float64)

    def messages_at_a_time(self, dimension: int) -> int:
        """Messages of such latents that are sent together; those in parts of a multiple of so many meet the same noise as all at once."""
        widest = max(self.widest * max(1, self.channel.batch.numel()), dimension, len(self.link.mean_y))
        return max(1, self.entries // widest)

    def add(
        self,
        x: Float[Tensor, "n d"],
        y: Float[Tensor, "n m"],
        labels: Int[Tensor, "n"] | None = None,
        targets: Float[Tensor, "n q"] | None = None,
    ) -> None:
        """Send messages x, of which a receiver would like the latents y, and count what arrives."""
        first = self.count
        for rows in torch.arange(len(x), device="cpu").split(self.messages_at_a_time(x.shape[1])):
            s = self.link.encode(x[rows])
            s = s if self.amplifier is None else self.amplifier(s)
            z = self.link.informed_by(x[rows]).receive(self.channel.apply(s, self.noise))
            self._count_power(s)
            self._count_latents(y[rows], z)
            if self.decisions is not None:
                self.decisions.add(z, y[rows], None if labels is None else labels[rows])
            if self.outputs is not None:
                self.outputs.add(z, y[rows], None if targets is None else targets[rows])
            if self.ranks is not None:
                self.ranks.add(first + rows.to(z.device), z)
            if self.clusters is not None:
                self.clusters.add(z, y[rows])
            self.count += len(rows)

    def _count_power(self, s: Complex[Tensor, "*batch n u t"]) -> None:
        per_antenna = s.abs().square().sum(-2) / self.channel.uses  # (…, n, n_tx)
        each = per_antenna.sum(-1)
        self.antennas += per_antenna.sum(-2)
        self.peak = torch.maximum(self.peak, each.amax(-1))
        self.energy += each.double().sum(-1)
        self.squares += each.double().square().sum(-1)

    def _count_latents(self, y: Float[Tensor, "n m"], z: Float[Tensor, "*batch n s"]) -> None:
        if self.fidelity is None:
            self.fidelity = Fidelity(y, self.link.synthesis, self.link.mean_y)
        self.variance.add(y)
        latents, psi, mean = self.fidelity.of(y), self.fidelity.synthesis, self.fidelity.mean_y
        y = y.to(psi)
        along = (z * latents.projected).sum(-1)  # p
        square = ((z @ latents.gram) * z).sum(-1)
        self.error += (latents.energy - 2 * along + square).sum(-1)
        shift = z @ (mean @ psi)
        inner = y @ mean + along + shift
        size = (mean.square().sum() + 2 * shift + square).clamp(min=0).sqrt() * y.norm(dim=-1)
        self.cosine += torch.where(size > 0, inner / size, 0.0).clamp(-1, 1).sum(-1)

    def evaluation(self) -> Evaluation:
        """The means over all messages so far, in the precision of the link."""
        n, like = self.count, self.link.synthesis
        mse, antennas = (self.error / n).to(like), (self.antennas / n).to(like)
        variance = self.variance.total.to(like.device)
        spread = (self.squares / n - (self.energy / n).square()).clamp(min=0)
        return Evaluation(
            mse=mse,
            nmse=mse / torch.where(variance > 0, variance, 1.0),
            cosine=(self.cosine / n).to(like),
            power=antennas.sum(-1),
            power_error=(spread / n).sqrt().to(like),
            peak_power=self.peak.to(like),
            antenna_power=antennas,
            messages=n,
            accuracy=None if self.decisions is None else self.decisions.accuracy(n, like),
            per_class={} if self.decisions is None else self.decisions.per_class(like),
            agreement=None if self.decisions is None else self.decisions.agreement(n, like),
            regression=None if self.outputs is None else self.outputs.figures(n, like),
            retrieval=None if self.ranks is None else self.ranks.figures(n, like),
            clustering=None if self.clusters is None else self.clusters.figures(like),
        )
