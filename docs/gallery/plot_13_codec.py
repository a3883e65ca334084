"""
What does a neural codec gain over the linear design?
=====================================================

A codec is a pair of neural networks that starts as the exact linear design and is used only on channels where it did better on
validation pilots. One codec serves every channel. This example trains a small one on the digits and compares it with the linear design
it started from.
"""

# %%
# Train once for all channels
# ---------------------------
# The settings are far smaller than the defaults, so that the training takes a few seconds. The objective is the divergence between the
# decisions of the classifier on what arrives and on the receiver's own latents.

import matplotlib.pyplot as plt

import latentlink as ll

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
goal = ll.Goal.fisher(head, pair.pilots.y, temperature=3.0, fidelity=0.01)
modes = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y), goal)
settings = ll.CodecTraining(
    modes=32,
    width=96,
    max_symbols=4,
    rounds=6,
    steps=60,
    draws=ll.channels.ChannelDraws(antennas=(1, 2, 3, 4), uses=(1,), snr_db=(-10.0, 20.0)),
)
codec = settings.fit(modes, pair.pilots, ll.objectives.HeadDivergence(head), progress=False).codec

# %%
# Accuracy against the SNR
# ------------------------

snrs_db = [-10, -5, 0, 5, 10, 15, 20]
accuracy = {(name, n): [] for name in ("codec", "linear") for n in (1, 2)}
bound = {1: [], 2: []}
decisions = head(pair.test.y).argmax(-1)
for n in (1, 2):
    h = ll.rayleigh(n, n, batch=(50,), generator=n)
    for snr_db in snrs_db:
        channel = ll.Channel.from_snr(h, snr_db=snr_db)
        bound[n].append(ll.bounds.accuracy(ll.bounds.capacity(channel), decisions, pair.test.labels).mean().item())
        for name, solution in (("codec", codec.design(channel)), ("linear", ll.ClosedForm().design(modes, channel))):
            seen = ll.evaluate(solution, pair.test.x, pair.test.y, channel=channel, head=head, labels=pair.test.labels, generator=0)
            accuracy[name, n].append(seen.accuracy.mean().item())
for (name, n), values in accuracy.items():
    print(f"{n}×{n} {name:6}", "  ".join(f"{value:.3f}" for value in values))
for n, values in bound.items():
    print(f"{n}×{n} bound ", "  ".join(f"{value:.3f}" for value in values))

# %%
# The figure
# ----------
# A linear design sends one real number of the latent over each real dimension of the signal, and a class is not a number: with one
# antenna it sends two numbers, however high the SNR. The codec sends what tells the classes apart, and comes close to the bound of
# capacity above 10 dB, after seconds of training on 1,200 pilots.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 5.4), layout="constrained")
for (name, n), values in accuracy.items():
    colour, marker = ("#0072B2", "o") if name == "codec" else ("#D55E00", "s")
    axes.plot(snrs_db, values, color=colour, marker=marker, linestyle="--" if n == 1 else "-", label=f"{name}, {n}×{n}")
for n, values in bound.items():
    axes.plot(snrs_db, values, color="black", linestyle=":" if n == 1 else "-.", label=f"bound of capacity, {n}×{n}")
axes.set(xlabel="SNR of a transmit antenna (dB)", ylabel="accuracy", ylim=(0, 1.02))
figure.legend(fontsize=11, ncols=2, loc="outside upper center")
plt.show()
