"""Labels are numbers, or names that are numbered once and kept."""

import numpy as np
import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.latents.labels import as_named_labels

WORDS = ["dog", "cat", "dog", "bee"]


KINDS = (WORDS, tuple(WORDS), np.array(WORDS), np.array(WORDS, object), np.array(WORDS, "S"), pl.Series(WORDS))


@pytest.mark.parametrize("words", KINDS, ids=range(len(KINDS)))
def test_names_are_numbered_as_they_sort(words):
    found = as_named_labels(words, 4)
    assert found.numbers.tolist() == [2, 1, 2, 0]
    assert found.names == ("bee", "cat", "dog")
    assert as_named_labels(words, 4, ["dog", "bee"]).numbers.tolist() == [0, 2, 0, 1]


def test_pilots_keep_names_whatever_is_taken_of_them():
    pilots = ll.Pilots(torch.eye(4), torch.eye(4), WORDS)
    for some in (pilots[2:], pilots[[3, 1]], pilots.to(torch.float64), pilots.numbered_as(pilots.names)):
        assert some.names == ("bee", "cat", "dog")
    assert pilots.numbered_as(["cat", "dog"]).labels.tolist() == [1, 0, 1, 2]
    assert ll.Pilots(torch.eye(2), torch.eye(2), [1, 0], names=["no", "yes", "perhaps"]).names == ("no", "yes", "perhaps")


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        (WORDS[:3], None, r"labels must have shape \(4,\), one per latent, got \(3,\) names"),
        ([0, 1, 2, 3], ["a", "b"], "names must name all classes up to 3, got 2 names"),
        ([0, 1, 0, 1], ["a", "a"], "'a' twice"),
        ([0, 1, 0, 1], [1, 2], "a sequence of words"),
        ([0, 1, 0, 1], "ab", "a sequence of words"),
        (None, ["a"], "names must be given with labels"),
    ],
)
def test_names_that_do_not_fit_are_refused(labels, names, words):
    with pytest.raises(ValueError, match=words):
        ll.Pilots(torch.eye(4), torch.eye(4), labels, names=names)
    with pytest.raises(ValueError, match="must have names of classes"):
        ll.Pilots(torch.eye(2), torch.eye(2), [0, 1]).numbered_as(["a", "b"])


def test_a_head_keeps_its_names_in_its_file(tmp_path):
    head = ll.fit_head(torch.eye(4), WORDS)
    head.save(tmp_path / "head.safetensors")
    assert ll.load(tmp_path / "head.safetensors", ll.SoftmaxHead).classes == head.classes == ("bee", "cat", "dog")
    numbers = ll.fit_head(torch.eye(4), [2, 1, 2, 0])
    assert numbers.classes is None
    torch.testing.assert_close(numbers.weight, head.weight)
    assert head.to(torch.float32).classes == ("bee", "cat", "dog")
    more = ll.fit_head(torch.eye(4), [2, 1, 2, 0], names=["bee", "cat", "dog", "elk"])
    assert more.out_features == 4
    with pytest.raises(ValueError, match="classes must be 4 names, one for each logit, got 1"):
        more.named(["bee"])
