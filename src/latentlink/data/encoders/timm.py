"""Encoders of timm [wightman2019timm]: any of its pretrained image models, such as the paper's vision transformers.

The latent is the input of the model's classifier. Images are prepared as timm's own configuration of the model says: scaled with its
interpolation so that the crop is `crop_pct` of the shorter side, centre-cropped, standardised with its mean and standard deviation. timm is
imported only when it is first needed; it looks for weights in its own cache and downloads those that are not there.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from latentlink.data.encoders.image_encoder import Encoder, Preprocessing, build_without_drawing, image_encoder
from latentlink.numerics.doors import integer
from latentlink.numerics.extras import import_extra, is_installed

PREFIX = "timm:"
INTERPOLATIONS = ("bilinear", "bicubic")


def is_timm_model(name: str) -> bool:
    """Tell whether timm is installed and has a model with that name."""
    return is_installed("timm") and bool(import_extra("timm", "timm").is_model(name))


def timm_encoder(name: str, size: int | None = None) -> Encoder:
    """Build a pretrained model of timm without its classifier.

    Args:
        name: timm's name for it, with or without a tag that names the weights: `vit_small_patch16_224` (d = 384),
            `vit_base_patch16_224` (d = 768), `resnet50.a1_in1k`.
        size: pixels, the square that the model receives; its training size if not given. A transformer of a fixed size is built for the
            new size, with its position embeddings interpolated.

    Raises:
        ImportError: timm is not installed.
        ValueError: timm has no such model, the model takes no images of that size, or it needs a preprocessing that is not supported.
    """
    timm = import_extra("timm", "timm", "It also needs torchvision, and weights that it downloads or finds in its cache")
    if not timm.is_model(name):
        raise ValueError(f"encoder: timm has no model {name!r}; timm.list_models(pretrained=True) lists those it has")
    size = None if size is None else integer("size", size)
    network = _pretrained(timm, name)
    config = import_extra("timm.data", "timm").resolve_data_config({}, model=network)
    channels, own, width = config["input_size"]
    if channels != 3 or own != width:
        raise ValueError(f"encoder: timm's {name} takes images {tuple(config['input_size'])}, expected square ones of three colours")
    if size is not None and size != own and getattr(network, "pretrained_cfg", {}).get("fixed_input_size"):
        network = _pretrained(timm, name, img_size=size)
    preprocessing = _preprocessing(name, config, own if size is None else size)
    return image_encoder(name, _dim(name, network, preprocessing.size), network, preprocessing)


def _pretrained(timm: Any, name: str, **arguments: int) -> nn.Module:
    """The network with its pretrained weights, in evaluation mode."""
    network: nn.Module = build_without_drawing(lambda: timm.create_model(name, pretrained=True, num_classes=0, **arguments))
    return network.eval()


def _preprocessing(name: str, config: Mapping[str, Any], size: int) -> Preprocessing:
    """timm's evaluation transform of a model, for another size if one was given."""
    interpolation, mode = config.get("interpolation", "bicubic"), config.get("crop_mode") or "center"
    if interpolation not in INTERPOLATIONS or mode not in ("center", "squash"):
        expected = f"{' or '.join(INTERPOLATIONS)}, center or squash"
        raise ValueError(f"encoder: timm's {name} scales by {interpolation} and crops by {mode}, expected {expected}")
    scaled = math.floor(size / config.get("crop_pct", 1.0))
    if mode == "squash" and scaled != size:
        raise ValueError(f"encoder: timm's {name} squeezes images to {scaled} px and crops them to {size}, expected one or the other")
    return Preprocessing(size, tuple(config["mean"]), tuple(config["std"]), interpolation, None if mode == "squash" else scaled)


def _dim(name: str, network: nn.Module, size: int) -> int:
    """Length of a latent, found by computing one: models do not agree on the attribute that holds it."""
    try:
        with torch.inference_mode():
            latent = network(torch.zeros(1, 3, size, size, device="cpu"))
    except Exception as error:  # models refuse what does not suit them in many ways
        raise ValueError(f"size: timm's {name} takes no images of {size} px ({error})") from error
    if not isinstance(latent, Tensor) or latent.ndim != 2:
        got = tuple(latent.shape) if isinstance(latent, Tensor) else type(latent).__name__
        raise ValueError(f"encoder: timm's {name} gave {got} for one image, expected (1, d)")
    return int(latent.shape[1])
