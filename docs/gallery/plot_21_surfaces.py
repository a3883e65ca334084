"""
Should a surface serve the receiver's goal, or capacity?
========================================================

A wall of elements, each of which turns the phase of what it reflects, stands beside a path that is blocked. Its phases can be chosen for
the strongest channel, for the highest capacity, or for the least error in what the receiver wants. This example compares them fairly,
beside what no phases can pass, and says how many bits a phase needs.
"""

# %%
# A pair of encoders, and a wall
# ------------------------------
# The direct path has a tenth of the power that it would have in the open. An element's path is weak by itself, and there are many of them.

import matplotlib.pyplot as plt
import torch

import latentlink as ll

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
goal = ll.Goal.fisher(head, pair.pilots.y, temperature=3.0)
modes = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y), goal)
source, draws, most = torch.Generator().manual_seed(0), 30, 64
direct = 0.1**0.5 * ll.rayleigh(3, 3, batch=(draws, 1), generator=source)
incident = ll.rayleigh(most, 3, batch=(draws, 1), generator=source)
reflected = 1e-3**0.5 * ll.rayleigh(3, most, batch=(draws, 1), generator=source)
counts = (4, 8, 16, 32, 64)
walls = {n: ll.surfaces.Surface(direct, incident[..., :n, :], reflected[..., :n]) for n in counts}

# %%
# Three wishes for a surface
# --------------------------
# Each objective begins at the greatest gain, at the other objective's solution and at random phases, so that none is worse than another
# for having got stuck. What counts is the same for all: the weighted error of the closed form on the channel that the phases make, as a
# share of what sending nothing leaves. Its bound holds for all phases.

snr_db = 0.0


def error(channel: ll.Channel) -> torch.Tensor:
    """The weighted error of the closed form, without what no channel avoids, as a share of the weighted variance."""
    streams = ll.ClosedForm().design(modes, channel).trace["stream_power"]
    h = torch.linalg.svdvals(channel.h).flatten(-2).repeat_interleave(2, -1)[..., : streams.shape[-1]]
    left = 1 / (1 + streams * h.square() / (channel.noise_variance.unsqueeze(-1) / 2))
    b2, s = modes.strength.square(), streams.shape[-1]
    return ((b2[:s] * left).sum(-1) + b2[s:].sum()) / modes.weighted_variance


J: dict[str, list[float]] = {}
for wall in walls.values():
    theta = 2 * torch.pi * torch.rand(draws, wall.elements, generator=torch.Generator().manual_seed(1))
    found = {name: ll.surfaces.SurfaceDesign(objective=name).design(modes, wall, snr_db) for name in ("gain", "capacity", "semantic")}
    channels = {"random phases": wall.channel(theta, snr_db), **{name: each.channel for name, each in found.items()}}
    for name, channel in channels.items():
        J.setdefault(name, []).append(float(error(channel).mean()))
    J.setdefault("no phases can pass", []).append(float((found["semantic"].trace["bound"] / modes.weighted_variance).mean()))

# %%
# Few bits
# --------
# Elements with 2, 4 or 8 phases are rounded, then searched one by one until no element changes.

coarse = {bits: ll.surfaces.SurfaceDesign(bits=bits, starts=1).design(modes, walls[32], snr_db) for bits in (1, 2, 3)}
of_bits = [float(error(each.channel).mean()) for each in coarse.values()]

# %%
# The figure
# ----------
# The goal's surface is a few percent ahead of the others at most, and between them lies less than to random phases or to a wall of half the
# size: the beams that carry the most bits carry most of what the goal wants, too. All are within a tenth or so of what no phases can pass.
# One bit loses much, three bits hardly anything.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.6), width_ratios=(1.7, 1), layout="constrained", sharey=True)
styles = {
    "random phases": ("#999999", "x", ":"),
    "gain": ("#E69F00", "^", "-"),
    "capacity": ("#56B4E9", "s", "-"),
    "semantic": ("#009E73", "o", "-"),
    "no phases can pass": ("#000000", "", "--"),
}
for name, (colour, marker, line) in styles.items():
    left.plot(counts, J[name], color=colour, marker=marker, linestyle=line, label=name)
left.axhline(float(error(ll.Channel.from_grid(direct, snr_db)).mean()), color="#D55E00", linewidth=1, label="no surface")
left.set(xscale="log", xticks=counts, xticklabels=counts, xlabel="elements", ylabel="weighted error", ylim=(0, None))
left.minorticks_off()
left.legend(fontsize=10)
right.plot([1, 2, 3], of_bits, color="#009E73", marker="o", label="32 elements")
right.axhline(J["semantic"][3], color="#009E73", linestyle="--", linewidth=1, label="continuous phases")
right.set(xticks=[1, 2, 3], xlabel="bits of a phase")
right.legend(fontsize=10)
plt.show()
for name, values in J.items():
    print(f"{name}: " + ", ".join(f"{n} elements {value:.3f}" for n, value in zip(counts, values, strict=True)))
print("bits: " + ", ".join(f"{bits} bit {value:.3f}" for bits, value in zip(coarse, of_bits, strict=True)))
assert all(a <= b for a, b in zip(J["no phases can pass"], J["semantic"], strict=True))
