"""
Do standard channels behave like Rayleigh fading?
=================================================

Rayleigh fading is the richest channel: all entries of the matrix are independent. The models of 3GPP TR 38.901 have few clusters and
correlated antennas, so that their matrices have fewer strong singular values. This example compares the accuracy over Rayleigh fading
with that over clustered delay lines (CDL), and looks at the worst channels as well as at the mean.
"""

# %%
# Kinds of channels
# -----------------
# The models need the extra ``3gpp``. Each draw is a channel at one resource element, scaled to the same mean gain.

import matplotlib.pyplot as plt
import torch

import latentlink as ll

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
modes = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y))
draws, n = 200, 4


def quiet(done: int, total: int) -> None:
    """Draw no progress bar."""


standard = {name: ll.tr38901.generate(name, n, n, batch=draws, seed=0, cache=False, progress=quiet)[:, 0] for name in ("CDL-C", "CDL-D")}
one_polarisation = ll.tr38901.Panel(rows=1, columns=n, polarisation="V")
single = {"receive": one_polarisation, "transmit": one_polarisation}
channels = {
    "Rayleigh": ll.rayleigh(n, n, batch=(draws,), generator=0),
    "CDL-C, cross-polarised": standard["CDL-C"],
    "CDL-C, one polarisation": ll.tr38901.generate("CDL-C", n, n, batch=draws, seed=0, cache=False, progress=quiet, **single)[:, 0],
    "CDL-D, line of sight": standard["CDL-D"],
}

# %%
# Accuracy of each channel
# ------------------------

accuracy = {}
for name, h in channels.items():
    channel = ll.Channel.from_snr(h, snr_db=0.0)
    solution = ll.ClosedForm().design(modes, channel)
    seen = ll.evaluate(solution, pair.test.x, pair.test.y, channel=channel, head=head, labels=pair.test.labels, generator=0)
    accuracy[name] = seen.accuracy.sort().values
    ratio = torch.linalg.svdvals(h).median(0).values
    print(
        f"{name:24} mean accuracy {seen.accuracy.mean():.3f}, worst 5 % of the channels {accuracy[name][: draws // 20].mean():.3f}, "
        f"median singular values {', '.join(f'{value:.2f}' for value in ratio)}"
    )

# %%
# The figure
# ----------
# Each curve is the distribution of the accuracy over 200 channels. Cross-polarised CDL-C channels come close to Rayleigh fading; with a
# single polarisation the last singular value, and with it the accuracy, is lower. A line of sight (CDL-D) has two strong singular values,
# one for each polarisation, and little besides: its mean accuracy is the lowest, but it fades less, so that its worst channels are no
# worse than those of CDL-C.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
share = (torch.arange(draws) + 1) / draws
styles = zip(accuracy.items(), ("black", "#0072B2", "#D55E00", "#009E73"), (":", "-", "--", "-."), strict=True)
for (name, values), colour, line in styles:
    axes.step(values, share, where="post", color=colour, linestyle=line, linewidth=2, label=name)
axes.set(xlabel="accuracy on a channel", ylabel="share of channels with at most this accuracy", ylim=(0, 1))
axes.legend(fontsize=11, loc="upper left")
axes.set_title("4×4 antennas, one channel use, 0 dB", fontsize=12)
plt.show()
