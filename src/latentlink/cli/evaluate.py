"""`latentlink evaluate`: a saved link on unseen latents."""

from pathlib import Path
from typing import TypeVar

import polars as pl
import torch
from rich.table import Table

from latentlink.channels.channel import Channel
from latentlink.cli.console import facts, out, wrote
from latentlink.data.files import read_channels, read_labels, read_latents
from latentlink.io.artifacts import load
from latentlink.io.atomic import atomic_path
from latentlink.latents.pilots import Pilots
from latentlink.limits import unaligned
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.tasks import evaluation
from latentlink.tasks.heads import SoftmaxHead
from latentlink.tasks.metrics import Rate, accuracy

T = TypeVar("T")


def evaluate(
    link: Path,
    transmitter: Path,
    receiver: Path,
    labels: Path,
    *,
    head: Path | None = None,
    channel: Path | None = None,
    snr_db: float | None = None,
    matched: bool = True,
    output: Path | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Send unseen latents over a saved link and measure what the receiver understands.

    Example: `latentlink evaluate my-link/link.safetensors tx-test.npy rx-test.npy labels-test.npy`

    Parameters
    ----------
    link
        A link saved by `latentlink fit` or `transceiver.save`.
    transmitter
        Unseen latents at the transmitter, (n, d).
    receiver
        Latents of the same observations at the receiver, (n, m).
    labels
        Their class numbers.
    head
        The receiver's saved classifier; head.safetensors beside the link if not given.
    channel
        Channels really passed, if not those of the design (file as in `latentlink fit`).
    snr_db
        Their SNR, if not that of the design.
    matched
        Refit the decoder to the channels really passed, as a receiver that measures them does.
    output
        Also write one row per channel to this .parquet file.
    seed
        Of the noise.
    device
        Torch device, "cpu" or "cuda".
    """
    transceiver = _loaded(link, LinearTransceiver, "link").to(device)
    classifier = _loaded(head or link.with_name("head.safetensors"), SoftmaxHead, "head").to(device)
    test = Pilots(read_latents(transmitter), read_latents(receiver), read_labels(labels)).to(device)
    radio = _channel(transceiver, channel, snr_db)
    if matched and radio is not transceiver.channel:
        transceiver = transceiver.matched_to(radio)
    generator = torch.Generator(device=device).manual_seed(seed)
    seen = evaluation.evaluate(transceiver, test.x, test.y, radio, classifier, test.labels, generator)
    assert seen.accuracy is not None
    channels = radio.batch.numel()
    rate = _pooled(seen.accuracy, len(test), channels)
    own = accuracy(classifier, test.y, test.labels)
    table = Table(title="accuracy", title_justify="left")
    for name in ("", "link", "95 % interval", "receiver's own latents"):
        table.add_column(name, justify="left" if not name else "right")
    table.add_row("all", f"{rate.value:.4f}", f"{rate.low:.4f}–{rate.high:.4f}", f"{own.overall.value:.4f}")
    for c, values in seen.per_class.items():
        of_class = _pooled(values, own.per_class[c].count, channels)
        table.add_row(f"class {c}", f"{of_class.value:.4f}", f"{of_class.low:.4f}–{of_class.high:.4f}", f"{own.per_class[c].value:.4f}")
    table.add_row(
        "mean per class",
        f"{sum(float(v.mean()) for v in seen.per_class.values()) / len(seen.per_class):.4f}",
        "",
        f"{own.mean_per_class:.4f}",
    )
    out.print(table)
    facts("link", [
        ("messages", f"{len(test)} over {channels} channel(s)"),
        ("agreement with the head on y", float(seen.agreement.mean())),
        ("NMSE", float(seen.nmse.mean())),
        ("measured power per use (budget)", f"{float(seen.power.mean()):.4f} ({float(radio.power.mean()):.4g})"),
        ("peak power of a message", float(seen.peak_power.max())),
        ("unaligned latents would give", accuracy(classifier, unaligned(test.x, test.y.shape[1]), test.labels).overall.value),
    ])  # fmt: skip
    if output is not None:
        columns = {name: getattr(seen, name).flatten().cpu() for name in ("accuracy", "agreement", "mse", "nmse", "power", "peak_power")}
        with atomic_path(output) as draft:
            pl.DataFrame({name: values.tolist() for name, values in columns.items()}).write_parquet(draft)
        wrote(output)


def _loaded(path: Path, kind: type[T], name: str) -> T:
    content = load(path)
    if not isinstance(content, kind):
        raise ValueError(f"{path}: expected a saved {name}, got a {type(content).__name__}")
    return content


def _channel(transceiver: LinearTransceiver, path: Path | None, snr_db: float | None) -> Channel:
    designed = transceiver.channel
    if path is None and snr_db is None:
        return designed
    h = designed.h if path is None else read_channels(path).to(designed.h.device)
    if path is not None and h.shape[-3] == 1:
        h = h.expand(*h.shape[:-3], designed.uses, *h.shape[-2:])
    if snr_db is not None:
        return Channel.from_grid(h, snr_db, float(designed.power.mean()))
    return Channel(h, float(designed.noise_variance.mean()), float(designed.power.mean()))


def _pooled(shares: torch.Tensor, messages: int, channels: int) -> Rate:
    """The rate over all messages of all channels."""
    return Rate.of(round(float(shares.mean()) * messages * channels), messages * channels)
