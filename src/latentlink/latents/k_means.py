"""Groups of latents by k-means, the same on every machine: seeded, and on one thread, since several add up in any order."""

import warnings
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.numerics.extras import import_extra


def group_by_k_means(x: Float[Tensor, "n d"], count: int, seed: int, starts: int | Literal["auto"] = "auto") -> Int[Tensor, "n"]:
    """Group latents by k-means, the best of so many starts.

    Args:
        x: latents.
        count: number of groups.
        seed: of the starts.
        starts: how often it is begun anew; "auto" is scikit-learn's own number.

    Returns:
        The number of the group (n,) of each latent.

    Raises:
        FewLatents: fewer latents differ than there are groups.
        ImportError: scikit-learn is not installed.
    """
    kmeans = import_extra("sklearn.cluster", "eval").KMeans(count, random_state=seed, n_init=starts)
    convergence = import_extra("sklearn.exceptions", "eval").ConvergenceWarning
    one_thread = import_extra("threadpoolctl", "eval").threadpool_limits(limits=1)
    with one_thread, warnings.catch_warnings():
        warnings.simplefilter("error", convergence)
        try:
            found = kmeans.fit_predict(x.cpu().numpy())
        except convergence as error:
            raise FewLatents(f"x has fewer different latents than the {count} groups") from error
    return torch.as_tensor(found, dtype=torch.int64, device=x.device)


class FewLatents(ValueError):  # noqa: N818 (named for what is wrong)
    """Fewer latents differ than there are to be groups."""
