"""Files whose digest is right and whose content is not are refused by the name of the field."""

import hashlib
import json

import pytest
import safetensors.torch
import torch

import latentlink as ll
from conformance.registry import modes, solution
from latentlink.storage import artifacts


def forge(path, source, **changes):
    """The artifact with other tensors, under a digest that is right."""
    source.save(path)
    tensors, manifest = artifacts.read(path)
    blank = "0" * 64
    forged = {name: value.contiguous().clone() for name, value in {**tensors, **changes}.items()}
    content = safetensors.torch.save(forged, {"manifest": json.dumps({**manifest, "sha256": blank}, sort_keys=True)})
    digest = hashlib.sha256(content).hexdigest()
    path.write_bytes(content.replace(blank.encode(), digest.encode(), 1))
    return tensors


def test_what_is_only_written_anew_is_read(tmp_path):
    path = tmp_path / "pair.safetensors"
    forge(path, modes())
    torch.testing.assert_close(ll.load(path).strength, modes().strength)


WRONG = {
    "another shape": lambda value: value[1:],
    "transposed": lambda value: value.mT,
    "empty": lambda value: value.new_zeros(0),
    "another type": lambda value: value.long(),
}


SQUARE = ("synthesis", "gram", "covariance")  # transposed they have the same shape
FORGED = [("analysis", "transposed"), *((field, name) for field in ("analysis", *SQUARE) for name in WRONG if name != "transposed")]


@pytest.mark.parametrize(("field", "name"), FORGED)
def test_forged_pairs_are_refused(tmp_path, field, name):
    path = tmp_path / "pair.safetensors"
    value = getattr(modes(), field)
    forge(path, modes(), **{field: WRONG[name](value)})
    with pytest.raises(ll.ArtifactError, match=r"pair\.safetensors: not what a pair is made of"):
        ll.load(path)


@pytest.mark.parametrize("field", ["analysis", "precoder", "decoder", "mean_x"])
def test_forged_links_are_refused(tmp_path, field):
    path = tmp_path / "link.safetensors"
    link = solution("exact").transceiver
    for name in ("another shape", "empty"):
        forge(path, link, **{field: WRONG[name](getattr(link, field))})
        with pytest.raises(ll.ArtifactError, match=r"link\.safetensors: not what a link is made of"):
            ll.load(path)
