"""
How many antennas does a semantic link need?
============================================

A receiver that only has to classify does not need the whole latent. This example compares three exact linear designs over one channel
use: the complex-linear design that minimises the mean squared error (MSE) of the latent, the widely linear design for the same error,
and the design that minimises the error in the receiver's goal. The limits are drawn beside them: the accuracy of the receiver on its
own latents, the accuracy after linear alignment without any channel, and the bound that the capacity of the channel sets for any link.
"""

# %%
# Two devices and their pilots
# ----------------------------
# The digits of scikit-learn are encoded by two small networks that were trained apart. The transmitter's latents have 96 dimensions and
# the receiver's have 128. The receiver's classifier is fitted to its own latents.

import matplotlib.pyplot as plt

import latentlink as ll

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
moments = ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y)
print(pair)

# %%
# Three designs
# -------------
# All three are exact optima, computed in closed form from the same pilots. They differ in the *semantic modes* that they send. A
# complex-linear precoder packs two real numbers of the latent into one complex number and treats them alike; a widely linear precoder may
# use the real and the imaginary part of each symbol freely. A goal replaces the MSE by the error that the classifier notices.

goal = ll.Goal.fisher(head, pair.pilots.y, temperature=3.0, fidelity=0.01)
designs = {
    "complex-linear, MSE": ll.semantic_modes(moments, widely_linear=False),
    "widely linear, MSE": ll.semantic_modes(moments),
    "widely linear, goal": ll.semantic_modes(moments, goal),
}

# %%
# Accuracy over Rayleigh channels
# -------------------------------
# Each point is the mean over 100 Rayleigh channels and all 597 test images, at an SNR of 10 dB and with one channel use for each image.

antennas = [1, 2, 3, 4, 6, 8]
decisions = head(pair.test.y).argmax(-1)
accuracy = {name: [] for name in designs}
bound = []
for n in antennas:
    channel = ll.Channel.from_snr(ll.rayleigh(n, n, batch=(100,), generator=n), snr_db=10.0)
    bound.append(ll.bounds.accuracy(ll.bounds.capacity(channel), decisions, pair.test.labels).mean().item())
    for name, modes in designs.items():
        solution = ll.ClosedForm().design(modes, channel)
        seen = ll.evaluate(solution, pair.test.x, pair.test.y, channel=channel, head=head, labels=pair.test.labels, generator=0)
        accuracy[name].append(seen.accuracy.mean().item())

aligned = designs["widely linear, MSE"].align(pair.test.x)
no_channel = ll.metrics.accuracy(head, aligned, pair.test.labels).overall.value
own_latents = ll.metrics.accuracy(head, pair.test.y, pair.test.labels).overall.value
for name, values in accuracy.items():
    print(f"{name:20}", "  ".join(f"{n}×{n}: {value:.3f}" for n, value in zip(antennas, values, strict=True)))
print(f"alignment without a channel: {no_channel:.3f}, the receiver's own latents: {own_latents:.3f}")

# %%
# The figure
# ----------
# Widely linear designs need markedly fewer antennas than complex-linear ones for the same accuracy, because twice as many real numbers
# per channel use can be chosen freely. Knowledge of the goal helps most where symbols are few. From six antennas on, both widely linear
# designs reach the accuracy of alignment without a channel. The two ceilings are so close here that they look like one line: the pair of
# encoders loses next to nothing by linear alignment. The bound of capacity shows what remains to be gained by nonlinear links at one and
# two antennas.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
styles = {"complex-linear, MSE": ("#D55E00", "s"), "widely linear, MSE": ("#0072B2", "o"), "widely linear, goal": ("#009E73", "D")}
for name, (colour, marker) in styles.items():
    axes.plot(antennas, accuracy[name], color=colour, marker=marker, label=name)
axes.plot(antennas, bound, color="black", linestyle=":", label="bound of capacity")
axes.axhline(own_latents, color="0.4", linestyle="--", label="receiver's own latents")
axes.axhline(no_channel, color="0.4", linestyle="-.", label="alignment, no channel")
axes.set(xlabel="antennas at each end", ylabel="accuracy", ylim=(0, 1.02), xticks=antennas)
axes.set_title("Digits, one channel use, 10 dB", fontsize=12)
axes.legend(loc="lower right", fontsize=11)
plt.show()
