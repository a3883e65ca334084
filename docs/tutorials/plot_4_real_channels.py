"""
Real channels and what is known of them
=======================================

You have measured or simulated channel matrices in a file. This tutorial reads them with their axes named, estimates the channel from
pilots in the time-frequency grid as a radio does, and designs for the estimate. It shows what it costs to use an estimate as if it were
the channel, and what a design gains that accounts for the error. It takes about ten minutes to read.
"""

# %%
# A file of channels
# ------------------
# As a stand-in for a measurement campaign, we simulate 60 channels of 4×4 antennas over 48 subcarriers of 30 kHz, with an exponential
# power delay profile of 300 ns, and store them in the order of axes that a MATLAB user may have chosen. Put your own file in its place.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import latentlink as ll

temporary = TemporaryDirectory()
file = Path(temporary.name) / "measured.npy"

rng = np.random.default_rng(0)
delays_s = np.arange(24) * 50e-9
powers = np.exp(-delays_s / 300e-9)
powers /= powers.sum()
taps = rng.normal(size=(4, 4, 60, 24)) + 1j * rng.normal(size=(4, 4, 60, 24))
phases = np.exp(-2j * np.pi * np.outer(np.arange(48) * 30e3, delays_s))
np.save(file, np.einsum("rtnl,kl->rtkn", taps * np.sqrt(powers / 2), phases))  # (rx, tx, subcarrier, channel)

# %%
# Axes are named, never guessed
# -----------------------------
# The axis ``use`` counts the resource elements that a message may take, here the subcarriers. Presets exist for the layouts of MATLAB,
# QuaDRiGa, DeepMIMO and Sionna. A file whose axes are not named is refused.

try:
    ll.read_channels(file)
except ValueError as error:
    print("refused:", str(error).replace(str(file.parent), "…"))
h = ll.read_channels(file, axes="rx tx use n")
print("channels, subcarriers, receive and transmit antennas:", tuple(h.shape), f"mean gain {h.abs().square().mean():.2f}")
temporary.cleanup()

# %%
# The resource elements of a message
# ----------------------------------
# A message takes one resource element in OFDM symbol 4, at subcarrier 24. The SNR is the power of one transmit antenna over the noise of
# one receive antenna.

subcarrier = 24
snr_db = 10.0
message = ll.channels.ResourceElements((subcarrier,), (4,))
truth = ll.Channel.from_grid(h[:, subcarrier : subcarrier + 1], snr_db=snr_db)

# %%
# Estimating the channel
# ----------------------
# Pilots of the radio are on every 12th subcarrier of OFDM symbol 2. (They are not the semantic pilots, which relate the two latent
# spaces.) An estimator has to know the covariance of the channel over the grid; here it is given by the delay profile.
# ``lmmse_estimator`` returns the best linear estimator, together with the error variance that remains, and ``known`` applies it to the
# channels at the pilots.

statistics = ll.csi.ScatteringStatistics(delays_s=tuple(delays_s), powers=tuple(powers), subcarrier_spacing_hz=30e3)
radio_pilots = ll.channels.ResourceElements.comb(12, 48, symbols=(2,))
at_pilots = h[:, list(radio_pilots.subcarriers)]
for pilot_snr_db in (0, 10, 20):
    estimator = ll.csi.lmmse_estimator(statistics, radio_pilots, message, pilot_noise=10 ** (-pilot_snr_db / 10))
    known = estimator.known(truth, at_pilots, generator=0)
    error = (known.h - truth.h).abs().square().mean()
    print(f"pilot SNR {pilot_snr_db:2} dB: predicted error variance {known.error_variance.mean():.3f}, measured {error:.3f}")

# %%
# Three ways to design for the estimate
# -------------------------------------
# If both ends know only the estimate, ``BothEnds`` treats its error as further noise; ``robust=False`` uses the estimate as if it were
# the channel. Often the receiver knows more: ``Transmitter`` designs the precoder for the estimate, while the receiver measures the
# product of channel and precoder. ``at_reception`` returns the link as the receiver uses it over the true channels.

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
modes = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y))
cases = {
    "receiver measures": ll.csi.Transmitter(draws=16),
    "both ends, robust": ll.csi.BothEnds(),
    "both ends, naive": ll.csi.BothEnds(robust=False),
}


def accuracy(case: ll.csi.CsiCase, known: ll.Channel) -> tuple[float, float]:
    """Design for what is known, and measure accuracy and NMSE over the true channels."""
    link = case.at_reception(ll.ClosedForm(csi=case).design(modes, known), modes, truth)
    seen = ll.evaluate(link, pair.test.x, pair.test.y, channel=truth, head=head, labels=pair.test.labels, generator=0)
    return seen.accuracy.mean().item(), seen.nmse.mean().item()


# %%
# Against the quality of the pilots
# ---------------------------------

pilot_snrs_db = [-10, -5, 0, 5, 10, 15, 20]
results = {name: [] for name in cases}
for pilot_snr_db in pilot_snrs_db:
    estimator = ll.csi.lmmse_estimator(statistics, radio_pilots, message, pilot_noise=10 ** (-pilot_snr_db / 10))
    known = estimator.known(truth, at_pilots, generator=0)
    for name, case in cases.items():
        results[name].append(accuracy(case, known))
perfect, _ = accuracy(ll.csi.Perfect(), truth)
for name, values in results.items():
    print(f"{name:18} accuracy", "  ".join(f"{value:.3f}" for value, _ in values))
    print(f"{'':18} NMSE    ", "  ".join(f"{value:.3f}" for _, value in values))
print(f"perfect knowledge: accuracy {perfect:.3f}")

# %%
# What the estimate costs
# -----------------------
# With pilots of 15 dB and more, all three are close to perfect knowledge. With weaker pilots, a link whose two ends rely on the estimate
# needs the robust design, which gains up to seven percentage points and keeps the NMSE below 1, the error of sending nothing. A receiver
# that measures makes the link nearly independent of the transmitter's estimate.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
for (name, values), colour, marker in zip(results.items(), ("#009E73", "#0072B2", "#D55E00"), "Dos", strict=True):
    axes.plot(pilot_snrs_db, [value for value, _ in values], color=colour, marker=marker, label=name)
axes.axhline(perfect, color="0.4", linestyle="--", label="perfect knowledge")
axes.set(xlabel="SNR of the radio's pilots (dB)", ylabel="accuracy", ylim=(0, 1.02))
axes.legend(fontsize=11, loc="lower right")
plt.show()

# %%
# Where to go on
# --------------
# The page on channel state information describes ageing, feedback with few bits and statistics of banks of channels; ``ll.tr38901`` draws
# channels of the 3GPP models. Studies sweep over files of channels with ``channel.file``.
