import json
from dataclasses import replace

import pytest
import safetensors.torch
import torch

import latentlink as ll
from latentlink.cli.card import read_card, write_card
from latentlink.storage import artifacts
from latentlink.storage.provenance import DataRecord, Provenance, digest_of
from latentlink_runtime.artifacts.artifact_file import seal

X = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
HEAD = ll.fit_head(X, torch.arange(40) % 3)
MADE = Provenance(
    data=(DataRecord.of("pilots | at the transmitter", "vit.npy", X),),
    settings={"goal": "mse", "seed": 3, "calibrated": True, "temperature": 1.5},
    figures={"NMSE on 8 held-out pilots": 0.25},
    made_from="pair of SHA-256 abc",
)


def test_what_was_told_is_read_back(tmp_path):
    HEAD.save(tmp_path / "head.safetensors", MADE)
    card = read_card(tmp_path / "head.safetensors")
    assert card.provenance == MADE
    assert card.versions == {"latentlink": ll.__version__, "torch": torch.__version__}
    assert torch.equal(ll.load(tmp_path / "head.safetensors").weight, HEAD.weight)


def test_an_artifact_says_nothing_where_its_maker_has_told_nothing(tmp_path):
    HEAD.save(tmp_path / "head.safetensors")
    assert read_card(tmp_path / "head.safetensors").provenance == Provenance()
    assert "Not recorded." in write_card(tmp_path / "head.safetensors").read_text()


def test_the_card_is_a_table_in_markdown(tmp_path):
    HEAD.save(tmp_path / "head.safetensors", MADE)
    text = write_card(tmp_path / "head.safetensors").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {3, 5}  # two columns, or four
    for told in (
        r"pilots \| at the transmitter",
        MADE.data[0].sha256,
        "40 × 5",
        "NMSE on 8 held-out pilots",
        "0.25",
        "pair of SHA-256 abc",
    ):
        assert told in text


def test_the_digest_is_that_of_the_values_alone():
    wide = torch.randn(40, 10, generator=torch.Generator().manual_seed(1))
    assert digest_of(wide[:, ::2]) == digest_of(wide[:, ::2].clone())
    changed = X.clone()
    changed[39, 4] = torch.nextafter(changed[39, 4], torch.tensor(torch.inf))
    different = [X, changed, X.double(), X.reshape(5, 40), X[:39], torch.zeros(0), torch.zeros(0, 3), torch.tensor(0.0)]
    assert len({digest_of(values) for values in different}) == len(different)


def test_it_does_not_depend_on_the_blocks(monkeypatch):
    whole = digest_of(X)
    monkeypatch.setattr("latentlink.storage.provenance._BLOCK", 7)
    assert digest_of(X) == whole


def forged(path, told):
    """The head's file with other words in place of its provenance, and the right digest."""
    tensors, manifest = artifacts.read(path)
    blank = "0" * 64
    content = safetensors.torch.save(tensors, {"manifest": json.dumps({**manifest, "provenance": told, "sha256": blank}, sort_keys=True)})
    path.write_bytes(seal(content))


FACTS = MADE.as_facts()
RECORD = FACTS["data"][0]


@pytest.mark.parametrize(
    "told",
    [
        [],
        "nothing",
        {},
        {**FACTS, "more": 1},
        {**FACTS, "data": {}},
        {**FACTS, "data": [{**RECORD, "shape": [-1]}]},
        {**FACTS, "data": [{**RECORD, "shape": ["40"]}]},
        {**FACTS, "data": [{**RECORD, "shape": 40}]},
        {**FACTS, "data": [{**RECORD, "sha256": None}]},
        {**FACTS, "data": [{"role": "alone"}]},
        {**FACTS, "settings": ["goal"]},
        {**FACTS, "settings": {"goal": [1]}},
        {**FACTS, "figures": {"NMSE": "low"}},
        {**FACTS, "made_from": None},
    ],
)
def test_malformed_provenance_is_refused(tmp_path, told):
    path = tmp_path / "head.safetensors"
    HEAD.save(path, MADE)
    forged(path, told)
    with pytest.raises(ll.ArtifactError, match="provenance is not made of"):
        read_card(path)


def test_only_a_provenance_is_one(tmp_path):
    with pytest.raises(ValueError, match="provenance must be a Provenance, such as"):
        HEAD.save(tmp_path / "head.safetensors", {"goal": "mse"})
    assert not (tmp_path / "head.safetensors").exists()
    assert replace(MADE, figures={}) != MADE
