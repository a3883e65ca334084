"""
Your own latents: from files to a link
======================================

You have two encoders and the latents that they gave for the same observations, in files. This tutorial leads from these files to a link
between the two devices: it checks the pairs, designs the link, measures it on unseen observations, and saves what each device needs.
It takes about ten minutes to read.
"""

# %%
# Two files of latents
# --------------------
# Row *i* of both files has to be the same observation. Any usual format will do: NumPy, PyTorch, Parquet, CSV, HDF5, MATLAB and others.
# As a stand-in for your encoders, we take the principal components of scikit-learn's digits at the transmitter and random features of the
# same images at the receiver. Put your own files in their place.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import latentlink as ll

temporary = TemporaryDirectory()
folder = Path(temporary.name)

images, labels = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(images))
images, labels = images[order] / 16, labels[order]
x = PCA(40, random_state=0).fit(images[:1200]).transform(images).astype(np.float32)
y = np.maximum(images @ np.random.default_rng(1).normal(size=(64, 96)) / 8 - 0.1, 0).astype(np.float32)

np.save(folder / "tx.npy", x[:1200])
np.savez(folder / "rx.npz", latents=y[:1200], labels=labels[:1200])
np.savetxt(folder / "tx-test.csv", x[1200:], delimiter=",")
torch.save({"latents": torch.from_numpy(y[1200:])}, folder / "rx-test.pt")
np.savetxt(folder / "labels-test.txt", labels[1200:], fmt="%d")

# %%
# Reading them
# ------------
# ``read_pairs`` reads both ends and checks that they have the same number of rows. ``FILE::KEY`` names one of several arrays in a file.
# Tables with a column ``id`` are joined on it, so that the order of the rows does not matter then; arrays are paired by their order.
# If all your latents are in one set, ``pilots[rows]`` takes some of the pairs with their labels; the FAQ splits a set in this way.

pilots = ll.read_pairs(folder / "tx.npy", f"{folder / 'rx.npz'}::latents", f"{folder / 'rx.npz'}::labels")
print(pilots)

# %%
# A look before the design
# ------------------------
# Nothing fails if the rows of one file were shuffled, but then no design can work. ``look`` tests the pairing and says what else is
# suspicious. Here it finds nothing to warn of.

print(ll.look(pilots.x, pilots.y, pilots.labels))

# %%
# If the rows of one end had been shuffled, it would say so.

shuffled = pilots.x[torch.randperm(len(pilots.x), generator=torch.Generator().manual_seed(0))]
print(ll.look(shuffled, pilots.y).warnings[0])

# %%
# The receiver's head and its goal
# --------------------------------
# The link serves a task at the receiver. If you have a classifier of your own, use it; any torch module from latents to logits will do.
# Otherwise ``fit_head`` fits a softmax regression to the receiver's latents. The goal weighs errors of the latent by what the head
# notices of them. Without a task, leave the goal out: the design then minimises the mean squared error of the latent.

head = ll.fit_head(pilots.y, pilots.labels)
goal = ll.Goal.fisher(head, pilots.y, temperature=3.0, fidelity=0.01)

# %%
# Semantic modes, once for each pair of devices
# ---------------------------------------------
# The modes are pairs of directions in the two latent spaces, the strongest first. They follow from the means and covariances of the
# pilots and do not depend on any channel.

modes = ll.semantic_modes(ll.Moments.from_pairs(pilots.x, pilots.y), goal)
print(modes)

# %%
# The link, for each channel
# --------------------------
# ``ClosedForm`` computes the exact optimum for a whole batch of channels at once. We take 50 Rayleigh channels of 2×2 antennas at 10 dB.
# A message takes one or more uses of the channel.

h = ll.rayleigh(2, 2, batch=(50,), generator=0)
channel = ll.Channel.from_snr(h, snr_db=10.0).repeated(2)
solution = ll.ClosedForm().design(modes, channel)
print(solution)

# %%
# How good is it on unseen observations?
# --------------------------------------
# ``evaluate`` sends every test latent over every channel, with fresh noise, and measures errors, power and the task. The power is the one
# that was spent on unseen latents; the budget is 1.

test_x = ll.read_latents(folder / "tx-test.csv")
test_y = ll.read_latents(f"{folder / 'rx-test.pt'}::latents")
test_labels = ll.data.read_labels(folder / "labels-test.txt")
seen = ll.evaluate(solution, test_x, test_y, channel=channel, head=head, labels=test_labels, generator=0)
print(seen)

# %%
# Saving and loading
# ------------------
# A saved link contains all that the two devices need, and a checksum of it. ``load`` refuses a file in which any byte was changed. Saving
# the modes as well allows a device to design for new channels later, without any pilots.

solution.transceiver.save(folder / "link.safetensors")
modes.save(folder / "pair.safetensors")
link = ll.load(folder / "link.safetensors", ll.LinearTransceiver)
again = ll.evaluate(link, test_x, test_y, channel=channel, head=head, labels=test_labels, generator=0)
print("accuracy of the loaded link:", f"{again.accuracy.mean():.4f}", "and before:", f"{seen.accuracy.mean():.4f}")

# %%
# A single changed bit is enough to be refused.

data = bytearray((folder / "link.safetensors").read_bytes())
data[-1] ^= 1
(folder / "damaged.safetensors").write_bytes(data)
try:
    ll.load(folder / "damaged.safetensors")
except ll.ArtifactError as error:
    print("refused:", str(error).replace(str(folder), "…"))

# %%
# How many channel uses does a message need?
# ------------------------------------------
# With the modes at hand, such questions are answered within seconds: each point of the figure designs 50 links and sends all test latents
# over each of them. The SNR is the power of one transmit antenna over the noise power at one receive antenna.

loaded_modes = ll.load(folder / "pair.safetensors", ll.SemanticModes)
uses = [1, 2, 3, 4, 6, 8]
accuracy = {snr_db: [] for snr_db in (0, 10, 20)}
for snr_db, values in accuracy.items():
    for u in uses:
        channel = ll.Channel.from_snr(h, snr_db=snr_db).repeated(u)
        solution = ll.ClosedForm().design(loaded_modes, channel)
        seen = ll.evaluate(solution, test_x, test_y, channel=channel, head=head, labels=test_labels, generator=0)
        values.append(seen.accuracy.mean().item())
    print(f"{snr_db:2} dB:", "  ".join(f"{u} uses {value:.3f}" for u, value in zip(uses, values, strict=True)))
ceiling = ll.metrics.accuracy(head, test_y, test_labels).overall.value
temporary.cleanup()

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
for (snr_db, values), colour, marker in zip(accuracy.items(), ("#D55E00", "#0072B2", "#009E73"), "sDo", strict=True):
    axes.plot(uses, values, color=colour, marker=marker, label=f"{snr_db} dB")
axes.axhline(ceiling, color="0.4", linestyle="--", label="receiver's own latents")
axes.set(xlabel="channel uses of a message", ylabel="accuracy", ylim=(0, 1.02), xticks=uses)
axes.legend(fontsize=11, loc="lower right")
plt.show()

# %%
# Where to go on
# --------------
# The page on own data describes all formats, joins and data larger than memory; the page on how to choose compares linear links with
# codecs. The same steps are commands of ``latentlink`` as well: ``fit``, ``evaluate`` and ``inspect``.
