"""Labels of other numberings are found, whatever they are, and labels of the right one never."""

import warnings

import pytest
import torch

import latentlink as ll
from latentlink.tasks.numbering import find_wrong_numbers


def blobs(classes, n, seed, apart=4.0):
    generator = torch.Generator().manual_seed(seed)
    centres = apart * torch.randn(classes, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(99))
    labels = torch.randint(classes, (n,), generator=generator)
    return centres[labels] + torch.randn(n, 12, dtype=torch.float64, generator=generator), labels


def sentences(head, y, labels):
    return list(find_wrong_numbers(head(y).argmax(-1), labels, head.out_features))


@pytest.mark.parametrize("classes", [3, 10, 60])
@pytest.mark.parametrize("apart", [0.4, 1.0, 4.0])
def test_labels_of_the_same_numbering_are_never_flagged(classes, apart):
    head = ll.fit_head(*blobs(classes, 600, 0, apart))
    assert [text for seed in range(1, 21) for text in sentences(head, *blobs(classes, 300, seed, apart))] == []


@pytest.mark.parametrize("classes", [3, 10, 60])
def test_shifted_and_exchanged_numbers_are_flagged_with_the_remedy(classes):
    y, labels = blobs(classes, 600, 0)
    test_y, test_labels = blobs(classes, 400, 1)
    head, from_one = ll.fit_head(y, labels), ll.fit_head(y, labels + 1)
    (up,) = sentences(head, test_y, test_labels + 1)
    assert "counted from 1 where the head's classes count from 0" in up
    (down,) = sentences(from_one, test_y, test_labels)
    assert "counted from 0 where the head's classes count from 1" in down
    exchanged = test_labels.roll(0).apply_(lambda c: (c * 2) % classes if classes % 2 else classes - 1 - c)
    (text,) = sentences(head, test_y, exchanged)
    assert "numbered differently than in the head's training" in text


@pytest.mark.parametrize(
    ("before", "after"),
    [((0.8, 0.2), (0.2, 0.8)), ((0.2, 0.8), (0.75, 0.25)), ((0.7, 0.1, 0.1, 0.1), (0.1, 0.3, 0.3, 0.3)), ((0.95, 0.05), (0.5, 0.5))],
)
def test_a_head_that_knows_nothing_is_no_wrong_numbering(before, after):
    """It decides for the class that was frequent in training, and shares of the classes may be others in the test set."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(1200, 4, dtype=torch.float64, generator=generator)
    trained, tested = (torch.tensor(share).multinomial(600, replacement=True, generator=generator) for share in (before, after))
    assert sentences(ll.fit_head(y[:600], trained), y[600:], tested) == []


def test_two_exchanged_classes_of_five_are_found():
    head, (test_y, labels) = ll.fit_head(*blobs(5, 600, 0)), blobs(5, 400, 1)
    exchanged = torch.tensor([1, 0, 2, 3, 4])[labels]
    (text,) = sentences(head, test_y, exchanged)
    assert "numbered differently" in text


def test_labels_outside_the_head_have_one_remedy():
    y, labels = blobs(8, 900, 0)
    head = ll.fit_head(y[labels < 2], labels[labels < 2])
    assert ["outside the head" in text for text in sentences(head, y, labels)] == [True]
    with pytest.warns(UserWarning, match="outside the head"):
        ll.metrics.accuracy(head, y, labels)


def test_classes_that_training_never_saw_are_counted():
    y, labels = blobs(8, 900, 0)
    known = labels < 6
    head = ll.fit_head(y[known], labels[known])
    missing = int((labels >= 6).sum())
    (text,) = sentences(head, y, labels)
    assert text.startswith(f"{missing} of 900 labels are outside the head, whose training had 6 classes without 6, 7")
    names = [f"class {c}" for c in labels.tolist()]
    named = ll.fit_head(y[known], [name for name, seen in zip(names, known.tolist(), strict=True) if seen])
    modes = ll.semantic_modes(ll.Moments.from_pairs(y, y))
    channel = ll.Channel.from_snr(ll.rayleigh(4, 4, generator=0), 20.0)
    link = ll.ClosedForm().design(modes, channel)
    with pytest.warns(UserWarning, match=f"{missing} of 900 labels are outside the head.*without class 6, class 7"):
        seen = ll.evaluate(link, y, y, channel=channel, head=named, labels=names, generator=0)
    assert seen.per_class[6] == seen.per_class[7] == 0
    assert "class 5" in seen.per_class


def test_names_are_never_numbered_anew():
    """A test set that lacks a class, or comes in another order, has the same accuracy by name, and another one by its own numbers."""
    y, labels = blobs(5, 600, 0)
    words = ["bee", "cow", "ant", "elk", "dog"]
    named = [words[c] for c in labels.tolist()]
    head = ll.fit_head(y, named)
    assert head.classes == ("ant", "bee", "cow", "dog", "elk")
    some = labels > 0
    rest = [name for name in named if name != "bee"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        by_name = ll.metrics.accuracy(head, y[some], rest)
        assert by_name.overall.value > 0.9
        assert sorted(by_name.per_class) == ["ant", "cow", "dog", "elk"]
    pilots = ll.Pilots(y[some], y[some], rest)
    assert pilots.names == ("ant", "cow", "dog", "elk")
    alike = pilots.numbered_as(head.classes)
    assert alike.names == head.classes
    assert ll.metrics.accuracy(head, y[some], alike.labels).overall == by_name.overall
    assert ll.metrics.accuracy(head, y[some], pilots.labels).overall.value < 0.5
    (text,) = find_wrong_numbers(head(y[some]).argmax(-1), pilots.labels, 5)
    assert "number both alike, by names" in text
