"""`latentlink inspect`: the contents of a file, after checking it."""

from pathlib import Path

from latentlink.cli.console import at, facts
from latentlink.data.readers.files import read_latents
from latentlink.storage.artifacts import ArtifactError, read


def inspect(file: Path) -> None:
    """Check a saved pair, link or head byte by byte and show its manifest; or describe a file of latents.

    Example: `latentlink inspect demo/link.safetensors`

    Parameters
    ----------
    file
        A file of latentlink, or of latents (.npy, .npz, .safetensors, .parquet, .pt; FILE::KEY names one of several arrays).
    """
    if file.suffix == ".safetensors":
        try:
            tensors, manifest = read(file)
        except ArtifactError as error:
            if "without a latentlink manifest" not in str(error):
                raise
        else:
            facts(str(file), ((name, value) for name, value in manifest.items() if name != "conventions"))
            facts("conventions", manifest["conventions"].items())
            facts("tensors", ((name, f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}") for name, value in tensors.items()))
            return
    latents = read_latents(*at(file))
    spread = latents.double().std(0, correction=0)
    facts(str(file), [
        ("latents", f"{latents.shape[0]} × {latents.shape[1]} {str(latents.dtype).removeprefix('torch.')}"),
        ("mean", float(latents.double().mean())),
        ("standard deviation per dimension", f"{float(spread.min()):.4g} to {float(spread.max()):.4g}"),
        ("constant dimensions", int((spread == 0).sum())),
    ])  # fmt: skip
