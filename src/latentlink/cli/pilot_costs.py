"""What the pilots of `latentlink fit` cost: in dB of the error, and in channel uses of the handshake that brought them.

The price is told from folds of the pilots (`bounds.pilot_price`), in the span of their latents: a rotation that loses nothing, in which 420
pilots of 1,280 dimensions are decomposed in a twentieth of the time. The larger that span, the fewer parts of the folds are tried, so that
the price takes a small part of the time of a fit.
"""

import math
import warnings
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.bounds.handshake import Handshake
from latentlink.bounds.pilot_price import PilotPrice, price_of_modes
from latentlink.channels.channel import Channel
from latentlink.cli.console import facts
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.linear.design import ClosedForm
from latentlink.linear.goal import Goal
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.numerics.reprs import counted
from latentlink.studies.knowledge import PilotKnowledge
from latentlink.tasks.heads import SoftmaxHead

_FOLDS = 10
_LEAST = 40  # pilots: folds of at least four
_DESIGNS, _AT = 12, 420  # that are tried in a span of so many dimensions, and fewer in larger ones, by the cube
_SHORTEST = 1e-5  # of the longest axis: the square of it is what designs drop as rounding


class Asked(NamedTuple):
    """How the pilots were used.

    Attributes:
        method: "linear" or "codec".
        goal: word of the goal.
        fidelity: of the goal.
        shrinkage: of the modes.
        widely_linear: of the modes.
        design: of the link.
    """

    method: str
    goal: str
    fidelity: float
    shrinkage: float | str
    widely_linear: bool
    design: ClosedForm


def tell_costs(
    known: PilotKnowledge, modes: SemanticModes, channel: Channel, asked: Asked, measured: Mapping[str, float]
) -> dict[str, float]:
    """Print what the pilots cost, and return the figures of it by name.

    Args:
        known: the pilots.
        modes: that were made of them.
        channel: that was designed for.
        asked: how the modes were made.
        measured: on pilots that another design has not seen, by name, as `fit` tells it.
    """
    figures: dict[str, float] = {}
    if (why := _why_not(known, channel, asked)) is not None:
        told = f"not told, since {why}"
    else:
        price = _price(known, modes, channel, asked)
        told = word_price(price, known.moments.count, goal=asked.goal != "mse")
        ends = {"from": price.low_db, "to": price.high_db, "at most": price.bound_db}
        means = {f"price of the pilots, dB, {name}": float(value.mean()) for name, value in ends.items()}
        figures = {name: value for name, value in means.items() if math.isfinite(value)}
    facts("what the pilots cost", [("price", told), ("handshake", _word_handshake(known, channel, measured))])
    return figures


def word_price(price: PilotPrice, count: int, goal: bool) -> str:
    """The price in one sentence, in the mean over channels; what the folds tell ends at the bound."""
    low, high, bound = (max(0.0, float(value.mean())) for value in (price.low_db, price.high_db, price.bound_db))
    of = ("the goal's error" if goal else "the error") + " against unlimited ones"
    if bound <= low:
        return f"these {count} pilots cost at most {bound:.2g} dB of {of}"
    if bound < high:
        return f"these {count} pilots cost about {low:.2g} to {bound:.2g} dB of {of}, which is the most that they may"
    return f"these {count} pilots cost about {low:.2g} to {high:.2g} dB of {of}; at most {bound:.2g} dB"


def _why_not(known: PilotKnowledge, channel: Channel, asked: Asked) -> str | None:
    """Why no price can be told; None where it can."""
    design = asked.design
    if asked.method != "linear":
        return "a codec is trained on all of them"
    if asked.goal == "auto":
        return "the goal was chosen on held-out ones"
    if not asked.widely_linear:
        return "maps are complex-linear"
    if design.power.limits_messages or design.csi.receiver_measures or channel.uncertain:
        return "the decoder is not known yet when the link is designed, or its power depends on each message"
    if known.moments.count < _LEAST:
        return f"there are {known.moments.count}, and folds take {_LEAST}"
    return None


def _price(known: PilotKnowledge, modes: SemanticModes, channel: Channel, asked: Asked) -> PilotPrice:
    """The price, from as many parts of the folds as there is time for."""
    moments, shrinkage, weight = known.moments, asked.shrinkage, modes.task_weight
    goal = None if weight is None else Goal(weight, asked.fidelity)  # whose scale does not matter
    with warnings.catch_warnings(action="ignore"):  # of few pilots, in every part of them
        if not moments.folds:
            x, y = (in_span(each.double()) for each in (known.pilots.x, known.pilots.y))
            moments = Moments.from_pairs(x[0], y[0], folds=_FOLDS)
            goal = goal if goal is None or y[1] is None else Goal(goal.weight.to(y[1]) @ y[1], goal.fidelity)
            if not isinstance(shrinkage, str) and x[1] is not None:
                shrinkage *= x[1].shape[1] / x[1].shape[0]  # relative to the mean variance of fewer dimensions
            modes = modes if x[1] is None and y[1] is None else semantic_modes(moments, goal, shrinkage)
        room = _DESIGNS * (_AT / max(moments.cov_yx.shape)) ** 3
        sizes = 4 if room >= 4 else 2
        return price_of_modes(moments, modes, channel, goal, asked.design, shrinkage, max(1, min(_FOLDS, int(room / sizes))), sizes)


def in_span(latents: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n r"], Float[Tensor, "d r"] | None]:
    """Latents in the principal axes of what they span about their mean, and these axes; as they are where they would have no fewer.

    Nothing is rotated either where some axis is so short that a design would drop it as rounding unless it standardises dimensions first.
    """
    if len(latents) >= latents.shape[1]:
        return latents, None
    _, lengths, axes = torch.linalg.svd(latents - latents.mean(0), full_matrices=False)
    real = lengths > max(latents.shape) * torch.finfo(latents.dtype).eps * lengths[0]
    if not bool(real.any()) or bool((lengths[real] < _SHORTEST * lengths[0]).any()):
        return latents, None
    return latents @ axes[real].mT, axes[real].mT


def _word_handshake(known: PilotKnowledge, channel: Channel, measured: Mapping[str, float]) -> str:
    """The channel uses of answers to the pilots, and after how many messages they pay."""
    count, numbers = known.moments.count, len(known.moments.mean_y)
    full = Handshake.of_numbers(count, numbers, channel)
    sentence = f"the receiver answers {counted(count, 'pilot')} with latents in {float(full.uses.mean()):,.0f} channel uses"
    if isinstance(known.classifier, SoftmaxHead):
        decided = Handshake.of_decisions(count, known.classifier.out_features, channel)
        sentence += f", with its decisions in {float(decided.uses.mean()):,.0f} or more"
    guess = _largest_class(known.pilots)
    accuracy = next((value for name, value in measured.items() if name.startswith("accuracy on ")), None)
    if accuracy is None or guess is None or accuracy <= guess:
        return sentence
    after = float(full.pays_after(accuracy - guess, channel.uses).mean())
    return f"{sentence}; with latents it pays after {after:,.0f} messages, against guessing the largest class ({guess:.3g})"


def _largest_class(pilots: Pilots) -> float | None:
    if pilots.labels is None:
        return None
    return float(pilots.labels.bincount().max()) / len(pilots)
