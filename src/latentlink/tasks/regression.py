"""The receiver's regression: real outputs that are linear in its latents, fitted by ridge regression."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.latents.labels import as_targets
from latentlink.latents.rows import as_latents
from latentlink.numerics.doors import AnyArray, real
from latentlink.storage.artifacts import artifact
from latentlink.tasks.heads import LinearHead

_TRIED = (-8.0, 3.0, 67)  # log10 of the regularisations that are tried, of features of unit variance


@artifact("regression head")
class RegressionHead(LinearHead):
    """Linear regression: real outputs (…, q) = y Wᵀ + b of latents y (…, m), of any real dtype.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> head = ll.nn.RegressionHead.fit(y, y[:, :2])
        >>> head, head(y[:4]).shape
        (RegressionHead(6 dimensions, 2 outputs), torch.Size([4, 2]))
    """

    def _facts(self) -> dict[str, str]:
        return {"latents": f"{self.in_features} dimensions", "outputs": f"{self.out_features} outputs"}

    @classmethod
    def fit(cls, y: AnyArray, targets: AnyArray, *, weight_decay: float | Literal["auto"] = "auto") -> "RegressionHead":
        """Fit the receiver's regression on its own latents.

        min over W, b of  1/n Σ ||t_i − W f_i − b||² + ||W||² · weight_decay,  f the standardised latents, into which W and b are folded.

        Args:
            y: latents (n, m), real.
            targets: values (n, q) or (n,) that the head should give.
            weight_decay: of weights of standardised features; "auto" minimises the generalised cross-validation error of each output.

        Returns:
            A frozen float64 head on y's device; `head(y)` gives outputs (n, q).

        Raises:
            ValueError: y or targets are malformed, or weight_decay is not positive.

        Example:
            >>> import torch, latentlink as ll
            >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
            >>> y = x[:, :6].tanh()
            >>> ll.nn.RegressionHead.fit(y, y[:, :2])
            RegressionHead(6 dimensions, 2 outputs)
        """
        y = as_latents("y", y).double()
        t = as_targets(targets, len(y)).double().to(y.device)
        mean, scale = y.mean(0), y.std(0, correction=0)
        scale = torch.where(scale > 1e-9 * scale.max().clamp(min=1e-300), scale, torch.inf)  # a constant feature gets no weight
        features, centred = (y - mean) / scale, t - t.mean(0)
        values, vectors = torch.linalg.eigh(features.mT @ features / len(y))
        values, explained = values.clamp(min=0), vectors.mT @ features.mT @ centred / len(y)
        if weight_decay == "auto":
            decay = _by_cross_validation(values, explained, centred.square().mean(0), len(y))
        else:
            decay = torch.full_like(centred[0], real("weight_decay", weight_decay, above=0))
        weight = (vectors @ (explained / (values.unsqueeze(-1) + decay))).mT / scale
        return cls.from_tensors({"weight": weight, "bias": t.mean(0) - weight @ mean}, {}).to(y.device)


def _by_cross_validation(
    values: Float[Tensor, "m"], explained: Float[Tensor, "m q"], variance: Float[Tensor, "q"], n: int
) -> Float[Tensor, "q"]:
    """The regularisation λ of each output with the least (RSS / n) / (1 − (1 + Σ v / (v + λ)) / n)², v the eigenvalues of the features."""
    tried = torch.logspace(*_TRIED, dtype=values.dtype, device=values.device)
    inverse = 1 / (values + tried.unsqueeze(-1))  # (k, m)
    rss = variance - (2 * inverse - values * inverse.square()) @ explained.square()  # (k, q)
    left = 1 - (1 + (values * inverse).sum(-1, keepdim=True)) / n
    error = torch.where(left > 0, rss.clamp(min=0) / left.square(), torch.inf)
    return tried[error.argmin(0)]
