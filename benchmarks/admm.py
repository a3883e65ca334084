"""ADMM on moments against the same iterations over samples, at the paper's size, in one run: `python benchmarks/admm.py`.

Latents are synthetic (d = 384, m = 768, 42,000 pilots); the link is 8×8 at 20 dB, complex-linear as in the paper. Both loops start at the
same precoder with the same ρ and make the same 20 iterations; the plain one multiplies by all samples in every step, the other by moments
in mode coordinates. Making the moments and modes (once per pair of devices), and whitening the samples, is not counted in either.
"""

import statistics
import time
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

import latentlink as ll
from latentlink.latents.packing import pack
from latentlink.linear.admm.design import Admm
from latentlink.linear.admm.dual_bound import power_multiplier
from latentlink.linear.admm.problem import Problem
from record import record

TX_DIM, RX_DIM, PILOTS, ANTENNAS, SNR_DB, ITERATIONS = 384, 768, 42_000, 8, 20.0, 20


@dataclass(frozen=True)
class Times:
    """Seconds of each loop, and the objective that each ends at."""

    moments: float
    samples: float
    moments_objective: float
    samples_objective: float

    @property
    def ratio(self):
        return self.samples / self.moments


def latents(seed=0, n=PILOTS, d=TX_DIM, m=RX_DIM):
    generator = torch.Generator().manual_seed(seed)
    scale = torch.arange(1, d + 1, dtype=torch.float64).rsqrt()
    x = torch.randn(n, d, dtype=torch.float64, generator=generator) * scale
    mixing = torch.randn(d, m, dtype=torch.float64, generator=generator) / d**0.5
    return x, x @ mixing + 0.3 * torch.randn(n, m, dtype=torch.float64, generator=generator) * scale[0] / 10


def over_samples(X, Y, H, noise, budget, rho, F, iterations):
    """The plain loop: X (c, n) white and Y (m, n), complex; the least objective of its feasible copies."""
    n = X.shape[1]
    eye_r = torch.eye(H.shape[0], dtype=H.dtype)
    eye_t = torch.eye(H.shape[1], dtype=H.dtype)

    def decoder(F):
        A = H @ (F @ X)
        return torch.linalg.solve(A @ A.mH + n * noise * eye_r, A @ Y.mH).mH, A

    Z, U, objective = F, torch.zeros_like(F), []
    for _ in range(iterations):
        G, _ = decoder(F)
        M = G @ H
        F = torch.linalg.solve(M.mH @ M + rho * eye_t, (M.mH @ Y) @ X.mH / n + rho * (Z - U))
        Z = F + U
        Z = Z * min(1.0, float(budget**0.5 / Z.norm()))
        U = U + F - Z
        G, A = decoder(Z)
        objective.append(float((Y - G @ A).abs().square().sum() / n + noise * G.abs().square().sum()))
    return objective


def measured(n=PILOTS, d=TX_DIM, m=RX_DIM, antennas=ANTENNAS, iterations=ITERATIONS, runs=5):
    """Times of both loops on the same problem."""
    x, y = latents(0, n, d, m)
    modes = ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.0, widely_linear=False)
    channel = ll.Channel.from_snr(ll.rayleigh(antennas, antennas, generator=torch.Generator().manual_seed(1)), SNR_DB)
    admm = Admm(max_iterations=iterations, tolerance=0.0)
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        solution = admm.design(modes, channel)
        seconds.append(time.perf_counter() - start)
    problem = Problem.of(modes, channel)
    X, Y = pack(x - modes.mean_x).squeeze(-2).T.contiguous(), pack(y - modes.mean_y).squeeze(-2).T.contiguous()
    del x, y
    root = torch.linalg.cholesky(X @ X.mH / n)
    X = torch.linalg.solve_triangular(root, X, upper=False)
    analysis = torch.complex(modes.analysis[::2, : d // 2], modes.analysis[1::2, : d // 2]) / 2**0.5  # the modes of packed latents
    F = problem.matrix(admm.start(modes, problem)) @ (analysis[: problem.inputs] @ root)
    rho = float(admm.rho * power_multiplier(modes, channel))
    start = time.perf_counter()
    objective = over_samples(X, Y, channel.h[0], float(channel.noise_variance), float(channel.power), rho, F, iterations)
    samples = time.perf_counter() - start
    return Times(statistics.median(seconds), samples, float(solution.trace["objective"][-1]), objective[-1])


def main():
    torch.set_num_threads(1)
    times = measured()
    difference = times.moments_objective / times.samples_objective - 1
    title = f"ADMM, {ITERATIONS} iterations, d = {TX_DIM}, m = {RX_DIM}, n = {PILOTS:,}, {ANTENNAS}×{ANTENNAS}, one thread"
    table = Table(title=title, title_justify="left")
    for name in ("over samples", "on moments", "times faster", "difference of the objectives"):
        table.add_column(name, justify="right")
    table.add_row(f"{times.samples:.2f} s", f"{times.moments * 1e3:.1f} ms", f"{times.ratio:,.0f}", f"{difference:.1e}")
    Console().print(table)
    record("admm", table)
    assert abs(difference) < 1e-6, times
    assert times.ratio >= 100, times


if __name__ == "__main__":
    main()
