"""
Do codecs that know no network serve the users of one transmitter?
==================================================================

An access point with a message for each of three users makes streams of their channels, which disturb each other. A codec was trained for
single links, whose streams have signal-to-noise ratios; here it is told ratios of signal to interference and noise. This example trains one
on the digits, lets it serve all three users at once, and compares it with the linear design that shares out the space.
"""

# %%
# One codec for any link
# ----------------------
# All users have the same encoder here, so that one codec serves each of them. It is trained as in the example on codecs: for single links.

import matplotlib.pyplot as plt
import torch

import latentlink as ll

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
goal = ll.Goal.fisher(head, pair.pilots.y, temperature=3.0, fidelity=0.01)
single = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y), goal)
training = ll.CodecTraining(
    modes=32,
    width=96,
    max_symbols=4,
    rounds=6,
    steps=60,
    draws=ll.channels.ChannelDraws(antennas=(1, 2, 3, 4), uses=(1,), snr_db=(-10.0, 20.0)),
)
codec = training.fit(single, pair.pilots, ll.objectives.HeadDivergence(head), progress=False).codec

# %%
# Three users of one transmitter
# ------------------------------
# Each user has two antennas, and wants digits of its own. With six antennas the transmitter can keep its messages apart, with four it
# cannot. All signals are sent at once, so that what disturbs a user is what the other codecs really send.

users = 3
moments = ll.networks.NetworkMoments.from_pilots([pair.pilots.x] * users, [pair.pilots.y] * users, "own")
modes = ll.networks.network_modes(moments, [goal] * users)
orders = [torch.randperm(len(pair.test.x), generator=torch.Generator().manual_seed(k))[:200] for k in range(users)]
sent = [pair.test.x[order] for order in orders]


def accuracy(receivers, received):
    """The share of right decisions of all users."""
    right = [
        (head(each.decode(r)).argmax(-1) == pair.test.labels[order]).double().mean()
        for each, r, order in zip(receivers, received, orders, strict=True)
    ]
    return torch.stack(right).mean().item()


# %%
# Accuracy against the SNR
# ------------------------

snrs_db = [-5, 2, 9, 16]
antennas = (6, 4)
shown = {(name, n): [] for name in ("codecs", "linear") for n in antennas}
for n in antennas:
    h = [[ll.rayleigh(2, n, batch=(6, 1), generator=k)] for k in range(users)]
    for snr_db in snrs_db:
        links = ll.networks.Links.from_snr(h, snr_db, transmitter_of=(0,) * users)
        design = ll.networks.Slnr()
        linear = design.design(modes, links)
        codecs = ll.networks.UserCodecs([codec] * users, by=design).design(modes, links)
        shown["linear", n].append(accuracy(linear.receivers, links.apply([linear.transmitters[0].encode(*sent)], generator=0)))
        shown["codecs", n].append(accuracy(codecs.users, links.apply([codecs.encode(*sent)], generator=0)))
for (name, n), values in shown.items():
    print(f"{n} antennas, {name:6}", "  ".join(f"{value:.3f}" for value in values))

# %%
# The figure
# ----------
# Codecs that have never met interference are ahead of the linear design at every SNR. With four antennas for six at the users
# interference stays, and both level off: the linear design far below the codecs.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 5.0), layout="constrained")
for (name, n), values in shown.items():
    colour, marker = ("#0072B2", "o") if name == "codecs" else ("#D55E00", "s")
    axes.plot(snrs_db, values, color=colour, marker=marker, linestyle="-" if n == 6 else "--", label=f"{name}, {n} transmit antennas")
axes.set(xlabel="SNR of a transmit antenna (dB)", ylabel="mean accuracy of three users", ylim=(0, 1.02))
figure.legend(fontsize=11, ncols=2, loc="outside upper center")
plt.show()
