"""
From a pair file to two devices
===============================

A link that was designed here is run by two processes that share a file of it, and otherwise only exchange samples and control messages:
one sounds the channel, the other measures and reports it, both build the same precoder from the bytes of the report, and latents arrive
over OFDM frames through an air with taps, noise and clocks that differ. This tutorial starts them by hand, looks at what they count, and
compares what arrived with the simulation. It takes about ten minutes to read.
"""

# %%
# The file that both devices have
# -------------------------------
# A *pair file* holds the semantic modes of two devices, from which a link for any channel follows; a codec's file does the same for a
# codec. As a stand-in for your devices we take two small encoders of scikit-learn's digits.

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import latentlink as ll

temporary = TemporaryDirectory(prefix="ll-")
folder = Path(temporary.name)

pair = ll.data.device_pair("digits")
head = ll.fit_head(pair.pilots.y, pair.pilots.labels)
goal = ll.Goal.fisher(head, pair.pilots.y, temperature=3.0, fidelity=0.01)
modes = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y), goal)
modes.save(folder / "pair.safetensors")
head.save(folder / "head.safetensors")
np.save(folder / "latents.npy", pair.test.x.float().numpy())

# %%
# What a device needs is less: float32 matrices without Gram matrices and provenance. ``latentlink radio export`` does the same on the
# command line. The smaller file names the full one by its SHA-256, so that one end may have either.

for name in ("pair", "head"):
    file = ll.deploy.export_device(folder / f"{name}.safetensors", folder / f"{name}.device.safetensors")
    print(f"{file.name}: {file.stat().st_size / 1e3:.0f} kB, of {(folder / f'{name}.safetensors').stat().st_size / 1e3:.0f} kB")

# %%
# Keys
# ----
# The devices know each other by public keys (CURVE): the receiver lets in those of a list, the transmitter knows the receiver's. A secret
# stays on its device. The commands below are also ``latentlink radio keys …``; the runtime, which devices install, needs no PyTorch.

COMMAND = [sys.executable, "-m", "latentlink_runtime"]


def run(*words):
    print("$ python -m latentlink_runtime", *words)
    subprocess.run([*COMMAND, *map(str, words)], cwd=folder, check=True)


run("keys", "tx")
run("keys", "rx")
(folder / "allowed").write_text((folder / "tx.public").read_text())
print(sorted(path.name for path in folder.glob("*x.*")))

# %%
# Three processes
# ---------------
# The receiver listens, the transmitter says hello, and the air carries samples from one to the other: 2×2 antennas, four taps, 15 dB, a
# carrier frequency offset of 0.004 of the rate, and clocks that are 20 ppm apart. With ``--gnuradio`` the air is GNU Radio's flow graph,
# where the system has it. The receiver keeps what it decodes (``--out``) and a line of each frame (``--log``); ``--view 8080`` would show
# it live on a page at that port of this machine.
#
# Addresses decide what samples go by: ``ipc://`` and ``tcp://`` are ZeroMQ as GNU Radio speaks it, ``udp://`` are packets, and
# ``soapy:driver=…`` is a radio. A whole run on one machine is ``latentlink radio demo``.

processes = []


def start(*words):
    print("$ python -m latentlink_runtime", *words)
    processes.append(subprocess.Popen([*COMMAND, *map(str, words)], cwd=folder, stdout=subprocess.PIPE, text=True))
    return processes[-1]


both = ("--control", "ipc://control", "--design", "pair.device.safetensors", "--n-tx", 2, "--n-rx", 2, "--rate", 50_000)
rx = start("rx", *both, "--keys", "rx.secret", "--allowed", "allowed", "--iq", "ipc://received", "--out", "y.npy", "--log", "frames.csv")
air = start("air", "--from", "ipc://sent", "--to", "ipc://received", "--n-tx", 2, "--n-rx", 2, "--snr-db", 15, "--frequency", 0.004,
            "--ppm", 20, "--seed", 4)  # fmt: skip
tx = start("tx", *both, "--keys", "tx.secret", "--server-key", "rx.public", "--iq", "ipc://sent", "--latents", "latents.npy",
           "--messages", 15_000)  # fmt: skip

# %%
# The transmitter ends once it has sent its number, and writes what it counted as a line of JSON. The others are told to end.

sent = json.loads(tx.communicate(timeout=60)[0])
time.sleep(1)
for process in (rx, air):
    process.send_signal(signal.SIGTERM)
received = json.loads(rx.communicate(timeout=20)[0])
air.communicate(timeout=20)
print({name: sent[name] for name in ("sounding", "frames", "messages")})
print({name: round(received[name], 3) for name in ("ok", "messages", "lost_messages", "known", "known_faults", "known_error")})

# %%
# What the receiver measured
# --------------------------
# Each line of ``frames.csv`` is a frame of messages. The receiver knows nothing of the air but what the frames tell: it finds the offsets,
# and the SNR of a carrier, for which its estimate of the channel has an error of its own.

with (folder / "frames.csv").open() as file:
    frames = list(csv.DictReader(file))
columns = {name: np.array([float(frame[name]) for frame in frames]) for name in frames[0]}

figure, axes = plt.subplots(1, 3, figsize=(10, 2.8), layout="constrained")
for place, (name, label, truth) in zip(
    axes,
    (
        ("snr_db", "SNR of a carrier (dB)", None),
        ("frequency", "carrier frequency offset", 0.004),
        ("clock_ppm", "clock offset (ppm)", 20.0),
    ),
    strict=True,
):
    place.plot(columns["seconds"], columns[name], ".-")
    if truth is not None:
        place.axhline(truth, color="0.4", linewidth=1, label="the air's")
        place.legend()
    place.set(xlabel="time (s)", ylabel=label)
plt.show()

# %%
# Did it arrive as the simulation says?
# -------------------------------------
# ``y.npy`` has the decoded latents, and ``y.rows.npy`` the number of each message: modulo the rows of the transmitter's file, its row
# there. The simulation sends the same
# latents over the same taps in PyTorch, with the noise and the estimate's error that the receiver measured: what the radio does beside
# that, such as synchronisation and tracking, would show as a difference.

rows = np.load(folder / "y.rows.npy")
came = rows >= 0
receiver = pair.test.y, pair.test.labels, head
over_air = ll.deploy.measure_arrival(np.load(folder / "y.npy")[came], *receiver, rows=rows[came])
measured = {name: columns[name].mean() for name in ("noise_variance", "error_variance")}
simulated = ll.deploy.simulate_over_air(modes, pair.test.x, *receiver, setting=ll.deploy.AirSetting(2, 2, seed=4), **measured)
for name, figures in (("over the air", over_air), ("simulated", simulated)):
    print(f"{name:13} accuracy {figures.accuracy:.3f}, NMSE {figures.nmse:.3f}")

# %%
# On real devices
# ---------------
# Each device installs ``latentlink-runtime[zmq]`` alone, which is NumPy, safetensors and pyzmq. Control messages are authenticated and
# encrypted; IQ samples are plain by nature, and an analogue payload cannot be authenticated, which :doc:`/air-interface` explains together
# with every field of the frame. Addresses that other machines reach have to be confirmed by ``--i-know``. The folder
# ``examples/deploy`` has a unit for systemd and a file for a container; :doc:`/devices` tells what encoding costs.

temporary.cleanup()
