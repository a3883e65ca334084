"""
What does it cost two pairs on one band to be selfish?
======================================================

Two pairs of devices share a band: what one pair sends is interference for the other. Each may look after itself, and answer what the other
does until nobody gains by changing; or both may look for the least sum of their errors. This example shows both for many channels.
"""

# %%
# Two pairs, many channels
# ------------------------
# Both pairs are of the small encoders of digits, in both directions, and their images are independent. Cross channels are as strong as
# direct ones.

import matplotlib.pyplot as plt
import torch

import latentlink as ll

pair = ll.data.device_pair("digits")
x, y = pair.pilots.x, pair.pilots.y
moments = ll.networks.NetworkMoments.from_pilots(x=[x, y], y=[y, x], observations="own")
heads = [ll.fit_head(each, pair.pilots.labels) for each in (y, x)]
goals = [ll.Goal.fisher(head, each, temperature=3.0) for head, each in zip(heads, (y, x), strict=True)]
modes = ll.networks.network_modes(moments, goals)
h = [[ll.rayleigh(3, 3, batch=(60, 1), generator=2 * k + t) for t in range(2)] for k in range(2)]
links = ll.networks.Links.from_snr(h, snr_db=10.0)

# %%
# Two designs
# -----------
# The game plays the closed form of each pair against the other's interference, round after round; cooperation starts where that ends.

selfish = ll.networks.SemanticGame().design(modes, links)
together = ll.networks.Cooperative().design(modes, links)
for name, solution in {"game": selfish, "cooperation": together}.items():
    print(f"{name}: {solution.status_names()}, weighted errors {solution.weighted.mean(0).tolist()}")
print(f"settled: {(selfish.trace['gain'] <= 1e-10).float().mean():.0%}, largest gain left {selfish.trace['gain'].max():.1e}")

# %%
# The figure
# ----------
# Each point is one draw of the channels, with the weighted error of one pair against that of the other, and a line from the game's end to
# where cooperation takes it. Nearly all lines lead down and to the left: cooperation seldom asks a pair to give something up.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 5.2), layout="constrained")
a, b = selfish.weighted, together.weighted
for before, after in zip(a.tolist(), b.tolist(), strict=True):
    axes.plot(*zip(before, after, strict=True), color="#999999", linewidth=0.8, zorder=1)
axes.scatter(*a.mT, color="#D55E00", marker="o", s=28, label="game", zorder=2)
axes.scatter(*b.mT, color="#009E73", marker="s", s=28, label="cooperation", zorder=2)
axes.set(xlabel="weighted error of the first pair", ylabel="weighted error of the second pair", xlim=(0, None), ylim=(0, None))
axes.legend()
plt.show()
print(f"price of anarchy: {(a.sum(-1) / b.sum(-1)).mean():.2f} in the mean, {(a.sum(-1) / b.sum(-1)).max():.2f} at most")
worse = (b > a * (1 + 1e-9)).float().mean()
assert torch.all(b.sum(-1) <= a.sum(-1) * (1 + 1e-9))
print(f"users who are worse off with cooperation: {worse:.0%}")
