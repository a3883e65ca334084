"""`latentlink fit`: from files of latents and labels to a pair, a link and a head; or to a codec for every channel."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import torch
from cyclopts import Parameter
from rich.progress import MofNCompleteColumn, TextColumn
from torch import Tensor

from latentlink.bounds.capacity import capacity
from latentlink.channels.channel import Channel
from latentlink.channels.draws import ChannelDraws
from latentlink.channels.fading import rayleigh
from latentlink.cli.console import at, facts, messages, progress, read_pilots, wrote
from latentlink.cli.options import Device
from latentlink.data.readers.files import read_channels, read_latents
from latentlink.latents.pilots import Pilots
from latentlink.linear.design import ClosedForm
from latentlink.linear.goal_choice import choose_goal
from latentlink.linear.modes import SemanticModes
from latentlink.links.solution import Solution
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.streams import symbols
from latentlink.neural.codec.training import CodecTraining, codec_training, named_objective
from latentlink.numerics.doors import device_named, integer, real
from latentlink.numerics.extras import import_extra
from latentlink.numerics.seeds import stream_generator
from latentlink.power import AllocatedWord, MessageWord, named
from latentlink.storage.artifacts import load
from latentlink.studies.shared import PilotKnowledge
from latentlink.tasks.heads import SoftmaxHead, fit_head

_ANTENNAS = 8  # of the Rayleigh channel that is drawn where none is given


@dataclass(frozen=True)
class CodecOptions:
    """Options of a codec.

    Parameters
    ----------
    objective
        What the codec is trained for: the head's softmax, the latent itself (mse), its direction (cosine), or finding it among others
        (retrieval).
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
    rounds: int = 30
    max_symbols: int = 16
    train_antennas: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16)
    train_snr_db: tuple[float, float] = (-10.0, 30.0)
    peak: float | None = None
    flops: int | None = None
    microseconds: float | None = None
    unpaired: Path | None = None
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


_USUAL = CodecOptions()


def fit(
    transmitter: Path,
    receiver: Path,
    labels: Path,
    *,
    method: Literal["linear", "codec"] = "linear",
    output: Path = Path("link"),
    channel: Path | None = None,
    n_tx: int | None = None,
    n_rx: int | None = None,
    uses: int = 1,
    snr_db: float = 20.0,
    gain: float | None = None,
    power: AllocatedWord = "mean",
    budget: float = 1.0,
    goal: Literal["auto", "fisher", "logits", "mse"] = "fisher",
    temperature: float = 3.0,
    fidelity: float = 0.01,
    shrinkage: Literal["auto"] | float = "auto",
    complex_linear: bool = False,
    head: Path | None = None,
    seed: int | None = None,
    device: Device = "cpu",
    codec: Annotated[CodecOptions, Parameter(name="*", group="Codec (with --method codec)")] = _USUAL,
) -> None:
    """Design the exact linear link between two encoders from files of their latents, or train a codec for every channel.

    Writes pair.safetensors (what the two devices agree on once), link.safetensors (both ends for the channel) and head.safetensors (the
    receiver's classifier); a codec also codec.safetensors, whose `design` serves any other channel.

    Example: `latentlink fit tx-train.npy rx-train.npy labels-train.npy --n-tx 4 --n-rx 4 --snr-db 10 --output my-link`

    Example: `latentlink fit tx-train.npy rx-train.npy labels-train.npy --method codec --n-tx 2 --n-rx 2 --output my-codec`

    Parameters
    ----------
    transmitter
        Latents of the pilots at the transmitter, (n, d): .npy, .npz, .safetensors, .parquet or .pt; FILE::KEY names one of several arrays.
    receiver
        Latents of the same observations at the receiver, (n, m).
    labels
        Their class numbers (also .csv or .txt).
    method
        The exact linear design, or a codec: networks that contain it, trained once for all channels.
    output
        Folder for the files.
    channel
        Channels to design for, complex [N, rx, tx] or [N, uses, rx, tx]: .npy, .npz, .h5 or .mat (v7.3); else one Rayleigh channel.
    n_tx
        Transmit antennas of the Rayleigh channel, 8 if not given; with --channel, what its file must hold.
    n_rx
        Receive antennas of the Rayleigh channel, 8 if not given; with --channel, what its file must hold.
    uses
        Channel uses per message over the same channel matrix.
    snr_db
        Power of one transmit antenna over the noise of one receive antenna, in dB.
    gain
        Mean squared coefficient of the Rayleigh channel, and of those on which a codec is trained; 1 if not given.
    power
        What the power limits: its mean over messages and uses, each channel use, or each message; equal gives each use the same power,
        one-use-at-a-time also sends modes in turn.
    budget
        Transmit power per channel use.
    goal
        What to design for: the head's softmax (fisher), its logits, the latent itself (mse), or what held-out pilots favour (auto).
    temperature
        Temperature of the fisher goal.
    fidelity
        Share of plain MSE in the goal.
    shrinkage
        Regularisation relative to the mean variance, or "auto".
    complex_linear
        Restrict the pair to complex-linear maps, as the paper does (goal: mse).
    head
        A head saved by an earlier fit, instead of a new one.
    seed
        Seed of the Rayleigh channel, and of a codec's training; 0 if not given.
    """
    integer("--seed", seed or 0, 0)
    if gain is not None:
        real("--gain", gain, above=0.0)
    pilots = read_pilots(transmitter, receiver, labels).to(device_named(device))
    classifier = (fit_head(pilots.y, pilots.require_labels()) if head is None else load(head, SoftmaxHead)).to(device)
    known = PilotKnowledge(pilots, classifier)
    own = (None, None) if method == "codec" and channel is not None else (gain, seed)  # they belong to the training then
    radio = Channel.from_grid(_matrices(channel, n_rx, n_tx, *own).to(device), snr_db, budget).repeated(uses)
    found, goal_name = _choose_modes(known, radio, goal, temperature, fidelity, shrinkage, not complex_linear)
    modes = found.named(transmitter.stem, receiver.stem)
    if method == "codec":
        if symbols(radio) > codec.max_symbols:
            raise ValueError(f"the channel takes {symbols(radio)} symbols a message, and --max-symbols is {codec.max_symbols}: raise it")
        networks = _train(codec, codec.training(power, 1.0 if gain is None else gain, seed or 0), modes, known, output / "codec.training")
        networks.save(output / "codec.safetensors")
        solution: Solution = networks.design(radio)
    elif codec != _USUAL:
        raise ValueError("options of the codec are given, and --method is linear: add --method codec")
    else:
        messages_of = {"x": pilots.x, "y": pilots.y} if power == "per-message" else {}
        solution = ClosedForm(power=named(power, **messages_of)).design(modes, radio)
    modes.save(output / "pair.safetensors")
    classifier.save(output / "head.safetensors")
    solution.transceiver.to(torch.float32).save(output / "link.safetensors")
    _print_facts(pilots, goal_name, modes, radio, snr_db, solution)
    wrote(*(output / f"{name}.safetensors" for name in ("pair", "head", "link", *(["codec"] if method == "codec" else []))))
    old = output / "codec.safetensors"
    if method == "linear" and old.is_file():
        messages.print(f"{old} is from an earlier fit and does not belong to these files", style="yellow", markup=False)


def _matrices(channel: Path | None, n_rx: int | None, n_tx: int | None, gain: float | None, seed: int | None) -> Tensor:
    """Channels of a file, or one drawn."""
    if channel is None:
        generator = stream_generator(0 if seed is None else seed, "channel")
        size = (_ANTENNAS if n_rx is None else n_rx, _ANTENNAS if n_tx is None else n_tx)
        return rayleigh(*size, gain=1.0 if gain is None else gain, generator=generator).unsqueeze(-3)
    given = {"--gain": gain, "--seed": seed}
    if idle := [name for name, value in given.items() if value is not None]:
        raise ValueError(f"{', '.join(idle)} draw a channel, and --channel {channel} brings one: give one or the other")
    h = read_channels(*at(channel))
    for name, wanted, found in (("--n-rx", n_rx, h.shape[-2]), ("--n-tx", n_tx, h.shape[-1])):
        if wanted is not None and wanted != found:
            raise ValueError(f"{name} must be {found}, what --channel {channel} holds as [N, uses, rx, tx], got {wanted}: swap its axes?")
    return h


def _choose_modes(
    known: PilotKnowledge,
    channel: Channel,
    goal: Literal["auto", "fisher", "logits", "mse"],
    temperature: float,
    fidelity: float,
    shrinkage: float | str,
    widely_linear: bool,
) -> tuple[SemanticModes, str]:
    """The modes for a goal, and what the goal is called."""
    if not widely_linear and goal != "mse":
        raise ValueError(f"--complex-linear is the paper's MSE design: give --goal mse with it, got --goal {goal}")
    if goal == "auto":
        messages.print("trying goals on held-out pilots …")
        choice = choose_goal(known.pilots.x, known.pilots.y, known.head, labels=known.pilots.labels, shrinkage=shrinkage)
        return choice.modes_for(channel), f"{choice.name_for(channel)} (chosen on held-out pilots)"
    settings = {"mse": "", "logits": f", fidelity {fidelity:g}", "fisher": f", temperature {temperature:g}, fidelity {fidelity:g}"}
    return known.modes(goal, temperature, fidelity, widely_linear, shrinkage), goal + settings[goal]


def _train(options: CodecOptions, settings: CodecTraining, modes: SemanticModes, known: PilotKnowledge, checkpoint: Path) -> Codec:
    """Train a codec with a bar that shows its validation score; interrupted training is resumed from its checkpoint."""
    logger: Any = None
    if options.tensorboard is not None:
        import_extra("tensorboard", "tensorboard")
        logger = import_extra("torch.utils.tensorboard", "tensorboard").SummaryWriter(str(options.tensorboard))
    unpaired = None if options.unpaired is None else read_latents(*at(options.unpaired)).to(known.pilots.x.device)
    score = "agreement" if options.objective == "head" else "score"
    with progress(MofNCompleteColumn(), TextColumn("{task.fields[score]}")) as bar:
        task = bar.add_task("training the codec", total=settings.rounds, score="")

        def update(number: int, rounds: int, loss: float, value: float) -> None:
            bar.update(task, completed=number, score=f"validation {score} {value:.3f}")

        fit = settings.fit(
            modes,
            known.pilots,
            named_objective(options.objective, known.head),
            unpaired=unpaired,
            checkpoint=checkpoint,
            progress=update,
            logger=logger,
        )
    if logger is not None:
        logger.close()
    if torch.isnan(fit.trace["training_loss"]).any():
        messages.print("training diverged; the best weights before that are used", style="yellow")
    return fit.codec


def _print_facts(pilots: Pilots, goal: str, modes: SemanticModes, radio: Channel, snr_db: float, solution: Solution) -> None:
    streams = min(len(modes), 2 * radio.uses * min(radio.n_rx, radio.n_tx))
    expected = solution.expected_mse
    facts("link", [
        ("pilots", f"{len(pilots)}, {pilots.x.shape[1]} → {pilots.y.shape[1]} dimensions"),
        ("goal", goal),
        ("semantic modes", f"{len(modes)}, {streams} streams, shrinkage {modes.shrinkage:.3g}"),
        ("channel", f"{radio.n_rx}×{radio.n_tx}, {radio.uses} use(s), {snr_db:g} dB, {radio.batch.numel()} channel(s)"),
        ("capacity, bits per message", float(capacity(radio).mean())),
        ("expected NMSE on the pilots", "not known" if expected is None else float(expected.mean() / modes.variance)),
        ("status", "; ".join(solution.messages())),
    ])  # fmt: skip
