"""
How far from the limits is a linear link?
=========================================

This example draws accuracy and error of a link of 2×2 antennas and two channel uses against the SNR, beside their limits. The error is
compared with the error of linear alignment without a channel, with Gaussian OPTA (the optimum performance theoretically attainable at
the channel's capacity, by codes of any length, if the latents were Gaussian) and with separate source and channel codes that are as short
as the message. The accuracy is compared with the bound that follows from the capacity and the classifier's decisions.
"""

# %%
# Pair, modes and bounds
# ----------------------
# Gaussian OPTA is the least error of any scheme for Gaussian latents with given second moments, and separation at finite length is a
# prediction for a digital link of such latents. Real latents are not Gaussian, so that neither is a strict bound of what is measured here.
# To compare them with the test images, they are computed from the moments of the test images, without shrinkage.

import matplotlib.pyplot as plt
import torch

import latentlink as ll

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
modes = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y))
true_modes = ll.semantic_modes(ll.Moments.from_pairs(pair.test.x, pair.test.y), shrinkage=0.0)
variance = true_modes.variance
decisions = head(pair.test.y).argmax(-1)

# %%
# From −10 to 30 dB
# -----------------
# All SNRs share the same 50 channels, so that the curves differ by the SNR alone.

h = ll.rayleigh(2, 2, batch=(50,), generator=0)
snrs_db = torch.arange(-10, 31, 5)
rows = []
for snr_db in snrs_db.tolist():
    channel = ll.Channel.from_snr(h, snr_db=snr_db).repeated(2)
    seen = ll.evaluate(
        ll.ClosedForm().design(modes, channel),
        pair.test.x,
        pair.test.y,
        channel=channel,
        head=head,
        labels=pair.test.labels,
        generator=0,
    )
    rows.append(
        {
            "accuracy": seen.accuracy.mean(),
            "bound": ll.bounds.accuracy(ll.bounds.capacity(channel), decisions, pair.test.labels).mean(),
            "nmse": seen.nmse.mean(),
            "opta": (ll.bounds.opta(true_modes, channel) / variance).mean(),
            "separation": (ll.bounds.separation(true_modes, channel) / variance).mean(),
        }
    )
curves = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
alignment = ll.metrics.nmse(modes.align(pair.test.x), pair.test.y).item()
own_latents = ll.metrics.accuracy(head, pair.test.y, pair.test.labels).overall.value
for name, values in curves.items():
    print(f"{name:10}", "  ".join(f"{value:.3f}" for value in values))
print(f"NMSE of alignment without a channel: {alignment:.3f}")

# %%
# The figure
# ----------
# At low SNR the linear link is close to OPTA. It falls behind as the SNR grows, because each real number of the signal carries one real
# number of the latent: with two antennas, two uses and two real dimensions for each symbol, eight modes are all that arrives, however
# high the SNR. A separate code is not bound to that, but it pays for its short blocks: it would have the lower error only above 20 dB.
# The accuracy stays below its bound up to 15 dB and more; only a link that conveys the decision itself could reach the bound there.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, (top, bottom) = plt.subplots(2, 1, figsize=(6.4, 7.6), layout="constrained", sharex=True)
top.plot(snrs_db, curves["accuracy"], color="#0072B2", marker="o", label="exact linear design")
top.plot(snrs_db, curves["bound"], color="black", linestyle=":", label="bound of capacity")
top.axhline(own_latents, color="0.4", linestyle="--", label="receiver's own latents")
top.set(ylabel="accuracy", ylim=(0, 1.02))
top.legend(fontsize=11, loc="lower right")
bottom.semilogy(snrs_db, curves["separation"], color="#D55E00", linestyle="-.", label="separation at finite length")
bottom.semilogy(snrs_db, curves["nmse"], color="#0072B2", marker="o", label="exact linear design")
bottom.semilogy(snrs_db, curves["opta"], color="black", linestyle=":", label="Gaussian OPTA")
bottom.axhline(alignment, color="0.4", linestyle="--", label="alignment, no channel")
bottom.set(xlabel="SNR of a transmit antenna (dB)", ylabel="NMSE of the latent", ylim=(0.03, 1))
ticks = [0.03, 0.1, 0.3, 1]
bottom.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
bottom.legend(fontsize=11, loc="upper right")
plt.show()
