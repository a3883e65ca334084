"""Second-order moments of a network: every source's latents with every receiver's, and the sources' with each other's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from latentlink.latents.moments import Moments
from latentlink.numerics.doors import AnyArray, integer
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised, counted

Labels = Sequence[int]


@made_by("NetworkMoments.from_pilots(x=[x1, x2], y=[y1, y2])")
@dataclass(frozen=True, eq=False, repr=False)
class NetworkMoments(Summarised):
    """Moments of I sources, whose latents are sent, and K users, each of whom wants latents of its own encoder; `a + b` merges.

    Latents of different observations are independent: their block is None, and counts as zero.

    Attributes:
        pairs: the moments [k][i] of source i and user k, or None where they see different observations.
        cross: covariances [i][j] (d_i, d_j) of sources i and j, or None where they see different observations, or i = j.

    Raises:
        ValueError: the table is not rectangular or empty, a user or a source has no pair, or dimensions differ within a row or column.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> ll.networks.NetworkMoments.from_pilots(x=[x], y=[x[:, :6].tanh(), x[:, 2:].sin()])  # one latent for two users
        NetworkMoments(1 source, 2 users, 8 → 6, 6)
    """

    pairs: tuple[tuple[Moments | None, ...], ...]
    cross: tuple[tuple[Float[Tensor, "_d _e"] | None, ...], ...]

    def __post_init__(self) -> None:
        sources = len(self.cross)
        if len(self.pairs) == 0 or not sources or any(len(row) != sources for row in (*self.pairs, *self.cross)):
            raise ValueError("pairs must be a table [user][source] and cross a square table of sources, each with one entry at least")
        for k, row in enumerate(self.pairs):
            if all(pair is None for pair in row):
                raise ValueError(f"pairs[{k}] must have the moments of a source, got None for all: user {k} sees what nobody sends")
            if len({len(pair.mean_y) for pair in row if pair is not None}) > 1:
                raise ValueError(f"pairs[{k}] must have one dimension of the latents of user {k}")
        for i in range(sources):
            if len({len(row[i].mean_x) for row in self.pairs if row[i] is not None}) != 1:  # type: ignore[union-attr]
                raise ValueError(f"pairs must have source {i} with one user at least, and in one dimension")

    @classmethod
    def from_pilots(
        cls,
        x: Sequence[AnyArray],
        y: Sequence[AnyArray],
        observations: Literal["same", "own"] | tuple[Labels, Labels] = "same",
    ) -> "NetworkMoments":
        """Compute the moments of pilots of all devices.

        Args:
            x: latents (n, d_i) of each source.
            y: latents (n, m_k) that each user wants.
            observations: "same" where row r of all latents shows one observation (one latent for everybody, sensors that see one scene);
                "own" where user k wants what source k sees, which no other device does (private messages, pairs on one band); or the
                numbers of what each source sees and of what each user wants, ([0, 1, 2], [0, 0, 1, 2]) say, where some are common.

        Raises:
            ValueError: latents of one observation differ in length, are complex, empty or not finite; or the observations do not fit.

        Example:
            >>> import torch, latentlink as ll
            >>> x = [torch.randn(300, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
            >>> ll.networks.NetworkMoments.from_pilots(x=x, y=[x[0].tanh(), x[1].sin()], observations="own")
            NetworkMoments(2 sources, 2 users, 8, 8 → 8, 8)
        """
        seen, wanted = _labels(observations, len(x), len(y))
        pairs = tuple(
            tuple(Moments.from_pairs(a, b) if s == w else None for a, s in zip(x, seen, strict=True))
            for b, w in zip(y, wanted, strict=True)
        )
        cross = [[None if i == j or seen[i] != seen[j] else _cross(x[i], x[j]) for j in range(len(x))] for i in range(len(x))]
        return cls(pairs, tuple(map(tuple, cross)))

    @property
    def sources(self) -> int:
        """I, the number of sources."""
        return len(self.cross)

    @property
    def users(self) -> int:
        """K, the number of users."""
        return len(self.pairs)

    def of_source(self, i: int) -> Moments:
        """The moments of source i with the first user that sees what it sees; a ValueError without source i."""
        i = integer("i", i, 0, self.sources - 1)
        return next(row[i] for row in self.pairs if row[i] is not None)  # type: ignore[return-value]

    def of_user(self, k: int) -> Moments:
        """The moments of user k with the first source that sees what it wants; a ValueError without user k."""
        k = integer("k", k, 0, self.users - 1)
        return next(pair for pair in self.pairs[k] if pair is not None)

    def __add__(self, other: "NetworkMoments") -> "NetworkMoments":
        """Merge with the moments of other pilots of the same devices.

        Raises:
            ValueError: the numbers of devices, dimensions or what they see in common differ.
        """
        if [[a is None for a in row] for row in self.pairs] != [[a is None for a in row] for row in other.pairs]:
            raise ValueError("moments must be of the same devices, with the same observations in common")
        pairs = tuple(
            tuple(None if a is None or b is None else a + b for a, b in zip(*rows, strict=True))
            for rows in zip(self.pairs, other.pairs, strict=True)
        )
        cross = tuple(tuple(self._merged_cross(other, i, j) for j in range(self.sources)) for i in range(self.sources))
        return NetworkMoments(pairs, cross)

    def _merged_cross(self, other: "NetworkMoments", i: int, j: int) -> Tensor | None:
        """The merged covariance of two sources, by Chan's formula."""
        mine, theirs = self.cross[i][j], other.cross[i][j]
        if mine is None or theirs is None:
            return None
        a, b = (self.of_source(i), self.of_source(j)), (other.of_source(i), other.of_source(j))
        n, m = a[0].count, b[0].count
        step = (b[0].mean_x - a[0].mean_x).outer(b[1].mean_x - a[1].mean_x)
        return (n * mine + m * theirs) / (n + m) + n * m / (n + m) ** 2 * step

    def _facts(self) -> dict[str, str]:
        x = ", ".join(str(len(self.of_source(i).mean_x)) for i in range(self.sources))
        y = ", ".join(str(len(self.of_user(k).mean_y)) for k in range(self.users))
        return {"sources": counted(self.sources, "source"), "users": counted(self.users, "user"), "dimensions": f"{x} → {y}"}


def _labels(observations: object, sources: int, users: int) -> tuple[Labels, Labels]:
    """The numbers of what each source sees and of what each user wants."""
    if not sources or not users:
        raise ValueError(f"x and y must have the latents of one device at least, got {sources} and {users}")
    if observations == "same":
        return [0] * sources, [0] * users
    if observations == "own":
        if sources != users:
            raise ValueError(f'observations must not be "own" where x has {sources} sources and y {users} users: give their numbers')
        return range(sources), range(users)
    if not isinstance(observations, tuple) or len(observations) != 2 or [len(each) for each in observations] != [sources, users]:
        raise ValueError(f'observations must be "same", "own" or the numbers of {sources} sources and {users} users, got {observations!r}')
    return observations


def _cross(a: AnyArray, b: AnyArray) -> Tensor:
    """The covariance (d_a, d_b) of two sources that see the same."""
    return Moments.from_pairs(b, a).cov_yx
