"""What people hand over is taken: words of any class, columns of frames, arrays for lists, devices by name or as they are."""

import enum
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import latentlink as ll

G = np.random.default_rng(0)
X = G.normal(size=(60, 4))
LABELS = G.integers(0, 3, 60)
HEAD = ll.fit_head(X, LABELS)


class Method(enum.StrEnum):
    RANDOM = "random"


@pytest.mark.parametrize(
    "labels", [pd.Series(LABELS), pl.Series("class", LABELS), pd.Index(LABELS), torch.from_numpy(LABELS), LABELS.tolist()]
)
def test_a_column_of_labels_is_an_array_of_labels(labels):
    assert torch.equal(ll.fit_head(X, labels).weight, HEAD.weight)
    assert torch.equal(ll.Pilots(X, X, labels).labels, torch.from_numpy(LABELS))


@pytest.mark.parametrize("names", [np.array(["ant", "bee", "cow"]), pd.Index(["ant", "bee", "cow"]), pl.Series(["ant", "bee", "cow"])])
def test_names_of_classes_may_be_an_array(names):
    assert ll.fit_head(X, LABELS, names=names).classes == ("ant", "bee", "cow")


@pytest.mark.parametrize("word", ["random", np.str_("random"), Method.RANDOM])
def test_words_are_words_whatever_their_class(word):
    chosen = ll.PilotSelection(3, method=word).choose(ll.Pilots(X, X, LABELS))
    assert torch.equal(chosen.x, ll.PilotSelection(3, method="random").choose(ll.Pilots(X, X, LABELS)).x)


@pytest.mark.parametrize("numbers", [np.array([2, 4]), torch.tensor([2, 4]), [2, 4], (2, 4)])
def test_a_vector_of_numbers_is_a_sequence(numbers):
    assert ll.channels.ResourceElements(numbers, (0, 1)) == ll.channels.ResourceElements((2, 4), (0, 1))


def test_a_frame_is_no_array_and_says_what_reads_it():
    with pytest.raises(ValueError, match=r"got a DataFrame of pandas: latentlink\.read_latents"):
        ll.Moments.from_pairs(pd.DataFrame(X), X)


def test_links_of_one_of_several_classes_are_loaded(tmp_path):
    HEAD.save(tmp_path / "head.safetensors")
    assert isinstance(ll.load(tmp_path / "head.safetensors", ll.SoftmaxHead | ll.SemanticModes), ll.SoftmaxHead)
    with pytest.raises(ll.ArtifactError, match=r"expected a .*SemanticModes.*, got a head"):
        ll.load(tmp_path / "head.safetensors", ll.SemanticModes | ll.LinearTransceiver)


def test_candidates_for_goals_may_be_numbers_of_numpy():
    y = torch.from_numpy(X)
    found = ll.choose_goal(y, y, HEAD, labels=LABELS, streams=np.array([2, 4]), snr_db=np.array([10.0]), channels=1, folds=2)
    assert found.streams == (2, 4)


@pytest.mark.parametrize("number", [Fraction(1, 2), Decimal("0.5")])
def test_fractions_and_decimals_are_refused_by_name_wherever_a_number_is_asked_for(number):
    for call, name in (
        (lambda: ll.Admm(tolerance=number), "tolerance"),
        (lambda: ll.Admm(rho=number), "rho"),
        (lambda: ll.power.Mean(peak=number), "peak"),
        (lambda: ll.fit_head(X, LABELS, number), "weight_decay"),
        (lambda: ll.semantic_modes(ll.Moments.from_pairs(X, X), shrinkage=number), "shrinkage"),
    ):
        with pytest.raises(ValueError, match=rf"{name} must be a number.*, got (Fraction|Decimal)\(.*\): float\({name}\)$"):
            call()
    with pytest.raises(ValueError, match=r"n_rx must be an integer, got (Fraction|Decimal)\(.*\)$"):
        ll.rayleigh(number, 2)


def test_what_must_be_given_by_name_is_named_where_it_is_given_by_position():
    with pytest.raises(
        TypeError, match=r"^rayleigh takes n_rx, n_tx, gain by position, got 1 more \(0\): generator= must be given by name$"
    ):
        ll.rayleigh(2, 2, 1.0, 0)
    with pytest.raises(
        TypeError, match=r"^Admm takes no arguments by position, got 1 more \(1\.0\): power=, .*seed= must be given by name$"
    ):
        ll.Admm(1.0)
    with pytest.raises(TypeError, match=r"^sample_pairs takes tx, rx, labels by position, got 2 more \(5, 0\): count=, seed=, .* by name$"):
        ll.data.sample_pairs("x.npy", "y.npy", None, 5, 0)
