"""The benchmark of pairs: its studies run in their quick form, and its scripts make one table and one figure of their rows."""

import importlib.util
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from processes import LATENTLINK

ROOT = Path(__file__).parents[2]
FOLDER, DOCS = ROOT / "studies" / "benchmark", ROOT / "docs"
DIGITS = ("data.dataset=digits", "data.train=400", "encoders.transmitter=mobilenet-v2", "encoders.receiver=efficientnet-lite0")
SCRIPT = f"import sys, runpy; sys.path.insert(0, {str(FOLDER)!r}); runpy.run_path({str(FOLDER / 'pairs.py')!r}, run_name='__main__')"


@pytest.fixture(scope="module")
def script():
    """Opens a script of the benchmark as a module."""

    def script(name):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return script


def write_latents(script, folder):
    """Both directions between two made-up text encoders, which see a label among noise."""
    generator, latents, labels = np.random.default_rng(0), {}, {}
    for split, n in (("train", 300), ("test", 60)):
        classes = generator.integers(3, size=n)
        common = np.eye(3)[classes] + 0.3 * generator.standard_normal((n, 3))
        latents[split] = {name: (common @ generator.standard_normal((3, d))).astype(np.float32) for name, d in (("small", 6), ("large", 9))}
        labels[split] = [("act", "animal", "plant")[c] for c in classes]
    script("text").write_folders(folder, latents, labels)


@pytest.fixture(scope="module")
def rows(script, digits_forge, tmp_path_factory):
    """Rows of the quick forms: of digits in place of the images, and of made-up latents in place of the texts."""
    folder = tmp_path_factory.mktemp("benchmark")
    write_latents(script, folder / "latents")
    ends = ",".join(str(folder / "latents" / name) for name in ("small-to-large", "large-to-small"))
    for name, *overrides in (("images", *DIGITS), ("text", f"data.folder={ends}")):
        command = ("study", "run", FOLDER / f"{name}.yaml", "--quick", *overrides, "pilots.per_class=20", "data.test=50")
        done = digits_forge.run(LATENTLINK, *command, folder=folder, env={"LATENTLINK_CACHE": str(folder / "cache")})
        assert done.returncode == 0, done.stdout + done.stderr
    return [folder / "results" / f"benchmark-{name}-quick" / "results.parquet" for name in ("images", "text")]


def test_every_pair_method_and_point_has_a_mean_and_an_interval(script, rows):
    pairs = script("pairs")
    summary = pairs.summarise(pairs.read_rows(rows))
    links = summary.filter(pl.col("n_tx").is_not_null())
    assert set(links.select("transmitter", "receiver").unique().rows()) >= {("small", "large"), ("large", "small")}
    assert len(links) == 3 * 3 * 2 * 2  # pairs, methods, antennas, SNRs
    assert (links["accuracy_low"] <= links["accuracy"]).all()
    assert (links["accuracy"] <= links["accuracy_high"]).all()
    base = links.filter(pl.col("method") == pairs.BASELINE)
    assert (base["ahead"] == 0).all()
    other = links.join(base, on=pairs.POINT, suffix="_base").filter(pl.col("method") != pairs.BASELINE)
    assert other["ahead"].to_list() == pytest.approx((other["accuracy"] - other["accuracy_base"]).to_list(), abs=2e-5)


def test_the_table_has_a_line_for_each_pair_with_its_best_method_bold(script, rows):
    pairs = script("pairs")
    summary = pairs.summarise(pairs.read_rows(rows))
    header, _, *body = pairs.write_table(summary, 2, 20.0).splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in body][1:] == ["large → small", "small → large"]
    for line in body:
        cells = dict(zip(header.strip("| ").split(" | "), line.strip("| ").split(" | "), strict=True))
        means = {
            name: float(cells[name].split("±")[0].strip("*\u00a0")) for name in (pairs.BASELINE, "widely linear, MSE", "goal-oriented")
        }
        assert cells[max(means, key=means.get)].startswith("**")
        assert 0 < float(cells[pairs.OWN]) <= 1


def test_rows_of_ones_own_come_beside_those_that_are_kept(forge, rows, tmp_path):
    kept, figure = tmp_path / "kept.csv", tmp_path / "pairs.png"
    done = forge.run(SCRIPT, str(rows[0]), "--summary", str(kept), "--antennas", "2", "--snr-db", "20", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    both = ("--beside", str(kept), "--figure", str(figure), "--antennas", "2", "--snr-db", "20")
    more = forge.run(SCRIPT, str(rows[1]), *both, folder=tmp_path)
    assert more.returncode == 0, more.stderr
    assert set(done.stdout.splitlines()) <= set(more.stdout.splitlines())
    assert more.stdout.count("→") == 3
    assert "- text, goal-oriented: ahead of complex-linear, MSE by " in more.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_without_its_packages_or_wordnet_the_script_says_what_to_install(forge, tmp_path):
    run = f"import runpy; runpy.run_path({str(FOLDER / 'text.py')!r}, run_name='__main__')"
    done = forge.run(run, "--wordnet", str(tmp_path), folder=tmp_path)
    assert done.returncode == 1
    assert "install Debian's package wordnet-base" in done.stderr


def test_the_page_shows_the_table_and_the_findings_of_its_summary(script):
    summary = pl.read_csv(DOCS / "results" / "benchmark-pairs.csv", infer_schema_length=None)
    page, pairs = (DOCS / "benchmarks.md").read_text(encoding="utf-8"), script("pairs")
    assert f"<!-- benchmark-pairs -->\n{pairs.write_table(summary, 4, 10.0)}\n\n" in page
    assert f"<!-- benchmark-findings -->\n{pairs.write_findings(summary, 4, 10.0)}\n\n" in page


def test_the_summary_has_the_means_of_the_studies(script):
    """Those that `latentlink study keep` wrote, for all pairs, antennas and SNRs of the issue."""
    summary = pl.read_csv(DOCS / "results" / "benchmark-pairs.csv", infer_schema_length=None).filter(pl.col("n_tx").is_not_null())
    kept = pl.concat([pl.read_csv(DOCS / "results" / f"benchmark-{name}.csv", infer_schema_length=None) for name in ("images", "text")],
                     how="diagonal_relaxed").filter(pl.col("n_tx").is_not_null())  # fmt: skip
    linear = summary.filter(pl.col("family") == "exact")
    assert len(linear) == len(kept) == 14 * 3 * 4 * 4
    assert linear["accuracy"].sort().to_list() == pytest.approx(kept["accuracy"].sort().to_list(), abs=2e-5)
    assert set(linear["n_tx"]) == {1, 2, 4, 8}
    assert set(linear["snr_db"]) == {-10, 0, 10, 20}
    assert linear["seeds"].unique().to_list() == [3]
    images = linear.filter(pl.col("data") != "text").select("transmitter", "receiver").unique()
    assert len(images) == 4 * 3


def test_what_the_page_says_of_the_table_is_in_the_summary():
    summary = pl.read_csv(DOCS / "results" / "benchmark-pairs.csv", infer_schema_length=None)
    words = " ".join((DOCS / "benchmarks.md").read_text(encoding="utf-8").partition("All image pairs agree")[2].split())
    methods = ("complex-linear, MSE", "widely linear, MSE", "goal-oriented")
    means = {row[:5]: row[5] for row in summary.select("transmitter", "receiver", "method", "n_tx", "snr_db", "accuracy").iter_rows()}
    images = summary.filter((pl.col("data") != "text") & pl.col("n_tx").is_not_null())
    points = images.select("transmitter", "receiver", "n_tx", "snr_db").unique().rows()
    for transmitter, receiver, *point in points:
        ordered = [means[transmitter, receiver, name, *point] for name in methods]
        assert ordered == sorted(ordered)
    goal = [means[t, r, methods[2], 4, 10.0] for t, r in images.select("transmitter", "receiver").unique().rows()]
    assert f"has {min(goal):.3f} to {max(goal):.3f}" in words
    near = [abs(means[t, r, methods[2], 8, 20.0] - means[t, r, "aligned, no channel", None, None]) for t, r, n, snr in points]
    assert f"to within {max(near):.3f} in every image pair" in words
    pair = ("mobilenet-v2", "efficientnet-lite0")
    codec, goal = (means[*pair, name, 2, 20.0] for name in ("codec, one network for all", methods[2]))
    assert f"{codec:.3f} against {goal:.3f} at 2×2 and 20 dB" in words
    widely, goal = (means["wordllama", "minilm", name, 1, 20.0] for name in methods[1:])
    assert f"({widely:.3f} against {goal:.3f} at 20 dB)" in words
    for value in (means["minilm", "wordllama", methods[2], 8, 20.0], means["minilm", "wordllama", "receiver's latents", None, None],
                  means["wordllama", "minilm", "receiver's latents", None, None]):  # fmt: skip
        assert f"{value:.3f}" in words
