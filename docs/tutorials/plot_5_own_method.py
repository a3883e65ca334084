"""
Your own method in the same figure
==================================

A study compares your own precoder with the built-in methods without any change of the package: it names your class as
``module:attribute``. This tutorial writes a precoder that inverts the channel, and draws it beside the exact optimum and a baseline of the
paper. It takes about five minutes to read.
"""

# %%
# What a method is
# ----------------
# A method is a class with ``design(known, channel)``, which returns a ``Solution``. ``known`` holds what is known of the latents: the
# pilots, their moments, the receiver's head, and the semantic modes. ``channel`` is a batch of channels. The parameters of the
# constructor can be set, and swept over, in the study.
#
# The precoder below pre-equalises the channel. It sends the strongest modes by the regularised inverse of the channel matrix, so that
# every receive antenna gets one symbol with little interference from the others. With its *regularisation* at zero, this is zero forcing;
# it is scaled with the noise otherwise. All symbols arrive with about the same power, whatever the strength of the modes that they carry.
# The decoder is the linear estimate of least error for this precoder, which ``matched_to`` computes.

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import polars as pl
import torch

import latentlink as ll

INVERTED = ll.Status("channel inverted", "feasible: the precoder inverts the channel, and the receiver equalises what is left")


class ChannelInversion:
    """Send the strongest modes by the regularised inverse of the channel."""

    label = "channel inversion"

    def __init__(self, regularisation: float = 0.0) -> None:
        self.regularisation = regularisation

    def design(self, known: ll.studies.PilotKnowledge, channel: ll.Channel) -> ll.Solution:
        link = ll.ClosedForm().design(known.modes(), channel).transceiver  # which modes are sent, in which order
        symbols = link.precoder.shape[-1] // 2
        H = channel.h[:, 0]  # one channel use
        loading = self.regularisation * channel.noise_variance / channel.power * channel.n_tx
        gram = H @ H.mH + loading[:, None, None] * torch.eye(channel.n_rx)
        F = (H.mH @ torch.linalg.pinv(gram, hermitian=True))[..., :symbols]
        F = F * (channel.power / 2 / F.abs().square().sum((-2, -1))).sqrt()[:, None, None]  # two modes share a symbol
        real_form = torch.cat([torch.cat([F.real, -F.imag], -1), torch.cat([F.imag, F.real], -1)], -2)
        link = replace(link, precoder=real_form.unsqueeze(1)).matched_to(channel)
        return ll.Solution(link, torch.full(channel.batch, INVERTED.code), expected_mse=None, expected_power=channel.power)


# %%
# A first try, without a study
# ----------------------------
# ``PilotKnowledge`` can be made by hand to try a method. The power that is measured on unseen latents should be near the budget, which is
# 1.

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
channel = ll.Channel.from_snr(ll.rayleigh(4, 4, batch=(20,), generator=0), snr_db=10.0)
known = ll.studies.PilotKnowledge(pair.pilots, head)
for regularisation in (0.0, 1.0):
    solution = ChannelInversion(regularisation).design(known, channel)
    print(ll.evaluate(solution, pair.test.x, pair.test.y, channel=channel, head=head, labels=pair.test.labels, generator=0))

# %%
# In a study, by its name
# -----------------------
# A module beside the study file, or an installed one, is named by ``my_module:ChannelInversion``. In a script or a notebook, ``__main__``
# is the module of what was defined in it. The study identifies a cell by the code of the class too, so that changed code is run again.

study = {
    "name": "own-method",
    "title": "Channel inversion beside the exact design",
    "axis": "snr",
    "data": {"dataset": "digits", "test": 300},
    "channel": {"antennas": 4, "draws": 20},
    "snr": {"snr_db": [-10, -5, 0, 5, 10, 15, 20]},
    "methods": [
        {"name": "closed-form"},
        {"name": "eigen-k"},
        {"name": "__main__:ChannelInversion", "label": "channel inversion"},
        {"name": "__main__:ChannelInversion", "regularisation": 1.0, "label": "regularised inversion"},
    ],
    "seeds": [1],
    "metrics": ["accuracy", "mse", "power"],
}
with TemporaryDirectory() as output:
    rows = ll.studies.run(study, jobs=1, output=Path(output))
means = ll.studies.summarise(rows)
print(means["method"].unique(maintain_order=True).to_list())

# %%
# The figure
# ----------
# Plain inversion spends the power on the weakest directions of the channel and is far behind at low SNR. Regularisation gains up to 30
# percentage points, and brings the precoder past Eigen-K from 15 dB on. The exact design remains ahead everywhere: it spends power where
# the modes are strong and the channel is good, which no inversion does.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
curves = {
    "exact, widely linear": ("#0072B2", "o"),
    "regularised inversion": ("#009E73", "D"),
    "channel inversion": ("#CC79A7", "^"),
    "Eigen-K": ("#D55E00", "s"),
}
for name, (colour, marker) in curves.items():
    curve = means.filter((pl.col("method") == name) & pl.col("snr_db").is_not_null()).sort("snr_db")
    axes.plot(curve["snr_db"], curve["accuracy"], color=colour, marker=marker, label=name)
    print(f"{name:22}", "  ".join(f"{db:.0f} dB: {value:.3f}" for db, value in curve.select("snr_db", "accuracy").iter_rows()))
ceiling = means.filter(pl.col("method") == "aligned, no channel")["accuracy"].item()
axes.axhline(ceiling, color="0.4", linestyle="--", label="alignment, no channel")
axes.set(xlabel="SNR of a transmit antenna (dB)", ylabel="accuracy", ylim=(0, 1.02))
axes.legend(fontsize=11, loc="lower right")
plt.show()

# %%
# With latents of your own, from the command line
# -----------------------------------------------
# Put the class into ``my_precoder.py`` beside the study file, and name the folder of your latents as the data. The folder holds
# ``train-transmitter``, ``train-receiver`` and ``train-labels``, and the same three for ``test-``, in any format that is read; the guide
# "The first hour" makes one. The figure above is of one seed; with several, the report gives intervals, and says which method wins.
#
# .. code-block:: yaml
#
#    name: own-method
#    title: Channel inversion beside the exact design
#    axis: snr
#    data: {dataset: files, folder: latents}
#    channel: {antennas: 4, draws: 20}
#    snr: {snr_db: [-10, 0, 10, 20]}
#    methods:
#      - {name: closed-form}
#      - {name: eigen-k}
#      - {name: "my_precoder:ChannelInversion", regularisation: [0.0, 1.0]}
#    seeds: [1, 2, 3]
#
# ``latentlink study run own-method.yaml`` and then ``latentlink study report own-method.yaml`` make the page.
