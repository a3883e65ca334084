"""Pseudo-pairs: labelled latents of the transmitter, with what the receiver's latents would be as far as both ends can tell.

A codec is trained on pairs. Where there are few or none, but the same classes at both ends, a latent x of class c takes

    y' = μy_c + (T − T₀) (x − μx),

the class mean of the receiver, and what pairs add to the linear estimate T₀ of the classes; without pairs T = T₀. With
`Moments.from_concepts` they add nothing in what a goal W sees, W T = W T₀: the goal comes from the classes, the rest from what pairs there
are. If x and y have nothing but the class in common, the cross-covariance of (x, μy_c) is all of Ryx (`latents/concepts.py`): the linear
design of these pairs is that of the class means, and a network that is trained on them learns what else of x says the class, and to say it
in few symbols.
"""

from collections.abc import Sequence

from latentlink.alignment.decision_pilots import means_of
from latentlink.latents.concepts import Concepts
from latentlink.latents.labels import AnyLabels, as_named_labels
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.latents.rows import as_latents
from latentlink.numerics.doors import AnyArray
from latentlink.numerics.validation import validate_call


@validate_call
def pseudo_pairs(
    x: AnyArray,
    labels: AnyLabels,
    rx: Concepts,
    classes: Moments | None = None,
    filled: Moments | None = None,
    *,
    names: Sequence[str] | None = None,
) -> Pilots:
    """Make pilots for `CodecTraining` of labelled latents of the transmitter and the class means of the receiver (see the module).

    Where the modes know the labels of these latents, train with `folds` above 1, so that none is judged by modes that know its own.

    Args:
        x: latents of the transmitter (n, d).
        labels: class numbers (n,), or names of classes.
        rx: class means of the receiver.
        classes: moments of the classes alone, `Moments.from_concepts(tx, rx, goal=goal)`, of T₀; only beside `filled`.
        filled: moments with pairs, `Moments.from_concepts(tx, rx, rest, goal=goal)`, of T; None where there are no pairs.
        names: the name of each class, in the order of their numbers.

    Returns:
        Pilots of n pairs, with these labels.

    Raises:
        ValueError: x or labels are malformed, the receiver lacks a class, the dimensions differ, or one of both moments is missing.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y, labels = x[:, :6].tanh(), (x[:, 0] > 0).long()
        >>> rx = ll.alignment.Concepts.from_labels(y[250:], labels[250:])  # of other observations
        >>> ll.alignment.pseudo_pairs(x[:250], labels[:250], rx)  # than these
        Pilots(250 pairs, 8 → 6, 2 classes)
    """
    latents = as_latents("x", x)
    numbers, known = as_named_labels(labels, len(latents), names)
    means = means_of(rx, numbers, known, "labels")
    if classes is None and filled is None:
        return Pilots(latents, means, numbers, names=known)
    if classes is None or filled is None:
        name = "classes" if classes is None else "filled"
        raise ValueError(f"{name} must be given too, as pairs add what both moments differ by, got None")
    shape = (means.shape[1], latents.shape[1])
    for name, moments in (("classes", classes), ("filled", filled)):
        if moments.cov_yx.shape != shape:
            raise ValueError(f"{name} must be moments of these latents (m, d) = {shape}, got {tuple(moments.cov_yx.shape)}")
    added = filled.regression() - classes.regression()
    return Pilots(latents, means + (latents.to(added) - filled.mean_x) @ added.mT, numbers, names=known)
