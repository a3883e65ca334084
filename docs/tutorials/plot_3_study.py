"""
A study and its report
======================

A study compares methods over settings and seeds, and its report is a page with figures and tables. This tutorial runs a small study from
Python, looks at its table, adds seeds to it without computing anything twice, and writes the report. It takes about five minutes to read.
"""

# %%
# What a study says
# -----------------
# A study is a YAML file, or a mapping with the same keys. Wherever it has a value it may have a list, and every combination of the listed
# values is a *cell*: one design, measured at one point. Here, three methods are compared at four SNRs, with two seeds, over ten channels
# of 2×2 antennas each. One of the methods is listed with two goals.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import polars as pl

import latentlink as ll

study = {
    "name": "first-study",
    "title": "Does the goal help at few antennas?",
    "axis": "snr",
    "data": {"dataset": "digits", "test": 300},
    "channel": {"antennas": 2, "draws": 10},
    "snr": {"snr_db": [0, 5, 10, 20]},
    "methods": [{"name": "closed-form", "goal": ["none", "fisher"]}, {"name": "eigen-k"}],
    "seeds": [1, 2],
    "metrics": ["accuracy", "mse", "limits", "power"],
}

# %%
# Running it
# ----------
# ``run`` returns a row for each cell and channel. Results are stored below ``output``, here in a temporary folder. A run that is
# interrupted goes on where it was.

temporary = TemporaryDirectory()
output = Path(temporary.name)
rows = ll.studies.run(study, jobs=1, output=output)
print(rows.shape[0], "rows of", rows["cell"].n_unique(), "cells, with", rows.shape[1], "columns")

# %%
# The mean over channels and seeds
# --------------------------------
# ``summarise`` averages over the channels and the seeds of each point, and never over anything else. Besides the methods, the rows hold
# the ceilings and the floor, which pass no channel and have no SNR. ``describe_columns`` says what each column means.

means = ll.studies.summarise(rows)
with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, float_precision=3):
    print(means.select("method", "snr_db", "rows", "accuracy", "nmse", "power"))

meanings = ll.studies.describe_columns()
for row in meanings.filter(pl.col("column").is_in(["nmse", "opta_db", "power"])).iter_rows(named=True):
    print(f"{row['column']}: {row['meaning']}")

# %%
# More seeds, later
# -----------------
# A study is never finished. If a seed is added, only the cells that are missing are run. Overrides change a value by its dotted name, as
# on the command line.

computed = []
rows = ll.studies.run(study, ["seeds=1,2,3"], jobs=1, output=output, progress=lambda ended, total: computed.append(ended))
print(f"{len(computed)} of {rows['cell'].n_unique()} cells were computed, the others were there already")

# %%
# A figure of your own
# --------------------
# The rows are an ordinary data frame of polars, from which any figure can be drawn. The goal helps at every SNR here: by a few percentage
# points at two antennas, where not all modes can be sent. The shaded area is the standard deviation over channels and seeds.

means = ll.studies.summarise(rows)
ceiling = means.filter(pl.col("method") == "receiver's latents")["accuracy"].item()

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
styles = {"exact, goal-oriented": ("#009E73", "D"), "exact, widely linear": ("#0072B2", "o"), "Eigen-K": ("#D55E00", "s")}
for name, (colour, marker) in styles.items():
    curve = means.filter((pl.col("method") == name) & pl.col("snr_db").is_not_null()).sort("snr_db")
    snr_db, accuracy, deviation = (curve[column].to_numpy() for column in ("snr_db", "accuracy", "accuracy_std"))
    axes.plot(snr_db, accuracy, color=colour, marker=marker, label=name)
    axes.fill_between(snr_db, accuracy - deviation, accuracy + deviation, color=colour, alpha=0.12, linewidth=0)
    print(f"{name:22}", "  ".join(f"{db:.0f} dB: {value:.3f}" for db, value in zip(snr_db, accuracy, strict=True)))
axes.axhline(ceiling, color="0.4", linestyle="--", label="receiver's own latents")
axes.set(xlabel="SNR of a transmit antenna (dB)", ylabel="accuracy", ylim=(0, 1.02), xticks=[0, 5, 10, 15, 20])
axes.legend(fontsize=11, loc="lower right")
plt.show()

# %%
# The report
# ----------
# ``report`` draws figures and writes tables from the stored results alone. Its page works offline and contains everything; open it in a
# browser.

files = ll.studies.report(study, ["seeds=1,2,3"], output=output)
for file in files:
    print(file.relative_to(output), f"({file.stat().st_size // 1024} KiB)")
temporary.cleanup()

# %%
# The same from the command line
# ------------------------------
# As a file ``mine.yaml`` with the same keys, the study is run by ``latentlink study run mine.yaml`` and reported by ``latentlink study
# report mine.yaml``.
