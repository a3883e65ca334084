"""A codec on the command line: its options, and its training with a bar."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from rich.progress import MofNCompleteColumn, TextColumn

from latentlink.channels.channel import Channel
from latentlink.channels.draws import ChannelDraws
from latentlink.cli.console import facts, messages, progress
from latentlink.cli.options import Integer, Number
from latentlink.data.readers.latents import read_latents
from latentlink.linear.modes import SemanticModes
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.streams import symbols
from latentlink.neural.codec.training import CodecTraining
from latentlink.neural.codec.words import codec_training, named_objective
from latentlink.numerics.extras import import_extra
from latentlink.power import MessageWord
from latentlink.studies.knowledge import PilotKnowledge


@dataclass(frozen=True)
class CodecOptions:
    """Options of a codec.

    Parameters
    ----------
    objective
        What the codec is trained for: the head's softmax or outputs, the latent itself (mse), its direction (cosine), or finding it among
        others (retrieval).
    rounds
        Rounds of training, of 100 steps each.
    max_symbols
        Complex symbols that a message may take: channel uses times the smaller number of antennas.
    train_antennas
        Antennas (n_tx = n_rx) of the channels to train on.
    train_snr_db
        Lowest and highest SNR to train on, in dB.
    peak
        Highest power of a message, relative to the budget.
    flops
        Budget of operations per message, met by leaving out whole units.
    microseconds
        Budget of time per message on one thread, met likewise.
    unpaired
        Further latents of the transmitter, (n, d), without the receiver's.
    tensorboard
        Folder for TensorBoard's logs (extra `tensorboard`).
    """

    objective: Literal["head", "mse", "cosine", "retrieval"] = "head"
    rounds: Integer = 30
    max_symbols: Integer = 16
    train_antennas: tuple[Integer, ...] = (1, 2, 3, 4, 6, 8, 12, 16)
    train_snr_db: tuple[Number, Number] = (-10.0, 30.0)
    peak: Number | None = None
    flops: Integer | None = None
    microseconds: Number | None = None
    unpaired: str | None = None
    tensorboard: Path | None = None

    def training(self, power: str, gain: float, seed: int) -> CodecTraining:
        """The settings of the training.

        Raises:
            ValueError: an option is out of range, or two exclude each other.
        """
        if power not in get_args(MessageWord):
            raise ValueError(f"--power {power} is for --method linear; a codec takes {' or '.join(get_args(MessageWord))}")
        return codec_training(
            power=power,
            **{name: getattr(self, name) for name in ("peak", "flops", "microseconds", "max_symbols", "rounds")},
            patience=self.rounds,
            draws=ChannelDraws(antennas=self.train_antennas, snr_db=self.train_snr_db, gain=gain),
            seed=seed,
        )


USUAL_CODEC = CodecOptions()


def check_method(method: str, options: CodecOptions, radio: Channel, csi: str) -> None:
    """Refuse options of the other method, and a channel that the codec cannot serve, before anything is trained."""
    if method != "codec":
        if options != USUAL_CODEC:
            raise ValueError("options of the codec are given, and --method is linear: add --method codec")
        return
    if csi != "perfect":
        raise ValueError(f"--csi {csi} is for --method linear: a codec is designed for the channels that it is given")
    if symbols(radio) > options.max_symbols:
        raise ValueError(f"the channel takes {symbols(radio)} symbols a message, and --max-symbols is {options.max_symbols}: raise it")


def train_codec(options: CodecOptions, settings: CodecTraining, modes: SemanticModes, known: PilotKnowledge, checkpoint: Path) -> Codec:
    """Train a codec with a bar that shows its validation score; interrupted training is resumed from its checkpoint."""
    logger: Any = None
    if options.tensorboard is not None:
        import_extra("tensorboard", "tensorboard")
        logger = import_extra("torch.utils.tensorboard", "tensorboard").SummaryWriter(str(options.tensorboard))
    unpaired = None if options.unpaired is None else read_latents(options.unpaired).to(known.pilots.x.device)
    score = "agreement" if options.objective == "head" else "score"
    with progress(MofNCompleteColumn(), TextColumn("{task.fields[score]}")) as bar:
        task = bar.add_task("training the codec", total=settings.rounds, score="rounds")
        last = time.perf_counter()

        def update(number: int, rounds: int, loss: float, value: float) -> None:
            nonlocal last
            before, last = last, time.perf_counter()
            bar.update(task, completed=number, score=f"rounds of {last - before:.1f} s, validation {score} {value:.3f}")

        fit = settings.fit(
            modes,
            known.pilots,
            named_objective(options.objective, known.classifier),
            unpaired=unpaired,
            checkpoint=checkpoint,
            progress=update,
            logger=logger,
        )
    if logger is not None:
        logger.close()
    if torch.isnan(fit.trace["training_loss"]).any():
        messages.print("training diverged; the best weights before that are used", style="yellow")
    if best := int(fit.trace["best_round"]):
        reached = float(fit.trace["validation_score"][best - 1])
        facts("training", [("best round", best), (f"{score} on held-out pilots, over drawn channels", reached)])
    return fit.codec
