"""What the library expects of an air: the same design, computed by PyTorch, over the taps as they are.

The transmitter knows the channel by a report of its receiver, the receiver by a measurement of each message's frame, each with an error of
its own; noise and errors have the variances that the receiver told. Everything that the radio does beside is not in it: frames,
synchronisation, tracking, offsets of the clocks, the bytes of the report.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.csi.feedback import quantise_feedback
from latentlink.deploy.over_air.air import Setting
from latentlink.linear.closed_form import design_exactly
from latentlink.linear.modes import SemanticModes
from latentlink.links.transceiver import Transceiver
from latentlink.neural.codec.design import Codec
from latentlink.numerics.seeds import stream_generator
from latentlink.power import Mean
from latentlink.tasks.heads import LinearHead, decisions

_REPEATS = 4  # draws of noise and errors


@dataclass(frozen=True)
class Figures:
    """How well latents arrived.

    Attributes:
        nmse: error over the energy of the latents around their mean.
        accuracy: share of messages for which the head decides as their labels say.
    """

    nmse: float
    accuracy: float


def measure(values: Tensor, y: Tensor, labels: Tensor, head: LinearHead, around: Tensor) -> Figures:
    """The figures of decoded latents (n, m) beside the receiver's own (n, m), whose energy counts around a mean (m,)."""
    error = (values - y).square().sum(-1).mean() / (y - around).square().sum(-1).mean()
    return Figures(float(error), float((decisions(head, values) == labels).double().mean()))


def simulate(
    design: SemanticModes | Codec, x: Tensor, y: Tensor, labels: Tensor, head: LinearHead, setting: Setting, told: Mapping[str, float]
) -> Figures:
    """Send latents over the data carriers of an air, message i on carrier i modulo their number.

    Args:
        design: the semantic modes of a linear link, or a codec.
        x: latents (n, d) of the transmitter.
        y: latents (n, m) of the receiver.
        labels: classes (n,).
        head: of the receiver.
        setting: the air.
        told: the receiver's `noise_variance`, of a carrier, and `error_variance`, of an entry of its estimate.

    Returns:
        Means over several draws of noise and errors.
    """
    generator = stream_generator(setting.seed, "over the air")
    truth = Channel(setting.carriers, told["noise_variance"])
    batches = len(x) // len(truth.h)
    shape = (batches, len(truth.h))
    kept = batches * len(truth.h)
    spread = x[:kept].unflatten(0, shape).transpose(0, 1)
    found = []
    for _ in range(_REPEATS):
        link = _link(design, truth, told["error_variance"], setting.bits, generator)
        values = link.decode(truth.apply(link.encode(spread), generator))
        found.append(measure(values.transpose(0, 1).flatten(0, 1), y[:kept], labels[:kept], head, y.mean(0)))
    return Figures(*(sum(getattr(each, name) for each in found) / len(found) for name in ("nmse", "accuracy")))


def _link(design: SemanticModes | Codec, truth: Channel, error: float, bits: int, generator: torch.Generator) -> Transceiver:
    """The link of what the transmitter was told, matched to what the receiver measured."""
    reported, measured = (replace(truth, h=truth.h + _errors(truth.h, error, generator)) for _ in range(2))
    fed_back = quantise_feedback(reported, bits)
    known = Channel(fed_back.h, truth.noise_variance + error)
    solution: Any = design.design(known) if isinstance(design, Codec) else design_exactly(design, known, Mean())
    matched: Transceiver = solution.transceiver.matched_to(Channel(measured.h, truth.noise_variance, error_variance=error))
    return matched


def _errors(h: Tensor, variance: float, generator: torch.Generator) -> Tensor:
    return (variance / 2) ** 0.5 * torch.view_as_complex(
        torch.randn(*h.shape, 2, dtype=torch.float64, generator=generator, device=h.device)
    )
