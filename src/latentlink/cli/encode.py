"""`latentlink encode`: images or texts to latents, in a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from latentlink.cli.console import encoding_bars, facts, wrote
from latentlink.cli.options import Cluster, Device, Integer
from latentlink.data import cache
from latentlink.data.datasets.cifar import cifar10
from latentlink.data.datasets.clip_art import clip_art
from latentlink.data.datasets.images import ImageSet, Split, digits, fashion_mnist
from latentlink.data.datasets.texts import Observations
from latentlink.data.datasets.wordnet import wordnet
from latentlink.data.encoders.catalogue import encoder as encoder_by_name
from latentlink.data.readers.images import read_images
from latentlink.data.readers.writing import check_writable_suffix, write_array
from latentlink.execution.connecting import cluster_of
from latentlink.numerics.doors import device_named, integer
from latentlink.storage.atomic import check_writable


def encode(
    encoder: str,
    output: Path,
    *,
    dataset: Literal["fashion-mnist", "cifar-10", "digits", "wordnet", "clip-art"] = "fashion-mnist",
    images: Path | None = None,
    split: Literal["train", "test"] = "train",
    limit: Integer | None = None,
    image_size: Integer | None = None,
    labels: Path | None = None,
    cluster: Cluster = None,
    device: Device = "cpu",
) -> None:
    """Encode images or texts with a pretrained encoder and write the latents, one a row.

    Latents are cached: the same ones are encoded once, and an interrupted encoding resumes.

    Example: `latentlink encode mobilenet-v2 tx-train.npy --limit 12000 --labels labels-train.npy`

    Parameters
    ----------
    encoder
        mobilenet-v2, efficientnet-lite0, efficientnet-lite1, efficientnet-lite2, or the name of a timm model (extra `timm`); for texts
        minilm or wordllama (extra `text`).
    output
        Where the latents go: .npy, .safetensors, .parquet or .pt.
    dataset
        Whose images to encode; wordnet has texts, and clip-art drawings with titles, of which the encoder sees what it takes.
    images
        A .npy file of own images instead: uint8, (n, height, width) or (n, height, width, 3).
    split
        Training or test part of the data set.
    limit
        Only the first images or texts.
    image_size
        Pixels to which images are scaled; 64, or what a timm model was trained at, if not given.
    labels
        Also write the class numbers of the data set here.
    """
    for written in (output, labels):
        if written is not None:
            check_writable_suffix(written)
            check_writable(written)
    if images is not None:
        if labels is not None:
            raise ValueError("--labels writes the classes of a data set; images from a file have none")
        pixels = read_images(images)
        chosen: Observations = ImageSet(images.stem, pixels)
    else:
        sets: dict[str, Callable[[Split], Observations]] = {
            "fashion-mnist": fashion_mnist,
            "cifar-10": cifar10,
            "digits": digits,
            "wordnet": wordnet,
            "clip-art": clip_art,
        }
        chosen = sets[dataset](split)
    if limit is not None:
        chosen = chosen.subset(slice(0, integer("--limit", limit)))
    chosen_encoder = encoder_by_name(encoder, image_size).to(device_named(device))
    with cluster_of(cluster) as workers, encoding_bars() as progress:
        latents = cache.encode(chosen_encoder, chosen, progress=progress, executor=workers)
    write_array(output, latents)
    facts("latents", [("encoder", encoder), (chosen_encoder.sees, f"{chosen.name}, {len(chosen)}"), ("dimension", latents.shape[1])])
    if labels is not None and chosen.labels is not None:
        write_array(labels, chosen.labels)
        wrote(labels)
    wrote(output)
