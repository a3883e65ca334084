"""One law for each row of docs/conventions.md on methods and studies; the first half of the page is in test_conventions.py."""

import importlib
import math
import re
from pathlib import Path

import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.channels.snr import SnrDefinition
from latentlink.neural.codec.streams import place_streams
from latentlink.studies.averages import summarise
from latentlink.studies.result_files import Results
from latentlink.studies.rows import SETTINGS
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from studies.examples import write_latents, write_study


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def toy(n=600, d=9, m=6):
    g = generator()
    x = torch.randn(n, d, dtype=torch.float64, generator=g) @ torch.randn(d, d, dtype=torch.float64, generator=g) + 2.0
    y = x @ torch.randn(d, m, dtype=torch.float64, generator=g) + 0.5 * torch.randn(n, m, dtype=torch.float64, generator=g)
    return x, y


def channel(n_rx=2, n_tx=2, snr_db=20.0):
    return ll.Channel.from_snr(ll.rayleigh(n_rx, n_tx, generator=generator(1)), snr_db)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    methods = [{"name": name} for name in ("closed-form", "first-k", "top-k", "eigen-k", "disjoint", "admm")]
    study = read_study(write_study(folder, methods=methods, seeds=[1]))
    write_latents(folder / "latents", test=2000)  # as many messages as it takes to see an error of a few per cent
    todo, results = cells(study), Results(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTLINK_CACHE", str(folder / "cache"))
        Runner(results).run(todo)
    return pl.concat([pl.read_parquet(results.path(cell)) for cell in todo], how="diagonal_relaxed").filter(pl.col("family") != "reference")


def test_every_row_of_the_page_is_held_by_a_law():
    root = Path(__file__).parents[2]
    page = (root / "docs" / "conventions.md").read_text(encoding="utf-8")
    laws = "".join(path.read_text(encoding="utf-8") for path in (root / "tests" / "laws").glob("test_conventions*.py"))
    named = re.findall(r"\| `([a-z_]+)` \|$", page, re.MULTILINE)
    rows = [line for line in page.splitlines() if line.startswith("| ") and line.count(" | ") == 3]
    assert len(named) == len(rows) - 2 - len(SnrDefinition) > 20  # two heads, and the translations of SNR
    assert not [name for name in named if f"def test_{name}(" not in laws]


def test_what_the_page_names_in_code_is_there():
    page = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8")
    column = " ".join(line.split(" | ")[2] for line in page.splitlines() if line.startswith("| ") and line.count(" | ") == 3)
    named = re.findall(r"`(?:ll\.)?([a-z_0-9]+(?:\.\w+)+)`", column)
    assert len(named) > 10
    for name in named:
        found = ll
        for part in name.split("."):
            if not hasattr(found, part):
                importlib.import_module(f"{found.__name__}.{part}")
            found = getattr(found, part)


def test_compression_factor_counts_complex_symbols(rows):
    exact = rows.filter(family="exact")
    assert set(exact.select("n_tx", "d", "compression").unique().iter_rows()) == {(1, 9, 1 / 5), (2, 9, 2 / 5)}


def test_side_information_is_counted_in_the_compression_factor(rows):
    link = ll.baselines.TopK(k=4).design(ll.Moments.from_pairs(*toy()), channel()).transceiver
    assert link.side_symbols == 2
    assert link.side_bits == pytest.approx(math.log2(math.comb(9, 4)))
    zeta = {method: part["compression"][0] for (method,), part in rows.filter(pl.col("n_tx") == 2).group_by("method")}
    assert zeta["Top-K"] == 2 * zeta["First-K"] == 2 * 2 / 5


def test_baselines_fill_the_smaller_end_with_equal_power():
    moments, radio = ll.Moments.from_pairs(*toy()), channel(3, 2)
    for design in (ll.baselines.FirstK(), ll.baselines.EigenK(), ll.baselines.Disjoint()):
        link = design.design(moments, radio).transceiver
        assert link.streams.shape[-1] == 4
        power = link.stream_gram().diagonal()
        torch.testing.assert_close(power, power[:1].expand(4))
        assert power.sum().item() == pytest.approx(1.0, rel=1e-3)  # under the design covariance; the pilots' own is met exactly


def test_a_complex_weight_costs_eight_operations():
    data = ll.Pilots(*toy(200), torch.arange(200) % 2)
    link = ll.Neural(hidden_tx=3, hidden_rx=2, epochs=1, precision="float32").design(data, channel()).transceiver
    by_layer = {name: flops for name, flops, *_ in link.layer_flops()}
    assert by_layer["precoder: linear 1"] == 8 * 3 * 5
    assert by_layer["decoder: linear 2"] == 8 * 3 * 2
    exact = ll.ClosedForm().design(ll.semantic_modes(ll.Moments.from_pairs(*toy())), channel()).transceiver
    assert exact.flops == ll.metrics.OperationCount(2 * 4 * 9, 2 * 4 * 6)


def test_latency_is_per_message():
    x, y = toy(4096, 200, 200)
    link = ll.ClosedForm().design(ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.0), channel()).transceiver
    one, many = ll.metrics.latency(link, x, channel(), batch=1), ll.metrics.latency(link, x, channel(), batch=1024)
    assert many.encode_us < one.encode_us  # a message of many costs less than one alone


def codec(power=None):
    x, y = toy(300)
    modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
    settings = ll.CodecTraining(
        modes=6, width=5, layers=1, max_symbols=2, power=power or ll.power.Mean(), rounds=1, steps=5, bank=(200, 8, 20)
    )
    return settings.fit(modes, ll.Pilots(x, y, torch.zeros(300, dtype=torch.int64)), ll.objectives.Regression()).codec, x


def test_a_codecs_streams_are_in_units_of_budget_and_noise():
    radio = ll.Channel(channel().h, noise_variance=0.5, power=3.0).repeated(2)
    streams, _ = place_streams(torch.ones(8, dtype=torch.float64), radio, 8)
    singular = torch.linalg.svdvals(channel().h.squeeze(0))
    torch.testing.assert_close(streams.amplitude, singular.repeat_interleave(4) * (2 * 3.0 / 0.25) ** 0.5)


def test_a_codecs_power_is_a_mean_a_peak_or_that_of_each_message():
    radio = ll.Channel(channel().h, 0.01, power=2.0)
    for rule, least, most in ((ll.power.Mean(), 0.0, float("inf")), (ll.power.Mean(peak=1.2), 0.0, 2.4), (ll.power.PerMessage(), 2.0, 2.0)):
        trained, x = codec(rule)
        spent = trained.design(radio).transceiver.encode(x).abs().square().sum((-2, -1))
        assert float(spent.mean()) <= 2.0 * 1.05
        assert least - 1e-4 <= float(spent.min()) <= float(spent.max()) <= most + 1e-4


def test_a_codecs_operations_are_those_of_a_message():
    link = codec()[0].design(channel()).transceiver
    k = min(6, link.synthesis.shape[1])
    layers = 2 * (k * 5 + 5 * 4) + 7 * 5  # one hidden layer of 5 units, k modes, 4 streams; the decoder has the same
    assert link.flops.encode == 9 + 2 * 9 * k + layers + 3 * 4 + 2 * 4 * 4
    assert link.flops.decode == 2 * 4 * 4 + layers + 3 * 4 + 2 * 6 * k


def test_the_worst_channels_are_the_worst_twentieth():
    rows = pl.DataFrame({"method": "m", "parameters": "{}", "family": "exact", "cell": "c", "accuracy": [i / 100 for i in range(100)]})
    rows = rows.with_columns(pl.lit(1).alias(name) for name in SETTINGS)
    assert summarise(rows)["accuracy_worst"].item() == pytest.approx(0.02)
    assert summarise(rows)["accuracy_worst_1"].item() == 0.0


def test_pilots_are_rows_of_the_whole_training_set():
    x, _ = toy()
    labels = torch.arange(len(x)).sort(descending=True).values % 3
    few, more = (ll.PilotSelection(count, seed=5).indices(x, labels) for count in (7, 70))
    assert torch.equal(few, few.unique())
    assert labels[few].bincount().tolist() == [7, 7, 7]
    assert set(few.tolist()) <= set(more.tolist())


def test_the_penalty_of_admm_has_no_unit():
    x, y = toy()
    traces = []
    for scale_x, scale_y, power in ((1.0, 1.0, 1.0), (100.0, 0.01, 7.0)):
        modes = ll.semantic_modes(ll.Moments.from_pairs(scale_x * x, scale_y * y), shrinkage=0.0)
        radio = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=generator(1)), 10.0, power)
        trace = ll.Admm(max_iterations=30).design(modes, radio).trace
        traces.append(trace["objective"] / trace["objective"][..., -1:])
    torch.testing.assert_close(traces[0], traces[1], rtol=1e-6, atol=0.0)


def test_all_links_of_a_study_spend_the_budget(rows):
    assert rows["power"].is_between(0.997, 1.003).all()
    assert rows["method"].n_unique() == 6


def test_no_linear_link_of_a_study_is_below_its_optimum(rows):
    linear = rows.filter(pl.col("method") != "Top-K")
    assert (linear["mse"] > 0.97 * linear["exact_mse"]).all()  # up to the noise of 2,000 messages
    assert (linear["exact_mse"] > linear["opta"]).all()
