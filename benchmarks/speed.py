"""How fast the design is, as ratios against the alternatives, measured in one run: `make bench`.

Latents are synthetic (d = m = 1280, 20,000 pilots, spectrum falling as 1/i); nothing here depends on their content.
"""

import resource
import time

import torch
from rich.console import Console
from rich.table import Table

import latentlink as ll
from latentlink.latents.packing import real_embedding
from record import record

DIM, PILOTS = 1280, 20_000
console = Console()


def best_of(runs, function):
    """Least wall-clock seconds of several runs, after one that is not counted where there are several."""
    if runs > 1:
        function()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def synthetic_latents():
    generator = torch.Generator().manual_seed(0)
    scale = torch.arange(1, DIM + 1).rsqrt()
    x = torch.randn(PILOTS, DIM, generator=generator) * scale
    mixing = torch.randn(DIM, DIM, generator=generator) / DIM**0.5
    return x, x @ mixing + 0.3 * torch.randn(PILOTS, DIM, generator=generator) * scale


def admm_seconds(modes, channel, target):
    """A plain ADMM loop in mode coordinates (F̃ = Z, total power), until its feasible Z is within 0.1 % of the optimum; seconds, steps."""
    H = real_embedding(channel.h[0])
    noise, budget, b = float(channel.noise_variance) / 2, float(channel.power), modes.strength
    rho = 0.01 * float(b.square().sum())
    start = time.perf_counter()
    F = torch.randn(H.shape[1], len(b), dtype=b.dtype, generator=torch.Generator().manual_seed(1))
    Z, U = F * (budget**0.5 / F.norm()), torch.zeros_like(F)
    eye_t, eye_r = torch.eye(H.shape[1], dtype=b.dtype), torch.eye(H.shape[0], dtype=b.dtype)
    F = Z
    for step in range(1, 20_001):
        M = H @ F
        G = torch.linalg.solve(M @ M.T + noise * eye_r, M * b).T
        E = G @ H
        F = torch.linalg.solve(E.T @ E + rho * eye_t, E.T * b + rho * (Z - U))
        Z = F + U
        Z = Z * min(1.0, budget**0.5 / float(Z.norm()))
        U = U + F - Z
        if step % 10 == 0:
            M = H @ Z
            saved = M * b
            error = modes.variance - (saved * torch.linalg.solve(M @ M.T + noise * eye_r, saved)).sum()
            if error <= 1.001 * target:
                return time.perf_counter() - start, step
    return time.perf_counter() - start, None


def redesign_row(table, modes, antennas, count, chunk, runs=2):
    h = ll.rayleigh(antennas, antennas, batch=(count,), generator=torch.Generator().manual_seed(2))

    def designs():
        for part in h.split(chunk):
            ll.ClosedForm().design(modes, ll.Channel.from_snr(part, 20.0))

    def decompositions():
        for part in h.split(chunk):
            torch.linalg.svd(part, full_matrices=False)

    design, svd = best_of(runs, designs) / count, best_of(runs, decompositions) / count
    table.add_row(
        f"re-design, {antennas}×{antennas}, {count:,} channels", f"{design * 1e6:.1f} µs a channel", f"{design / svd:.2f} × the bare SVD"
    )
    return design


def main():
    torch.set_num_threads(1)
    table = Table(title=f"latentlink, one thread, d = m = {DIM}, torch {torch.__version__}", title_justify="left")
    for name in ("what", "measured", "against the alternative"):
        table.add_column(name)
    x, y = synthetic_latents()
    x64 = x.double()
    moments_s = best_of(2, lambda: ll.Moments.from_pairs(x, y))
    plain_s = best_of(2, lambda: (x64.T @ x64, x64.T @ x64, x64.T @ x64))
    gigabytes = 2 * x.numel() * 4 / 1e9
    table.add_row(
        "Moments of 20,000 pairs, float32 in",
        f"{gigabytes / moments_s:.2f} GB/s",
        f"{moments_s / plain_s:.2f} × three bare x.T @ x in float64",
    )
    moments = ll.Moments.from_pairs(x, y)
    modes = ll.semantic_modes(moments)
    modes_s = best_of(1, lambda: ll.semantic_modes(moments))
    decompositions_s = best_of(1, lambda: (torch.linalg.eigh(moments.cov_x), torch.linalg.svd(moments.cov_yx)))
    table.add_row("semantic modes, shrinkage chosen", f"{modes_s:.2f} s", f"{modes_s / decompositions_s:.2f} × one eigh and one svd")
    design_s = redesign_row(table, modes, 8, 10_000, 10_000)
    generator = torch.Generator().manual_seed(3)
    exact = ll.semantic_modes(moments, shrinkage=0.0)
    ratios, steps = [], []
    for _ in range(3):
        channel = ll.Channel.from_snr(ll.rayleigh(8, 8, generator=generator), 20.0)
        seconds, taken = admm_seconds(exact, channel, float(ll.ClosedForm().design(exact, channel).known_mse))
        ratios.append(seconds / design_s)
        steps.append("never" if taken is None else str(taken))
    slower = sorted(ratios)[1]
    table.add_row(
        "ADMM to the optimum + 0.1 %, 8×8",
        f"{slower * design_s * 1e3:.0f} ms a channel",
        f"{slower:,.0f} × the exact design (steps: {', '.join(steps)})",
    )
    redesign_row(table, modes, 64, 10_000, 100, runs=1)
    console.print(table)
    record("speed", table)
    console.print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
