"""Modes whose transmitter has changed, while the receiver stays as it is and no pair is at hand.

**Another encoder.** The transmitter has both encoders and images of its own, so it has pairs (x_new, z) of new latents and old coefficients
z = Φ (x_old − μx). With their covariances, and a ridge λ on x_new,

    Φ' = R_zx R_λ⁻¹,        Φ' (x_new − μ') = mean of z + Φ' (x_new − mean of x_new)

stand in the place of Φ and μx. That is Φ A for the ridge regression A of old latents on new ones. λ is chosen by generalised
cross-validation of diag(b) z, whose error is what the design's metric sees at the receiver. Where x_new is an invertible affine map of
x_old, and images outnumber its dimensions, nothing changes at all.

**Another mean.** Where the scene has moved the latents, and labels and pairs are missing, their new mean is all that can be mended safely.
"""

from dataclasses import replace
from typing import Any, TypeVar

from jaxtyping import Float
from torch import Tensor

from latentlink.latents.marginal import Marginal
from latentlink.latents.moments import Moments
from latentlink.latents.rows import as_latents
from latentlink.latents.whitening import Spectrum, gcv_shrinkage
from latentlink.numerics.doors import AnyArray

M = TypeVar("M", bound="ChangedTransmitter")


class ChangedTransmitter:
    """What modes become where the transmitter's encoder or scene has changed; the base of `SemanticModes`."""

    analysis: Float[Tensor, "k d"]
    strength: Float[Tensor, "k"]
    mean_x: Float[Tensor, "d"]

    def re_encoded(self: M, old: AnyArray, new: AnyArray) -> M:
        """The modes for another encoder at the transmitter, from images of its own that both encoders have seen; the receiver stays.

        A design on them has the precoder's streams, powers and the decoder that it had before. Fields that tell of the pilots (`gram`,
        `cross`, `covariance`) are those of the old encoder, and so are the errors and powers that designs expect: measure them.

        Args:
            old: latents (n, d) of the transmitter's images by the old encoder.
            new: latents (n, d') of the same images by the new encoder.

        Raises:
            ValueError: old or new are no latents, old ones are not those of these modes, or they are not equally many.

        Example:
            >>> import torch, latentlink as ll
            >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0)).double()
            >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
            >>> new = x @ torch.randn(8, 8, generator=torch.Generator().manual_seed(1)).double() + 1  # another encoder
            >>> torch.allclose(modes.re_encoded(x, new).coefficients(new), modes.coefficients(x))
            True
        """
        old, new = as_latents("old", old), as_latents("new", new)
        if old.shape[1] != len(self.mean_x) or len(old) != len(new) or len(new) < 2:
            raise ValueError(
                f"old and new must be latents of the same images, (n, {len(self.mean_x)}) and (n, d') with n of at least 2, "
                f"got {tuple(old.shape)} and {tuple(new.shape)}"
            )
        z = (old.to(self.mean_x) - self.mean_x) @ self.analysis.mT
        seen = Moments.from_pairs(new.to(z.device), z * self.strength)
        spectrum = Spectrum.of(seen.cov_x)
        explained = (seen.cov_yx @ spectrum.vectors).square().sum(0)
        shrinkage = gcv_shrinkage(spectrum, explained, seen.cov_y.trace(), seen.count)
        values, vectors = spectrum.kept(shrinkage)
        analysis = seen.cov_yx @ vectors / values @ vectors.mT / self.strength.unsqueeze(-1)
        there = Spectrum.of(analysis @ seen.cov_x @ analysis.mT)
        variances, directions = there.kept(0.0)
        weights = directions / variances @ (directions.mT @ (seen.mean_y / self.strength))
        return self._changed(analysis=analysis, mean_x=seen.mean_x - seen.cov_x @ (analysis.mT @ weights))

    def recentred(self: M, x: AnyArray) -> M:
        """The modes with the mean of these latents x (n, d), where the scene has moved them: a repair that takes neither labels nor pairs.

        Raises:
            ValueError: x are no latents of the transmitter.

        Example:
            >>> import torch, latentlink as ll
            >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
            >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
            >>> torch.allclose(modes.recentred(x + 3).align(x + 3), modes.align(x), atol=1e-5)
            True
        """
        mean = Marginal.from_latents(x).mean
        if mean.shape != self.mean_x.shape:
            raise ValueError(f"x must have shape (n, {len(self.mean_x)}), got {len(mean)} dimensions")
        return self._changed(mean_x=mean)

    def _changed(self: M, **tensors: Tensor) -> M:
        own: Any = self
        changed: M = replace(own, **{name: value.to(self.strength) for name, value in tensors.items()})
        return changed
