"""
What do peaks and clipping amplifiers cost?
===========================================

The symbols of a linear design are nearly Gaussian, as the latents are, and have high peaks. An amplifier that clips them works at a higher
efficiency, but it disturbs what is sent. This example clips the symbols of each antenna at a level relative to its share of the mean
power, without telling the receiver, and measures the peak-to-average power ratio (PAPR) and the accuracy.
"""

# %%
# The link
# --------

import matplotlib.pyplot as plt

import latentlink as ll

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
goal = ll.Goal.fisher(head, pair.pilots.y, temperature=3.0, fidelity=0.01)
modes = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y), goal)
antennas = [2, 4]

# %%
# Clipping levels
# ---------------
# At 0 dB, a symbol may have no more than the mean power. The PAPR is the one that a symbol exceeds with a probability of one in a
# thousand.

levels_db = [-6, -4, -2, 0, 2, 4, 6, 8, 10]
accuracy = {n: [] for n in antennas}
papr_db = {n: [] for n in antennas}
unclipped, unclipped_db = {}, {}
for n in antennas:
    channel = ll.Channel.from_snr(ll.rayleigh(n, n, batch=(50,), generator=n), snr_db=20.0)
    solution = ll.ClosedForm().design(modes, channel)
    linear = ll.evaluate(solution, pair.test.x, pair.test.y, channel=channel, head=head, labels=pair.test.labels, generator=0)
    unclipped[n] = linear.accuracy.mean().item()
    unclipped_db[n] = ll.metrics.peaks(solution, pair.test.x).papr_db.mean().item()
    print(f"{n}×{n}, not clipped: accuracy {unclipped[n]:.3f}, PAPR {unclipped_db[n]:.1f} dB")
    for level_db in levels_db:
        amplifier = ll.metrics.Amplifier.above_mean(channel, level_db)
        seen = ll.evaluate(
            solution,
            pair.test.x,
            pair.test.y,
            channel=channel,
            head=head,
            labels=pair.test.labels,
            generator=0,
            amplifier=amplifier,
        )
        accuracy[n].append(seen.accuracy.mean().item())
        papr_db[n].append(ll.metrics.peaks(solution, pair.test.x, amplifier=amplifier).papr_db.mean().item())
        print(f"{n}×{n}, {level_db:2} dB: accuracy {accuracy[n][-1]:.3f}, PAPR {papr_db[n][-1]:.1f} dB, power {seen.power.mean():.2f}")

# %%
# The figure
# ----------
# Clipping at 4 dB costs nothing that could be measured at 4×4, and less than a percentage point at 2×2, while the PAPR falls below 5 dB.
# Clipping at −6 dB, where less than a quarter of the power is left, costs seven to eight percentage points at 4×4 and more than twice as
# much at 2×2.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, (top, bottom) = plt.subplots(2, 1, figsize=(6.4, 6.8), layout="constrained", sharex=True)
for n, colour, marker in ((4, "#0072B2", "o"), (2, "#D55E00", "s")):
    top.plot(levels_db, accuracy[n], color=colour, marker=marker, label=f"{n}×{n} antennas")
    top.axhline(unclipped[n], color=colour, linestyle="--")
    bottom.plot(levels_db, papr_db[n], color=colour, marker=marker)
    bottom.axhline(unclipped_db[n], color=colour, linestyle="--")
top.plot([], [], color="0.4", linestyle="--", label="no clipping")
top.set(ylabel="accuracy", ylim=(0.6, 1.0))
top.legend(fontsize=11, loc="lower right")
bottom.set(xlabel="clipping level over an antenna's mean power (dB)", ylabel="PAPR after the amplifier (dB)", ylim=(0, None))
plt.show()
