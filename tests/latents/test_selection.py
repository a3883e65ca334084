import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlink.latents.pilot_selection import PilotSelection
from latentlink.latents.pilots import Pilots

WRONG = (ValueError, TypeError)  # in pytest the type checker may speak before the door does
METHODS, GROUPINGS = ("random", "centroid"), ("label", "cluster")


def training_set(seed=0, counts=(9, 14, 11), d=5, spread=8.0):
    """Classes in any order, far enough apart for k-means; y and labels are marked with the row they stand in."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=generator)]
    centres = spread * torch.randn(len(counts), d, dtype=torch.float64, generator=generator)
    x = centres[labels] + torch.randn(len(labels), d, dtype=torch.float64, generator=generator)
    y = torch.arange(len(labels), dtype=torch.float64).unsqueeze(1).repeat(1, 2)
    return Pilots(x, y, labels)


@given(st.integers(0, 10**6), st.lists(st.integers(4, 20), min_size=1, max_size=5), st.integers(1, 4), st.sampled_from(METHODS))
def test_each_class_gives_its_count_of_rows_of_the_whole_set_none_twice(seed, counts, per_class, method):
    everything = training_set(seed, counts)
    chosen = PilotSelection(per_class, method, seed=seed).choose(everything)
    rows = chosen.y[:, 0].long()  # the mark
    assert (rows.diff() > 0).all()  # increasing, so without repeats
    assert torch.equal(everything.labels[rows], chosen.labels)
    assert torch.equal(everything.x[rows], chosen.x)
    assert chosen.labels.bincount().tolist() == [per_class] * len(counts)


@pytest.mark.parametrize("method", METHODS)
def test_chosen_rows_are_not_numbers_within_a_class(method):
    """The published code applied an index inside each class to the whole set, and so kept to its first rows, whatever their class."""
    labels = torch.repeat_interleave(torch.arange(4), 50)
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(1))
    rows = PilotSelection(5, method).indices(x, labels)
    assert (rows // 50).tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5


@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.parametrize("per_class", [1, 4, 9])
def test_centroid_is_the_nearest_by_brute_force(grouping, per_class):
    data = training_set(3)
    rows = PilotSelection(per_class, "centroid", grouping).indices(data.x, data.labels)
    x, labels = data.x.numpy(), data.labels.numpy()  # far apart: the clusters are the classes
    expected = []
    for label in range(3):
        members = [i for i in range(len(x)) if labels[i] == label]
        mean = sum(x[i] for i in members) / len(members)
        expected += sorted(members, key=lambda i: np.linalg.norm(x[i] - mean))[:per_class]
    assert rows.tolist() == sorted(expected)


@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.parametrize("method", METHODS)
def test_fewer_pilots_are_among_more(method, grouping):
    data = training_set(4, (30, 40, 35))
    few, more, most = (set(PilotSelection(k, method, grouping, seed=7).indices(data.x, data.labels).tolist()) for k in (2, 11, 30))
    assert few < more < most


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_the_seed_alone_decides(grouping):
    data = training_set(5, (30, 40, 35), spread=0.5)

    def rows(seed):
        return PilotSelection(6, "random", grouping, seed).indices(data.x, data.labels).tolist()

    torch.manual_seed(1)
    state, legacy = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002 (k-means would use it)
    before = rows(42)
    assert torch.equal(state, torch.get_rng_state())
    assert np.random.get_state()[1].tolist() == legacy  # noqa: NPY002
    torch.manual_seed(2)
    assert rows(42) == before
    assert len({tuple(rows(seed)) for seed in (27, 42, 100, 123, 144, 200)}) == 6


def test_random_takes_every_member_alike():
    labels = torch.tensor([0] * 6 + [1] * 3)
    x = torch.zeros(9, 1)
    count = torch.zeros(9)
    for seed in range(600):
        count[PilotSelection(2, seed=seed).indices(x, labels)] += 1
    assert (count[:6] - 200).abs().max() < 60  # five standard deviations of a binomial (600, 1/3)
    assert (count[6:] - 400).abs().max() < 60


def test_clusters_take_the_place_of_classes():
    data = training_set(6, (25, 25, 25), spread=20.0)
    mixed = data.labels.roll(1)  # labels that say nothing about the latents
    chosen = PilotSelection(5, "random", "cluster").indices(data.x, mixed)
    assert data.labels[chosen].bincount().tolist() == [5, 5, 5]
    assert mixed[chosen].bincount().tolist() != [5, 5, 5]
    assert PilotSelection(5, "random", "label").indices(data.x, mixed).tolist() != chosen.tolist()


@pytest.mark.parametrize("everything", [None, "all"])
@pytest.mark.parametrize("grouping", GROUPINGS)
def test_all_are_all(everything, grouping):
    data = training_set(7)
    assert PilotSelection(everything, "centroid", grouping).indices(data.x, data.labels).tolist() == list(range(34))
    assert len(PilotSelection(everything).choose(data)) == 34


def test_a_class_that_is_too_small_is_named_or_gives_what_it_has():
    data = training_set(8, (9, 4, 11))
    for method in METHODS:
        with pytest.raises(ValueError, match="class 1 has 4 members, 5 were asked for"):
            PilotSelection(5, method).choose(data)
        assert PilotSelection(5, method, if_short="all").choose(data).labels.bincount().tolist() == [5, 4, 5]
    with pytest.raises(ValueError, match=r"cluster \d has 4 members, 5 were asked for"):
        PilotSelection(5, grouping="cluster").choose(training_set(8, (9, 4, 11), spread=50.0))


def test_numbers_of_absent_classes_do_not_count():
    x = np.array([[0.0], [1.0], [50.0], [51.0]])
    for grouping in GROUPINGS:
        assert len(PilotSelection(1, grouping=grouping).indices(x, np.array([7, 7, 2, 2], np.uint8))) == 2


def test_equals_go_by_their_order():
    assert PilotSelection(2, "centroid").indices(torch.ones(6, 2), torch.tensor([0, 1, 0, 1, 0, 1])).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_and_offset_of_the_latents_do_not_matter(dtype):
    data = training_set(9)
    far = (data.x + 1000).to(dtype)
    rows = PilotSelection(4, "centroid").indices(far, data.labels)
    assert rows.dtype == torch.int64
    assert torch.equal(rows, PilotSelection(4, "centroid").indices(data.x, data.labels))


def test_latents_that_know_gradients_are_welcome():
    data = training_set(10)
    for grouping in GROUPINGS:
        rows = PilotSelection(4, "centroid", grouping).indices(data.x.clone().requires_grad_(), data.labels)
        assert torch.equal(rows, PilotSelection(4, "centroid", grouping).indices(data.x, data.labels))


def test_fewer_different_latents_than_clusters():
    with pytest.raises(ValueError, match="fewer different latents than the 2 clusters"):
        PilotSelection(1, grouping="cluster").indices(torch.ones(6, 2), torch.tensor([0, 1, 0, 1, 0, 1]))


BAD = [
    ({"per_class": 0}, "per_class must be an integer >= 1, got 0"),
    ({"per_class": -3}, "got -3"),
    ({"per_class": True}, "got True"),
    ({"per_class": 1.5}, r"got 1\.5"),
    ({"per_class": "some"}, "got 'some'"),
    ({"method": "nearest"}, "method must be one of random, centroid, medoid, herding, got 'nearest'"),
    ({"grouping": "kmeans"}, "grouping must be one of label, cluster, got 'kmeans'"),
    ({"if_short": "warn"}, "if_short must be one of error, all"),
    ({"seed": -1}, "seed must be an integer >= 0"),
    ({"seed": 2**32}, "from 0 to 4294967295"),
    ({"seed": None}, "got None"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(WRONG):
        PilotSelection(**arguments)
    selection = PilotSelection()
    for name, value in arguments.items():
        object.__setattr__(selection, name, value)  # past the type checker, to the door
    with pytest.raises(ValueError, match=message):
        selection.__post_init__()


def test_latents_and_labels_are_checked():
    data = training_set(11)
    with pytest.raises(ValueError, match="labels must have shape"):
        PilotSelection(2).indices(data.x, data.labels[:-1])
    with pytest.raises(ValueError, match="x has NaN"):
        PilotSelection(2).indices(data.x * torch.nan, data.labels)
    with pytest.raises(ValueError, match="integers"):
        PilotSelection(None).indices(data.x, data.labels.double())


def test_clusters_without_scikit_learn_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    data = training_set(12)
    with pytest.raises(ImportError, match=r"pip install latentlink\[eval\]"):
        PilotSelection(2, grouping="cluster").indices(data.x, data.labels)
    assert len(PilotSelection(2).indices(data.x, data.labels)) == 6


def test_selections_can_be_compared_and_hashed():
    assert len({PilotSelection(4), PilotSelection(4), PilotSelection(5)}) == 2


@pytest.mark.parametrize("method", ["random", "medoid", "herding"])
def test_a_number_in_all_needs_no_labels(method):
    data = training_set(13, (40, 40, 40), spread=20.0)
    selection = PilotSelection(count=9, method=method, seed=3)
    rows = selection.indices(data.x)
    assert (rows.diff() > 0).all()
    assert len(rows) == 9
    assert torch.equal(rows, selection.indices(data.x, data.labels))
    assert torch.equal(rows, selection.indices(data.x.float() + 50))
    assert len(selection.choose(Pilots(data.x, data.y))) == 9
    if method != "random":  # they stand for all
        assert (data.labels[rows].bincount(minlength=3) >= 2).all()


def test_medoids_are_nearest_to_the_centres_of_clusters():
    data = training_set(14, (30, 30, 30), spread=50.0)
    found = PilotSelection(count=3, method="medoid").indices(data.x)
    assert torch.equal(found, PilotSelection(1, "centroid", "cluster").indices(data.x, data.labels))


def test_herding_matches_the_mean_of_a_kernel_and_fewer_are_among_more():
    data = training_set(15, (60, 30, 20), spread=3.0)
    x = data.x - data.x.mean(0)
    apart = torch.cdist(x, x)
    kernel = (-apart.square() / (2 * torch.pdist(x).median().square())).exp()

    def distance(rows):
        return float(kernel.mean() - 2 * kernel[rows].mean() + kernel[rows][:, rows].mean())

    few, more = (PilotSelection(count=count, method="herding").indices(data.x) for count in (6, 20))
    assert set(few.tolist()) < set(more.tolist())
    chosen = []
    for found in range(20):  # the greedy choice by brute force
        score = kernel.mean(1) - kernel[:, chosen].sum(1) / (found + 1)
        score[chosen] = -torch.inf
        chosen.append(int(score.argmax()))
    assert more.tolist() == sorted(chosen)
    by_chance = [distance(PilotSelection(count=20, seed=seed).indices(data.x)) for seed in range(20)]
    assert distance(more) < min(by_chance)
    assert PilotSelection(count=4, method="herding").indices(torch.ones(9, 2)).tolist() == [0, 1, 2, 3]


def test_a_number_in_all_and_one_of_each_class_do_not_go_together():
    data = training_set(16)
    for arguments, message in (
        ({"method": "medoid"}, "count must be the number of pilots in all for method='medoid'"),
        ({"per_class": 5, "method": "herding"}, "count must be the number"),
        ({"per_class": 5, "count": 9}, "per_class and count cannot both be given, got 5 and 9"),
        ({"method": "centroid", "count": 9}, "method must be random, medoid or herding with count"),
        ({"count": 9, "grouping": "cluster"}, "grouping and clusters go with per_class"),
        ({"count": 0}, "count must be an integer >= 1"),
    ):
        with pytest.raises(ValueError, match=message):
            PilotSelection(**arguments)
    with pytest.raises(ValueError, match="count: x has 34 latents, 35 were asked for"):
        PilotSelection(count=35).choose(data)
    assert len(PilotSelection(count=35, if_short="all").choose(data)) == 34
    with pytest.raises(ValueError, match="fewer different latents"):
        PilotSelection(count=3, method="medoid").indices(torch.ones(9, 2))
