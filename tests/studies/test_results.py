import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from latentlink.studies.averages import as_text, summarise
from latentlink.studies.result_files import Results
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from studies.examples import CLOCK, run, write_latents, write_study


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))


def test_cut_and_changed_result_files_are_named_and_run_again(tmp_path):
    path = write_study(tmp_path)
    whole = run(path, tmp_path / "r")
    study = read_study(path)
    results = Results(tmp_path / "r")
    file = next((tmp_path / "r" / "cells").glob("*.parquet"))
    for damaged in (file.read_bytes()[:100], b"PAR1 nothing PAR1"):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=rf"{file.name}: the result file is damaged or was changed .*; run the study again"):
            results.table(study, cells(study))
        assert_frame_equal(run(path, tmp_path / "r").drop(CLOCK, strict=False), whole.drop(CLOCK, strict=False))


def test_other_files_of_latents_are_other_cells_and_moved_ones_are_not(tmp_path):
    path = write_study(tmp_path / "one")
    ids = {cell.id for cell in cells(read_study(path))}
    assert {cell.id for cell in cells(read_study(write_study(tmp_path / "two")))} == ids
    write_latents(tmp_path / "three" / "latents", test=60)
    other = tmp_path / "three" / "latents"
    assert not {cell.id for cell in cells(read_study(path, (f"data.folder={other}",)))} & ids


def test_only_what_is_asked_for_is_in_the_rows(tmp_path):
    rows = run(write_study(tmp_path, metrics=["accuracy"]), tmp_path / "r")
    for name in ("mse", "power", "opta", "flops", "encode_us"):
        assert rows[name].null_count() == len(rows)
    assert rows["accuracy"].null_count() == 0


def test_summaries_never_average_what_differs(tmp_path):
    methods = [{"name": "admm", "max_iterations": [1, 5]}, {"name": "closed-form", "goal": "fisher", "temperature": [1.0, 10.0]}]
    rows = run(write_study(tmp_path, methods=methods, channel={"antennas": 2, "gain": [0.5, 1.0]}, snr={"snr_db": 10}), tmp_path / "r")
    table = summarise(rows)
    links = table.filter(~pl.col("method").str.contains("latents|aligned|unaligned"))
    assert len(links) == 2 * 2 * 2
    assert links["rows"].to_list() == [2] * 8
    assert "ADMM, widely linear (max_iterations 5)" in links["method"].to_list()
    assert links.filter(pl.col("method").str.starts_with("ADMM"))["gap"].is_not_null().all()
    assert table.schema["flops"] == pl.Int64
    assert as_text((1234567, 20.0, 0.5, 0.0123456, None), ("flops", "snr_db", "accuracy", "gap", "nmse")) == [
        "1234567", "20", "0.500", "0.0123", "",
    ]  # fmt: skip


def test_a_single_flipped_bit_of_a_result_is_found(tmp_path):
    path = write_study(tmp_path, seeds=[1], snr={"snr_db": 0}, channel={"antennas": 1}, references=False, methods=[{"name": "first-k"}])
    whole = run(path, tmp_path / "r")
    (file,) = (tmp_path / "r" / "cells").glob("*.parquet")
    content = file.read_bytes()
    study, results = read_study(path), Results(tmp_path / "r")
    for place in range(0, 8 * (len(content) - 4), 8 * 331 + 5):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        file.write_bytes(flipped)
        try:
            assert_frame_equal(results.table(study, cells(study)), whole)  # without effect: padding, statistics
        except ValueError as error:
            assert file.name in str(error)  # noqa: PT017 (either is right)
    file.write_bytes(content)
    assert_frame_equal(run(path, tmp_path / "r"), whole)


def test_files_of_every_format_and_names_of_classes_are_the_same_latents(tmp_path):
    path = write_study(
        tmp_path, seeds=[1], snr={"snr_db": 20}, channel={"antennas": 2}, references=False, methods=[{"name": "closed-form"}]
    )
    folder = tmp_path / "latents"
    whole = run(path, tmp_path / "r")
    for split in ("train", "test"):
        for role in ("transmitter", "receiver"):
            file = folder / f"{split}-{role}.npy"
            latents = np.load(file)
            shards = folder / f"{split}-{role}"
            shards.mkdir()
            for number, part in enumerate(np.array_split(latents, 11)):
                pl.DataFrame({"embedding": list(part)}).write_parquet(shards / f"part-{number}.parquet")
            file.unlink()
        labels = np.load(folder / f"{split}-labels.npy")
        (folder / f"{split}-labels.npy").unlink()
        (folder / f"{split}-labels.csv").write_text("label\n" + "\n".join(f"class {number:02}" for number in labels))
    again = run(path, tmp_path / "s")
    assert again["accuracy"].to_list() == whole["accuracy"].to_list()
    assert again["nmse"].to_list() == whole["nmse"].to_list()
