"""Evaluation beyond memory: the figures of `evaluate` on all messages, with the same noise, however files are cut and whenever it stops."""

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.storage import artifacts
from latentlink.tasks.regression import RegressionHead
from one_cause import CutError, cut_after, latents_of_one_cause

GENERATOR = np.random.default_rng(0)
N = 9000
X, Y, LABELS = latents_of_one_cause(GENERATOR, N, 400, 75)
TARGETS = Y @ GENERATOR.normal(size=(75, 2)) / 75 + 0.1 * GENERATOR.normal(size=(N, 2))
CHANNEL = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(3,), generator=0), 3.0)
MOMENTS = ll.Moments.from_pairs(X, Y)
LINK = ll.ClosedForm().design(ll.semantic_modes(MOMENTS, shrinkage=1e-3), CHANNEL)
HEAD = ll.fit_head(Y, LABELS)
FIGURES = ("mse", "nmse", "cosine", "power", "power_error", "peak_power", "antenna_power", "accuracy", "agreement")


def figures(seen):
    """All figures by name."""
    own = {name: getattr(seen, name) for name in FIGURES if getattr(seen, name) is not None}
    task = {} if seen.regression is None else {f"regression.{name}": value for name, value in vars(seen.regression).items()}
    return (
        own
        | {f"class {c}": value for c, value in seen.per_class.items()}
        | {name: value for name, value in task.items() if value is not None}
    )


def assert_same(a, b, **tolerance):
    assert a.messages == b.messages
    assert figures(a).keys() == figures(b).keys()
    for name, value in figures(a).items():
        torch.testing.assert_close(
            value, figures(b)[name], **(tolerance or {"rtol": 1e-6, "atol": 1e-9}), msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, array in (("x", X), ("y", Y), ("labels", LABELS), ("targets", TARGETS)):
        np.save(f"{name}.npy", array)
    for number, (start, stop) in enumerate(itertools.pairwise([0, 5, 4096, 4500, N])):
        np.save(f"part-{number}.npy", Y[start:stop])
    return tmp_path


@pytest.mark.parametrize("entries", [2**23, 2**16])
def test_figures_and_noise_are_those_of_all_messages_in_memory(files, entries):
    options = {"channel": CHANNEL, "head": HEAD, "generator": 7, "entries": entries}
    whole = ll.evaluate(LINK, X, Y, labels=LABELS, **options)
    shards = ll.data.evaluate_shards(LINK, "x.npy", "part-*.npy", "labels.npy", **options)
    assert_same(shards, whole)
    assert len(shards.per_class) == 4
    again = ll.data.evaluate_shards(LINK, "x.npy", "y.npy", "labels.npy", **options)
    assert_same(again, shards, rtol=0, atol=0)
    other = ll.data.evaluate_shards(LINK, "x.npy", "y.npy", "labels.npy", **{**options, "generator": 8})
    assert not torch.equal(other.mse, shards.mse)


def test_regressions_and_latents_alone_and_amplifiers(files):
    head = RegressionHead.fit(Y, TARGETS)
    amplifier = ll.metrics.Amplifier.above_mean(CHANNEL, 3.0)
    options = {"channel": CHANNEL, "generator": 7, "amplifier": amplifier}
    whole = ll.evaluate(LINK, X, Y, head=head, targets=TARGETS, **options)
    shards = ll.data.evaluate_shards(LINK, "x.npy", "part-*.npy", head=head, targets="targets.npy", **options)
    assert_same(shards, whole)
    assert shards.regression is not None
    assert_same(ll.data.evaluate_shards(LINK, "x.npy", "y.npy", **options), ll.evaluate(LINK, X, Y, **options))
    np.save("few.npy", TARGETS[:5])
    with pytest.raises(ValueError, match="targets: got 5, expected 9000"):
        ll.data.evaluate_shards(LINK, "x.npy", "y.npy", head=head, targets="few.npy", **options)


def test_labels_of_tables_are_numbered_as_the_head_was(files):
    words = np.array(["yak", "cow", "dog", "cat"])[LABELS]
    head = ll.fit_head(Y, words)
    tx = pl.DataFrame({"id": np.arange(N), "label": words, "e": list(X)})
    options = {"channel": CHANNEL, "head": head, "generator": 7}
    seen = ll.data.evaluate_shards(LINK, tx, "y.npy", **options)
    assert_same(seen, ll.evaluate(LINK, X, Y, labels=words, **options))
    assert set(seen.per_class) == set(words)
    np.save("shifted.npy", LABELS + 1)
    with pytest.warns(UserWarning, match="labels look counted from 1"):
        ll.data.evaluate_shards(LINK, "x.npy", "y.npy", "shifted.npy", channel=CHANNEL, head=HEAD, generator=7)


WORDS = np.array(["yak", "cow", "dog", "cat"])[LABELS]


@pytest.mark.parametrize(
    "labels",
    [LABELS, torch.from_numpy(LABELS), LABELS.tolist(), pl.Series(LABELS), pd.Series(LABELS), WORDS, WORDS.tolist(), pd.Series(WORDS)],
)
def test_labels_may_be_given_as_for_evaluate(files, labels):
    head = HEAD if not isinstance(labels[0], str) else ll.fit_head(Y, WORDS)
    options = {"channel": CHANNEL, "head": head, "generator": 7}
    (files / "cow").mkdir()  # a class may be named as a folder is
    seen = ll.data.evaluate_shards(LINK, "x.npy", "y.npy", labels, **options)
    assert_same(seen, ll.evaluate(LINK, X, Y, labels=labels, **options))


def test_targets_may_be_given_and_what_is_neither_labels_nor_files_is_refused(files):
    head, options = RegressionHead.fit(Y, TARGETS), {"channel": CHANNEL, "generator": 7}
    read = ll.data.evaluate_shards(LINK, "x.npy", "y.npy", head=head, targets="targets.npy", **options)
    for targets in (TARGETS, torch.from_numpy(TARGETS), TARGETS.tolist()):
        assert_same(ll.data.evaluate_shards(LINK, "x.npy", "y.npy", head=head, targets=targets, **options), read, rtol=0, atol=0)
    options["head"] = HEAD
    for labels, message in (
        (LABELS[:5], "labels: got 5, expected 9000, one for each row of x.npy"),
        (LABELS - 1, "labels: label . is -1, expected an integer ≥ 0"),
        (["a", "b"], "labels: got 2, expected 9000"),
        (5, "labels must be a file, a frame, or an array or a list of class numbers or names, got int"),
        (np.eye(4)[LABELS], r"labels: got shape \(9000, 4\)"),
    ):
        with pytest.raises(ValueError, match=message):
            ll.data.evaluate_shards(LINK, "x.npy", "y.npy", labels, **options)
    with pytest.raises(FileNotFoundError):
        ll.data.evaluate_shards(LINK, "x.npy", "y.npy", ["a.npy", "b.npy"], **options)


@pytest.mark.parametrize("task", ["labels", "targets"])
def test_what_was_interrupted_is_equal_to_the_bit(files, task):
    head = HEAD if task == "labels" else RegressionHead.fit(Y, TARGETS)
    options = {task: f"{task}.npy", "channel": CHANNEL, "head": head, "generator": 7, "entries": 2**18}
    whole = ll.data.evaluate_shards(LINK, "x.npy", "y.npy", **options)
    with pytest.raises(CutError):
        ll.data.evaluate_shards(LINK, "x.npy", "y.npy", checkpoint="seen.safetensors", progress=cut_after(0), **options)
    done = []
    resumed = ll.data.evaluate_shards(
        LINK, "x.npy", "y.npy", checkpoint="seen.safetensors", progress=lambda rows, total: done.append(rows), **options
    )
    assert done == [2 * 6 * 655, N]  # blocks of six times the messages that are sent together
    assert_same(resumed, whole, rtol=0, atol=0)
    assert_same(ll.data.evaluate_shards(LINK, "x.npy", "y.npy", checkpoint="seen.safetensors", **options), whole, rtol=0, atol=0)
    latents = np.load("y.npy")
    np.save("y.npy", latents)  # at another time
    assert_same(ll.data.evaluate_shards(LINK, "x.npy", "y.npy", checkpoint="seen.safetensors", **options), whole, rtol=0, atol=0)
    np.save("y.npy", latents[::-1])
    with pytest.raises(ll.data.CheckpointError, match=r"rows that were read have changed in y\.npy"):
        ll.data.evaluate_shards(LINK, "x.npy", "y.npy", checkpoint="seen.safetensors", **options)


def test_checkpoints_of_other_work_and_forged_ones_are_refused(files):
    options = {"channel": CHANNEL, "checkpoint": "seen.safetensors"}
    with pytest.raises(ValueError, match="generator must be a seed where there is a checkpoint, got None"):
        ll.data.evaluate_shards(LINK, "x.npy", "y.npy", **options)
    with pytest.raises(CutError):
        ll.data.evaluate_shards(LINK, "x.npy", "y.npy", generator=7, progress=cut_after(0), **options)
    with pytest.raises(ll.data.CheckpointError, match="is of other work: link, channel, head, labels and noise"):
        ll.data.evaluate_shards(LINK, "x.npy", "y.npy", generator=8, **options)
    tensors, facts = artifacts.read("seen.safetensors")
    own = {name: facts[name] for name in ("count", "variance", "work")}
    for changed, told in (
        ({**tensors, "error": tensors["error"][:1]}, own),
        (tensors, {**own, "count": -1}),
        (tensors, {"work": own["work"]}),
    ):

        class Content:
            def to_tensors(self, changed=changed, told=told):
                return changed, told

        artifacts.save("unfinished evaluation", Content(), "seen.safetensors")
        with pytest.raises(ll.data.CheckpointError, match="not what a checkpoint is made of"):
            ll.data.evaluate_shards(LINK, "x.npy", "y.npy", generator=7, **options)


def test_what_does_not_fit_the_link_is_refused(files):
    with pytest.raises(ValueError, match=r"y must have shape \(n, 75\), got \(n, 400\)"):
        ll.data.evaluate_shards(LINK, "x.npy", "x.npy", channel=CHANNEL)
    with pytest.raises(ValueError, match="head must be given where labels are"):
        ll.data.evaluate_shards(LINK, "x.npy", "y.npy", "labels.npy", channel=CHANNEL)
