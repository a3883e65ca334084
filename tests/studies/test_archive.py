import hashlib
import os
import tarfile

import polars as pl
import pytest

from latentlink.studies.averages import summarise_points
from latentlink.studies.result_files import write_archive
from latentlink.studies.rows import SCHEMA


def rows(**columns):
    """Two methods, two seeds and ten channels each, at two numbers of antennas."""
    cells = [(method, n, seed) for method in ("one", "two") for n in (2, 4) for seed in (0, 1)]
    table = pl.DataFrame(
        [
            {"method": method, "family": "linear", "parameters": "{}", "n_tx": n, "seed": seed, "channel": channel}
            for method, n, seed in cells
            for channel in range(10)
        ]
    )
    table = pl.concat([pl.DataFrame(schema=SCHEMA), table], how="diagonal_relaxed")
    count = pl.int_range(pl.len())
    return table.with_columns(accuracy=count / 100, mse=count / 10, peak_power=count.cast(pl.Float64), **columns)


def test_a_point_is_averaged_over_its_seeds_and_channels():
    points = summarise_points(rows())
    assert points["rows"].to_list() == [20] * 4
    assert points["n_tx"].to_list() == [2, 4, 2, 4]
    assert points["accuracy"].to_list() == pytest.approx([0.095, 0.295, 0.495, 0.695])
    assert points["accuracy_worst"].to_list() == pytest.approx([0.0, 0.2, 0.4, 0.6])  # one of twenty
    assert points["peak_power_max"].to_list() == [19, 39, 59, 79]


def test_settings_that_do_not_vary_are_no_columns():
    points = summarise_points(rows(uses=pl.lit(1), snr_db=pl.lit(20.0)))
    assert not {"uses", "snr_db", "seed", "channel"} & set(points.columns)


def test_an_archive_depends_on_nothing_but_its_files(tmp_path):
    for name in ("b", "a"):
        rows().write_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "notes.txt").write_text("not rows")
    first = write_archive(tmp_path, tmp_path / "first.tar")
    os.utime(tmp_path / "a.parquet", (0, 0))
    (tmp_path / "a.parquet").chmod(0o600)
    assert write_archive(tmp_path, tmp_path / "second.tar") == first
    assert hashlib.sha256((tmp_path / "second.tar").read_bytes()).hexdigest() == first
    with tarfile.open(tmp_path / "first.tar") as archive:
        assert archive.getnames() == ["latentlink-results/a.parquet", "latentlink-results/b.parquet"]
        assert pl.read_parquet(archive.extractfile("latentlink-results/a.parquet").read()).equals(rows())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has none: run `latentlink study keep` first"):
        write_archive(tmp_path / "empty", tmp_path / "third.tar")
