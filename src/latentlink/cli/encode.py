"""`latentlink encode`: images to latents, in a file."""

from pathlib import Path
from typing import Literal

from latentlink.cli.console import encoding_bars, facts, wrote
from latentlink.cli.options import Cluster, Device, Integer
from latentlink.data import cache
from latentlink.data.datasets.cifar import cifar10
from latentlink.data.datasets.images import ImageSet, digits, fashion_mnist
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
    dataset: Literal["fashion-mnist", "cifar-10", "digits"] = "fashion-mnist",
    images: Path | None = None,
    split: Literal["train", "test"] = "train",
    limit: Integer | None = None,
    image_size: Integer | None = None,
    labels: Path | None = None,
    cluster: Cluster = None,
    device: Device = "cpu",
) -> None:
    """Encode images with a pretrained encoder and write the latents, one a row.

    Latents are cached: the same images are encoded once, and an interrupted encoding resumes.

    Example: `latentlink encode mobilenet-v2 tx-train.npy --limit 12000 --labels labels-train.npy`

    Parameters
    ----------
    encoder
        mobilenet-v2, efficientnet-lite0, efficientnet-lite1, efficientnet-lite2, or the name of a timm model (extra `timm`).
    output
        Where the latents go: .npy, .safetensors, .parquet or .pt.
    dataset
        Whose images to encode.
    images
        A .npy file of own images instead: uint8, (n, height, width) or (n, height, width, 3).
    split
        Training or test part of the data set.
    limit
        Only the first images.
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
        chosen = ImageSet(images.stem, pixels)
    else:
        chosen = {"fashion-mnist": fashion_mnist, "cifar-10": cifar10, "digits": digits}[dataset](split)
    if limit is not None:
        chosen = chosen.subset(slice(0, integer("--limit", limit)))
    chosen_encoder = encoder_by_name(encoder, image_size).to(device_named(device))
    with cluster_of(cluster) as workers, encoding_bars() as progress:
        latents = cache.encode(chosen_encoder, chosen, progress=progress, executor=workers)
    write_array(output, latents)
    facts("latents", [("encoder", encoder), ("images", f"{chosen.name}, {len(chosen)}"), ("dimension", latents.shape[1])])
    if labels is not None and chosen.labels is not None:
        write_array(labels, chosen.labels)
        wrote(labels)
    wrote(output)
