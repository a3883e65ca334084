"""Commands for classes with names, regressions and searches, from files alone."""

import re

import numpy as np
import polars as pl
import pytest
import torch

import latentlink as ll
from processes import LATENTLINK

WORDS = np.array(["bee", "cow", "ant", "elk"])
RADIO = ("--n-tx", 2, "--n-rx", 2, "--snr-db", 5)


@pytest.fixture(scope="module")
def run(tmp_path_factory, digits_forge):
    home = tmp_path_factory.mktemp("tasks")
    generator = torch.Generator().manual_seed(0)
    cause = torch.randn(900, 8, generator=generator)
    labels = ((cause[:, 0] > 0).long() * 2 + (cause[:, 1] > 0).long()).numpy()
    x, y = (cause @ torch.randn(8, d, generator=generator) + 0.1 * torch.randn(900, d, generator=generator) for d in (20, 15))
    targets = torch.stack([3 * cause[:, 2] + 1, cause[:, 3]], 1) + 0.1 * torch.randn(900, 2, generator=generator)
    for split, rows in (("train", slice(0, 600)), ("test", slice(600, 900))):
        for name, value in (("tx", x.numpy()), ("rx", y.numpy()), ("labels", labels), ("names", WORDS[labels]), ("from-one", labels + 1)):
            np.save(home / f"{name}-{split}.npy", value[rows])
        pl.DataFrame(targets[rows].numpy(), schema=["price", "age"]).write_csv(home / f"targets-{split}.csv")
    np.save(home / "rare-test.npy", np.where(labels[600:] == 3, "yak", WORDS[labels[600:]]))

    def run(*arguments, status=0):
        done = digits_forge.run(LATENTLINK, *arguments, folder=home, env={"LATENTLINK_CACHE": str(home / "cache"), "COLUMNS": "80"})
        assert done.returncode == status, f"{arguments}\n{done.stdout}\n{done.stderr}"
        assert max(map(len, done.stdout.splitlines()), default=0) <= 80
        return done

    run.home = home
    return run


def figure(text, name):
    return float(re.search(rf"^{re.escape(name)}\s+(-?[0-9.]+)", text, re.MULTILINE)[1])


def test_names_of_classes_come_through(run):
    done = run("fit", "tx-train.npy", "rx-train.npy", "names-train.npy", *RADIO, "--output", "named")
    assert "accuracy (receiver's own latents)" in done.stdout
    assert ll.load(run.home / "named" / "head.safetensors", ll.SoftmaxHead).classes == ("ant", "bee", "cow", "elk")
    by_name = run("evaluate", "named", "tx-test.npy", "rx-test.npy", "names-test.npy")
    assert by_name.stderr == ""
    for name in WORDS:
        assert re.search(rf"^\s*{name} +0\.", by_name.stdout, re.MULTILINE)
    run("fit", "tx-train.npy", "rx-train.npy", "labels-train.npy", *RADIO, "--output", "numbered")
    by_number = run("evaluate", "numbered", "tx-test.npy", "rx-test.npy", "labels-test.npy").stdout
    accuracies = [re.search(r"^\s*all +([0-9.]+)", text, re.MULTILINE)[1] for text in (by_name.stdout, by_number)]
    assert accuracies[0] == accuracies[1]


def test_labels_that_the_head_does_not_know_are_told(run):
    assert "class 3" in run("evaluate", "numbered", "tx-test.npy", "rx-test.npy", "labels-test.npy").stdout
    shifted = run("evaluate", "numbered", "tx-test.npy", "rx-test.npy", "from-one-test.npy").stderr
    assert "warning: labels look counted from 1 where the head's classes count from 0" in shifted
    unknown = run("evaluate", "named", "tx-test.npy", "rx-test.npy", "rare-test.npy").stderr
    yaks = int((np.load(run.home / "rare-test.npy") == "yak").sum())
    assert f"warning: {yaks} of 300 labels are outside the head, whose training had 4 classes without yak" in unknown
    assert unknown.count("are outside the head") == 1
    exchanged = run("evaluate", "named", "tx-test.npy", "rx-test.npy", "labels-test.npy").stderr
    assert "labels look numbered differently than in the head's training" in exchanged


def test_a_regression_from_targets(run):
    done = run("fit", "tx-train.npy", "rx-train.npy", "--targets", "targets-train.csv", *RADIO, "--output", "regression")
    assert "logits, fidelity 0.01" in done.stdout
    held_out = figure(done.stdout, "R² of the targets")
    seen = run("evaluate", "regression", "tx-test.npy", "rx-test.npy", "--targets", "targets-test.csv", "--output", "rows.parquet").stdout
    assert figure(seen, "R² of the targets") == pytest.approx(held_out, abs=0.05)
    assert figure(seen, "R² of the targets") > 0.8
    assert "agreement" not in seen
    assert {"r2", "task_mse", "output_nmse", "cosine", "power_error"} <= set(pl.read_parquet(run.home / "rows.parquet").columns)
    mse = run("fit", "tx-train.npy", "rx-train.npy", "--targets", "targets-train.csv", *RADIO, "--goal", "mse", "--output", "mse").stdout
    assert figure(mse, "NMSE of the head's outputs") > 2 * figure(done.stdout, "NMSE of the head's outputs")


def test_a_search_and_the_power_of_studies(run):
    done = run("fit", "tx-train.npy", "rx-train.npy", *RADIO, "--output", "search")
    assert "recall@10 (a guess)" in done.stdout
    plain = run("evaluate", "search", "tx-test.npy", "rx-test.npy", "--retrieval").stdout
    assert 0 < figure(plain, "recall@1 (a guess)") < figure(plain, "recall@10 (a guess)")
    assert figure(plain, "measured power per use (budget)") != 1.0
    calibrated = run("evaluate", "search", "tx-test.npy", "rx-test.npy", "--calibrate")
    assert abs(figure(calibrated.stdout, "measured power per use (budget)") - 1) <= 2e-3
    assert "budget" not in calibrated.stderr
    np.save(run.home / "loud-test.npy", 1.5 * np.load(run.home / "tx-test.npy"))
    loud = run("evaluate", "search", "loud-test.npy", "rx-test.npy").stderr
    assert "warning: the link spends" in loud
    assert "--calibrate brings it to the budget" in loud


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("evaluate", "regression", "tx-test.npy", "rx-test.npy", "labels-test.npy"), "is a regression: give --targets"),
        (("evaluate", "numbered", "tx-test.npy", "rx-test.npy", "--targets", "targets-test.csv"), "is a classifier: give labels"),
        (("evaluate", "search", "tx-test.npy", "rx-test.npy", "--targets", "targets-test.csv"), "name the receiver's head with --head"),
        (("fit", "tx-train.npy", "rx-train.npy", "labels-train.npy", "--targets", "targets-train.csv"), "got both"),
        (("fit", "tx-train.npy", "rx-train.npy", "--targets", "targets-train.csv", "--goal", "fisher"), "is for a classifier"),
        (
            ("fit", "tx-train.npy", "rx-train.npy", "--targets", "targets-test.csv"),
            "--targets targets-test.csv: got 300, expected 600, one for each pair",
        ),
        (("fit", "tx-train.npy", "rx-train.npy", "--targets", "names-train.npy"), "expected real numbers"),
        (("fit", "tx-train.npy", "rx-train.npy", "--goal", "logits"), "give labels, --targets or a saved --head"),
    ],
)
def test_what_does_not_belong_together_is_said(run, arguments, words):
    assert words in " ".join(run(*arguments, status=1).stderr.split())
