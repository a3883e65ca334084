"""Selection of semantic pilots: a number of observations of each group, at random or those nearest to the group's mean.

With the latents x_1 … x_n at the transmitter in groups g (by label, or by k-means on the latents with as many clusters as there are
classes) and the group means μ_g, each group gives its first `per_class` members in one order of the training set,

    random:    a permutation of 1…n that the seed alone decides,          centroid:    ‖x_i − μ_g(i)‖² increasing, then i increasing,

so the choice consists of row numbers of the training set (not of a group), none twice, and pilot sets are nested: a smaller set is
contained in every larger one.

Where the transmitter knows no classes, a total number `count` of pilots is chosen at random, or so that they stand for all latents: as
medoids of clusters, or by herding (`representatives`).
"""

import operator
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.latents.k_means import FewLatents, group_by_k_means
from latentlink.latents.labels import as_labels
from latentlink.latents.pilots import Pilots
from latentlink.latents.representatives import herd, leading_components
from latentlink.latents.rows import as_latents
from latentlink.numerics.doors import AnyArray, choice, integer
from latentlink.numerics.reprs import Summarised

SelectionMethod = Literal["random", "centroid", "medoid", "herding"]
Grouping = Literal["label", "cluster"]
IfShort = Literal["error", "all"]
_STARTS = 10  # of k-means for medoids; by x alone: they come within 0.1 % of the least inertia of 15 and more, one start within 0.8 %
_SEEDS = 2**32  # what both PyTorch and scikit-learn take


@dataclass(frozen=True)
class PilotSelection(Summarised):
    """A rule by which semantic pilots are chosen from a training set [pandolfo2025latent].

    Attributes:
        per_class: number of pilots of each group; "all" or None takes the training set. A `count` takes its place.
        method: "random", or "centroid": nearest to the mean of the group's latents at the transmitter. With a `count` also "medoid": the
            row nearest to the centre of each of as many clusters (k-means; needs the extra `eval`), or "herding", which matches the mean
            of a kernel over all latents and is deterministic; both in the 50 leading principal components.
        grouping: by "label", or by "cluster" of the transmitter's latents (k-means; needs the extra `eval`).
        clusters: number of clusters; None for as many as there are classes, for which labels are needed.
        seed: seed of the permutation and of k-means. Global random numbers are neither used nor changed.
        if_short: a group with fewer than `per_class` members is an "error", or gives "all" it has (clusters differ in size); likewise
            fewer latents than `count`.
        count: number of pilots in all, for which no labels are needed; None where `per_class` says it.

    Raises:
        ValueError: a number below one, an unknown word, a seed outside 0 … 2³² − 1, or a method that goes with the other number.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> everything = ll.Pilots(x, y, labels=(y[:, 0] > 0).long())
        >>> ll.PilotSelection(42).choose(everything)  # 42 of each class
        Pilots(84 pairs, 8 → 6, 2 classes)
        >>> ll.PilotSelection(count=20, method="herding").choose(ll.Pilots(x, y))  # 20 in all, without labels
        Pilots(20 pairs, 8 → 6, no labels)
    """

    per_class: int | Literal["all"] | None = 42
    method: SelectionMethod = "random"
    grouping: Grouping = "label"
    seed: int = 0
    if_short: IfShort = "error"
    clusters: int | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        if self.per_class is not None and self.per_class != "all":
            integer("per_class", self.per_class)
        if self.clusters is not None:
            integer("clusters", self.clusters)
        integer("seed", self.seed, 0, _SEEDS - 1)
        choice("method", self.method, get_args(SelectionMethod))
        choice("grouping", self.grouping, get_args(Grouping))
        choice("if_short", self.if_short, get_args(IfShort))
        if self.count is None and self.method in ("medoid", "herding"):
            raise ValueError(f"count must be the number of pilots in all for method={self.method!r}, which knows no classes, got None")
        if self.count is not None:
            integer("count", self.count)
            self._check_count()

    def _check_count(self) -> None:
        """Refuse what goes with a number of pilots of each group, where there is one of pilots in all."""
        if self.method == "centroid":
            raise ValueError("method must be random, medoid or herding with count, got 'centroid', which goes with per_class")
        if self.per_class != PilotSelection.per_class:
            raise ValueError(f"per_class and count cannot both be given, got {self.per_class} and {self.count}")
        if self.grouping != "label" or self.clusters is not None:
            raise ValueError("grouping and clusters go with per_class, got them with count")

    def indices(self, x: AnyArray, labels: AnyArray | None = None) -> Int[Tensor, "pilots"]:
        """Find the rows of the training set that become pilots.

        Args:
            x: latents at the transmitter, of the training set (n, d).
            labels: class numbers (n,); None where all are taken, or `clusters` of them are made.

        Returns:
            Row numbers of x, increasing, without repeats, on x's device.

        Raises:
            ValueError: malformed latents or labels, a group with fewer than `per_class` members or fewer than `count` latents (unless
                `if_short` is "all"), or fewer different latents than clusters.
            ImportError: clusters or medoids are asked for and scikit-learn is not installed.
        """
        latents = as_latents("x", x).detach()
        classes = None if labels is None else as_labels(labels, len(latents)).to(latents.device)
        if self.count is not None:
            return self._of_all(latents, operator.index(self.count))
        if self.per_class is None or self.per_class == "all":
            return torch.arange(len(latents), device=latents.device)
        groups = self._groups(latents, classes)
        shuffled = self._shuffled(latents)
        order = _sort_by_distance(latents, groups) if self.method == "centroid" else shuffled
        wanted, chosen = operator.index(self.per_class), []
        for group in groups.unique():
            members = order[groups[order] == group]
            if len(members) < wanted and self.if_short == "error":
                has = f"{'class' if self.grouping == 'label' else 'cluster'} {int(group)} has {len(members)} members"
                raise ValueError(f"per_class: {has}, {wanted} were asked for; ask for fewer, or set if_short='all'")
            chosen.append(members[:wanted])
        return torch.cat(chosen).sort().values

    def _shuffled(self, latents: Float[Tensor, "n d"]) -> Int[Tensor, "n"]:
        """A permutation of the rows that the seed alone decides, as on every device."""
        generator = torch.Generator().manual_seed(self.seed)
        return torch.randperm(len(latents), generator=generator, device="cpu").to(latents.device)

    def _of_all(self, latents: Float[Tensor, "n d"], count: int) -> Int[Tensor, "count"]:
        """So many rows of all, whatever their classes."""
        if len(latents) < count and self.if_short == "error":
            raise ValueError(f"count: x has {len(latents)} latents, {count} were asked for; ask for fewer, or set if_short='all'")
        if len(latents) <= count:
            return torch.arange(len(latents), device=latents.device)
        if self.method == "random":
            chosen = self._shuffled(latents)[:count]
        elif self.method == "herding":
            chosen = herd(latents, count)
        else:
            z = leading_components(latents)
            groups = _cluster(z, count, self.seed, _STARTS)
            order = _sort_by_distance(z, groups)
            first = order[groups[order].argsort(stable=True)]  # by cluster, nearest to its centre first
            chosen = first[groups[first].diff(prepend=groups.new_full((1,), -1)) != 0]
        return chosen.sort().values

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


def _cluster(x: Float[Tensor, "n d"], count: int, seed: int, starts: int | Literal["auto"] = "auto") -> Int[Tensor, "n"]:
    """Group the latents by k-means, the best of so many starts."""
    try:
        return group_by_k_means(x, count, seed, starts)
    except FewLatents as error:
        raise ValueError(f"grouping: x has fewer different latents than the {count} clusters, one for each class or pilot") from error
