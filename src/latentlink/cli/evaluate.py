"""`latentlink evaluate`: a saved link on unseen latents."""

import warnings
from pathlib import Path

import polars as pl

from latentlink.baselines.alignment import unaligned
from latentlink.channels.channel import Channel
from latentlink.channels.interference import no_interference
from latentlink.cli.beyond_memory import is_beyond_memory, measure_stream, refuse_what_needs_all
from latentlink.cli.channels import channel_at, read_radio
from latentlink.cli.console import facts, read_pilots, told_warnings, wrote
from latentlink.cli.measured import Rows, list_figures, list_power, print_accuracy, warn_of_error, warn_of_power
from latentlink.cli.options import USUAL_READING, Device, Integer, Number, Reading, ReadingOptions
from latentlink.data.readers.targets import read_targets
from latentlink.evaluation import evaluate as evaluation
from latentlink.evaluation.figures import Evaluation
from latentlink.latents.pilots import Pilots
from latentlink.links.transceiver import Transceiver
from latentlink.numerics.doors import device_named, integer
from latentlink.numerics.seeds import stream_generator
from latentlink.storage.artifacts import load
from latentlink.storage.atomic import atomic_path, check_writable
from latentlink.tasks.heads import LinearHead, SoftmaxHead
from latentlink.tasks.metrics import accuracy


def evaluate(
    link: Path,
    transmitter: str,
    receiver: str,
    labels: str | None = None,
    *,
    targets: str | None = None,
    retrieval: bool = False,
    calibrate: bool = False,
    head: Path | None = None,
    channel: str | None = None,
    snr_db: Number | None = None,
    matched: bool = True,
    output: Path | None = None,
    seed: Integer = 0,
    stream: bool | None = None,
    checkpoint: Path | None = None,
    device: Device = "cpu",
    reading: ReadingOptions = USUAL_READING,
) -> None:
    """Send unseen latents over a saved link and measure what the receiver understands.

    Example: `latentlink evaluate my-link/link.safetensors tx-test.npy rx-test.npy labels-test.npy`

    Example: `latentlink evaluate my-link tx-test.npy rx-test.npy --targets prices-test.npy --calibrate`

    Parameters
    ----------
    link
        A link saved by `latentlink fit` or `transceiver.save`, or the folder that `latentlink fit` wrote.
    transmitter
        Unseen latents at the transmitter, (n, d), as for `latentlink fit`.
    receiver
        Latents of the same observations at the receiver, (n, m).
    labels
        Their classes, by number or name; without them the latents' error is measured, and the agreement with a classifier if there is one.
    targets
        What a regression should give, (n, q), in place of labels: R² and errors of the head's outputs.
    retrieval
        Also search each decoded latent among all of the receiver's: recall@1 and recall@10 by cosine.
    calibrate
        Bring the link's power on these latents to its budget first, by one gain that both ends know, as studies do.
    head
        The receiver's saved head; head.safetensors beside the link if not given.
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
    stream
        Read latents block by block, as what is larger than memory has to be; without it where files take a quarter of the memory or more.
    checkpoint
        A file for the sums so far of latents that are read block by block, from which an interrupted command goes on.
    """
    for written in (output, checkpoint):
        if written is not None:
            check_writable(written)
    integer("--seed", seed, 0, 2**64 - 1)
    link = link / "link.safetensors" if link.is_dir() else link
    if not link.is_file():
        raise ValueError(f"there is no link {link}: name a file that `latentlink fit` wrote, or its folder")
    transceiver = load(link, Transceiver).to(device_named(device))  # type: ignore[type-abstract]
    reader = _head(link, head, labels, targets)
    reader = None if reader is None else reader.to(device)
    radio = _channel(transceiver, channel, snr_db, reading)
    if matched and (radio is not transceiver.channel or getattr(transceiver, "awaits_channel", False)):
        transceiver = transceiver.matched_to(radio)
    sources = (transmitter, receiver, labels, targets)
    if is_beyond_memory(transmitter, receiver) if stream is None else stream:
        refuse_what_needs_all(retrieval, calibrate)
        seen = measure_stream(transceiver, sources, reading, checkpoint, channel=radio, head=reader, generator=seed)
        warn_of_error(seen)
    else:
        seen = _measure(transceiver, sources, reading, radio, reader, seed, retrieval, calibrate)
    warn_of_power(seen, radio, "--calibrate brings it to the budget, as studies do")
    if output is not None:
        _write(seen, output)


def _measure(
    transceiver: Transceiver,
    sources: tuple[str, str, str | None, str | None],
    reading: Reading,
    radio: Channel,
    reader: LinearHead | None,
    seed: int,
    retrieval: bool,
    calibrate: bool,
) -> Evaluation:
    """Measure a link on latents in memory, and print the figures."""
    transmitter, receiver, labels, targets = sources
    device = transceiver.synthesis.device
    test = read_pilots(transmitter, receiver, labels, reading).to(device)
    wanted = None if targets is None else read_targets(targets).to(device)
    link = transceiver.calibrated(test.x) if calibrate else transceiver
    noise = stream_generator(seed, "noise", device=str(device))  # another stream than that of the channel that `fit` draws
    given = {"labels": test.labels_by_name} if isinstance(reader, SoftmaxHead) else {"targets": wanted}
    gallery = test.y if retrieval else None
    with told_warnings():
        seen = evaluation.evaluate(link, test.x, test.y, channel=radio, head=reader, gallery=gallery, generator=noise, **given)
    _print_figures(seen, test, reader, radio)
    warn_of_error(seen, test)
    return seen


def _head(link: Path, head: Path | None, labels: str | None, targets: str | None) -> LinearHead | None:
    """The head that is named, or that beside the link, which must be of the kind that labels or targets are for."""
    beside = link.with_name("head.safetensors")
    if head is None and not beside.exists():
        if labels is not None or targets is not None:
            raise ValueError(f"there is no {beside}: name the receiver's head with --head")
        return None
    found = load(head or beside, LinearHead)
    if isinstance(found, SoftmaxHead) and targets is not None:
        raise ValueError(f"--targets {targets} are of a regression, and {head or beside} is a classifier: give labels, or another --head")
    if labels is not None and not isinstance(found, SoftmaxHead):
        raise ValueError(f"labels {labels} are of a classifier, and {head or beside} is a regression: give --targets, or another --head")
    return found


def _print_figures(seen: Evaluation, test: Pilots, classifier: LinearHead | None, radio: Channel) -> None:
    """Print the accuracy, where there are a classifier and labels, and the facts of the link."""
    rows: Rows = [("messages", f"{len(test)} over {radio.batch.numel()} channel(s)"), *list_figures(seen), *list_power(seen, radio)]
    labels = test.labels_by_name
    if classifier is not None and labels is not None and seen.accuracy is not None:
        with warnings.catch_warnings(action="ignore"):  # the evaluation has told of labels that the head lacks
            own = accuracy(classifier, test.y, labels)
            without = accuracy(classifier, unaligned(test.x, test.y.shape[1]), labels).overall.value
        print_accuracy(seen.accuracy, seen.per_class, own)
        rows.append(("unaligned latents would give", without))
    facts("link", rows)


def _write(seen: Evaluation, output: Path) -> None:
    """Write a row for each channel with all of its figures."""
    with atomic_path(output) as draft:
        pl.DataFrame({name: value.flatten().tolist() for name, value in seen.figures().items()}).write_parquet(draft)
    wrote(output)


def _channel(transceiver: Transceiver, path: str | None, snr_db: float | None, reading: Reading) -> Channel:
    designed = transceiver.channel
    if path is None and snr_db is None:
        return designed
    no_interference(designed.interference, "where --channel or --snr-db replaces what the link was designed for")
    h = designed.h if path is None else read_radio(path, reading).to(designed.h.device)
    if path is not None and h.shape[-3] == 1:
        h = h.expand(*h.shape[:-3], designed.uses, *h.shape[-2:])
    if snr_db is not None:
        return channel_at(h, snr_db, float(designed.power.mean()))
    return Channel(h, float(designed.noise_variance.mean()), float(designed.power.mean()))
