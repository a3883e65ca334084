"""Coordinates of a network: what devices have and want, in as few numbers as matter.

With S_i R_λ S_iᵀ = I the whitening of source i, W_k the weight of user k's goal, scaled so that E||W_k (y_k − μ_k)||² is the user's weight,

    z_i = Φ_i (x_i − μ_i),      B_ki = W_k E[y_k z_iᵀ],      C_ij = E[z_i z_jᵀ],      C_ii = I,      Ψ_ki = E[y_k z_iᵀ],

with Φ_i some rows of S_i, in a basis of what users want (`coordinates`).
"""

from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.linear.modes import SemanticModes
from latentlink.numerics.doors import integer
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts
from latentlink.numerics.reprs import Summarised, counted

_RANK = 1e-14  # strengths below this share of the largest are rounding
DEPENDENT = 1e-9  # variance of a direction, relative to the largest, below which other coordinates tell it all


@made_by("network_modes(moments, goals)")
@dataclass(frozen=True, eq=False, repr=False)
class NetworkModes(Summarised, Parts):
    """The latents of I sources in c_i coordinates each (c in all), and what K users want of them (see the module).

    Attributes:
        analysis: Φ_i (c_i, d_i) of each source.
        synthesis: Ψ_k (m_k, c) of each user.
        wanted: B_k (q_k, c) of each user.
        correlation: C (c, c), the design covariance of the coordinates.
        covariance: (c, c), their covariance under the pilots; it is C at λ = 0.
        mean_x: μ_i (d_i,) of each source.
        mean_y: μ_k (m_k,) of each user.
        variance: tr R_yk (K,), the error of sending nothing.
        weighted_variance: E||W_k (y_k − μ_k)||² (K,), the users' weights.
        rest: (K,) the weighted error that is left without a channel in between.
        left_out: (K,) what of the weighted error was given up by the limit of coordinates.
        task_weight: W_k (q, m_k) of each user; None for plain MSE.
        plain_share: α_k, where the metric of user k is ||W_k e||² + α_k ||e||².
        shrinkage: λ_i of each source.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.networks.NetworkMoments.from_pilots(x=[x], y=[x[:, :6].tanh(), x[:, 2:].sin()])
        >>> ll.networks.network_modes(moments)
        NetworkModes(1 source of 8 coordinates, 2 users)
    """

    analysis: tuple[Float[Tensor, "_c _d"], ...]
    synthesis: tuple[Float[Tensor, "_m c"], ...]
    wanted: tuple[Float[Tensor, "_q c"], ...]
    correlation: Float[Tensor, "c c"]
    covariance: Float[Tensor, "c c"]
    mean_x: tuple[Float[Tensor, "_d"], ...]
    mean_y: tuple[Float[Tensor, "_m"], ...]
    variance: Float[Tensor, "K"]
    weighted_variance: Float[Tensor, "K"]
    rest: Float[Tensor, "K"]
    left_out: Float[Tensor, "K"]
    task_weight: tuple[Float[Tensor, "_q _m"] | None, ...]
    plain_share: tuple[float, ...]
    shrinkage: tuple[float, ...]

    @property
    def sources(self) -> int:
        """I, the number of sources."""
        return len(self.analysis)

    @property
    def users(self) -> int:
        """K, the number of users."""
        return len(self.wanted)

    @property
    def columns(self) -> tuple[slice, ...]:
        """The coordinates of each source among all of them."""
        ends = [0, *accumulate(len(each) for each in self.analysis)]
        return tuple(slice(a, b) for a, b in pairwise(ends))

    def sources_of(self, user: int) -> tuple[int, ...]:
        """The sources that say something of what a user wants; those that depend on one of these are among them."""
        user = integer("user", user, 0, self.users - 1)
        found = tuple(i for i, at in enumerate(self.columns) if bool((self.wanted[user][:, at] != 0).any()))
        return found or (0,)

    def pair(self, user: int) -> SemanticModes:
        """The semantic modes of one user and all its sources x = [x_i, x_j, …], as if these were one transmitter alone with it."""
        of = self.sources_of(user)
        every = torch.arange(self.wanted[user].shape[-1], device=self.correlation.device)
        at = torch.cat([every[self.columns[i]] for i in of])
        C = self.correlation[at[:, None], at]
        values, vectors = torch.linalg.eigh(C)
        kept = values > DEPENDENT * values.max() if len(values) else values > 0
        root = vectors[:, kept] * values[kept].rsqrt()  # z̃ = rootᵀ z is white
        _, b, Vh = torch.linalg.svd(self.wanted[user][:, at] @ root, full_matrices=False)
        present = b > _RANK * b.max() if len(b) else b > 0
        turn = root @ Vh[present].mT
        synthesis = self.synthesis[user][:, at] @ turn
        gram = synthesis.mT @ synthesis
        return SemanticModes(
            analysis=turn.mT @ torch.block_diag(*(self.analysis[i] for i in of)), synthesis=synthesis, strength=b[present],
            mean_x=torch.cat([self.mean_x[i] for i in of]), mean_y=self.mean_y[user], gram=gram, cross=gram,
            covariance=turn.mT @ self.covariance[at[:, None], at] @ turn, variance=self.variance[user],
            weighted_variance=self.weighted_variance[user], task_weight=self.task_weight[user], plain_share=self.plain_share[user],
            shrinkage=max(self.shrinkage[i] for i in of), widely_linear=True,
        )  # fmt: skip

    def _facts(self) -> dict[str, str]:
        sizes = ", ".join(str(len(each)) for each in self.analysis)
        return {"sources": f"{counted(self.sources, 'source')} of {sizes} coordinates", "users": counted(self.users, "user")}
