"""
How old may the channel estimate be?
====================================

While the devices move, the channel changes between the moment at which it was measured and the moment at which the message is sent. This
example draws the accuracy against that delay for three designs: one that uses the old estimate as if it were the channel, one that
accounts for the error of the old estimate, and one in which only the transmitter relies on the estimate while the receiver measures.
"""

# %%
# Channels that age
# -----------------
# Jakes' model correlates the channel at two times by :math:`\\rho = J_0(2 \\pi f_D \\Delta t)`, with the Doppler frequency :math:`f_D`.
# The devices are at 30 km/h and a carrier of 3.5 GHz.

import matplotlib.pyplot as plt

import latentlink as ll

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
modes = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y))
motion = {"speed_mps": 30 / 3.6, "carrier_hz": 3.5e9}
print(f"Doppler frequency {ll.csi.doppler_hz(**motion):.0f} Hz")
measured = ll.Channel.from_snr(ll.rayleigh(4, 4, batch=(50,), generator=0), snr_db=10.0)

# %%
# Designs with an old estimate
# ----------------------------
# ``age_channel`` draws the channel that the message really passes, and ``age_estimate`` returns what can be known of it from the old
# measurement: the posterior mean and the variance of the error.

delays_ms = [0, 0.5, 1, 1.5, 2, 3, 4, 5]
designs = {
    "rx measures, tx robust": (ll.csi.Transmitter(draws=16), True),
    "both ends, robust": (ll.csi.BothEnds(), True),
    "both ends, taken as true": (ll.csi.Perfect(), False),
}
accuracy = {name: [] for name in designs}
nmse = {name: [] for name in designs}
for delay_ms in delays_ms:
    h = ll.csi.age_channel(measured.h[:, 0], delay_ms / 1e3, **motion, generator=1)
    truth = ll.Channel.from_snr(h, snr_db=10.0)
    aged = ll.csi.age_estimate(measured, delay_ms / 1e3, **motion)
    for name, (case, predicts) in designs.items():
        solution = ll.ClosedForm(csi=case).design(modes, aged if predicts else measured)
        link = case.at_reception(solution, modes, truth)
        seen = ll.evaluate(link, pair.test.x, pair.test.y, channel=truth, head=head, labels=pair.test.labels, generator=0)
        accuracy[name].append(seen.accuracy.mean().item())
        nmse[name].append(seen.nmse.mean().item())
print(f"delay (ms)               {'  '.join(f'{delay:5}' for delay in delays_ms)}")
for name in designs:
    print(f"{name:25}", "  ".join(f"{value:.3f}" for value in accuracy[name]))
    print(f"{'  NMSE':25}", "  ".join(f"{value:.3f}" for value in nmse[name]))

# %%
# The figure
# ----------
# If both ends rely on the old estimate, the accuracy falls below 0.9 after one millisecond and to that of guessing after four. Accounting
# for the age gains up to nine percentage points in the first three milliseconds, and it keeps the error at that of sending nothing, an
# NMSE of 1, where the estimate is worth nothing. This happens at 4 ms, where the correlation of Jakes' model passes zero; later it is
# negative for a while, which only the robust design can use. A receiver that measures hardly needs a transmitter that is up to date.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
colours = ("#009E73", "#0072B2", "#D55E00")
for (name, values), colour, marker in zip(accuracy.items(), colours, "Dos", strict=True):
    axes.plot(delays_ms, values, color=colour, marker=marker, label=name)
ceiling = ll.metrics.accuracy(head, modes.align(pair.test.x), pair.test.labels).overall.value
axes.axhline(ceiling, color="0.4", linestyle="--", label="alignment, no channel")
axes.axhline(0.1, color="0.4", linestyle=":", label="guessing")
axes.set(xlabel="age of the channel estimate (ms)", ylabel="accuracy", ylim=(0, 1.02))
axes.legend(fontsize=11, loc="lower left", bbox_to_anchor=(0, 0.12))
axes.set_title("4×4, 10 dB, 30 km/h at 3.5 GHz", fontsize=12)
plt.show()
