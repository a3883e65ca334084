"""Rows of a study that never ran, with curves that are known by hand."""

import json

import polars as pl

from latentlink.report.study_page import ReportMeta

METHODS = (("exact, widely linear", "exact"), ("Eigen-K", "baseline"))


def row(method="Eigen-K", family="baseline", seed=0, channel=0, antennas=4, snr_db=20.0, accuracy=0.5, mse=60.0, **more):
    """One row; the measured variance is 100."""
    key = (method, seed, antennas, snr_db, sorted(more.items(), key=str))
    return {
        "study": "s", "title": "t", "cell": str(key), "method": method, "family": family, "parameters": json.dumps({"name": method}),
        "dataset": "blobs", "transmitter": "a", "receiver": "b", "d": 64, "m": 32, "pilots_per_class": 42, "pilots": 420,
        "selection": "random", "grouping": "label", "channel_model": "rayleigh", "gain": 0.5, "n_tx": antennas, "n_rx": antennas, "uses": 1,
        "knowledge": "aware", "snr_db": snr_db, "snr_reference": "transmit", "seed": seed, "channel": channel,
        "compression": antennas / 32, "accuracy": accuracy, "mse": mse, "nmse": mse / 100, "exact_mse": 40.0, "opta": 20.0,
        "opta_nmse": 0.2, "power": 1.0, "peak_power": 3.0, "antenna_power": [1 / antennas] * antennas, "flops": 8 * 96 * antennas,
        "pruning": None, "design_s": 0.1, "encode_us": 10.0, "decode_us": 5.0, "encode_batch_us": 1.0, "decode_batch_us": 0.5,
        "messages": 1000, "status": "optimal: yes", "versions": '{"latentlink": "0.1.0"}', "started": "2026-01-01T00:00:00", "wall_s": 1.0,
    } | more  # fmt: skip


def references(seed=0, **more):
    """Two ceilings and the floor."""
    blank = dict.fromkeys(("compression", "exact_mse", "opta", "opta_nmse", "power", "flops", "encode_us", "decode_us", "status"))
    values = (("receiver's latents", 0.9, 0.0), ("aligned, no channel", 0.8, 30.0), ("unaligned", 0.1, 300.0))
    return [row(name, "reference", seed, 0, 1, 0.0, accuracy, mse, **blank, **more) for name, accuracy, mse in values]


def study(axis="compression", seeds=(0, 1), methods=METHODS, references_too=True, **more):
    """A small study along an axis: two methods by three points and two seeds, with references."""
    found = []
    for seed in seeds:
        for place, (method, family) in enumerate(methods):
            for step in range(3):
                at = {"compression": {"antennas": 2**step}, "snr": {"snr_db": 10.0 * step}}.get(axis)
                at = at or {"pruning": float(step), "flops": 9000 // (step + 1)}
                found.append(
                    row(method, family, seed, accuracy=0.3 + 0.1 * step + 0.05 * seed + 0.1 * place, mse=70.0 - 5 * step, **at, **more)
                )
        found += references(seed) if references_too else []
    return frame(found)


def frame(rows):
    return pl.DataFrame(rows, infer_schema_length=None)


def meta(axis="compression", **more):
    settings = {
        "name": "small", "title": "A small study", "description": "Two methods.", "axis": axis, "study_text": "name: small\n",
        "command": "latentlink study run small.yaml", "wall_s": 75.0, "done": 15, "missing": 0, "failed": 0,
    }  # fmt: skip
    return ReportMeta(**(settings | more))
