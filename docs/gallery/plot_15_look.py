"""
Are the rows of both files the same observations?
=================================================

Every design assumes that row *i* of both ends is the same observation. If the rows of one end were shuffled, sorted or shifted, nothing
fails: the design merely finds no relation between the two latent spaces. ``ll.look`` tests it beforehand, by comparing how well the
receiver's latent is explained by the transmitter's with how well it is explained by permuted rows.
"""

# %%
# Ways to damage a pair
# ---------------------
# The last way is the hardest to notice: the classes still agree, but within each class the rows are shuffled.

import matplotlib.pyplot as plt
import torch

import latentlink as ll

pair = ll.data.device_pair("digits")
x, y, labels = pair.pilots.x, pair.pilots.y, pair.pilots.labels


def shuffled(rows: torch.Tensor) -> torch.Tensor:
    """Shuffle some rows, by a fixed seed."""
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))]


rows = torch.arange(len(x))
within = rows.clone()
for number in labels.unique():
    members = (labels == number).nonzero().squeeze(1)
    within[members] = shuffled(members)
orders = {
    "as encoded": rows,
    "half of them shuffled": torch.cat([shuffled(rows[:600]), rows[600:]]),
    "shuffled within classes": within,
    "shifted by one": rows.roll(1),
    "all shuffled": shuffled(rows),
}

# %%
# What ``ll.look`` says
# ---------------------
# Printing what it returns shows all that was counted and measured. With labels, it also tests the dependence within the classes.

looks = {name: ll.look(x[order], y, labels) for name, order in orders.items()}
print(looks["as encoded"])
for name, look in looks.items():
    print(f"\n{name}: {' '.join(look.warnings) or 'no warning'}")

# %%
# The figure
# ----------
# The bars show the share of the receiver's variance that a regression on the transmitter's latents explains. If rows are shuffled within
# their classes, most of the variance still seems to be explained, because the latents of a class resemble each other; the test within the
# classes shows that nothing else is. If all rows are shuffled or shifted by one, nothing is explained at all.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
names = list(looks)[::-1]
places = torch.arange(len(names))
overall = [max(looks[name].dependence.r2, 0) for name in names]
inside = [max(looks[name].within_classes.r2, 0) for name in names]
for offset, values, colour, label in ((0.2, overall, "#0072B2", "over all rows"), (-0.2, inside, "#D55E00", "within classes")):
    bars = axes.barh(places + offset, values, height=0.4, color=colour, label=label)
    axes.bar_label(bars, [f" {value:.2f}" for value in values], fontsize=11)
axes.set_yticks(places, names)
axes.set(xlabel="explained variance of y (R²)", ylabel="rows of x", xlim=(0, 1.1))
axes.grid(axis="y", visible=False)
figure.legend(fontsize=11, ncols=2, loc="outside upper center")
plt.show()
