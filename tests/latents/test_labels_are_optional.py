"""Labels are optional wherever they are not used."""

import pytest
import torch

import latentlink as ll


def pilots(n=60):
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(0)) + 9 * (torch.arange(n) % 3)[:, None]
    return ll.Pilots(x, x.flip(1))


@pytest.mark.parametrize("every", ["all", None])
def test_all_pilots_are_chosen_without_labels(every):
    assert len(ll.PilotSelection(every).choose(pilots())) == 60


def test_pilots_are_chosen_by_clusters_without_labels():
    pytest.importorskip("sklearn")
    chosen = ll.PilotSelection(2, grouping="cluster", clusters=3).indices(pilots().x)
    assert (chosen % 3).bincount().tolist() == [2, 2, 2]


@pytest.mark.parametrize("grouping", ["label", "cluster"])
def test_where_labels_are_needed_the_message_says_what_for(grouping):
    with pytest.raises(ValueError, match=f"labels must be class numbers .* for grouping='{grouping}', got None: give labels, or"):
        ll.PilotSelection(2, grouping=grouping).choose(pilots())


def test_images_without_classes_are_encoded():
    images = ll.data.ImageSet("pictures", torch.zeros(5, 4, 4, dtype=torch.uint8))
    assert len(images.subset([0, 3])) == 2
    flat = ll.data.from_callable("flat", lambda pictures: pictures.flatten(1).float(), 16, "1")
    assert ll.data.encode(flat, images).shape == (5, 16)
