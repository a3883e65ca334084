"""The paper's own study without its weights: a binary CIFAR-10 of random pictures, and encoders that answer as timm's do."""

import sys
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
import torch
from torch import nn

from latentlink.studies.result_files import Results
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study

STUDY = Path(__file__).parents[2] / "studies" / "paper" / "paper-cifar10.yaml"
DIMENSIONS = {"vit_small_patch16_224": 384, "vit_base_patch16_224": 768}
VIT = {"input_size": (3, 32, 32), "interpolation": "bicubic", "crop_pct": 0.9, "mean": (0.5,) * 3, "std": (0.5,) * 3}


@pytest.fixture
def timm(monkeypatch):
    fake, data = ModuleType("timm"), ModuleType("timm.data")

    def create_model(name, pretrained, num_classes, **size):
        assert pretrained
        assert num_classes == 0
        with torch.random.fork_rng():
            torch.manual_seed(len(name))
            model = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, DIMENSIONS[name]))
        model.pretrained_cfg = VIT
        return model

    fake.create_model, fake.is_model = create_model, lambda name: name in DIMENSIONS
    fake.data, data.resolve_data_config = data, lambda *args, model, **more: dict(model.pretrained_cfg)
    monkeypatch.setitem(sys.modules, "timm", fake)
    monkeypatch.setitem(sys.modules, "timm.data", data)


def write_cifar10(folder):
    """The binary version: a label and 3072 bytes for each of 100 pictures a batch, brighter with the class."""
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        labels = torch.arange(100) % 10
        pictures = (20 * labels[:, None] + torch.randint(0, 60, (100, 3072), generator=generator)).to(torch.uint8)
        (folder / name).write_bytes(torch.cat([labels[:, None].to(torch.uint8), pictures], 1).numpy().tobytes())


def test_the_paper_s_study_runs_on_its_archive_and_encoders(tmp_path, monkeypatch, timm):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))
    write_cifar10(tmp_path / "cifar-10-batches-bin")
    small = (
        "pilots.per_class=20",
        "channel.antennas=2",
        "methods.neural.hidden_tx=4",
        "methods.neural.hidden_rx=4",
        "methods.neural.epochs=1",
    )
    study = read_study(STUDY, (f"data.folder={tmp_path}", *small, "methods.neural.at={}"), quick=True)
    todo, results = cells(study), Results(tmp_path / "results")
    Runner(results).run(todo)
    rows = results.table(study, todo)
    assert not list((tmp_path / "results" / "cells").glob("*.error.txt"))
    assert len(rows) == len(todo)
    assert set(rows["d"]) == {384}
    assert set(rows["m"]) == {768}
    links = rows.filter(pl.col("family") != "reference")
    assert set(links["compression"]) == {2 / 192}
    assert links.filter(pl.col("method") == "exact, goal-oriented", pl.col("knowledge") == "aware")["accuracy"][0] > 0.3
