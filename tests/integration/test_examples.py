"""The examples run as printed, from a folder that is not theirs: nothing in them needs an edit of the package."""

from pathlib import Path

import polars as pl
import pytest

from processes import LATENTLINK

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def run(tmp_path_factory, digits_forge):
    """Runs one example study and returns its rows."""
    folder = tmp_path_factory.mktemp("elsewhere")

    def run(name, *overrides):
        command = ("study", "run", EXAMPLES / f"{name}.yaml", *overrides)
        done = digits_forge.run(LATENTLINK, *command, folder=folder, env={"LATENTLINK_CACHE": str(folder / "cache")})
        assert done.returncode == 0, done.stdout + done.stderr
        return pl.read_parquet(folder / "results" / name.replace("_", "-") / "results.parquet").filter(pl.col("family") != "reference")

    return run


def test_an_own_precoder_stands_beside_the_exact_design(run):
    rows = run("own_precoder", "snr.snr_db=0", "channel.antennas=4", "channel.draws=5")
    means = dict(rows.group_by("method").agg(pl.col("mse").mean()).iter_rows())
    assert set(means) == {"exact, widely linear", "DFT precoder", "DFT precoder, decaying power"}
    assert means["exact, widely linear"] < means["DFT precoder, decaying power"] < means["DFT precoder"]  # the parameter matters
    assert rows["power"].is_between(0.95, 1.05).all()  # all are brought to the budget by what was measured


def test_own_encoders_and_own_images(run):
    rows = run("own_encoder", "snr.snr_db=20", "channel.draws=5")
    assert rows["transmitter"].unique().to_list() == ["projections"]
    assert rows["receiver"].unique().to_list() == ["edges"]
    assert rows["accuracy"].mean() > 0.5  # of five classes


def test_an_own_channel_model_is_met_by_all_methods(run):
    rows = run("own_channel", "channel.antennas=4", "channel.draws=5")
    assert rows["channel_model"].unique().to_list() == ["own_channel:keyhole"]
    assert rows.group_by("method").len()["len"].to_list() == [5, 5]


def test_every_example_is_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == {"own_precoder", "own_encoder", "own_channel"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {"own_precoder", "own_encoder", "own_channel"}
