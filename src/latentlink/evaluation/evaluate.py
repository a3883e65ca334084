"""A link measured on unseen latents, over many channels, without ever holding channels × messages × latent dimension.

Decoders end in ŷ = μy + Ψ ẑ with few coefficients ẑ, so all that is asked of ŷ is asked of ẑ (`tasks/objectives.py`).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlink.channels.channel import Channel
from latentlink.evaluation.amplifier import Amplifier
from latentlink.latents.moments import as_pairs
from latentlink.latents.pilots import as_labels
from latentlink.links.own import AnyLink, as_transceiver
from latentlink.links.shapes import broadcast_batch
from latentlink.links.transceiver import Transceiver
from latentlink.numerics import doors
from latentlink.numerics.doors import AnyArray
from latentlink.numerics.reprs import Summarised, counted, spread
from latentlink.numerics.validation import validate_call
from latentlink.tasks.heads import decisions, is_affine
from latentlink.tasks.objectives import Fidelity, head_reader


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Summarised):
    """The figures that were measured for each channel of a batch `...`, over n messages each.

    Attributes:
        accuracy: share (…) of messages whose class head(ŷ) finds; None without labels or without a head.
        per_class: the same for each class that occurs, by class number (…).
        agreement: share (…) on which head(ŷ) decides as head(y); None without a head.
        mse: total squared error (…).
        nmse: the same over the variance of y.
        power: mean transmit power per channel use (…), as measured.
        peak_power: highest power of a message, per use (…).
        antenna_power: mean power per channel use of each transmit antenna (…, n_tx).
        messages: n.
    """

    accuracy: Float[Tensor, "*batch"] | None
    per_class: dict[int, Float[Tensor, "*batch"]]
    agreement: Float[Tensor, "*batch"] | None
    mse: Float[Tensor, "*batch"]
    nmse: Float[Tensor, "*batch"]
    power: Float[Tensor, "*batch"]
    peak_power: Float[Tensor, "*batch"]
    antenna_power: Float[Tensor, "*batch t"]
    messages: int

    def _shown(self) -> dict[str, Tensor]:
        """The figures that fit a line."""
        figures = {"accuracy": self.accuracy, "agreement": self.agreement, "nmse": self.nmse, "power": self.power}
        return {name: value for name, value in figures.items() if value is not None}

    def _facts(self) -> dict[str, str]:
        sizes = {"channels": str(self.mse.numel()), "messages": str(self.messages)}
        return sizes | {name: spread(value) for name, value in self._shown().items()}

    def _line(self) -> list[str]:
        means = [f"{name} {float(value.mean()):.4g}" for name, value in self._shown().items()]
        return [counted(self.mse.numel(), "channel"), counted(self.messages, "message"), *means]


@validate_call
@torch.no_grad()
def evaluate(
    transceiver: AnyLink,
    x: AnyArray,
    y: AnyArray,
    *,
    channel: Channel,
    head: nn.Module | None = None,
    labels: AnyArray | None = None,
    generator: int | torch.Generator | None = None,
    amplifier: Amplifier | None = None,
    entries: int = 2**23,
) -> Evaluation:
    """Send every message over every channel and measure the accuracy and the errors of the receiver.

    Args:
        transceiver: designed for the batch of `channel`, or for one channel: a transceiver, a `Solution`, or any object with `encode` and
            `decode`.
        x: unseen latents (n, d) of the transmitter.
        y: the receiver's latents (n, m) of the same observations.
        channel: the channels really passed.
        head: the receiver's classifier, (n, m) → logits; without one only errors and power are measured.
        labels: (n,) true classes, if known.
        generator: a seed or the source of the noise.
        amplifier: of the transmitter, where it is not ideal; power is measured behind it.
        entries: numbers in the largest intermediate tensor, which bound the memory that this takes.

    Raises:
        ValueError: shapes do not fit, or there are labels but no head.

    Example:
        >>> evaluate(solution, x, y, channel=channel, head=head, labels=labels, generator=0)  # doctest: +SKIP
        Evaluation(100 channels, 2000 messages, accuracy 0.81, agreement 0.84, nmse 0.31, power 1)
    """
    x, y = as_pairs(x, y)
    link = as_transceiver(transceiver, channel, y.shape[1])
    if y.shape[1] != len(link.mean_y):
        raise ValueError(f"y must have shape (n, {len(link.mean_y)}), got {tuple(y.shape)}")
    if broadcast_batch("channel", channel.batch, link.batch) != channel.batch:
        raise ValueError(f"channel must have the batch of the transceiver, {tuple(link.batch)}, or more, got {tuple(channel.batch)}")
    if labels is not None and head is None:
        raise ValueError("head must be given where labels are: it is what finds a message's class")
    sums = _Sums(link, channel, y, head, labels)
    noise = doors.as_generator(generator, "noise", channel.h.device)
    for rows in torch.arange(len(x), device="cpu").split(sums.messages_at_a_time(doors.integer("entries", entries))):
        s = link.encode(x[rows])
        s = s if amplifier is None else amplifier(s)
        sums.add(rows, s, link.informed_by(x[rows]).receive(channel.apply(s, noise)))
    return sums.evaluation(y)


class _Sums:
    """Sums over the messages that were sent so far, with what reads them off coefficients ẑ."""

    def __init__(self, link: Transceiver, channel: Channel, y: Tensor, head: nn.Module | None, labels: AnyArray | None) -> None:
        psi = link.synthesis
        self.channel, self.count = channel, len(y)
        self.errors = Fidelity(y, psi, link.mean_y)
        truth = torch.full((len(y),), -1, device=psi.device) if labels is None else as_labels(labels, len(y)).to(psi.device)
        self.labelled = labels is not None
        self.truth, self.classes = truth, truth.unique()
        self.members = (truth.unsqueeze(-1) == self.classes).to(psi)  # (n, classes)
        self.decided = None if head is None else decisions(head, y).to(psi.device)
        self.outputs = None if head is None else head_reader(head, psi, link.mean_y)
        self.width = head.out_features if head is not None and is_affine(head) else len(link.mean_y)  # other heads need ŷ itself
        self.hits = psi.new_zeros(*channel.batch, len(self.classes))
        self.same, self.error, self.peak = psi.new_zeros(3, *channel.batch)
        self.antennas = psi.new_zeros(*channel.batch, channel.n_tx)

    def messages_at_a_time(self, entries: int) -> int:
        """The number of messages for which the largest tensor has at most `entries`."""
        widest = max(2 * self.channel.uses * max(self.channel.n_tx, self.channel.n_rx), len(self.errors.gram), self.width)
        return max(1, entries // (widest * max(1, self.channel.batch.numel())))

    def add(self, rows: Tensor, s: Tensor, z: Tensor) -> None:
        """Count messages `rows`, sent as symbols s (…, n, u, n_tx) and received as coefficients ẑ (…, n, s)."""
        per_antenna = s.abs().square().sum(-2) / self.channel.uses  # (…, n, n_tx)
        self.antennas += per_antenna.sum(-2)
        self.peak = torch.maximum(self.peak, per_antenna.sum(-1).amax(-1))
        self.error += self.errors.squared(z, rows).sum(-1)
        if self.outputs is None or self.decided is None:
            return
        choice = self.outputs(z).argmax(-1).to(z.device)
        self.same += (choice == self.decided[rows]).to(self.same).sum(-1)
        self.hits += (choice == self.truth[rows]).to(self.hits) @ self.members[rows]

    def evaluation(self, y: Tensor) -> Evaluation:
        """The means over all messages."""
        n = self.count
        variance = (y.double() - y.double().mean(0)).square().sum(-1).mean().to(self.error.device)
        each = {int(c): self.hits[..., i] / self.members[:, i].sum() for i, c in enumerate(self.classes)}
        mse, antennas = self.error / n, self.antennas / n
        return Evaluation(
            accuracy=self.hits.sum(-1) / n if self.labelled else None,
            per_class=each if self.labelled else {},
            agreement=None if self.outputs is None else self.same / n,
            mse=mse,
            nmse=mse / torch.where(variance > 0, variance, 1.0),
            power=antennas.sum(-1),
            peak_power=self.peak,
            antenna_power=antennas,
            messages=n,
        )
