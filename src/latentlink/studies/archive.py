"""What is kept of a study: per-point summaries, small enough for a clone, and an archive of all rows, named by its SHA-256.

The same files always give the same archive, byte for byte: its members are sorted, and carry no time, owner or permission of this machine.
"""

import hashlib
import io
import tarfile
from pathlib import Path

import polars as pl

from latentlink.storage.atomic import write_atomically
from latentlink.studies.rows import COLUMNS, SETTINGS

_WORST_SHARE = 20  # the mean over the worst 1 / 20 of a point's channels


def summarise_points(rows: pl.DataFrame) -> pl.DataFrame:
    """Average every measured column over the seeds and channels of a point.

    Args:
        rows: of a study, one for each cell and channel.

    Returns:
        A row for each method and point: its settings where they differ within the study, `rows`, the means of all measured numbers, and
        accuracy_worst (mean over the worst 5 % of the channels), peak_power_max, and exact_nmse (mean of exact_mse over the energy of
        the latents).
    """
    settings = _settings(rows)
    numbers = [name for name, kind in rows.schema.items() if kind.is_numeric() and name in COLUMNS and COLUMNS[name].role == "result"]
    extra = []
    if "accuracy" in rows.columns:
        extra.append(pl.col("accuracy").bottom_k((pl.len() / _WORST_SHARE).ceil().cast(pl.UInt32)).mean().alias("accuracy_worst"))
    if "peak_power" in rows.columns:
        extra.append(pl.col("peak_power").max().alias("peak_power_max"))
    if {"exact_mse", "opta", "opta_nmse"} <= set(rows.columns):
        extra.append((pl.col("exact_mse") * pl.col("opta_nmse") / pl.col("opta")).mean().alias("exact_nmse"))
    means = [pl.col(name).mean() for name in numbers]
    points = rows.group_by(*settings, maintain_order=True).agg(pl.len().alias("rows"), *means, *extra)
    return points.select(name for name in points.columns if points[name].is_not_null().any())


def _settings(rows: pl.DataFrame) -> list[str]:
    """The columns that tell points apart: the method and its parameters, and the settings that differ between links."""
    links = rows.filter(pl.col("family") != "reference") if "family" in rows.columns else rows
    settings = [name for name in (*SETTINGS, "antennas") if name in rows.columns and links[name].n_unique() > 1]
    return [name for name in ("method", "family", "parameters", *settings) if name in rows.columns]


def write_archive(folder: Path, path: Path) -> str:
    """Write all Parquet files of a folder into one archive, and return its SHA-256.

    The archive is a plain tar file, since Parquet is compressed already.

    Args:
        folder: holds the rows of studies, NAME.parquet.
        path: the archive.

    Raises:
        ValueError: the folder holds no Parquet file.
    """
    members = sorted(folder.glob("*.parquet"))
    if not members:
        raise ValueError(f"{folder} must hold the rows of studies, NAME.parquet, and has none: run `latentlink study keep` first")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member in members:
            entry = tarfile.TarInfo(f"latentlink-results/{member.name}")
            entry.size = member.stat().st_size
            with member.open("rb") as file:
                archive.addfile(entry, file)
    write_atomically(path, content.getvalue())
    return hashlib.sha256(content.getvalue()).hexdigest()


def note_old_limits(rows: pl.DataFrame) -> str:
    """Say in one sentence that limits of results version 2 lie too low where test images are few; empty for all other rows.

    Version 2, which has no column `separation` yet, computed the exact optimum and OPTA from the moments of the test latents alone. With
    fewer of them than the latents' dimensions d + m these moments overfit; version 3 adds training latents there.
    """
    if "separation" in rows.columns or "exact_mse" not in rows.columns:
        return ""
    affected = rows.filter(pl.col("exact_mse").is_not_null() & (pl.col("messages") < pl.col("d") + pl.col("m")))
    if affected.is_empty():
        return ""
    images = " or ".join(f"{count:,}" for count in sorted(affected["messages"].unique()))
    return (
        f"Limits of results version 2: the exact optimum and Gaussian OPTA of these rows were computed from {images} test images alone and "
        "lie too low. Accuracies and errors of the links are unaffected."
    )
