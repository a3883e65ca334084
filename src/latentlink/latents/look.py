"""A look at latents before a design: how many, how they vary, and whether the rows of the two ends are paired at all."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.latents.dependence import LEAST_ROWS, Dependence, measure_dependence
from latentlink.latents.labels import AnyLabels, as_named_labels
from latentlink.latents.moments import Moments
from latentlink.latents.rows import as_pairs
from latentlink.numerics.doors import AnyArray
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call

_REPEATS = 0.01  # share of repeated rows above which the shrinkage is misled
_DOMINANT = 0.5  # share of the variance that one dimension holds, above which it takes most streams of a design for the MSE
_UNPAIRED = 0.3  # estimated share of unpaired rows that is told
_ROWS_A_CLASS = 16  # rows from which pairing within classes is tested
_SURE_ROWS = 200  # rows from which that estimate is trusted


@dataclass(frozen=True)
class End(Summarised):
    """The latents of one end.

    Attributes:
        dimension: d or m, numbers in a latent.
        effective_rank: the exponential of the entropy of the covariance's normalised eigenvalues [roy2007effective].
        largest_share: share of the total variance that the dimension of largest variance holds.
        repeats: number of rows that repeat an earlier row exactly.
        constant: number of dimensions that do not vary.
    """

    dimension: int
    effective_rank: float
    largest_share: float
    repeats: int
    constant: int


@dataclass(frozen=True, eq=False, repr=False)
class Look(Summarised):
    """What paired latents look like; `print` gives it line by line, with what to mend.

    Attributes:
        count: n, number of pairs.
        transmitter: the latents x.
        receiver: the latents y.
        classes: number of rows of each class (C,), or None without labels.
        dependence: how far y is explained by x, against permuted rows; None with too few rows to tell.
        within_classes: likewise beyond what the class explains; None without labels or with too few rows.
        warnings: what is wrong or suspicious, with its remedy, in whole sentences; empty where nothing is.
    """

    count: int
    transmitter: End
    receiver: End
    classes: Int[Tensor, "C"] | None
    dependence: Dependence | None
    within_classes: Dependence | None
    warnings: tuple[str, ...] = ()

    def facts(self) -> dict[str, str]:
        """What was counted and measured, by name."""
        ends = (self.transmitter, self.receiver)
        facts = {
            "pairs": f"{self.count}",
            "dimensions": " → ".join(str(end.dimension) for end in ends),
            "effective rank": " → ".join(f"{end.effective_rank:.0f}" for end in ends),
            "share of the largest dimension": " → ".join(f"{end.largest_share:.1%}" for end in ends),
            "repeated rows": " → ".join(str(end.repeats) for end in ends),
        }
        if self.dependence is not None:
            facts["R² of y on x (permuted rows)"] = f"{self.dependence.r2:.3f} (at most {self.dependence.threshold:.3f})"
        if self.within_classes is not None:
            within = self.within_classes
            facts["R² within classes (permuted rows)"] = f"{within.r2:.3f} (at most {within.threshold:.3f})"
        if self.classes is not None:
            held = self.classes[self.classes > 0]
            facts["classes"] = f"{len(held)} of {int(held.min())} to {int(held.max())} rows"
        return facts

    def _facts(self) -> dict[str, str]:
        return self.facts() | ({"warnings": " ".join(self.warnings)} if self.warnings else {})

    def _line(self) -> list[str]:
        facts = self.facts()
        found = f"{len(self.warnings)} warning{'' if len(self.warnings) == 1 else 's'}"
        return [f"{facts['pairs']} pairs", facts["dimensions"], found]

    def __str__(self) -> str:
        width = max(map(len, self.facts()))
        lines = [f"{name:<{width}}  {fact}" for name, fact in self.facts().items()]
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])


@validate_call
def look(x: AnyArray, y: AnyArray, labels: AnyLabels | None = None, *, moments: Moments | None = None, seed: int = 0) -> Look:
    """Look at paired latents before designing for them.

    Args:
        x: latents at the transmitter (n, d).
        y: latents at the receiver (n, m), row by row of the same observations, which is tested.
        labels: class numbers (n,) or names of classes, where they are known.
        moments: moments of the same pairs, where they are computed already.
        seed: seed of the rows and permutations that the tests draw.

    Returns:
        Counts, effective ranks, repeats, classes, the explained variance against permuted rows, and warnings with their remedies.

    Raises:
        ValueError: x, y or labels are malformed, or their lengths differ.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> ll.look(x, y).warnings
        ()
        >>> ll.look(x, y.flip(0)).warnings[0][:51]
        'y is not explained by x better than by permuted row'
    """
    x, y = as_pairs(x, y)
    numbers = None if labels is None else as_named_labels(labels, len(x)).numbers.cpu()
    moments = Moments.from_pairs(x, y) if moments is None else moments
    transmitter = _end(x, moments.cov_x)
    receiver = _end(y, moments.cov_y)
    enough = len(x) >= LEAST_ROWS
    dependence = measure_dependence(x, y, None, seed) if enough else None
    several = numbers is not None and len(x) >= _ROWS_A_CLASS * len(numbers.unique()) and len(numbers.unique()) > 1
    within = measure_dependence(x, y, numbers, seed) if several else None
    found = Look(len(x), transmitter, receiver, None if numbers is None else numbers.bincount(), dependence, within)
    return Look(**{**vars(found), "warnings": tuple(text for rule in _RULES if (text := rule(found)) is not None)})


def _end(latents: Float[Tensor, "n d"], covariance: Float[Tensor, "d d"]) -> End:
    variances = covariance.diagonal()
    values = torch.linalg.eigvalsh(covariance).clamp(min=0)
    total = values.sum()
    shares = values[values > 0] / total
    return End(
        dimension=latents.shape[1],
        effective_rank=float(torch.exp(-(shares * shares.log()).sum())) if total > 0 else 0.0,
        largest_share=float(variances.max() / variances.sum()) if total > 0 else 0.0,
        repeats=len(latents) - len({hash(row.tobytes()) for row in latents.detach().cpu().float().numpy()}),
        constant=int((variances <= 0).sum()),
    )


_JOIN = "Join both on the observation's id (read_pairs does)."


def pairing_fault(seen: Look) -> str | None:
    """What is wrong with the pairing of the rows, and its remedy, or None where they look paired."""
    dependence = seen.dependence
    if dependence is None:
        return f"{seen.count} pairs are too few to tell whether the rows are paired, and any design fits them: take at least {LEAST_ROWS}."
    if not dependence.is_paired:
        fault = "y is not explained by x better than by permuted rows: row i of both must be the same observation."
        return f"{fault} Was one end shuffled, shifted or sorted? {_JOIN}"
    if seen.within_classes is not None and not seen.within_classes.is_paired:
        fault = "Rows are paired by their class alone: within a class y is explained no better than by permuted rows."
        return f"{fault} Was one end sorted by class? {_JOIN}"
    if dependence.unpaired > _UNPAIRED and seen.count >= _SURE_ROWS:
        fault = f"About {dependence.unpaired:.0%} of the rows look unpaired: other rows are as near to what x predicts as their partner is."
        return f"{fault} Was a part shuffled or lost at one end, or do the encoders share so little? {_JOIN}"
    return None


def _repeated(seen: Look) -> str | None:
    repeats = min(seen.transmitter.repeats, seen.receiver.repeats)
    if repeats <= _REPEATS * seen.count:
        return None
    fault = f"{repeats} of {seen.count} pairs are repeats, which count as independent pilots in the choice of the shrinkage"
    return f"{fault}, and leak between folds. Drop them."


def _dominated(seen: Look) -> str | None:
    for name, end in (("x", seen.transmitter), ("y", seen.receiver)):
        if end.largest_share > _DOMINANT and end.dimension > 2:
            fault = (
                f"One dimension of {name} holds {end.largest_share:.0%} of the variance, and a design for the MSE gives it most streams."
            )
            return f"{fault} Standardise the latents, or design for the receiver's task (Goal)."
    return None


def _few(seen: Look) -> str | None:
    if seen.count >= seen.transmitter.dimension:
        return None
    fault = f"{seen.count} pairs are fewer than the {seen.transmitter.dimension} dimensions of x: errors expected on them are far too good."
    return f"{fault} Judge by held_out, or take more pilots."


def _one_class(seen: Look) -> str | None:
    if seen.classes is None or int((seen.classes > 0).sum()) > 1:
        return None
    return "All labels are of one class: no classifier and no goal of one can be fitted. Are the rows sorted by class and cut?"


_RULES: tuple[Callable[[Look], str | None], ...] = (pairing_fault, _few, _repeated, _dominated, _one_class)
