"""A small pair of devices as files, and a study of it."""

import numpy as np
import torch
import yaml

from latentlink.studies.result_files import Results
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study

CLOCK = ("started", "wall_s", "design_s", "encode_us", "decode_us", "encode_batch_us", "decode_batch_us", "form_us", "form_batch_us")

STUDY = {
    "name": "toy",
    "data": {"dataset": "files", "test": None},
    "encoders": {"transmitter": "a", "receiver": "b"},
    "pilots": {"per_class": 20},
    "channel": {"antennas": [1, 2]},
    "snr": {"snr_db": [0, 20]},
    "methods": [{"name": "closed-form"}, {"name": "first-k"}],
    "seeds": [1, 2],
    "metrics": ["accuracy", "mse", "limits", "power", "flops"],
}


def write_latents(folder, d=9, m=7, classes=3, train=150, test=90):
    """Two mixtures of Gaussians that are linear images of each other, with noise."""
    generator = torch.Generator().manual_seed(0)
    centres = 2 * torch.randn(classes, d, generator=generator)
    mixing = torch.randn(d, m, generator=generator)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("test", test)):
        labels = torch.arange(count) % classes
        x = centres[labels] + torch.randn(count, d, generator=generator)
        y = x @ mixing + 0.3 * torch.randn(count, m, generator=generator)
        for name, value in (("transmitter", x), ("receiver", y), ("labels", labels)):
            np.save(folder / f"{split}-{name}.npy", value.numpy())


def write_study(folder, **changes):
    """The study file, its latents beside it."""
    write_latents(folder / "latents")
    content = {**STUDY, **changes}
    content["data"] = {**STUDY["data"], **changes.get("data", {}), "folder": str(folder / "latents")}
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def run(path, folder, jobs=1, overrides=(), done=lambda cell, reason: None):
    """The rows of the study after a run."""
    study = read_study(path, overrides)
    todo, results = cells(study), Results(folder)
    Runner(results, jobs).run(todo, done)
    return results.table(study, todo)
