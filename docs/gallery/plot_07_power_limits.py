"""
What does a stricter power limit cost?
======================================

A power budget may hold in the mean over messages and channel uses, in each channel use, for each antenna or for every single message.
The stricter the limit, the larger the error. This example designs for six limits over the same channels and measures both the error and
the accuracy.
"""

# %%
# Channels that differ from use to use
# ------------------------------------
# A message takes four uses of a 2×2 channel that fades independently from use to use, at 5 dB. Over identical uses a limit on each use
# costs nothing, because the streams can be spread over the uses evenly.

import matplotlib.pyplot as plt

import latentlink as ll

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
modes = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y))
channel = ll.Channel.from_grid(ll.rayleigh(2, 2, batch=(20, 4), generator=0), snr_db=5.0)

# %%
# Six limits
# ----------
# The design for the mean power is a closed form. Those for the power of each use, where uses differ, and for the power of each antenna
# are iterative, and a bound certifies how close they come to the optimum. Equal power and one use at a time are no limits of a radio but
# ways to load each use by itself. A limit on every message scales each message to the same energy, so that its amplitude carries no
# information; the decoder is refitted to such messages.

limits = {
    "mean power": ll.ClosedForm(power=ll.power.Mean()),
    "each use": ll.ClosedForm(power=ll.power.PerUse(max_iterations=300)),
    "each antenna": ll.Admm(power=ll.power.PerAntenna(), warm_start=True),
    "equal per use": ll.ClosedForm(power=ll.power.Equal()),
    "one use at a time": ll.ClosedForm(power=ll.power.OneUseAtATime()),
    "each message": ll.ClosedForm(power=ll.power.PerMessage(x=pair.pilots.x, y=pair.pilots.y)),
}
nmse, accuracy = {}, {}
for name, design in limits.items():
    solution = design.design(modes, channel)
    seen = ll.evaluate(solution, pair.test.x, pair.test.y, channel=channel, head=head, labels=pair.test.labels, generator=0)
    nmse[name], accuracy[name] = seen.nmse.mean().item(), seen.accuracy.mean().item()
    if "gap" in solution.trace:
        print(f"{name:18} at most {solution.trace['gap'].max():.2%} above the optimum within this limit")
    print(
        f"{name:18} NMSE {nmse[name]:.3f}, accuracy {accuracy[name]:.3f}, measured mean power {seen.power.mean():.2f}, "
        f"highest power of a message {seen.peak_power.mean():.2f}, strongest antenna {seen.antenna_power.max(-1).values.mean():.2f}"
    )

# %%
# The figure
# ----------
# The bars show the NMSE; the dotted line is that of the mean power, the optimum without further limits. Limits that a radio really has
# cost little: a few per cent of the error for each use or each antenna, about a tenth for each message, and no accuracy that could be
# measured. What costs much is to let each use take the next modes in turn: the strongest modes are then all in the first use, whatever
# its channel, and the power of the other uses is spent on modes that hardly matter.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
names = list(limits)[::-1]
bars = axes.barh(names, [nmse[name] for name in names], color="#0072B2", height=0.6)
axes.bar_label(bars, [f" accuracy {accuracy[name]:.3f}" for name in names], fontsize=11)
axes.axvline(nmse["mean power"], color="black", linestyle=":")
axes.set(xlabel="NMSE of the latent", ylabel="power limit", xlim=(0, 1.5 * max(nmse.values())))
axes.grid(axis="y", visible=False)
plt.show()
