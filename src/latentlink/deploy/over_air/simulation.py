"""What the library expects of an air: the same design, computed by PyTorch, over the taps as they are.

The transmitter knows the channel by a report of its receiver, the receiver by a measurement of each message's frame, each with an error of
its own; noise and errors have the variances that the receiver told. Everything that the radio does beside is not in it: frames,
synchronisation, tracking, offsets of the clocks, the bytes of the report.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.csi.feedback import quantise_feedback
from latentlink.deploy.over_air.air import AirSetting
from latentlink.latents.labels import as_labels
from latentlink.latents.rows import as_latents, as_pairs
from latentlink.linear.closed_form import design_exactly
from latentlink.linear.modes import SemanticModes
from latentlink.links.transceiver import Transceiver
from latentlink.neural.codec.design import Codec
from latentlink.numerics.doors import AnyArray, as_tensor, real
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.seeds import stream_generator
from latentlink.numerics.validation import validate_call
from latentlink.power import Mean
from latentlink.tasks.heads import LinearHead, decisions

_REPEATS = 4  # draws of noise and errors
_MOST = 1e30  # of a variance: squares of its square are still numbers


@dataclass(frozen=True)
class Arrival(Summarised):
    """How well latents arrived.

    Attributes:
        nmse: error over the energy of the latents around their mean.
        accuracy: share of messages for which the head decides as their labels say.

    Example:
        >>> import latentlink as ll
        >>> ll.deploy.Arrival(nmse=0.25, accuracy=0.8)
        Arrival(nmse=0.25, accuracy=0.8)
    """

    nmse: float
    accuracy: float


@validate_call
def measure_arrival(values: AnyArray, y: AnyArray, labels: AnyArray, head: LinearHead, *, rows: AnyArray | None = None) -> Arrival:
    """Measure latents that arrived over an air.

    Args:
        values: decoded latents (n, m).
        y: the receiver's own latents (k, m).
        labels: their classes (k,), as numbers.
        head: of the receiver.
        rows: row (n,) of `y` that each decoded latent is, modulo k, those below 0 being left out as damaged; in the order of `y` if None.

    Returns:
        The error and the accuracy.

    Raises:
        ValueError: nothing arrived, or the sizes do not fit each other.

    Example:
        >>> import torch, latentlink as ll
        >>> y = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
        >>> labels = (y[:, 0] > 0).long()
        >>> head = ll.fit_head(y, labels)
        >>> ll.deploy.measure_arrival(0.9 * y[:50], y, labels, head, rows=torch.arange(50)).nmse < 0.02
        True
    """
    decoded, own = as_latents("values", values).float(), as_latents("y", y).float()
    classes = as_labels(labels, len(own))
    which = torch.arange(len(decoded), device=decoded.device) if rows is None else as_tensor("rows", rows)
    if which.shape != decoded.shape[:1] or which.is_floating_point() or which.is_complex():
        raise ValueError(
            f"rows must be integers of shape ({len(decoded)},), one for each of values, got {which.dtype} {tuple(which.shape)}"
        )
    decoded, which = decoded[which >= 0], which[which >= 0].long()
    if decoded.ndim != 2 or not len(decoded) or decoded.shape[1:] != own.shape[1:]:
        shapes = f"{tuple(decoded.shape)} and {tuple(own.shape)}"
        raise ValueError(f"values that arrived and y must have shapes (n, m) and (k, m) with n > 0, got {shapes}")
    wanted, numbers = own[which % len(own)], classes[which % len(own)]
    error = (decoded - wanted).square().sum(-1).mean() / (wanted - own.mean(0)).square().sum(-1).mean()
    return Arrival(float(error), float((decisions(head, decoded) == numbers).double().mean()))


@validate_call
def simulate_over_air(
    design: SemanticModes | Codec,
    x: AnyArray,
    y: AnyArray,
    labels: AnyArray,
    head: LinearHead,
    *,
    setting: AirSetting,
    noise_variance: float,
    error_variance: float,
) -> Arrival:
    """Simulate the link of a design over the data carriers of an air, message i on carrier i modulo their number.

    Args:
        design: the semantic modes of a linear link, or a codec.
        x: latents (n, d) of the transmitter.
        y: the receiver's own latents (n, m).
        labels: their classes (n,), as numbers.
        head: of the receiver.
        setting: the air.
        noise_variance: of a carrier at a receive antenna, as the receiver measured it.
        error_variance: of an entry of the receiver's estimate of the channel, as it says.

    Returns:
        Means over several draws of noise and errors.

    Raises:
        ValueError: a variance is negative or not finite, or there are fewer messages than carriers.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(480, 8, generator=torch.Generator().manual_seed(0))
        >>> y, labels = x[:, :6].tanh(), (x[:, 0] > 0).long()
        >>> head, modes = ll.fit_head(y, labels), ll.semantic_modes(ll.Moments.from_pairs(x, y))
        >>> air = ll.deploy.AirSetting(n_tx=4, n_rx=4)
        >>> seen = ll.deploy.simulate_over_air(modes, x, y, labels, head, setting=air, noise_variance=0.01, error_variance=0.002)
        >>> 0 < seen.nmse < 0.2
        True
    """
    noise, error = (
        real(name, value, least=0.0, most=_MOST) for name, value in (("noise_variance", noise_variance), ("error_variance", error_variance))
    )
    generator = stream_generator(setting.seed, "over the air")
    truth = Channel(setting.carriers, noise)
    messages, own = (each.float() for each in as_pairs(x, y))
    classes = as_labels(labels, len(own))
    rounds, carriers = len(messages) // len(truth.h), len(truth.h)
    if not rounds:
        raise ValueError(f"x must have at least {carriers} messages, one for each data carrier, got {len(messages)}")
    spread = messages[: rounds * carriers].unflatten(0, (rounds, carriers)).transpose(0, 1)
    found = []
    for _ in range(_REPEATS):
        link = _link(design, truth, error, setting.bits, generator)
        values = link.decode(truth.apply(link.encode(spread), generator))
        found.append(measure_arrival(values.transpose(0, 1).flatten(0, 1), own, classes, head))
    return Arrival(*(sum(getattr(each, name) for each in found) / len(found) for name in ("nmse", "accuracy")))


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
