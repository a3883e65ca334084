"""A link measured on unseen latents, over many channels, without ever holding channels × messages × latent dimension.

Decoders end in ŷ = μy + Ψ ẑ with few coefficients ẑ, so all that is asked of ŷ is asked of ẑ: a linear head reads ẑ through W Ψ, and

    ||y − ŷ||² = ||y − μy||² − 2 ẑᵀ Ψᵀ (y − μy) + ẑᵀ ΨᵀΨ ẑ.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from latentlink.channels.channel import Channel
from latentlink.evaluation.papr import Amplifier
from latentlink.latents.moments import as_pairs
from latentlink.latents.pilots import as_labels
from latentlink.links.transceiver import Transceiver, informed
from latentlink.tasks.heads import apply_head, decisions, is_affine

_ENTRIES = 2**23  # of the largest intermediate tensor


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured for each channel of a batch `...`, over n messages each.

    Attributes:
        accuracy: share (…) of messages whose class head(ŷ) finds; None without labels.
        per_class: the same for each class that occurs, by class number (…).
        agreement: share (…) on which head(ŷ) decides as head(y).
        mse: total squared error (…). nmse: the same over the variance of y.
        power: mean transmit power per channel use (…), as measured. peak_power: highest power of a message, per use (…).
        antenna_power: mean power per channel use of each transmit antenna (…, n_tx).
        messages: n.
    """

    accuracy: Float[Tensor, "*batch"] | None
    per_class: dict[int, Float[Tensor, "*batch"]]
    agreement: Float[Tensor, "*batch"]
    mse: Float[Tensor, "*batch"]
    nmse: Float[Tensor, "*batch"]
    power: Float[Tensor, "*batch"]
    peak_power: Float[Tensor, "*batch"]
    antenna_power: Float[Tensor, "*batch t"]
    messages: int


def evaluate(
    transceiver: Transceiver,
    x: Tensor | NDArray[Any],
    y: Tensor | NDArray[Any],
    channel: Channel,
    head: nn.Module,
    labels: Tensor | NDArray[Any] | None = None,
    generator: torch.Generator | None = None,
    amplifier: Amplifier | None = None,
) -> Evaluation:
    """Send every message over every channel and see what the receiver makes of it.

    Args:
        transceiver: designed for the batch of `channel`, or for one channel.
        x, y: unseen latents (n, d), (n, m) of the same observations.
        channel: the channels really passed.
        head: the receiver's classifier, (n, m) → logits.
        labels: (n,) true classes, if known.
        generator: source of the noise.
        amplifier: of the transmitter, where it is not ideal; power is measured behind it.

    Raises:
        ValueError: shapes do not fit.
    """
    x, y = as_pairs(x, y)
    _check(transceiver, y, channel)
    device = transceiver.synthesis.device
    truth = torch.full((len(y),), -1, device=device) if labels is None else as_labels(labels, len(y)).to(device)
    centred = y.to(transceiver.synthesis) - transceiver.mean_y
    decided, energy = decisions(head, y).to(device), centred.square().sum(-1)
    projected = centred @ transceiver.synthesis
    gram = transceiver.synthesis.mT @ transceiver.synthesis
    classes = truth.unique()
    members = (truth.unsqueeze(-1) == classes).to(gram)  # (n, classes)
    hits = gram.new_zeros(*channel.batch, len(classes))
    sums, peak = gram.new_zeros(2, *channel.batch), gram.new_zeros(channel.batch)
    antennas = gram.new_zeros(*channel.batch, channel.n_tx)
    for rows in torch.arange(len(x)).split(_rows(transceiver, channel, head)):
        s = transceiver.encode(x[rows])
        s = s if amplifier is None else amplifier(s)
        per_antenna = s.abs().square().sum(-2) / channel.uses  # (…, n, n_tx)
        z = informed(transceiver, x[rows]).receive(channel.apply(s, generator))
        choice = _outputs(head, transceiver, z).argmax(-1).to(device)
        error = energy[rows] - 2 * (z * projected[rows]).sum(-1) + ((z @ gram) * z).sum(-1)
        hits += (choice == truth[rows]).to(gram) @ members[rows]
        sums += torch.stack([(choice == decided[rows]).to(gram).sum(-1), error.sum(-1)])
        antennas += per_antenna.sum(-2)
        peak = torch.maximum(peak, per_antenna.sum(-1).amax(-1))
    agreement, mse = sums / len(x)
    antennas = antennas / len(x)
    variance = (y.double() - y.double().mean(0)).square().sum(-1).mean().to(device)
    per_class = {} if labels is None else {int(c): hits[..., i] / members[:, i].sum() for i, c in enumerate(classes)}
    accuracy = None if labels is None else hits.sum(-1) / len(x)
    nmse = mse / torch.where(variance > 0, variance, 1.0)
    return Evaluation(accuracy, per_class, agreement, mse, nmse, antennas.sum(-1), peak, antennas, len(x))


def _check(transceiver: Transceiver, y: Tensor, channel: Channel) -> None:
    if y.shape[1] != len(transceiver.mean_y):
        raise ValueError(f"y must have shape (n, {len(transceiver.mean_y)}), got {tuple(y.shape)}")
    batch = transceiver.batch
    if len(batch) > len(channel.batch) or any(a not in (1, b) for a, b in zip(batch[::-1], channel.batch[::-1], strict=False)):
        raise ValueError(f"channel must have the batch of the transceiver, {tuple(batch)}, or more, got {tuple(channel.batch)}")


def _rows(transceiver: Transceiver, channel: Channel, head: nn.Module) -> int:
    """Messages at a time; only a head that is not affine needs ŷ itself."""
    read = head.out_features if is_affine(head) else len(transceiver.mean_y)
    widest = max(2 * channel.uses * max(channel.n_tx, channel.n_rx), transceiver.synthesis.shape[1], read)
    return max(1, _ENTRIES // (widest * max(1, channel.batch.numel())))


def _outputs(head: nn.Module, transceiver: Transceiver, z: Float[Tensor, "*batch n s"]) -> Float[Tensor, "*batch n q"]:
    if not is_affine(head):
        return apply_head(head, transceiver.mean_y + z @ transceiver.synthesis.mT)
    weight = head.weight.detach().to(z)
    offset = apply_head(head, transceiver.mean_y.unsqueeze(0)).detach().to(z).squeeze(0)
    return offset + z @ (weight @ transceiver.synthesis).mT
