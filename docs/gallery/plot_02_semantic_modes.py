"""
What is a semantic mode?
========================

A semantic mode is a matched pair of directions, one in each latent space: what the transmitter's latent has along the first direction
predicts what the receiver's latent has along the second. The modes are ordered by how much of the receiver's latent they explain. A
linear design sends the strongest modes over the strongest spatial streams of the channel and distributes its power over them by MSE
water-filling, which gives nothing to modes that are not worth it.
"""

# %%
# The modes of a pair of devices
# ------------------------------
# The modes follow from the second moments of the pilots alone. The square of the strength :math:`b_i` is the share of the error that mode
# :math:`i` removes if it is received perfectly.

import matplotlib.pyplot as plt
import torch

import latentlink as ll

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
moments = ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y)
modes = ll.semantic_modes(moments)
aimed = ll.semantic_modes(moments, ll.Goal.fisher(head, pair.pilots.y, temperature=3.0, fidelity=0.01))

share = modes.strength**2 / modes.weighted_variance
aimed_share = aimed.strength**2 / aimed.weighted_variance
for count in (2, 4, 9, 16):
    print(f"the first {count:2} modes explain {share[:count].sum():.1%} of the latent, and {aimed_share[:count].sum():.1%} of the goal")

# %%
# What the design does with them
# ------------------------------
# An 8×8 channel carries 16 real streams in one use. The design's trace says how much power each of the modes gets. We look at one
# Rayleigh channel at three SNRs.

h = ll.rayleigh(8, 8, generator=3)
snrs_db = [-10.0, 0.0, 10.0]
power = {}
for snr_db in snrs_db:
    solution = ll.ClosedForm().design(modes, ll.Channel.from_snr(h, snr_db=snr_db))
    stream_power = solution.trace["stream_power"]
    power[snr_db] = torch.nn.functional.pad(stream_power, (0, 16 - len(stream_power)))
    print(f"{snr_db:3.0f} dB: {int((stream_power > 0).sum())} modes are sent, expected MSE {solution.expected_mse:.2f}")

# %%
# The figure
# ----------
# At the top, the strengths decay fast: nine modes carry nearly all of what this receiver's latent shares with the transmitter's, one
# fewer than there are classes. With a goal, the step after the ninth mode is steeper still, because a classifier of ten classes notices
# only nine directions. At the bottom, the power of the budget is spread over the modes: at −10 dB only the strongest modes are worth any
# power; at 10 dB all 16 streams are used. A weaker mode may get more power than a stronger one, since it travels over a weaker spatial
# stream that has to be compensated.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, (top, bottom) = plt.subplots(2, 1, figsize=(6.4, 7.2), layout="constrained")
numbers = torch.arange(1, 25)
top.semilogy(numbers, share[:24], color="#0072B2", marker="o", label="MSE of the latent")
top.semilogy(numbers, aimed_share[:24], color="#009E73", marker="D", label="goal of the classifier")
top.set(xlabel="number of the semantic mode", ylabel="explained share of the error")
top.legend(fontsize=11)
colours = ("#D55E00", "#0072B2", "#009E73")
for offset, (snr_db, values), colour in zip((-0.28, 0.0, 0.28), power.items(), colours, strict=True):
    bottom.bar(torch.arange(1, 17) + offset, values, width=0.28, color=colour, label=f"{snr_db:.0f} dB".replace("-", "−"))
bottom.set(xlabel="number of the semantic mode", ylabel="power (budget: 1)", xticks=range(2, 17, 2))
bottom.grid(axis="x", visible=False)
bottom.legend(fontsize=11)
plt.show()
