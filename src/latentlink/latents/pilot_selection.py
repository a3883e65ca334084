"""Selection of semantic pilots: a number of observations of each group, at random or those nearest to the group's mean.

With the latents x_1 … x_n at the transmitter in groups g (by label, or by k-means on the latents with as many clusters as there are
classes) and the group means μ_g, each group gives its first `per_class` members in one order of the training set,

    random:    a permutation of 1…n that the seed alone decides,          centroid:    ‖x_i − μ_g(i)‖² increasing, then i increasing,

so the choice consists of row numbers of the training set (not of a group), none twice, and pilot sets are nested: a smaller set is
contained in every larger one.
"""

import operator
import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.latents.labels import as_labels
from latentlink.latents.pilots import Pilots
from latentlink.latents.rows import as_latents
from latentlink.numerics.doors import AnyArray, choice, integer
from latentlink.numerics.extras import import_extra
from latentlink.numerics.reprs import Summarised

SelectionMethod = Literal["random", "centroid"]
Grouping = Literal["label", "cluster"]
IfShort = Literal["error", "all"]
_SEEDS = 2**32  # what both PyTorch and scikit-learn take


@dataclass(frozen=True)
class PilotSelection(Summarised):
    """A rule by which semantic pilots are chosen from a training set [pandolfo2025latent].

    Attributes:
        per_class: number of pilots of each group; "all" or None takes the training set.
        method: "random", or "centroid": nearest to the mean of the group's latents at the transmitter.
        grouping: by "label", or by "cluster" of the transmitter's latents (k-means; needs the extra `eval`).
        clusters: number of clusters; None for as many as there are classes, for which labels are needed.
        seed: seed of the permutation and of k-means. Global random numbers are neither used nor changed.
        if_short: a group with fewer than `per_class` members is an "error", or gives "all" it has (clusters differ in size).

    Raises:
        ValueError: a number below one, an unknown word, or a seed outside 0 … 2³² − 1.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> everything = ll.Pilots(x, y, labels=(y[:, 0] > 0).long())
        >>> ll.PilotSelection(42).choose(everything)  # 42 of each class
        Pilots(84 pairs, 8 → 6, 2 classes)
    """

    per_class: int | Literal["all"] | None = 42
    method: SelectionMethod = "random"
    grouping: Grouping = "label"
    seed: int = 0
    if_short: IfShort = "error"
    clusters: int | None = None

    def __post_init__(self) -> None:
        if self.per_class is not None and self.per_class != "all":
            integer("per_class", self.per_class)
        if self.clusters is not None:
            integer("clusters", self.clusters)
        integer("seed", self.seed, 0, _SEEDS - 1)
        choice("method", self.method, get_args(SelectionMethod))
        choice("grouping", self.grouping, get_args(Grouping))
        choice("if_short", self.if_short, get_args(IfShort))

    def indices(self, x: AnyArray, labels: AnyArray | None = None) -> Int[Tensor, "pilots"]:
        """Find the rows of the training set that become pilots.

        Args:
            x: latents at the transmitter, of the training set (n, d).
            labels: class numbers (n,); None where all are taken, or `clusters` of them are made.

        Returns:
            Row numbers of x, increasing, without repeats, on x's device.

        Raises:
            ValueError: malformed latents or labels, a group with fewer than `per_class` members (unless `if_short` is "all"), or
                fewer different latents than clusters.
            ImportError: clusters are asked for and scikit-learn is not installed.
        """
        latents = as_latents("x", x).detach()
        classes = None if labels is None else as_labels(labels, len(latents)).to(latents.device)
        if self.per_class is None or self.per_class == "all":
            return torch.arange(len(latents), device=latents.device)
        groups = self._groups(latents, classes)
        shuffled = torch.randperm(len(latents), generator=torch.Generator().manual_seed(self.seed), device="cpu").to(
            latents.device
        )  # as on every device
        order = _sort_by_distance(latents, groups) if self.method == "centroid" else shuffled
        wanted, chosen = operator.index(self.per_class), []
        for group in groups.unique():
            members = order[groups[order] == group]
            if len(members) < wanted and self.if_short == "error":
                has = f"{'class' if self.grouping == 'label' else 'cluster'} {int(group)} has {len(members)} members"
                raise ValueError(f"per_class: {has}, {wanted} were asked for; ask for fewer, or set if_short='all'")
            chosen.append(members[:wanted])
        return torch.cat(chosen).sort().values

    def _groups(self, latents: Float[Tensor, "n d"], classes: Int[Tensor, "n"] | None) -> Int[Tensor, "n"]:
        """The number of the group of each row."""
        if self.grouping == "cluster" and self.clusters is not None:
            return _cluster(latents, self.clusters, self.seed)
        if classes is None:
            remedy = "give labels, or take per_class='all', or grouping='cluster' with a number of clusters"
            raise ValueError(f"labels must be class numbers (n,) for grouping={self.grouping!r}, got None: {remedy}")
        return classes if self.grouping == "label" else _cluster(latents, len(classes.unique()), self.seed)

    def choose(self, pilots: Pilots) -> Pilots:
        """Choose among all that could be pilots; raises as `indices`, for which these are x and labels."""
        return pilots[self.indices(pilots.x, pilots.labels)]


def _sort_by_distance(x: Float[Tensor, "n d"], groups: Int[Tensor, "n"]) -> Int[Tensor, "n"]:
    """Order the rows by increasing distance from the mean of their own group, equals in their order."""
    distance = torch.empty(len(x), dtype=torch.float64, device=x.device)
    for group in groups.unique():
        rows = (groups == group).nonzero().squeeze(1)
        members = x[rows].double()
        distance[rows] = (members - members.mean(0)).square().sum(1)
    return distance.argsort(stable=True)


def _cluster(x: Float[Tensor, "n d"], count: int, seed: int) -> Int[Tensor, "n"]:
    """Group the latents by k-means."""
    kmeans = import_extra("sklearn.cluster", "eval").KMeans(count, random_state=seed)
    convergence = import_extra("sklearn.exceptions", "eval").ConvergenceWarning
    one_thread = import_extra("threadpoolctl", "eval").threadpool_limits(limits=1)  # several add up in any order: no two runs are equal
    with one_thread, warnings.catch_warnings():
        warnings.simplefilter("error", convergence)
        try:
            found = kmeans.fit_predict(x.cpu().numpy())
        except convergence as error:
            raise ValueError(f"grouping: x has fewer different latents than the {count} clusters, one for each class") from error
    return torch.as_tensor(found, dtype=torch.int64, device=x.device)
