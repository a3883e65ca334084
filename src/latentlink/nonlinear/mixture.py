"""What is known of each class in mode coordinates, from which a receiver averages over classes.

With coefficients z = Φ (x − μx) of semantic modes and classes c, what is counted of pilots is, for each class, their number n_c, means and

    C_c = Cov(z | c)   (k × k),      B_c = Cov(y, z | c)   (m × k).

Both are taken for Gaussian: what arrives, r = M z + noise, then has the class-conditional law N(M μz_c, M C_c Mᵀ + N), and

    E[y | r] = Σ_c π_c(r) (μy_c + B_c Mᵀ (M C_c Mᵀ + N)⁻¹ (r − M μz_c)).

Where few pilots tell of a class, its covariances lean on those within all classes, C = Σ n_c C_c / n, as by an inverse Wishart prior that
counts for k pilots, the fewest of which a covariance of k numbers could be counted at all: (n_c C_c + k C) / (n_c + k).
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from latentlink.latents.concepts import Concepts
from latentlink.latents.pilots import Pilots
from latentlink.latents.rows import CHUNK
from latentlink.linear.modes import SemanticModes, check_pair
from latentlink.numerics.doors import check_instance
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts, named_tensors
from latentlink.numerics.reprs import Summarised
from latentlink.storage.artifacts import Saved, artifact

_SAME = 1e-4  # relative difference of a row of Φ up to which modes are the same: single precision rounds less


class Classes(NamedTuple):
    """Class-conditional Gaussians.

    Attributes:
        probability: π (c,).
        means_z: (c, k).
        means_y: (c, m).
        cov_zz: C (c, k, k).
        cov_yz: B (c, m, k).
    """

    probability: Float[Tensor, "c"]
    means_z: Float[Tensor, "c k"]
    means_y: Float[Tensor, "c m"]
    cov_zz: Float[Tensor, "c k k"]
    cov_yz: Float[Tensor, "c m k"]


@made_by("nonlinear.MixtureDecoder.of(modes, pilots)")
@artifact("mixture")
@dataclass(frozen=True, eq=False, repr=False)
class MixtureDecoder(Summarised, Parts, Saved):
    """Counts, means and covariances of each class in mode coordinates; `a + b` merges those of different pilots.

    `MixtureLink` makes a link of it. Memory is c m k numbers: `modes.truncated(k)` keeps those that are sent, two for each symbol of a
    message.

    Attributes:
        counts: pilots (c,) of each class.
        means_z: mean coefficients (c, k); zeros for a class of no pilots.
        means_y: mean latents (c, m) at the receiver, likewise.
        cov_zz: Cov(z | c) (c, k, k), as counted.
        cov_yz: Cov(y, z | c) (c, m, k), as counted.
        first_mode: row (d,) of Φ of the first mode, by which other modes are told apart from these.

    They are saved by `save`, and read back by `latentlink.load`.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> pilots = ll.Pilots(x, x[:, :6].tanh(), (x[:, 0] > 0).long())
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(pilots.x, pilots.y))
        >>> ll.nonlinear.MixtureDecoder.of(modes, pilots)
        MixtureDecoder(2 classes, 500 pilots, 6 modes → 6)
    """

    counts: Int64[Tensor, "c"]
    means_z: Float[Tensor, "c k"]
    means_y: Float[Tensor, "c m"]
    cov_zz: Float[Tensor, "c k k"]
    cov_yz: Float[Tensor, "c m k"]
    first_mode: Float[Tensor, "d"]

    def _facts(self) -> dict[str, str]:
        classes, k = int((self.counts > 0).sum()), self.means_z.shape[1]
        known = {"classes": f"{classes} {'class' if classes == 1 else 'classes'}", "count": f"{int(self.counts.sum())} pilots"}
        return {**known, "modes": f"{k} {'mode' if k == 1 else 'modes'} → {self.means_y.shape[1]}"}

    @classmethod
    def of(cls, modes: SemanticModes, pilots: Pilots) -> "MixtureDecoder":
        """Count them over labelled pairs, a chunk at a time.

        Args:
            modes: semantic modes, which need not be of these pilots.
            pilots: pairs with labels.

        Raises:
            ValueError: modes or pilots are not such, do not fit each other, or there are no labels.
        """
        check_instance("modes", modes, SemanticModes, "semantic_modes(moments) makes them")
        check_instance("pilots", pilots, Pilots, "Pilots(x, y, labels)")
        if pilots.labels is None:
            raise ValueError("pilots must have labels, whose classes are told apart: Pilots(x, y, labels)")
        check_pair(modes, pilots)
        classes, found = int(pilots.labels.max()) + 1, None
        for start in range(0, len(pilots.x), CHUNK):
            some = pilots[slice(start, start + CHUNK)]
            assert some.labels is not None
            part = cls._of_chunk(modes, modes.coefficients(some.x), some.y.to(modes.strength), some.labels, classes)
            found = part if found is None else found + part
        assert found is not None
        return found

    @classmethod
    def from_concepts(cls, modes: SemanticModes, tx: Concepts, rx: Concepts) -> "MixtureDecoder":
        """What class means at both ends and the moments of the modes say of it, with no pair.

        The means are those of each class, and the covariances those within all classes, Φ Rx Φᵀ and Ryx Φᵀ less what the means explain.

        Args:
            modes: semantic modes, such as those of `Moments.from_concepts(tx, rx)`.
            tx: class means of the transmitter.
            rx: class means of the receiver, of the same classes.

        Raises:
            ValueError: these are of other types or latents, or one end lacks a class that the other has.
        """
        check_instance("modes", modes, SemanticModes, "semantic_modes(moments) makes them")
        for name, end, mean in (("tx", tx, modes.mean_x), ("rx", rx, modes.mean_y)):
            check_instance(name, end, Concepts, f"alignment.Concepts.from_labels({name[0]}, labels) makes them")
            if end.means.shape[1] != len(mean):
                raise ValueError(f"{name} must be of the modes' latents of dimension {len(mean)}, got {end.means.shape[1]}")
        shared, count = tx.shared_with(rx), tx.marginal.count + rx.marginal.count
        z, y = modes.coefficients(shared.means_x), shared.means_y.to(modes.strength)
        weight = shared.probability.to(z).unsqueeze(-1)
        zc, yc = z - (weight * z).sum(0), y - (weight * y).sum(0)
        within_zz, within_yz = modes.covariance - (weight * zc).mT @ zc, modes.synthesis - (weight * yc).mT @ zc
        counts = (shared.probability * count).round().long().clamp(min=1)
        each = (len(counts), -1, -1)
        within = _positive(within_zz).expand(each).contiguous(), within_yz.expand(each).contiguous()
        return cls(counts, z, y, *within, modes.analysis[:1].sum(0))

    @classmethod
    def _of_chunk(cls, modes: SemanticModes, z: Tensor, y: Tensor, labels: Tensor, classes: int) -> "MixtureDecoder":
        counts = torch.bincount(labels, minlength=classes)
        share = counts.clamp(min=1).to(z).unsqueeze(-1)
        means = [rows.new_zeros(classes, rows.shape[1]).index_add_(0, labels, rows) / share for rows in (z, y)]
        zz, yz = z.new_zeros(classes, z.shape[1], z.shape[1]), z.new_zeros(classes, y.shape[1], z.shape[1])
        for c in labels.unique().tolist():
            own = labels == c
            around, beside = z[own] - means[0][c], y[own] - means[1][c]
            zz[c], yz[c] = around.mT @ around / len(around), beside.mT @ around / len(around)
        return cls(counts, means[0], means[1], zz, yz, modes.analysis[:1].sum(0))

    def __add__(self, other: "MixtureDecoder") -> "MixtureDecoder":
        """Merge with those of other pilots, class by class, by Chan's formula; a ValueError where the modes or latents are others."""
        check_instance("other", other, MixtureDecoder, "MixtureDecoder.of(modes, pilots)")
        if self.cov_yz.shape[1:] != other.cov_yz.shape[1:]:
            sizes = [tuple(each.cov_yz.shape[1:]) for each in (self, other)]
            raise ValueError(f"mixtures must be of the same modes and latents, got (m, k) = {sizes[0]} and {sizes[1]}")
        if not same_mode(self.first_mode, other.first_mode):
            raise ValueError("mixtures must be of the same modes, got coefficients of others: count both with one `modes`")
        classes = max(len(self.counts), len(other.counts))
        a, b = (each._padded(classes) for each in (self, other))
        counts = a.counts + b.counts
        share = (b.counts.to(a.means_z) / counts.clamp(min=1)).unsqueeze(-1)
        dz, dy = b.means_z - a.means_z, b.means_y - a.means_y

        def merged(first: Tensor, second: Tensor, left: Tensor) -> Tensor:
            part = share.unsqueeze(-1)
            return first + part * (second - first) + part * (1 - part) * left.unsqueeze(-1) * dz.unsqueeze(-2)

        zz, yz = merged(a.cov_zz, b.cov_zz, dz), merged(a.cov_yz, b.cov_yz, dy)
        return MixtureDecoder(counts, a.means_z + share * dz, a.means_y + share * dy, zz, yz, self.first_mode)

    def _padded(self, classes: int) -> "MixtureDecoder":
        """The same with zeros for further classes."""
        values = {name: value for name, value in named_tensors(self).items() if name != "first_mode"}
        more = {name: torch.cat([value, value.new_zeros(classes - len(value), *value.shape[1:])]) for name, value in values.items()}
        return replace(self, **more)

    def classes(self, k: int) -> Classes:
        """The Gaussians of the classes that have pilots, for the k strongest modes, leaning on the covariance within all classes."""
        there = self.counts > 0
        counts = self.counts[there].to(self.means_z)
        probability, zz, yz = counts / counts.sum(), self.cov_zz[there, :k, :k], self.cov_yz[there, :, :k]
        own = (counts / (counts + k))[:, None, None]

        def leaning(each: Tensor) -> Tensor:
            return own * each + (1 - own) * (probability[:, None, None] * each).sum(0)

        return Classes(probability, self.means_z[there, :k], self.means_y[there], leaning(zz), leaning(yz))

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return named_tensors(self), {"modes": self.means_z.shape[1], "rx_dim": self.means_y.shape[1], "classes": len(self.counts)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "MixtureDecoder":
        """The mixture of a saved file."""
        found = cls(**tensors)
        if int(found.counts.min()) < 0 or int(found.counts.sum()) < 1:
            raise ValueError("counts of the classes must not be negative, and one of them above 0")
        return found


def same_mode(first: Float[Tensor, "d"], other: Float[Tensor, "e"]) -> bool:
    """Return whether two rows of Φ are the same up to the rounding of single precision."""
    own, second = first.double(), other.to(first.device).double()
    return own.shape == second.shape and bool((own - second).norm() <= _SAME * own.norm())


def _positive(covariance: Float[Tensor, "k k"]) -> Float[Tensor, "k k"]:
    """The nearest covariance: means of few latents may explain a little more than all there is."""
    values, vectors = torch.linalg.eigh((covariance + covariance.mT) / 2)
    return vectors * values.clamp(min=0) @ vectors.mT
