"""`latentlink evaluate`: a saved link on unseen latents."""

from pathlib import Path

import polars as pl

from latentlink.baselines.alignment import unaligned
from latentlink.channels.channel import Channel
from latentlink.cli.console import facts, print_table, read_pilots, wrote
from latentlink.cli.options import USUAL_READING, Device, Integer, Number, Reading, ReadingOptions
from latentlink.cli.radio import read_radio
from latentlink.evaluation import evaluate as evaluation
from latentlink.latents.pilots import Pilots
from latentlink.links.transceiver import Transceiver
from latentlink.numerics.doors import device_named, integer
from latentlink.numerics.seeds import stream_generator
from latentlink.storage.artifacts import load
from latentlink.storage.atomic import atomic_path
from latentlink.tasks.heads import SoftmaxHead
from latentlink.tasks.metrics import Accuracy, Rate, accuracy


def evaluate(
    link: Path,
    transmitter: str,
    receiver: str,
    labels: str | None = None,
    *,
    head: Path | None = None,
    channel: str | None = None,
    snr_db: Number | None = None,
    matched: bool = True,
    output: Path | None = None,
    seed: Integer = 0,
    device: Device = "cpu",
    reading: ReadingOptions = USUAL_READING,
) -> None:
    """Send unseen latents over a saved link and measure what the receiver understands.

    Example: `latentlink evaluate my-link/link.safetensors tx-test.npy rx-test.npy labels-test.npy`

    Parameters
    ----------
    link
        A link saved by `latentlink fit` or `transceiver.save`, or the folder that `latentlink fit` wrote.
    transmitter
        Unseen latents at the transmitter, (n, d), as for `latentlink fit`.
    receiver
        Latents of the same observations at the receiver, (n, m).
    labels
        Their classes; without them the latents' error is measured, and the agreement with the head where there is one.
    head
        The receiver's saved classifier; head.safetensors beside the link if not given.
    channel
        Channels that messages pass, if not those of the design (a file as for `latentlink fit`).
    snr_db
        SNR of these channels, if not that of the design.
    matched
        Match the decoder to these channels, as a receiver that measures them does.
    output
        Also write one row per channel to this .parquet file.
    seed
        Seed of the noise.
    """
    integer("--seed", seed, 0, 2**64 - 1)
    link = link / "link.safetensors" if link.is_dir() else link
    if not link.is_file():
        raise ValueError(f"there is no link {link}: name a file that `latentlink fit` wrote, or its folder")
    transceiver = load(link, Transceiver).to(device_named(device))  # type: ignore[type-abstract]
    test = read_pilots(transmitter, receiver, labels, reading).to(device)
    beside = link.with_name("head.safetensors")
    if head is None and not beside.exists() and test.labels is not None:
        raise ValueError(f"there is no {beside}: name the receiver's classifier with --head")
    classifier = load(head or beside, SoftmaxHead).to(device) if head is not None or beside.exists() else None
    radio = _channel(transceiver, channel, snr_db, reading)
    if matched and (radio is not transceiver.channel or getattr(transceiver, "awaits_channel", False)):
        transceiver = transceiver.matched_to(radio)
    generator = stream_generator(seed, "noise", device=device)  # another stream than that of the channel that `fit` draws
    seen = evaluation.evaluate(transceiver, test.x, test.y, channel=radio, head=classifier, labels=test.labels, generator=generator)
    _print_facts(seen, test, classifier, radio)
    if output is not None:
        names = [name for name in ("accuracy", "agreement", "mse", "nmse", "power", "peak_power") if getattr(seen, name) is not None]
        with atomic_path(output) as draft:
            pl.DataFrame({name: getattr(seen, name).flatten().tolist() for name in names}).write_parquet(draft)
        wrote(output)


def _print_facts(seen: evaluation.Evaluation, test: Pilots, classifier: SoftmaxHead | None, radio: Channel) -> None:
    """Print the accuracy, where there are a classifier and labels, and the facts of the link."""
    rows: list[tuple[str, object]] = [("messages", f"{len(test)} over {radio.batch.numel()} channel(s)")]
    if seen.agreement is not None:
        rows.append(("agreement with the head on y", float(seen.agreement.mean())))
    rows += [
        ("NMSE", float(seen.nmse.mean())),
        ("measured power per use (budget)", f"{float(seen.power.mean()):.4f} ({float(radio.power.mean()):.4g})"),
        ("peak power of a message", float(seen.peak_power.max())),
    ]
    if classifier is not None and test.labels is not None:
        _print_accuracy(seen, accuracy(classifier, test.y, test.labels))
        without = accuracy(classifier, unaligned(test.x, test.y.shape[1]), test.labels).overall.value
        rows.append(("unaligned latents would give", without))
    facts("link", rows)


def _print_accuracy(seen: evaluation.Evaluation, own: Accuracy) -> None:
    """Print the accuracy over all messages and for each class, averaged over channels, beside that of the receiver's own latents."""
    rows = []
    shares = {"all": (seen.accuracy, own.overall)} | {f"class {c}": (seen.per_class[c], rate) for c, rate in own.per_class.items()}
    for name, (share, rate) in shares.items():
        assert share is not None
        pooled = Rate.of_share(float(share.mean()), rate.count)
        rows.append([name, f"{pooled.value:.4f}", f"{pooled.low:.4f}–{pooled.high:.4f}", f"{rate.value:.4f}"])
    mean = sum(float(share.mean()) for share in seen.per_class.values()) / len(seen.per_class)
    rows.append(["mean per class", f"{mean:.4f}", "", f"{own.mean_per_class:.4f}"])
    print_table("accuracy", ("", "link", "95 % interval", "receiver's own latents"), rows)


def _channel(transceiver: Transceiver, path: str | None, snr_db: float | None, reading: Reading) -> Channel:
    designed = transceiver.channel
    if path is None and snr_db is None:
        return designed
    h = designed.h if path is None else read_radio(path, reading).to(designed.h.device)
    if path is not None and h.shape[-3] == 1:
        h = h.expand(*h.shape[:-3], designed.uses, *h.shape[-2:])
    if snr_db is not None:
        return Channel.from_grid(h, snr_db, float(designed.power.mean()))
    return Channel(h, float(designed.noise_variance.mean()), float(designed.power.mean()))
