"""
Does ADMM converge to the closed form?
======================================

The paper solves the joint design of precoder and decoder by the alternating direction method of multipliers (ADMM). The problem is
biconvex, so that ADMM has no guarantee of finding the optimum; the closed form tells how far it is. This example shows the distance to
the optimum after each iteration.
"""

# %%
# Pair and channels
# -----------------

import matplotlib.pyplot as plt
import torch

import latentlink as ll

pair = ll.data.device_pair("digits")
modes = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y))
channel = ll.Channel.from_snr(ll.rayleigh(4, 4, batch=(20,), generator=0), snr_db=10.0)

# %%
# ADMM from random starts, for several ρ
# --------------------------------------
# The penalty parameter ρ is given in units of the problem, so that one value fits every channel and every pair. The trace of the solution
# holds the objective after each iteration and a lower bound on it. Under the limit on the mean power the bound is the closed form's
# optimum. The gap is the distance between the two, relative to the optimum.

settings = {
    "ρ = 0.3": ll.Admm(rho=0.3, max_iterations=1000, tolerance=0.0),
    "ρ = 1": ll.Admm(rho=1.0, max_iterations=1000, tolerance=0.0),
    "ρ = 3": ll.Admm(rho=3.0, max_iterations=1000, tolerance=0.0),
    "ρ = 10": ll.Admm(rho=10.0, max_iterations=1000, tolerance=0.0),
}
exact = ll.ClosedForm().design(modes, channel)
gaps = {}
for name, admm in settings.items():
    solution = admm.design(modes, channel)
    bound = solution.trace["bound"].unsqueeze(-1)
    gaps[name] = ((solution.trace["objective"] - bound) / bound).median(dim=0).values
    excess = (solution.expected_mse / exact.expected_mse - 1).median()
    print(
        f"{name:7}: gap {gaps[name][9]:.1%} after 10 iterations, {gaps[name][99]:.2%} after 100, {gaps[name][-1]:.3%} after 1000;", end=" "
    )
    print(f"MSE {excess:.3%} above that of the closed form")

# %%
# The figure
# ----------
# Each curve is the median over 20 Rayleigh channels of 4×4 antennas at 10 dB. All values of ρ lead towards the optimum. The first ten
# iterations bring ADMM to within a fifth of it, a hundred to within a few per cent, and a thousand to within a fraction of a per cent. At
# the smallest ρ, some channels get stuck close to the optimum: the median stays a fifth of a per cent above it. The closed form needs no
# iteration at all. ADMM remains the method of choice for constraints that have no closed form, such as limits on each antenna, and there
# the same bound certifies what it finds.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
iterations = torch.arange(1, 1001)
styles = zip(gaps.items(), ("#D55E00", "#0072B2", "#009E73", "#CC79A7"), ("--", "-", "-.", ":"), strict=True)
for (name, gap), colour, line in styles:
    axes.loglog(iterations, 100 * gap, color=colour, linestyle=line, linewidth=2, label=name)
axes.set(xlabel="iteration", ylabel="gap to the closed form (%)")
ticks = [0.01, 0.1, 1, 10, 100]
axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
axes.legend(fontsize=11)
plt.show()
