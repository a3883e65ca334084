"""A lab's own data set and encoders: `dataset: own_encoder:load`, `transmitter: own_encoder:projections`, `receiver: own_encoder:edges`.

An encoder is any function of uint8 images (n, H, W) or (n, H, W, 3) that returns latents (n, d); put your own network here.
"""

import torch
from torch import Tensor

import latentlink as ll


def load(split: str) -> ll.data.ImageSet:
    """Digits 0 to 4 of scikit-learn's; `split` is "train" or "test"."""
    digits = ll.data.digits("train" if split == "train" else "test")
    labels = digits.labels
    assert labels is not None  # digits have labels; other sets of images need not
    chosen = labels < 5
    return ll.data.ImageSet(f"five-digits-{split}", digits.images[chosen], labels[chosen], digits.classes[:5])


def projections() -> ll.data.Encoder:
    """48 random features of an image: what a device with a small fixed network would see."""
    weights = torch.randn(64, 48, generator=torch.Generator().manual_seed(1)) / 8

    def encode(images: Tensor) -> Tensor:
        return torch.tanh((images.flatten(1).float() / 127.5 - 1) @ weights)

    return ll.data.from_callable("projections", encode, dim=48, version="1")  # change the version whenever the function changes


def edges() -> ll.data.Encoder:
    """Differences of neighbouring pixels, along both axes: 112 of them."""

    def encode(images: Tensor) -> Tensor:
        shades = images.float() / 255
        return torch.cat([shades.diff(dim=1).flatten(1), shades.diff(dim=2).flatten(1)], 1)

    return ll.data.from_callable("edges", encode, dim=112, version="1")
