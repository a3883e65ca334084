"""
Does a link arrive over the air as simulated?
=============================================

A simulation knows the channel and has no frames, synchronisation or clocks. Here two processes that only share a pair file talk through an
air with four taps, noise, a carrier frequency offset and clocks that differ, at three SNRs. What the receiver decodes is compared with the
simulation at the SNR that the receiver measured.
"""

# %%
# The pair file
# -------------
# Both ends read the file of the semantic modes, and build the same precoder from what the receiver reports of the channel.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt

import latentlink as ll

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
goal = ll.Goal.fisher(head, pair.pilots.y, temperature=3.0, fidelity=0.01)
modes = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y), goal)
receiver = pair.test.y, pair.test.labels, head

# %%
# Through the air, and simulated
# ------------------------------
# ``send_over_air`` starts a transmitter, an air and a receiver, and ends them. The receiver tells the variances of the noise and of its
# estimate's error, with which the simulation is run. Six thousand messages are sent at each SNR, the test images over and over.

measured_db, over_air, simulated = [], [], []
with TemporaryDirectory() as folder:
    file = Path(folder) / "pair.safetensors"
    modes.save(file)
    for snr_db in (0.0, 8.0, 16.0):
        air = ll.deploy.AirSetting(n_tx=2, n_rx=2, snr_db=snr_db, seed=1)
        came = ll.deploy.send_over_air(file, pair.test.x, air, messages=6000)
        told = {name: came.mean(name) for name in ("noise_variance", "error_variance")}
        measured_db.append(came.mean("snr_db"))
        over_air.append(ll.deploy.measure_arrival(came.values, *receiver, rows=came.rows))
        simulated.append(ll.deploy.simulate_over_air(modes, pair.test.x, *receiver, setting=air, **told))
        print(f"{snr_db:g} dB: {came.frames_sent} frames sent, {came.frames_lost} lost, {came.messages_per_second:,.0f} messages a second")

# %%
# Both beside each other
# ----------------------
# The marks lie on the lines up to the sampling of noise and of a few frames: what the radio adds to the simulation is small.

figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for place, name in zip(axes, ("accuracy", "nmse"), strict=True):
    place.plot(measured_db, [getattr(seen, name) for seen in simulated], color="0.4", label="simulated")
    place.plot(measured_db, [getattr(seen, name) for seen in over_air], "o", label="over the air")
    place.set(xlabel="measured SNR of a carrier (dB)", ylabel={"accuracy": "accuracy", "nmse": "NMSE"}[name])
    place.grid(alpha=0.3)
axes[0].legend()
plt.show()
