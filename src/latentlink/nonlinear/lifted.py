"""Random Fourier features beside the latent: a link that is linear in what a device computes of x, and not in x.

With centred latents x̄ = x − μ, s² = tr Rx, directions ω_j ~ N(0, I / σ²) and phases b_j uniform over a turn [rahimi2007random],

    lifted(x) = [x̄ / s,  √(2/D) cos(ω_jᵀ x̄ + b_j)]_{j = 1…D}.

Inner products of its second part approach the Gaussian kernel exp(−||x − x'||² / 2σ²); both parts have a mean square of 1, so that neither
outweighs the other where Rx is regularised. Lifted latents are latents: their moments give semantic modes, goals and designs by the same
theorems, whose optimum is now among maps that are linear in lifted(x). σ is the median distance of latents unless it is given.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.latents.marginal import Marginal
from latentlink.latents.moments import Moments
from latentlink.latents.representatives import evenly, median_distance
from latentlink.latents.rows import CHUNK, LatentChunks, paired_chunks
from latentlink.numerics.doors import AnyArray, finite, integer, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts, named_tensors
from latentlink.numerics.reprs import Summarised
from latentlink.storage.artifacts import Saved, artifact

_SEEDS = 2**63 - 1  # what torch takes
_MEDIAN = 1000  # latents whose distances have the median


@made_by("nonlinear.Lifted.of_latents(x)")
@artifact("lifted latents")
@dataclass(frozen=True, eq=False, repr=False)
class Lifted(Summarised, Parts, Saved):
    """Random Fourier features beside the latent, as latents of the transmitter (see the module).

    Attributes:
        mean: μ (d,).
        scale: s, the root of the total variance.
        directions: ω (d, D).
        phases: b (D,), radians.

    They are saved by `save`, and read back by `latentlink.load`; a link on them has them in its own file.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> lifted = ll.nonlinear.Lifted.of_latents(x, features=64)
        >>> lifted, lifted.of(x).shape
        (Lifted(8 dimensions, 64 features), torch.Size([500, 72]))
        >>> lifted.moments(x, x[:, :6].tanh())
        Moments(500 pairs, 72 → 6)
    """

    mean: Float[Tensor, "d"]
    scale: Float[Tensor, ""]
    directions: Float[Tensor, "d f"]
    phases: Float[Tensor, "f"]

    def _facts(self) -> dict[str, str]:
        d, features = self.directions.shape
        return {"dimension": f"{d} dimensions", "features": f"{features} features"}

    @classmethod
    def of_latents(cls, x: AnyArray, features: int = 1000, width: float | None = None, seed: int = 0) -> "Lifted":
        """Draw features for latents of this kind.

        Args:
            x: latents (n, d), which need neither partners nor labels; of a mapped file a chunk at a time is in memory.
            features: D ≥ 0; each costs d products a message.
            width: σ in the units of x; the median distance of at most 1,000 latents if None.
            seed: of directions and phases.

        Raises:
            ValueError: x is malformed, features is negative, width is not above 0, or seed is no integer ≥ 0.

        References:
            [rahimi2007random]
        """
        integer("features", features, 0)
        integer("seed", seed, 0, _SEEDS)
        known = Marginal.from_latents(x)
        sigma = _median_distance(LatentChunks("x", x)) if width is None else real("width", width, above=0.0)
        generator, d = torch.Generator().manual_seed(seed), len(known.mean)
        directions = torch.randn(d, features, generator=generator, dtype=torch.float64, device="cpu").to(known.mean.device) / sigma
        if not bool(torch.isfinite(directions).all()):
            raise ValueError(f"width must be large enough for its inverse to be a finite number, got {sigma:g}: scale the latents up")
        phases = 2 * torch.pi * torch.rand(features, generator=generator, dtype=torch.float64, device="cpu").to(known.mean.device)
        variance = known.covariance.trace()
        return cls(known.mean, torch.where(variance > 0, variance, 1.0).sqrt(), directions, phases)

    @property
    def flops(self) -> int:
        """Real operations for one message: D inner products of d numbers, and as many cosines."""
        return 2 * self.directions.numel() + len(self.phases)

    def of(self, x: AnyArray) -> Float[Tensor, "*batch k"]:
        """The lifted latents (…, d + D) of latents x (…, d); a ValueError if x is complex, not finite, or of another dimension."""
        x = finite("x", x)
        if x.is_complex() or x.ndim < 1 or x.shape[-1] != len(self.mean):
            raise ValueError(f"x must have shape (..., {len(self.mean)}) and be real, got {x.dtype} {tuple(x.shape)}")
        centred = x.to(self.mean) - self.mean
        features = torch.cos(centred @ self.directions + self.phases) * (2 / max(1, len(self.phases))) ** 0.5
        return torch.cat([centred / self.scale, features], -1)

    def moments(self, x: AnyArray, y: AnyArray) -> Moments:
        """The moments of pairs whose x is lifted, in one pass; of mapped files no more than a chunk of rows is lifted at a time.

        Args:
            x: latents at the transmitter (n, d).
            y: latents at the receiver (n, m).

        Raises:
            ValueError: either is malformed, their lengths differ, or x is of another dimension.
        """
        ends, parts = paired_chunks(x, y), list[Moments]()
        for start in range(0, ends[0].count, CHUNK):
            some = slice(start, start + CHUNK)
            part = Moments.from_pairs(self.of(ends[0][some]), ends[1][some])
            parts = [parts[0] + part] if parts else [part]
            for each in ends:
                each.release()
        return parts[0]

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return named_tensors(self), {"tx_dim": len(self.mean), "features": len(self.phases)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "Lifted":
        """The features of a saved file."""
        found = cls(**tensors)
        if found.directions.shape != (len(found.mean), len(found.phases)):
            raise ValueError(f"directions must be {len(found.mean)} × {len(found.phases)}, got {tuple(found.directions.shape)}")
        if not bool(found.scale > 0):
            raise ValueError(f"scale must be above 0, got {float(found.scale)}")
        return found


def _median_distance(rows: LatentChunks) -> float:
    return float(median_distance(rows.taken(evenly(rows.count, _MEDIAN, torch.device("cpu")).tolist())))
