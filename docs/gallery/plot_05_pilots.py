"""
How many semantic pilots are needed?
====================================

Semantic pilots are observations whose latents are known at both ends. They are all that a design knows of the two latent spaces, and
they have to be exchanged once for each pair of devices. This example shows the accuracy against their number, with and without
regularisation of the transmitter's covariance, and from pilots near the centre of each class.
"""

# %%
# Designs from few pilots
# -----------------------
# The receiver's classifier belongs to the receiver and is fitted to all of its own latents. ``PilotSelection`` chooses the same number of
# pilots of each class. Each setting is repeated with five seeds, over the same 20 Rayleigh channels of 4×4 antennas at 10 dB.

import matplotlib.pyplot as plt
import torch

import latentlink as ll

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
channel = ll.Channel.from_snr(ll.rayleigh(4, 4, batch=(20,), generator=0), snr_db=10.0)


def accuracy(pilots: ll.Pilots, shrinkage: float | str) -> float:
    modes = ll.semantic_modes(ll.Moments.from_pairs(pilots.x, pilots.y), shrinkage=shrinkage)
    solution = ll.ClosedForm().design(modes, channel)
    seen = ll.evaluate(solution, pair.test.x, pair.test.y, channel=channel, head=head, labels=pair.test.labels, generator=0)
    return seen.accuracy.mean().item()


# %%
# Three ways to use them
# ----------------------

per_class = [1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 15, 20, 50, 100]
ways = {
    "random, regularised": ("random", "auto"),
    "random, not regularised": ("random", 0.0),
    "class centres, regularised": ("centroid", "auto"),
}
results = {}
for name, (method, shrinkage) in ways.items():
    rows = []
    for count in per_class:
        chosen = [ll.PilotSelection(count, method=method, seed=seed).choose(pair.pilots) for seed in range(5 if method == "random" else 1)]
        rows.append([accuracy(pilots, shrinkage) for pilots in chosen])
    results[name] = torch.tensor(rows)
    print(name)
    print("   ", "  ".join(f"{10 * n}: {mean:.3f}" for n, mean in zip(per_class, results[name].mean(1), strict=True)))
everything = accuracy(pair.pilots, "auto")
print(f"all {len(pair.pilots.x)} pilots: {everything:.3f}")

# %%
# The figure
# ----------
# Curves are means over the seeds, and the shaded areas reach from the worst to the best seed. One pilot of each class already gives nine
# tenths of the images the right class, because both encoders were trained to tell the same classes apart; other pairs of encoders need
# more. Without regularisation the accuracy falls to 0.7 at 100 pilots, where their number is close to the 96 dimensions of the
# transmitter's latent: the covariance is then barely invertible, and its noise is amplified (the peak of *double descent*).
# Regularisation, which ``semantic_modes`` chooses by itself from the pilots, removes this collapse. Typical pilots, the nearest to the
# centre of their class, help where there are only one or two of each class; with more of them, random pilots are better, because they
# also show how images vary within a class.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
numbers = [10 * count for count in per_class]
styles = zip(results.items(), ("#0072B2", "#D55E00", "#009E73"), ("o", "s", "D"), strict=True)
for (name, values), colour, marker in styles:
    axes.semilogx(numbers, values.mean(1), color=colour, marker=marker, label=name)
    if values.shape[1] > 1:
        axes.fill_between(numbers, values.min(1).values, values.max(1).values, color=colour, alpha=0.15, linewidth=0)
axes.axhline(everything, color="0.4", linestyle="--", label="all 1200 pilots")
axes.axvline(96, color="black", linestyle=":", label="dimensions of x")
axes.set(xlabel="number of pilots, all classes together", ylabel="accuracy", ylim=(0.4, 1))
axes.set_xticks([10, 30, 100, 300, 1000], ["10", "30", "100", "300", "1000"])
axes.minorticks_off()
axes.legend(fontsize=11, loc="lower right")
plt.show()
