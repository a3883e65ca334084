"""The demonstrations of other kinds than images, from end to end, on texts and encoders that are made here."""

import polars as pl
import pytest

import latentlink as ll
from latentlink.cli.demo import KINDS, demo
from latentlink.data.datasets.images import DatasetNotFound

OWN = """
import torch
import latentlink as ll

WORDS = {0: "owl hen duck swan", 1: "oak elm fir ash", 2: "pan pot cup jug"}


def load(split):
    generator = torch.Generator().manual_seed(len(split))
    labels = torch.arange(240) % 3
    drawn = torch.randint(4, (240, 5), generator=generator)
    rows = zip(labels.tolist(), drawn.tolist(), strict=True)
    texts = tuple(" ".join(WORDS[c].split()[i] for i in row) for c, row in rows)
    return ll.data.TextSet(f"words-{split}", texts, labels, ("bird", "tree", "dish"))


def counts(letters):
    def count(texts):
        return torch.tensor([[float(text.count(letter)) for letter in letters] for text in texts])

    return ll.data.from_callable(f"counts of {letters}", count, len(letters), "1", sees="texts")


def transmitter():
    return counts("aeioushk")


def receiver():
    return counts("wnlmpdc")
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LATENTLINK_DATA", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_texts.py").write_text(OWN)
    return ("data.dataset=own_texts:load", "encoders.transmitter=own_texts:transmitter", "encoders.receiver=own_texts:receiver")


def test_texts_are_demonstrated_by_a_figure_and_tables_with_the_link_from_labels_alone(own, tmp_path, capsys):
    demo(*own, kind="text", quick=True, jobs=1)
    shown = capsys.readouterr().out
    for word in ("accuracy", "recall@1", "recall@10", "adjusted Rand", "labels only"):
        assert word in shown, word
    folder = tmp_path / "demo" / "text"
    assert (folder / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    rows = pl.read_parquet(folder / "results.parquet")
    means = dict(rows.group_by("method").agg(pl.col("accuracy").mean()).iter_rows())
    assert means["labels only, goal-oriented"] > means["unaligned"]
    assert ll.load(folder / "link.safetensors").encoders == ("counts of aeioushk", "counts of wnlmpdc")


@pytest.mark.parametrize(("kind", "package"), [("text", "wordnet-base"), ("cross-modal", "openclipart-png")])
def test_without_its_data_each_says_what_to_install(own, kind, package, capsys):
    with pytest.raises((DatasetNotFound, ValueError)) as error:
        demo(kind=kind, quick=True, jobs=1)
    told = str(error.value) + capsys.readouterr().err
    assert f"install Debian's package {package}" in " ".join(told.split())


def test_the_kinds_are_studies_that_differ_in_what_they_send():
    assert list(KINDS) == ["image", "text", "cross-modal"]
    studies = [ll.studies.read_study(f"{__file__.rpartition('tests')[0]}src/latentlink/studies/{kind.study}") for kind in KINDS.values()]
    assert [study.data.dataset for study in studies] == ["fashion-mnist", "wordnet", "clip-art"]
