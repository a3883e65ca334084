"""Pseudo-pairs: labelled latents of the transmitter, with what the receiver's latents would be as far as both ends can tell.

A codec is trained on pairs. Where there are few or none, but the same classes at both ends, a latent x of class c takes

    y' = ŷ + W⁺W (μy_c − ŷ),        ŷ = μy + T (x − μx),

the class mean of the receiver in what the goal W sees, and the linear estimate in what it leaves open: the goal from the classes, the rest
from what pairs there are, as in `Moments.from_concepts`. Without a goal y' is μy_c. If x and y have nothing but the class in common, the
cross-covariance of (x, μy_c) is all of Ryx (`latents/concepts.py`): the linear design of these pairs is that of the class means, and a
network that is trained on them learns what else of x says the class, and to say it in few symbols.
"""

from collections.abc import Sequence

from latentlink.alignment.decision_pilots import means_of
from latentlink.latents.concepts import Concepts
from latentlink.latents.labels import AnyLabels, as_named_labels
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.latents.rows import as_latents
from latentlink.latents.without_pairs import Weighing, seen_by
from latentlink.numerics.doors import AnyArray
from latentlink.numerics.validation import validate_call


@validate_call
def pseudo_pairs(
    x: AnyArray,
    labels: AnyLabels,
    rx: Concepts,
    moments: Moments,
    goal: Weighing | None = None,
    *,
    names: Sequence[str] | None = None,
) -> Pilots:
    """Make pilots for `CodecTraining` of labelled latents of the transmitter and the class means of the receiver (see the module).

    Args:
        x: latents of the transmitter (n, d).
        labels: class numbers (n,), or names of classes.
        rx: class means of the receiver.
        moments: how y follows from x, such as `Moments.from_concepts(tx, rx, rest, goal=goal)`. Where `tx` is of these same latents, train
            with `folds` above 1, so that none of them is judged by modes that know its label.
        goal: whose directions of y are taken from the class; None takes all of them.
        names: the name of each class, in the order of their numbers.

    Returns:
        Pilots of n pairs, with these labels.

    Raises:
        ValueError: x or labels are malformed, the receiver lacks a class, or the dimensions differ.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y, labels = x[:, :6].tanh(), (x[:, 0] > 0).long()
        >>> tx = ll.alignment.Concepts.from_labels(x[:250], labels[:250])  # of other observations
        >>> rx = ll.alignment.Concepts.from_labels(y[250:], labels[250:])  # than these
        >>> ll.alignment.pseudo_pairs(x[:250], labels[:250], rx, ll.Moments.from_concepts(tx, rx))
        Pilots(250 pairs, 8 → 6, 2 classes)
    """
    latents = as_latents("x", x)
    numbers, known = as_named_labels(labels, len(latents), names)
    d, m = len(moments.mean_x), len(moments.mean_y)
    if latents.shape[1] != d:
        raise ValueError(f"x must be of the moments' latents of dimension {d}, got {latents.shape[1]} dimensions")
    means = means_of(rx, numbers, known, "labels")
    if means.shape[1] != m:
        raise ValueError(f"rx must be of the moments' latents of dimension {m}, got {means.shape[1]} dimensions")
    if goal is None:
        return Pilots(latents, means, numbers, names=known)
    if goal.weight.shape[1] != m:
        raise ValueError(f"goal must weigh latents of dimension {m}, got a weight of shape {tuple(goal.weight.shape)}")
    aligned = moments.mean_y + (latents.to(means) - moments.mean_x) @ moments.regression().mT
    seen = seen_by(goal.weight.to(means))
    return Pilots(latents, aligned + (means - aligned) @ seen.mT @ seen, numbers, names=known)
