"""`latentlink fit`: files of latents and labels to a pair, a link and a head."""

from pathlib import Path
from typing import Annotated, Literal

import torch
from cyclopts import Parameter
from torch import Tensor

from latentlink.bounds.capacity import capacity
from latentlink.channels.channel import Channel
from latentlink.channels.fading import rayleigh
from latentlink.cli import console
from latentlink.cli.console import at, device_named, facts, loaded, messages, wrote
from latentlink.cli.fit_codec import CodecOptions, trained
from latentlink.data.readers.files import read_channels
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.linear.closed_form import ClosedForm
from latentlink.linear.goal import Goal
from latentlink.linear.goal_choice import choose_goal
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.links.solution import Solution
from latentlink.neural.codec.streams import symbols
from latentlink.power import Mean, PerMessage, PerUse, PowerLimit
from latentlink.tasks.heads import SoftmaxHead, fit_head

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
    power: float = 1.0,
    power_limit: Literal["mean", "per-use", "per-message"] = "mean",
    goal: Literal["auto", "fisher", "logits", "mse"] = "fisher",
    temperature: float = 3.0,
    fidelity: float = 0.01,
    shrinkage: Literal["auto"] | float = "auto",
    complex_linear: bool = False,
    head: Path | None = None,
    seed: int | None = None,
    device: str = "cpu",
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
    n_tx, n_rx
        Antennas of the Rayleigh channel; 8 if not given.
    uses
        Channel uses per message over the same channel matrix.
    snr_db
        Power of one transmit antenna over the noise of one receive antenna, in dB.
    gain
        Mean squared coefficient of the Rayleigh channel, and of those a codec is trained on; 1 if not given.
    power
        Mean transmit power per channel use.
    power_limit
        What the power limits: its mean over messages and uses, each channel use, or each message.
    goal
        What to design for: the head's softmax (fisher), its logits, the latent itself (mse), or what held-out pilots favour (auto).
    temperature
        Of the fisher goal.
    fidelity
        Share of plain MSE in the goal.
    shrinkage
        Regularisation relative to the mean variance, or "auto".
    complex_linear
        Restrict the pair to complex-linear maps, as the paper does (goal: mse).
    head
        A head saved by an earlier fit, instead of a new one.
    seed
        Of the Rayleigh channel, and of a codec's training; 0 if not given.
    device
        Torch device, "cpu" or "cuda".
    """
    pilots = console.pilots(transmitter, receiver, labels).to(device_named(device))
    classifier = (fit_head(pilots.y, pilots.require_labels()) if head is None else loaded(head, SoftmaxHead, "head")).to(device)
    own = (None, None) if method == "codec" and channel is not None else (gain, seed)  # they are the training's then
    h = _matrices(channel, n_rx, n_tx, *own)
    radio = Channel.from_grid(h.to(device), snr_db, power).repeated(uses)
    limits: dict[str, PowerLimit] = {"mean": Mean(), "per-use": PerUse(), "per-message": PerMessage(x=pilots.x, y=pilots.y)}
    modes, name = _modes(pilots, classifier, radio, goal, temperature, fidelity, shrinkage, not complex_linear)
    modes = modes.named(transmitter.stem, receiver.stem)
    files = [output / f"{name}.safetensors" for name in ("pair", "head", "link")]
    solution: Solution
    if method == "codec":
        if symbols(radio) > codec.max_symbols:
            raise ValueError(f"the channel takes {symbols(radio)} symbols a message, and --max-symbols is {codec.max_symbols}: raise it")
        settings = codec.training(power_limit, gain or 1.0, seed or 0)
        networks = trained(codec, settings, modes, pilots, classifier, output / "codec.training")
        files.append(output / "codec.safetensors")
        networks.save(files[-1])
        solution = networks.design(radio)
    else:
        if codec != _USUAL:
            raise ValueError("options of the codec are given, and --method is linear: add --method codec")
        solution = ClosedForm(power=limits[power_limit]).design(modes, radio)
    modes.save(files[0])
    classifier.save(files[1])
    solution.transceiver.to(torch.float32).save(files[2])
    assert solution.expected_mse is not None
    facts("link", [
        ("pilots", f"{len(pilots)}, {pilots.x.shape[1]} → {pilots.y.shape[1]} dimensions"),
        ("goal", name),
        ("semantic modes", f"{len(modes)}, {min(len(modes), 2 * radio.uses * min(radio.n_rx, radio.n_tx))} streams, "
                           f"shrinkage {modes.shrinkage:.3g}"),
        ("channel", f"{radio.n_rx}×{radio.n_tx}, {radio.uses} use(s), {snr_db:g} dB, {radio.batch.numel()} channel(s)"),
        ("capacity, bits per message", float(capacity(radio).mean())),
        ("expected NMSE on the pilots", float(solution.known_mse.mean() / modes.variance)),
        ("status", "; ".join(solution.messages())),
    ])  # fmt: skip
    wrote(*files)


def _matrices(channel: Path | None, n_rx: int | None, n_tx: int | None, gain: float | None, seed: int | None) -> Tensor:
    """Channels of a file, or one drawn."""
    if channel is None:
        generator = torch.Generator().manual_seed(0 if seed is None else seed)
        drawn = rayleigh(8 if n_rx is None else n_rx, 8 if n_tx is None else n_tx, 1.0 if gain is None else gain, generator=generator)
        return drawn.unsqueeze(-3)
    given = {"--n-rx": n_rx, "--n-tx": n_tx, "--gain": gain, "--seed": seed}
    if idle := [name for name, value in given.items() if value is not None]:
        raise ValueError(f"{', '.join(idle)} draw a channel, and --channel {channel} brings one: give one or the other")
    return read_channels(*at(channel))


def _modes(
    pilots: Pilots,
    head: SoftmaxHead,
    channel: Channel,
    goal: str,
    temperature: float,
    fidelity: float,
    shrinkage: float | str,
    widely_linear: bool,
) -> tuple[SemanticModes, str]:
    """The modes for the goal asked for, and what to call it."""
    if not widely_linear and goal != "mse":
        raise ValueError(f"--complex-linear is the paper's MSE design: give --goal mse with it, got --goal {goal}")
    if goal == "auto":
        messages.print("trying goals on held-out pilots …")
        choice = choose_goal(pilots.x, pilots.y, head, pilots.labels, shrinkage=shrinkage)
        return choice.modes_for(channel), f"{choice.name_for(channel)} (chosen on held-out pilots)"
    moments = Moments.from_pairs(pilots.x, pilots.y)
    if goal == "mse":
        return semantic_modes(moments, None, shrinkage, widely_linear), "mse"
    if goal == "logits":
        return semantic_modes(moments, Goal.logits(head, pilots.y, fidelity), shrinkage), f"logits, fidelity {fidelity:g}"
    metric = Goal.fisher(head, pilots.y, temperature, fidelity)
    return semantic_modes(moments, metric, shrinkage), f"fisher, temperature {temperature:g}, fidelity {fidelity:g}"
