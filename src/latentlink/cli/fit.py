"""`latentlink fit`: from files of latents and labels to a pair, a link and a head."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import torch
from cyclopts import Parameter
from torch import Tensor

from latentlink.bounds.capacity import capacity
from latentlink.channels.channel import Channel
from latentlink.channels.fading import rayleigh
from latentlink.cli import console
from latentlink.cli.console import at, device_named, facts, messages, wrote
from latentlink.cli.fit_codec import CodecOptions, train
from latentlink.cli.options import Device
from latentlink.data.readers.files import read_channels
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.linear.design import ClosedForm
from latentlink.linear.goal import Goal
from latentlink.linear.goal_choice import choose_goal
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.links.solution import Solution
from latentlink.neural.codec.streams import symbols
from latentlink.numerics.seeds import stream_generator
from latentlink.power import named
from latentlink.storage.artifacts import load
from latentlink.tasks.heads import SoftmaxHead, fit_head

_USUAL = CodecOptions()
_ANTENNAS = 8  # of the Rayleigh channel that is drawn where none is given


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
    power: Literal["mean", "per-use", "per-message"] = "mean",
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
        What the power limits: its mean over messages and uses, each channel use, or each message.
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
    pilots = console.pilots(transmitter, receiver, labels).to(device_named(device))
    classifier = (fit_head(pilots.y, pilots.require_labels()) if head is None else load(head, SoftmaxHead)).to(device)
    own = (None, None) if method == "codec" and channel is not None else (gain, seed)  # they belong to the training then
    h = _matrices(channel, n_rx, n_tx, *own)
    radio = Channel.from_grid(h.to(device), snr_db, budget).repeated(uses)
    chosen = _modes(pilots, classifier, radio, goal, temperature, fidelity, shrinkage, not complex_linear)
    modes = chosen.modes.named(transmitter.stem, receiver.stem)
    if method == "codec":
        solution = _train_codec(codec, power, gain or 1.0, seed or 0, modes, pilots, classifier, radio, output)
    elif codec != _USUAL:
        raise ValueError("options of the codec are given, and --method is linear: add --method codec")
    else:
        messages_of = {"x": pilots.x, "y": pilots.y} if power == "per-message" else {}
        solution = ClosedForm(power=named(power, **messages_of)).design(modes, radio)
    modes.save(output / "pair.safetensors")
    classifier.save(output / "head.safetensors")
    solution.transceiver.to(torch.float32).save(output / "link.safetensors")
    _print_facts(pilots, chosen.name, modes, radio, snr_db, solution)
    _list_files(output, method == "codec")


class _Chosen(NamedTuple):
    """Semantic modes, and what their goal is called."""

    modes: SemanticModes
    name: str


def _train_codec(
    codec: CodecOptions,
    power: str,
    gain: float,
    seed: int,
    modes: SemanticModes,
    pilots: Pilots,
    head: SoftmaxHead,
    radio: Channel,
    output: Path,
) -> Solution:
    """Train a codec, save it, and design by it for the channel."""
    if symbols(radio) > codec.max_symbols:
        raise ValueError(f"the channel takes {symbols(radio)} symbols a message, and --max-symbols is {codec.max_symbols}: raise it")
    networks = train(codec, codec.training(power, gain, seed), modes, pilots, head, output / "codec.training")
    networks.save(output / "codec.safetensors")
    return networks.design(radio)


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


def _list_files(output: Path, codec: bool) -> None:
    """Print what was written, and warn of a codec of an earlier fit, to which the new files do not belong."""
    wrote(*(output / f"{name}.safetensors" for name in ("pair", "head", "link", *(["codec"] if codec else []))))
    old = output / "codec.safetensors"
    if not codec and old.is_file():
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


def _modes(
    pilots: Pilots,
    head: SoftmaxHead,
    channel: Channel,
    goal: str,
    temperature: float,
    fidelity: float,
    shrinkage: float | str,
    widely_linear: bool,
) -> _Chosen:
    """The modes for a goal, and what the goal is called."""
    if not widely_linear and goal != "mse":
        raise ValueError(f"--complex-linear is the paper's MSE design: give --goal mse with it, got --goal {goal}")
    if goal == "auto":
        messages.print("trying goals on held-out pilots …")
        choice = choose_goal(pilots.x, pilots.y, head, labels=pilots.labels, shrinkage=shrinkage)
        return _Chosen(choice.modes_for(channel), f"{choice.name_for(channel)} (chosen on held-out pilots)")
    moments = Moments.from_pairs(pilots.x, pilots.y)
    if goal == "mse":
        return _Chosen(semantic_modes(moments, None, shrinkage, widely_linear), "mse")
    if goal == "logits":
        return _Chosen(semantic_modes(moments, Goal.logits(head, pilots.y, fidelity), shrinkage), f"logits, fidelity {fidelity:g}")
    metric = Goal.fisher(head, pilots.y, temperature, fidelity)
    return _Chosen(semantic_modes(moments, metric, shrinkage), f"fisher, temperature {temperature:g}, fidelity {fidelity:g}")
