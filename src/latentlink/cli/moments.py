"""`latentlink moments`: from files of latents at both ends to their moments, however large they are."""

from pathlib import Path

from latentlink.cli.beyond_memory import FOLDS, open_pairs, row_bar
from latentlink.cli.console import facts, wrote
from latentlink.cli.options import USUAL_READING, Cluster, Integer, ReadingOptions
from latentlink.data.sharded.paired_rows import check_labels
from latentlink.data.sharded.second_order import moments_of_pairs
from latentlink.execution.connecting import cluster_of
from latentlink.numerics.doors import integer
from latentlink.storage.atomic import check_writable


def moments(
    transmitter: str,
    receiver: str,
    *,
    output: Path = Path("moments.safetensors"),
    folds: Integer = FOLDS,
    cluster: Cluster = None,
    reading: ReadingOptions = USUAL_READING,
) -> None:
    """Compute the moments of pairs of latents, which is all that a linear design needs of them, from files of any size.

    A block of rows is in memory at a time. An interrupted command goes on from the output file, when it is given again.

    Example: `latentlink moments "vit/*.parquet" "resnet/*.parquet" --output link/moments.safetensors`

    Parameters
    ----------
    transmitter
        Latents at the transmitter, (n, d), as for `latentlink fit`.
    receiver
        Latents of the same observations at the receiver, (n, m).
    output
        File for the moments; `latentlink fit --stream` takes them up from moments.safetensors in its output folder, and `latentlink.load`
        reads them.
    folds
        Disjoint parts whose moments are stored besides, for errors on held-out pilots.
    """
    check_writable(output)
    integer("--folds", folds)
    pairs = open_pairs(transmitter, receiver, reading)
    check_labels(pairs)
    with cluster_of(cluster) as workers, row_bar("moments") as shown:
        found = moments_of_pairs(pairs, folds, output, shown, workers)
    variances = [float(covariance.diagonal().sum()) for covariance in (found.cov_x, found.cov_y)]
    facts("moments", [
        ("pairs", found.count),
        ("dimensions", f"{len(found.mean_x)} → {len(found.mean_y)}"),
        ("variance", " → ".join(f"{value:.4g}" for value in variances)),
    ])  # fmt: skip
    wrote(output)
