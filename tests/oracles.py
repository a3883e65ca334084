"""Random instances, and dense oracles that share no line with `latentlink.linear`: real matrices, solves and traces only."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

import latentlink as ll
from latentlink.linear.transceiver import LinearTransceiver

TINY = 1e-300


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=seeded(seed))


def pairs(seed: int, n: int, d: int, m: int, decay: float = 0.7, noise: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    """n pairs of latents with means, decaying spectra and a common part."""
    common = normal(seed, n, max(d, m)) * decay ** torch.arange(max(d, m), dtype=torch.float64)
    x = common @ normal(seed + 1, max(d, m), d) + noise * normal(seed + 2, n, d) + normal(seed + 3, d)
    y = common @ normal(seed + 4, max(d, m), m) + noise * normal(seed + 5, n, m) + normal(seed + 6, m)
    return x, y


def moments(seed: int, d: int, m: int, n: int = 400) -> ll.Moments:
    return ll.Moments.from_pairs(*pairs(seed, n, d, m))


def channel(
    seed: int, n_rx: int, n_tx: int, uses: int = 1, snr_db: float = 10.0, power: float = 1.0, batch: tuple[int, ...] = ()
) -> ll.Channel:
    """Uses that differ."""
    grid = ll.rayleigh(n_rx, n_tx, batch=(*batch, uses), generator=seeded(seed))
    return ll.Channel.from_grid(grid, snr_db=snr_db, power=power)


def embed(h: torch.Tensor) -> torch.Tensor:
    """Real matrix of a complex one, on stacked real and imaginary parts."""
    return torch.cat([torch.cat([h.real, -h.imag], -1), torch.cat([h.imag, h.real], -1)], -2)


def dense_channel(one: ll.Channel) -> torch.Tensor:
    """H_r (2 u n_rx, 2 u n_tx) of one channel: block-diagonal over uses."""
    return embed(torch.block_diag(*one.h))


def stacked(symbols: torch.Tensor) -> torch.Tensor:
    """Columns [Re; Im] (…, 2 u a, n) of symbols (…, n, u, a)."""
    flat = symbols.flatten(-2).mT
    return torch.cat([flat.real, flat.imag], -2)


def dense_pair(link: LinearTransceiver) -> tuple[torch.Tensor, torch.Tensor]:
    """F (…, 2 u n_tx, d) and G (…, m, 2 u n_rx), read off by encoding and decoding unit vectors."""
    F = stacked(link.encode(link.mean_x + torch.eye(len(link.mean_x), dtype=torch.float64)))
    uses, n_rx = link.channel.uses, link.channel.n_rx
    units = torch.eye(uses * n_rx, dtype=torch.complex128).unflatten(-1, (uses, n_rx))
    both = torch.cat([units, 1j * units]).expand(*link.channel.batch, -1, -1, -1)
    return F, (link.decode(both) - link.mean_y).mT


@dataclass(frozen=True)
class Problem:
    """min E||W (y − ŷ)||² for dense real F and G, with Rx as given (the design covariance, for a design)."""

    Rx: torch.Tensor
    Ryx: torch.Tensor
    Ry: torch.Tensor
    W: torch.Tensor
    H: torch.Tensor
    noise: float  # per real dimension
    budget: float  # of the whole message

    @classmethod
    def of(cls, known: ll.Moments, one: ll.Channel, W: torch.Tensor | None = None, shrinkage: float = 0.0) -> "Problem":
        ridge = shrinkage * known.cov_x.trace() / len(known.cov_x) * torch.eye(len(known.cov_x), dtype=torch.float64)
        W = torch.eye(len(known.mean_y), dtype=torch.float64) if W is None else W
        noise, budget = float(one.noise_variance) / 2, one.uses * float(one.power)
        return cls(known.cov_x + ridge, known.cov_yx, known.cov_y, W, dense_channel(one), noise, budget)

    def error(self, F: torch.Tensor, G: torch.Tensor) -> torch.Tensor:
        """tr W (Ry − L Rxy − Ryx Lᵀ + L Rx Lᵀ + N G Gᵀ) Wᵀ, L = G H F."""
        L = G @ self.H @ F
        residual = self.Ry - L @ self.Ryx.mT - self.Ryx @ L.mT + L @ self.Rx @ L.mT + self.noise * G @ G.mT
        return ((self.W.mT @ self.W) * residual).sum((-2, -1))

    def decoder(self, F: torch.Tensor) -> torch.Tensor:
        """LMMSE."""
        M = self.H @ F
        covariance = M @ self.Rx @ M.mT + self.noise * torch.eye(self.H.shape[-2], dtype=torch.float64)
        return torch.linalg.solve(covariance, M @ self.Ryx.mT).mT

    def power(self, F: torch.Tensor) -> torch.Tensor:
        return (F @ self.Rx * F).sum((-2, -1))

    def at_budget(self, F: torch.Tensor) -> torch.Tensor:
        return F * (self.budget / self.power(F).clamp(min=TINY)).sqrt()[..., None, None]

    def best_error(self, F: torch.Tensor) -> torch.Tensor:
        """Of F scaled to the budget, with its LMMSE decoder."""
        F = self.at_budget(F)
        return self.error(F, self.decoder(F))


def error_noise(known, one, F, shared):
    """Covariance (…, 2 u r, 2 u r) of what E does to F x, exactly: τ E[s_uᴴ s_v] between uses that share E, τ E||s_u||² in each."""
    uses, n_rx, n_tx = one.h.shape
    F = torch.complex(*F.tensor_split(2, -2))
    second = (F @ known.cov_x.to(F.dtype) @ F.mH).unflatten(-2, (uses, n_tx)).unflatten(-1, (uses, n_tx))
    between = one.error_variance * torch.einsum("...uava->...uv", second)
    if not shared:
        between = torch.diag_embed(between.diagonal(dim1=-2, dim2=-1))
    eye = torch.eye(n_rx, dtype=F.dtype)
    return embed(torch.einsum("...uv,rs->...urvs", between, eye).flatten(-4, -3).flatten(-2)) / 2


def least_mean_error(known, one, F, shared):
    """Of F at the budget with the decoder that is best on average over errors."""
    problem = Problem.of(known, one)
    F = problem.at_budget(F)
    M = problem.H @ F
    noise = problem.noise * torch.eye(len(problem.H), dtype=torch.float64) + error_noise(known, one, F, shared)
    cross = M @ known.cov_yx.mT
    return known.cov_y.trace() - (cross * torch.linalg.solve(M @ known.cov_x @ M.mT + noise, cross)).sum((-2, -1))


def descend(objective: Callable[[torch.Tensor], torch.Tensor], start: torch.Tensor, iterations: int = 150) -> torch.Tensor:
    """Values (starts,) that L-BFGS reaches from each start (starts, …)."""
    X = start.clone().requires_grad_()
    solver = torch.optim.LBFGS(
        [X], max_iter=iterations, history_size=30, line_search_fn="strong_wolfe", tolerance_grad=1e-11, tolerance_change=1e-15
    )

    def loss() -> torch.Tensor:
        solver.zero_grad()
        value = objective(X).sum()
        value.backward()
        return value

    solver.step(loss)
    return objective(X).detach()


def alternate(problem: Problem, start: torch.Tensor, iterations: int = 80) -> torch.Tensor:
    """Errors (starts,) after alternating exact minimisation over G, and over F with ||F R^{1/2}||² ≤ budget."""
    values, vectors = torch.linalg.eigh(problem.Rx)
    kept = values > 1e-10 * values[-1]
    root_inverse = vectors[:, kept] * values[kept].rsqrt()  # F = F̃ root_inverseᵀ
    A = problem.W @ problem.Ryx @ root_inverse
    F = problem.at_budget(start)
    for _ in range(iterations):
        M = problem.W @ problem.decoder(F) @ problem.H
        e, V = torch.linalg.eigh(M.mT @ M)
        e = e.clamp(min=0)
        load = (V.mT @ M.mT @ A).square().sum(-1)
        low, high = torch.zeros_like(e[..., 0]), (load.sum(-1) / problem.budget).sqrt()
        for _ in range(60):
            middle = (low + high) / 2
            over = (load / (e + middle.unsqueeze(-1)).clamp(min=TINY).square()).sum(-1) > problem.budget
            low, high = torch.where(over, middle, low), torch.where(over, high, middle)
        solved = V @ ((V.mT @ M.mT @ A) / (e + high.unsqueeze(-1)).clamp(min=TINY).unsqueeze(-1))
        F = solved @ root_inverse.mT
    return problem.best_error(F)
