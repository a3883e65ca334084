"""One table and one figure of the benchmark: every ordered pair of encoders, every method, with 95 % intervals.

    python studies/benchmark/pairs.py results/archive/benchmark-*.parquet --figure benchmark.png

The rows of studies are averaged over channels within each seed; the interval is Student's t over the seeds, or over the channels of a
single seed. `ahead` is the paired difference of the accuracy to that of BASELINE: same pilots, channels, noise and messages. What is
printed is the table of `docs/benchmarks.md`, and its findings. Rows of one's own come beside those that are kept with
`--beside docs/results/benchmark-pairs.csv`.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from latentlink.evaluation.intervals import interval_of

BASELINE = "complex-linear, MSE"
ALIGNED, OWN = "aligned, no channel", "receiver's latents"
PAIR = ("data", "transmitter", "receiver")
POINT = (*PAIR, "n_tx", "snr_db")
DIGITS = 5


def read_rows(files: Iterable[Path]) -> pl.DataFrame:
    """Read the rows of studies; a folder of latents that is called A-to-B names its encoders."""
    rows = pl.concat([pl.read_parquet(file) for file in files], how="diagonal_relaxed")
    named = pl.col("transmitter").str.starts_with("train-transmitter")
    ends = pl.col("folder").str.split("/").list.last().str.split_exact("-to-", 1)
    return rows.with_columns(
        data=pl.when(named).then(pl.lit("text")).otherwise("dataset"),
        transmitter=pl.when(named).then(ends.struct[0]).otherwise("transmitter"),
        receiver=pl.when(named).then(ends.struct[1]).otherwise("receiver"),
    )


def summarise(rows: pl.DataFrame) -> pl.DataFrame:
    """Average over channels and seeds: a row for each pair, point and method, and for each ceiling of a pair."""
    base = rows.filter(pl.col("method") == BASELINE).select(*POINT, "seed", "channel", base="accuracy")
    paired = rows.join(base, on=[*POINT, "seed", "channel"], how="left", maintain_order="left")
    paired = paired.with_columns(ahead=pl.col("accuracy") - pl.col("base"))
    found = []
    for (*point, method, family), group in paired.group_by(*POINT, "method", "family", maintain_order=True):
        row: dict[str, Any] = dict(zip((*POINT, "method", "family"), (*point, method, family), strict=True))
        row |= {"seeds": group["seed"].n_unique(), "channels": len(group)}
        row |= estimate(group, "accuracy") | estimate(group, "ahead")
        row |= {name: group[name].mean() for name in ("accuracy_bound", "nmse")}
        found.append({name: round(value, DIGITS) if isinstance(value, float) else value for name, value in row.items()})
    return pl.DataFrame(found, infer_schema_length=None).sort(*PAIR, "n_tx", "snr_db", nulls_last=True, maintain_order=True)


def estimate(group: pl.DataFrame, value: str) -> dict[str, float | None]:
    """The mean of a column and the ends of its interval; None where it was not measured."""
    known = group.filter(pl.col(value).is_not_null())
    mean, low, high, _ = interval_of(known["seed"].to_list(), known[value].to_list()) if len(known) else (None, None, None, "none")
    return {value: mean, f"{value}_low": low, f"{value}_high": high}


def write_table(summary: pl.DataFrame, antennas: int, snr_db: float) -> str:
    """Write the accuracy of every pair at one point as a table in Markdown, with half of the interval behind ±, the best one bold."""
    links = summary.filter((pl.col("n_tx") == antennas) & (pl.col("snr_db") == snr_db))
    methods = links["method"].unique(maintain_order=True).to_list()
    lines = ["| " + " | ".join(["pair", *methods, ALIGNED, OWN]) + " |", "|---|" + "---|" * (len(methods) + 2)]
    for pair, group in links.group_by(*PAIR, maintain_order=True):
        means = dict(group.select("method", "accuracy").iter_rows())
        shown = {row["method"]: write_estimate(row, row["accuracy"] == max(means.values())) for row in group.iter_rows(named=True)}
        ceilings = [find_ceiling(summary, pair, name) for name in (ALIGNED, OWN)]
        limits = ["" if value is None else f"{value:.3f}" for value in ceilings]
        lines.append("| " + " | ".join([f"{pair[1]} → {pair[2]}", *(shown.get(name, "") for name in methods), *limits]) + " |")
    return "\n".join(lines)


def write_estimate(row: dict[str, Any], best: bool) -> str:
    """Write a mean with half of its interval, bold if it is the best."""
    mean = f"**{row['accuracy']:.3f}**" if best else f"{row['accuracy']:.3f}"
    return mean if row["accuracy_low"] is None else f"{mean}\u00a0±\u00a0{(row['accuracy_high'] - row['accuracy_low']) / 2:.3f}"


def write_findings(summary: pl.DataFrame, antennas: int, snr_db: float) -> str:
    """Write for every data set and method how far it is ahead of BASELINE at a point, and at how many points its interval says so."""
    links = summary.filter(pl.col("ahead").is_not_null() & (pl.col("method") != BASELINE))
    lines = []
    for (data, method), group in links.group_by("data", "method", maintain_order=True):
        here = group.filter((pl.col("n_tx") == antennas) & (pl.col("snr_db") == snr_db))["ahead"]
        sure, behind = (group["ahead_low"] > 0).sum(), (group["ahead_high"] < 0).sum()
        spread = "" if len(here) == 1 else f" (mean over {len(here)} pairs, {here.min():.3f} to {here.max():.3f})"
        lines.append(
            f"- {data}, {method}: ahead of {BASELINE} by {here.mean():.3f}{spread} at {antennas}×{antennas} and {snr_db:g} dB. Of its "
            f"{len(group)} intervals at all points, {sure} lie above zero and {behind} below."
        )
    return "\n".join(lines)


def find_ceiling(summary: pl.DataFrame, pair: tuple[Any, ...], name: str) -> float | None:
    """The accuracy of a pair without any channel, of a method's name among the ceilings; None where it was not measured."""
    here = summary.filter(pl.col("method") == name, *(pl.col(key) == value for key, value in zip(PAIR, pair, strict=True)))
    return here["accuracy"].item() if len(here) == 1 else None


def list_panels(summary: pl.DataFrame) -> Iterator[tuple[tuple[Any, ...], pl.DataFrame]]:
    """Each ordered pair with the rows of its links."""
    yield from summary.filter(pl.col("n_tx").is_not_null()).group_by(*PAIR, maintain_order=True)


def main() -> None:
    """Summarise rows, write the summary and the figure where they are asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=Path, help="rows of studies: results.parquet, or NAME.parquet of `latentlink study keep`")
    parser.add_argument("--beside", type=Path, help="a summary that was kept, whose rows come first")
    parser.add_argument("--summary", type=Path, help="write all means and intervals into this CSV file")
    parser.add_argument("--figure", type=Path, help="draw all pairs into this PNG file")
    parser.add_argument("--antennas", type=int, default=4, help="of the table")
    parser.add_argument("--snr-db", type=float, default=10.0, help="of the table")
    given = parser.parse_args()
    if not given.rows and given.beside is None:
        parser.error("name rows of studies, or a summary with --beside")
    parts = [pl.read_csv(given.beside, infer_schema_length=None)] if given.beside else []
    parts += [summarise(read_rows(given.rows))] if given.rows else []
    summary = pl.concat(parts, how="diagonal_relaxed")
    if given.summary:
        summary.write_csv(given.summary)
    if given.figure:
        from figure import draw  # beside this file

        draw(summary, given.figure)
    at = given.antennas, given.snr_db
    print(write_table(summary, *at), write_findings(summary, *at), sep="\n\n")


if __name__ == "__main__":
    main()
