"""Whole commands, as a user runs them."""

import re

import numpy as np
import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.storage.artifacts import read
from latentlink.tasks.heads import SoftmaxHead
from processes import LATENTLINK

FEW_STEPS = """
from latentlink.neural.codec.training import CodecTraining

usual = CodecTraining.__init__
CodecTraining.__init__ = lambda self, **settings: usual(self, **{"bank": (600, 64, 300), "steps": 20, "width": 32, **settings})
"""  # on few channels: there is no option for either
BRIEFLY = FEW_STEPS + LATENTLINK


@pytest.fixture(scope="module")
def run(tmp_path_factory, digits_forge):
    home = tmp_path_factory.mktemp("cli")
    environment = {"LATENTLINK_CACHE": str(home / "cache"), "LATENTLINK_DATA": str(home / "no-data-here"), "COLUMNS": "160"}

    def run(*arguments, status=0, code=LATENTLINK):
        done = digits_forge.run(code, *arguments, folder=home, env=environment)
        assert status in (None, done.returncode), f"{arguments}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    run.home = home
    return run


@pytest.fixture(scope="module")
def files(run):
    """Latents of two linear encoders of one hidden cause, with classes, as files of different kinds."""
    generator = torch.Generator().manual_seed(0)
    cause = torch.randn(900, 8, generator=generator)
    labels = (cause[:, 0] > 0).long() * 2 + (cause[:, 1] > 0).long()
    x = cause @ torch.randn(8, 20, generator=generator) + 0.1 * torch.randn(900, 20, generator=generator)
    y = cause @ torch.randn(8, 15, generator=generator) + 0.1 * torch.randn(900, 15, generator=generator)
    home = run.home
    np.save(home / "tx.npy", x[:600].numpy())
    torch.save(y[:600], home / "rx.pt")
    (home / "labels.csv").write_text("label\n" + "\n".join(map(str, labels[:600].tolist())) + "\n")
    np.save(home / "tx-test.npy", x[600:].numpy())
    pl.DataFrame({"y": y[600:].numpy()}).write_parquet(home / "rx-test.parquet")
    np.save(home / "labels-test.npy", labels[600:].numpy())
    return home


def accuracy_of(output):
    return float(re.search(r"^\s*all\s+([0-9.]+)", output, re.MULTILINE)[1])


def test_the_demo_is_a_study_and_falls_back_to_digits(run):
    codec = ("methods.codec.width=32", "methods.codec.layers=1")
    small = ("demo", "--quick", "channel.antennas=1,4", *codec, "--output", "out")
    done = run(*small, code=BRIEFLY)
    assert "digits with two small encoders" in done.stderr
    out = run.home / "out"
    assert (out / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "accuracy.pdf").read_bytes().startswith(b"%PDF")
    rows = pl.read_parquet(out / "results.parquet")
    links = rows.filter(pl.col("family") != "reference")
    assert sorted(links["method"].unique()) == [
        "codec, one network for all",
        "complex-linear, MSE",
        "decision sent",
        "decision sent, own labels",
        "goal-oriented",
        "widely linear, MSE",
    ]
    assert set(links["n_tx"]) == {1, 4}
    assert links.filter(pl.col("family") == "exact")["power"].is_between(0.99, 1.01).all()  # gain control
    best = links.filter(n_tx=4, method="goal-oriented")["accuracy"].mean()
    floor = rows.filter(method="unaligned")["accuracy"][0]
    assert best > 0.8 > 0.4 > floor
    assert ll.load(out / "codec.safetensors").max_symbols == 16
    assert isinstance(ll.load(out / "head.safetensors"), SoftmaxHead)
    link = ll.load(out / "link.safetensors")
    assert (link.channel.n_tx, link.analysis.dtype) == (4, torch.float32)
    assert link.encoders == ("small-perceptron", "small-convolutional")
    assert "small-perceptron" in run("inspect", out / "link.safetensors").stdout
    assert isinstance(ll.load(out / "pair.safetensors"), ll.SemanticModes)
    again = run(*small, code=BRIEFLY)
    assert "15 cells, 15 of them done" in again.stderr
    assert "goal-oriented" in again.stdout


def test_the_demos_links_go_over_the_air(run):
    pytest.importorskip("zmq")
    small = ("channel.antennas=1,4", "methods.codec.width=32", "methods.codec.layers=1", "--quick", "--output", "out")
    done = run("radio", "demo", *small, "--air", "numpy", "--antennas", 2, "--messages", 1600, code=BRIEFLY)
    table = pl.read_csv(run.home / "out" / "radio" / "over-the-air.csv")
    assert table["design"].to_list() == ["linear", "codec"]
    assert table["frames_lost"].to_list() == [0, 0]
    assert ((table["nmse"] - table["simulated_nmse"]).abs() < 0.05).all()
    assert (table["accuracy"] > 0.3).all()
    assert "wrote out/radio/over-the-air.png" in done.stdout
    wrong = run("radio", "demo", *small, "--snr-db", "ten", code=BRIEFLY, status=1)
    assert "--snr-db must be numbers" in wrong.stderr


def test_the_radios_commands_are_the_runtimes(run):
    done = run("radio", "tx", "--help")
    assert done.stdout.startswith("usage: latentlink radio tx")
    np.save(run.home / "taps.npy", np.ones((2, 4, 4)))
    ends = ("--from", "ipc://a", "--to", "ipc://b")
    assert "latentlink radio air: taps must have" in run("radio", "air", *ends, "--n-rx", 3, "--taps", "taps.npy", status=2).stderr
    assert "--design" in run("radio", "rx", status=2).stderr


def test_fit_and_evaluate_from_files_alone(run, files):
    done = run("fit", "tx.npy", "rx.pt", "labels.csv", "--n-tx", 2, "--n-rx", 3, "--output", "link")
    assert "optimal" in done.stdout
    report = run(
        "evaluate", "link/link.safetensors", "tx-test.npy", "rx-test.parquet", "labels-test.npy", "--output", "rows.parquet"
    ).stdout
    assert accuracy_of(report) > 0.8
    assert pl.read_parquet(files / "rows.parquet")["accuracy"].to_list() == [pytest.approx(accuracy_of(report), abs=1e-4)]
    assert "class 3" in report
    assert isinstance(ll.load(files / "link/pair.safetensors"), ll.SemanticModes)
    assert "widely_linear" in run("inspect", "link/pair.safetensors").stdout
    assert "600 × 20" in run("inspect", "tx.npy").stdout


def test_fit_refuses_what_would_be_ignored(run, files):
    np.save(files / "h1.npy", np.ones((1, 2, 2)) + 0j)
    done = run("fit", "tx.npy", "rx.pt", "labels.csv", "--channel", "h1.npy", "--gain", 4, "--seed", 1, status=1)
    assert "--gain, --seed" in done.stderr
    wrong = run("fit", "tx.npy", "rx.pt", "labels.csv", "--channel", "h1.npy", "--n-tx", 4, status=1)
    assert "--n-tx must be 2" in wrong.stderr


def test_fit_for_channels_from_a_file_and_evaluate_over_others(run, files):
    h = ll.rayleigh(2, 2, batch=(5,), generator=torch.Generator().manual_seed(1))
    np.save(files / "h.npy", h.numpy())
    run("fit", "tx.npy", "rx.pt", "labels.csv", "--channel", "h.npy", "--snr-db", 15, "--goal", "mse", "--output", "many")
    own = run("evaluate", "many/link.safetensors", "tx-test.npy", "rx-test.parquet", "labels-test.npy").stdout
    assert "300 over 5 channel(s)" in own
    np.save(files / "h2.npy", (h + 0.3 * ll.rayleigh(2, 2, batch=(5,), generator=torch.Generator().manual_seed(2))).numpy())
    others = ("evaluate", "many/link.safetensors", "tx-test.npy", "rx-test.parquet", "labels-test.npy", "--channel", "h2.npy")
    assert accuracy_of(run(*others).stdout) >= accuracy_of(run(*others, "--no-matched").stdout)
    noisy = run(*others[:-2], "--snr-db", -10).stdout
    assert accuracy_of(noisy) < accuracy_of(own)


def test_names_with_brackets_are_names(run, files):
    run("fit", "tx.npy", "rx.pt", "labels.csv", "--output", "link[/b]")
    shown = run("inspect", "link[/b]/link.safetensors").stdout
    assert "link[/b]/link.safetensors" in shown
    assert "halves: [real; imaginary] per channel use" in shown
    assert read(files / "link[/b]/link.safetensors")[1]["sha256"] in shown


def test_one_of_several_arrays_and_each_power_limit(run, files):
    x, y = np.load(files / "tx.npy"), torch.load(files / "rx.pt", weights_only=True).numpy()
    np.savez(files / "both.npz", x=x, y=y)
    for limit in ("per-use", "per-message"):
        run(
            "fit",
            "both.npz::x",
            "both.npz::y",
            "labels.csv",
            "--power",
            limit,
            "--uses",
            2,
            "--n-tx",
            2,
            "--n-rx",
            2,
            "--output",
            limit,
        )
        assert ll.load(files / limit / "link.safetensors").power_limit.word == limit
    assert "x, y" in run("fit", "both.npz", "both.npz::y", "labels.csv", status=1).stderr
    other = ("evaluate", "per-use/link.safetensors", "tx-test.npy", "rx-test.parquet", "labels-test.npy", "--head")
    ll.fit_head(np.eye(4), np.arange(4)).save(files / "other.safetensors")
    assert "head cannot read latents" in run(*other, "other.safetensors", status=1).stderr


def test_goals_of_fit(run, files):
    for goal in ("auto", "logits"):
        done = run("fit", "tx.npy", "rx.pt", "labels.csv", "--n-tx", 1, "--n-rx", 1, "--goal", goal, "--output", goal)
        assert "goal" in done.stdout
    paper = ("fit", "tx.npy", "rx.pt", "labels.csv", "--complex-linear", "--output", "paper")
    run(*paper, "--goal", "mse")
    assert not ll.load(files / "paper/pair.safetensors").widely_linear
    assert "--goal mse" in run(*paper, status=1).stderr


def test_encode_writes_what_fit_reads(run):
    images = run.home / "images.npy"
    np.save(images, np.random.default_rng(0).integers(0, 256, (6, 40, 40), dtype=np.uint8))
    run("encode", "efficientnet-lite0", "latents.parquet", "--images", "images.npy", "--limit", 5, "--image-size", 32)
    assert "5 × 1280" in run("inspect", "latents.parquet").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("fit", "absent.npy", "rx.pt", "labels.csv"), 1, "absent.npy"),
        (("fit", "tx.npy", "rx-test.parquet", "labels.csv"), 1, "tx.npy has 600 rows and rx-test.parquet 300"),
        (("fit", "tx.npy", "rx.pt", "labels-test.npy"), 1, "labels: got 300, expected 600"),
        (("fit", "tx.npy", "rx.pt", "labels.csv", "--budget", "-1"), 1, "--budget must be a finite number > 0"),
        (("fit", "tx.npy", "rx.pt", "labels.csv", "--channel", "tx.npy"), 1, "complex"),
        (("fit", "tx.npy", "rx.pt", "labels.csv", "--goal", "wisdom"), 2, "wisdom"),
        (("evaluate", "tx.npy", "tx-test.npy", "rx-test.parquet", "labels-test.npy"), 1, "tx.npy"),
        (("fit", "tx.npy", "rx.pt", "labels.csv", "--device", "abacus"), 1, "device 'abacus'"),
        (("fit", "tx.npy", "rx.pt", "labels.csv", "--channel", "absent[blue].h5"), 1, "absent[blue].h5"),
        (("demo", "data.dataset=digits", "channel.draws=0"), 1, "channel.draws"),
        (("encode", "mobilenet-v2", "x.xlsx", "--dataset", "digits"), 1, "cannot write .xlsx"),
        (("inspect", "labels.docx"), 1, "labels.docx"),
        (("encode", "resnet", "x.npy", "--dataset", "digits"), 1, "mobilenet-v2"),
        (("encode", "mobilenet-v2", "x.npy"), 1, "LATENTLINK_DATA"),
        (("demo", "data.dataset=fashion-mnist"), 1, "LATENTLINK_DATA"),
        (("demo", "channel.antenas=1"), 1, "did you mean antennas"),
        (("demo", "--devise", "cpu"), 2, "--device"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(run, files, arguments, status, words):
    done = run(*arguments, status=status)
    assert words in re.sub(r"\s+", " ", done.stderr + done.stdout)


@pytest.mark.parametrize("command", ["demo", "encode", "moments", "fit", "evaluate", "inspect"])
def test_help_has_an_example(run, command):
    assert "Example: " in run(command, "--help").stdout


def test_fit_a_codec_and_use_its_link(run, files):
    options = ("--method", "codec", "--rounds", 1, "--max-symbols", 2, "--train-antennas", 1)
    antennas = ("--n-tx", 1, "--n-rx", 1)
    done = run("fit", "tx.npy", "rx.pt", "labels.csv", *options, *antennas, "--snr-db", 25, "--output", "codec", code=BRIEFLY)
    assert "codec.safetensors" in done.stdout
    codec = ll.load(files / "codec/codec.safetensors")
    assert codec.max_symbols == 2
    evaluated = ("tx-test.npy", "rx-test.parquet", "labels-test.npy")
    report = run("evaluate", "codec/link.safetensors", *evaluated).stdout
    assert accuracy_of(report) > 0.7
    np.save(files / "one.npy", ll.rayleigh(1, 1, batch=(3,), generator=torch.Generator().manual_seed(4)).numpy())
    assert "300 over 3 channel(s)" in run("evaluate", "codec/link.safetensors", *evaluated, "--channel", "one.npy", "--snr-db", 20).stdout
    assert "max_symbols" in run("inspect", "codec/codec.safetensors").stdout
    assert not (files / "codec/codec.training").exists()
    logged = run("fit", "tx.npy", "rx.pt", "labels.csv", *options, *antennas, "--tensorboard", "logs", status=None, code=BRIEFLY)
    assert logged.returncode == 0 or "pip install latentlink[tensorboard]" in logged.stderr
    assert "--method is linear" in run("fit", "tx.npy", "rx.pt", "labels.csv", "--rounds", 3, status=1).stderr
    twice = ("--method", "codec", "--flops", 9, "--microseconds", 3)
    assert "give one of them" in run("fit", "tx.npy", "rx.pt", "labels.csv", *twice, status=1).stderr
