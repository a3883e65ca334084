"""Synthetic results of studies, in the shape that studies write them."""

import json

import polars as pl

from latentlink.studies.rows import COLUMNS

METHODS = {  # name: family, accuracy at the end, excess MSE in dB
    "exact, goal-oriented": ("exact", 0.84, 1.0),
    "exact, widely linear": ("exact", 0.78, 0.1),
    "ADMM, complex-linear": ("admm", 0.66, 1.2),
    "neural": ("neural", 0.80, 0.8),
    "Eigen-K": ("baseline", 0.60, 1.5),
    "Top-K": ("baseline", 0.30, 3.0),
}
REFERENCES = {"receiver's latents": (0.86, 0.0), "aligned, no channel": (0.83, 0.3), "unaligned": (0.1, 2.0)}
VERSIONS = json.dumps({"latentlink": "0.1.0", "torch": "2.9.0", "python": "3.11.7"})


def row(method, n_tx=8, snr_db=20.0, seed=1, **more):
    """One row; accuracy and MSE are simple functions of method, antennas, SNR and seed."""
    family, top, excess = METHODS.get(method, ("baseline", 0.5, 2.0))
    good = 1 - 1 / (1 + n_tx * 10 ** (snr_db / 40))
    exact = 100 * (1 - 0.7 * good)
    mse = exact * 10 ** (excess / 10)
    accuracy = top * good + 0.002 * seed
    flops = 8 * n_tx * 200 * (2 if family != "neural" else 20)
    cell = f"{method}-{n_tx}-{snr_db}-{seed}-{json.dumps(more, sort_keys=True)}"
    return {
        "study": "toy", "title": "Toy", "cell": cell, "method": method, "family": family,
        "parameters": json.dumps({"name": method}), "dataset": "Toy at 8 px", "transmitter": "a", "receiver": "b", "d": 201, "m": 100,
        "pilots_per_class": 42, "pilots": 420, "selection": "random", "grouping": "label", "channel_model": "rayleigh", "gain": 0.5,
        "n_tx": n_tx, "n_rx": n_tx, "uses": 1, "knowledge": "aware", "snr_db": snr_db, "snr_reference": "transmit", "noise_variance": 0.01,
        "seed": seed, "channel": 0, "compression": n_tx / 101 * (2 if method == "Top-K" else 1), "accuracy": accuracy,
        "accuracy_low": accuracy - 0.02, "accuracy_high": accuracy + 0.02, "agreement": accuracy, "mse": mse, "nmse": mse / 100,
        "expected_mse": exact, "exact_mse": exact, "opta": 0.8 * exact, "opta_nmse": 0.008 * exact, "power": 1.0, "peak_power": 3.0,
        "antenna_power": [1 / n_tx] * n_tx, "flops_encode": flops // 2, "flops_decode": flops // 2, "flops": flops, "density": None,
        "pruning": None, "design_s": 0.1, "encode_us": 20.0 + n_tx, "decode_us": 30.0, "encode_batch_us": 1.0, "decode_batch_us": 2.0,
        "messages": 1000, "status": "optimal", "versions": VERSIONS, "started": f"2026-01-01T00:00:{seed:02d}+00:00", "wall_s": 1.5,
    } | more  # fmt: skip


def reference(method, seed=1, **more):
    """A ceiling or the floor: no channel, so nothing that belongs to one."""
    accuracy, nmse = REFERENCES[method]
    mine = ("accuracy", "accuracy_low", "accuracy_high", "agreement", "mse", "nmse")
    unsent = [name for name, column in COLUMNS.items() if column.role in ("channel", "radio", "result") and name not in mine]
    none = dict.fromkeys([*unsent, "status", "noise_variance"])
    return row(method, 1, 0.0, seed) | none | {"family": "reference", "accuracy": accuracy, "nmse": nmse, "mse": 100 * nmse} | more


def frame(rows):
    return pl.DataFrame(rows, infer_schema_length=None)


def compression_study(seeds=(1, 2, 3), antennas=(1, 4, 16), pilots=(42, 420)):
    """Every method at every number of antennas, some without channel knowledge, some at a fixed receive SNR."""
    rows = [row(m, n, seed=s, pilots_per_class=p) for p in pilots for m in METHODS for n in antennas for s in seeds]
    rows += [row("Eigen-K", n, seed=s, pilots_per_class=p, knowledge="unaware") for p in pilots for n in antennas for s in seeds]
    rows += [row("exact, widely linear", n, seed=s, pilots_per_class=pilots[-1], snr_reference="receive")
             for n in antennas for s in seeds]  # fmt: skip
    return frame(rows + [reference(m, s, pilots_per_class=p) for p in pilots for m in REFERENCES for s in seeds])


def snr_study(seeds=(1, 2), levels=(-10.0, 0.0, 20.0)):
    """SNR along the axis; Top-K has other antennas than the rest."""
    rows = [row(m, 4 if m == "Top-K" else 8, db, s) for m in METHODS for db in levels for s in seeds]
    return frame(rows + [reference(m, s) for m in REFERENCES for s in seeds])


def flops_study(seeds=(1, 2), strengths=(0.0, 10.0, 40.0)):
    """Networks pruned more and more, at two numbers of antennas."""

    def pruned(n, strength, s):
        name = "neural, hard thresholds"
        parameters = json.dumps({"name": "neural", "pruning": "hard", "strength": strength})
        flops, accuracy = int(1e6 * n / (1 + strength)) + 10 * s, 0.8 - strength / 100
        return row(name, n, seed=s, family="neural", parameters=parameters, pruning=strength, flops=flops, accuracy=accuracy,
                   density=1 / (1 + strength))  # fmt: skip

    rows = [pruned(n, strength, s) for n in (6, 10) for strength in strengths for s in seeds]
    rows += [row(m, n, seed=s) for m in ("exact, widely linear", "Eigen-K") for n in (6, 10) for s in seeds]
    return frame(rows + [reference(m, s) for m in REFERENCES for s in seeds])


FADING = {  # name: family, share of a good channel's accuracy, how steeply it falls in a fade, MSE over OPTA
    "codec": ("codec", 0.85, 1.0, 0.9),
    "exact, widely linear": ("exact", 0.78, 1.0, 1.1),
    "digital, adaptive": ("digital", 0.90, 3.0, 1.4),
}


def fading_row(method, channel, seed=1, draws=100, **more):
    """A row of a study over many channels, the worst of which comes first; a digital link falls off a cliff there."""
    family, top, steep, over = FADING[method]
    good = (channel + 1) / draws
    opta, accuracy = 80 - 50 * good, top * good ** (0.3 * steep) + 0.01 * seed
    digital = {"block_error": (1 - good) / 4, "message_bits": 24.0} if family == "digital" else {}
    settings = {
        "family": family, "channel": channel, "accuracy": accuracy, "mse": over * opta, "nmse": over * opta / 100, "opta": opta,
        "opta_nmse": opta / 100, "exact_mse": 1.05 * opta, "separation": 1.2 * opta, "separation_nmse": 0.012 * opta, "capacity": 30 * good,
        "channel_model": "cdl-c", "csi": "transmitter", "estimator": "lmmse", "normalisation": "mean", "papr_db": 7.0 + good,
        "antenna_papr_db": [6.0, 6.5, 7.0, 8.0],
    }  # fmt: skip
    made = row(method, 4, 10.0, seed) | settings | digital | more
    kept = {name: value for name, value in more.items() if name != "accuracy"}
    return made | {"cell": f"{method}-{seed}-{json.dumps(kept, sort_keys=True)}"}


def fading_study(draws=100, seeds=(1, 2), methods=tuple(FADING), **swept):
    """Every method over many channels at each value of one setting, with the ceilings and the floor."""
    ((name, values),) = (swept or {"speed_kmh": (3.0,)}).items()
    rows = [fading_row(m, c, s, draws, **{name: v}) for v in values for m in methods for s in seeds for c in range(draws)]
    return frame(rows + [reference(m, s) for m in REFERENCES for s in seeds])
