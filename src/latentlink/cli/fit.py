"""`latentlink fit`: from files of latents and labels to a pair, a link and a head; or to a codec for every channel."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import torch
from cyclopts import Parameter

from latentlink.channels.channel import Channel
from latentlink.cli.beyond_memory import ReadPilots, read_or_stream
from latentlink.cli.card import check_card, write_card
from latentlink.cli.channels import channel_at, link_facts, matrices
from latentlink.cli.console import facts, messages, source_name, told_warnings, warn, wrote
from latentlink.cli.fit_codec import USUAL_CODEC, CodecOptions, check_method, train_codec
from latentlink.cli.measured import list_figures, list_power, name_figures
from latentlink.cli.options import USUAL_READING, AutoOrNumber, Device, Integer, Number, ReadingOptions
from latentlink.cli.pilot_costs import Asked, tell_costs
from latentlink.cli.provenance import channel_name
from latentlink.evaluation.evaluate import evaluate
from latentlink.latents.dependence import ChanceWarning
from latentlink.latents.look import look
from latentlink.latents.pilots import Pilots
from latentlink.linear.csi_names import CsiWord
from latentlink.linear.csi_names import named as csi_named
from latentlink.linear.design import ClosedForm
from latentlink.linear.goal_choice import choose_goal
from latentlink.linear.modes import SemanticModes
from latentlink.links.solution import Solution
from latentlink.links.transceiver import Transceiver
from latentlink.numerics.doors import device_named, integer, real
from latentlink.numerics.seeds import stream_generator
from latentlink.power import AllocatedWord, named
from latentlink.storage.artifacts import Saved, load
from latentlink.storage.atomic import check_writable
from latentlink.storage.provenance import Provenance
from latentlink.studies.knowledge import PilotKnowledge
from latentlink.tasks.heads import LinearHead, SoftmaxHead, fit_head
from latentlink.tasks.metrics import accuracy
from latentlink.tasks.regression import RegressionHead

GoalWord = Literal["auto", "fisher", "logits", "mse"]
_HELD_OUT = 5  # one in so many pilots is held out to judge the design, where there are enough
_LEAST_HELD_OUT = 50  # pilots


def fit(
    transmitter: str,
    receiver: str,
    labels: str | None = None,
    *,
    targets: str | None = None,
    method: Literal["linear", "codec"] = "linear",
    output: Path = Path("link"),
    channel: str | None = None,
    n_tx: Integer | None = None,
    n_rx: Integer | None = None,
    uses: Integer = 1,
    snr_db: Number = 20.0,
    gain: Number | None = None,
    power: AllocatedWord = "mean",
    csi: CsiWord = "perfect",
    error_variance: Number = 0.0,
    budget: Number = 1.0,
    goal: GoalWord | None = None,
    temperature: Number = 3.0,
    fidelity: Number = 0.01,
    shrinkage: AutoOrNumber = "auto",
    complex_linear: bool = False,
    head: Path | None = None,
    seed: Integer | None = None,
    card: bool = False,
    stream: bool | None = None,
    device: Device = "cpu",
    reading: ReadingOptions = USUAL_READING,
    codec: Annotated[CodecOptions, Parameter(name="*", group="Codec (with --method codec)")] = USUAL_CODEC,
) -> None:
    """Design the exact linear link between two encoders from files of their latents, or train a codec for every channel.

    Writes pair.safetensors (what the two devices agree on once), link.safetensors (both ends for the channel) and head.safetensors (the
    receiver's classifier); a codec also codec.safetensors, whose `design` serves any other channel.

    Example: `latentlink fit tx-train.npy rx-train.npy labels-train.npy --n-tx 4 --n-rx 4 --snr-db 10 --output my-link`

    Example: `latentlink fit tx-train.npy rx-train.npy labels-train.npy --method codec --n-tx 2 --n-rx 2 --output my-codec`

    Parameters
    ----------
    transmitter
        Latents of the pilots at the transmitter, (n, d): a file (.npy, .npz, .safetensors, .pt, .parquet, .arrow, .csv, .h5 or .mat), a
        pattern or a folder of shards; FILE::KEY names one of several arrays or columns.
    receiver
        Latents of the same observations at the receiver, (n, m).
    labels
        Their classes, by number or name; not needed where the tables have a column of labels, or the goal is mse.
    targets
        What a regression at the receiver should give, (n, q), in place of labels; the head is then a linear regression.
    method
        The exact linear design, or a codec: networks that contain it, trained once for all channels.
    output
        Folder for the files.
    channel
        Channels to design for, complex, in the order that --axes says: .npy, .npz, .pt, .safetensors, .h5 or .mat; else one Rayleigh
        channel.
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
    csi
        Which end knows the channel, for the linear design; the channels given are then what is known.
    error_variance
        Variance of the error of each channel coefficient, where the channels given are an estimate.
    budget
        Transmit power per channel use.
    goal
        What to design for: the head's softmax (fisher, the default with labels), its logits or real outputs (logits, the default with
        targets), the latent itself (mse, the default without either), or what held-out pilots favour for a classifier (auto).
    temperature
        Temperature of the fisher goal.
    fidelity
        Weight of plain MSE beside the goal, each normalised to what the modes explain of it; 1 makes them equal.
    shrinkage
        Regularisation relative to the mean variance, or "auto".
    complex_linear
        Restrict the pair to complex-linear maps, as the paper does (goal: mse).
    head
        A head saved by an earlier fit, instead of a new one.
    seed
        Seed of the Rayleigh channel, and of a codec's training; 0 if not given.
    card
        Also write a card in Markdown beside each file: what it is, from what it was made, and how good it was.
    stream
        Read latents block by block, as what is larger than memory has to be; without it where files take a quarter of the memory or more.
        Their moments are stored in the output folder, from which an interrupted command goes on; heads, codecs and the look take a sample.
    """
    _check_early(output, card, seed, gain)
    read = read_or_stream(transmitter, receiver, labels, reading, output / "moments.safetensors", stream).to(device_named(device))
    pilots = (read := read if targets is None else read.with_targets(targets)).pilots
    load_or_fit = partial(_head, saved=head, goal=goal)
    classifier = load_or_fit(pilots)
    goal = goal or ("mse" if classifier is None else "fisher" if isinstance(classifier, SoftmaxHead) else "logits")
    known = PilotKnowledge(pilots, classifier, moments=read.moments)
    own = (None, None) if method == "codec" and channel is not None else (gain, seed)  # they belong to the training then
    radio = channel_at(matrices(channel, reading, n_rx, n_tx, *own).to(device), snr_db, real("--budget", budget, above=0.0)).repeated(uses)
    radio = replace(radio, error_variance=radio.error_variance + real("--error-variance", error_variance, least=0.0))
    check_method(method, codec, radio, csi)

    def modes_of(at: PilotKnowledge) -> tuple[SemanticModes, str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ChanceWarning)  # the look tells it
            modes, name = _choose_modes(at, radio, goal, temperature, fidelity, shrinkage, not complex_linear)
        return modes.named(source_name(transmitter), source_name(receiver)), name

    def form(at: PilotKnowledge) -> ClosedForm:
        messages_of = {"x": at.pilots.x, "y": at.pilots.y} if power == "per-message" else {}
        return ClosedForm(power=named(power, **messages_of), csi=csi_named(csi, gain=1.0 if gain is None else gain))

    _show_pilots(read, known)
    modes, goal_name = modes_of(known)
    networks = None
    if method == "codec":
        training = codec.training(power, 1.0 if gain is None else gain, seed or 0)
        networks = train_codec(codec, training, modes, known, output / "codec.training")
    solution = form(known).design(modes, radio) if networks is None else networks.design(radio)
    sizes = f"{len(modes)}, shrinkage {modes.shrinkage:.3g}"
    told = {"goal": goal_name, "semantic modes": sizes, **link_facts(radio, snr_db, modes.variance, solution)}
    facts("link", told.items())
    judged = method == "linear" and goal != "auto" and csi == "perfect" and not radio.uncertain
    figures = _judge(read, load_or_fit, radio, lambda at: form(at).design(modes_of(at)[0], radio)) if judged else {}
    asked = Asked(method, goal, fidelity, shrinkage, not complex_linear, form(known))
    figures |= tell_costs(known, modes, radio, asked, figures)
    settings = {"method": method, "power": power, "csi": csi, "channels of": channel_name(channel, seed), **told}
    artifacts = {"pair": modes, "head": classifier, "link": solution.transceiver.to(torch.float32), "codec": networks}
    _write(output, artifacts, Provenance(read.records, settings, figures), card)


def _check_early(output: Path, card: bool, seed: int | None, gain: float | None) -> None:
    """Refuse numbers that cannot be, and before the work what could not be written after it."""
    integer("--seed", seed or 0, 0, 2**64 - 1)
    if gain is not None:
        real("--gain", gain, above=0.0)
    for name in ("pair", "head", "link", "codec"):
        check_writable(output / f"{name}.safetensors")
        if card:
            check_card(output / f"{name}.safetensors")


def _show_pilots(read: ReadPilots, known: PilotKnowledge) -> None:
    """Print what the pilots are, and what is odd about them."""
    seen = look(known.pilots.x, known.pilots.y, known.pilots.labels, moments=known.moments)
    facts("pilots", (read.facts() | seen.facts()).items())
    warn(*seen.warnings)


def _write(output: Path, artifacts: Mapping[str, Saved | Transceiver | None], made: Provenance, card: bool) -> None:
    """Save what there is, with how it was made, and name files of an earlier fit that do not belong to it."""
    for name, artifact in artifacts.items():
        if artifact is not None:
            artifact.save(output / f"{name}.safetensors", made)
            wrote(output / f"{name}.safetensors", *([write_card(output / f"{name}.safetensors")] if card else []))
    for name, artifact in artifacts.items():
        if artifact is None and (output / f"{name}.safetensors").is_file():
            warn(f"{output / name}.safetensors is from an earlier fit and does not belong to these files")


def _head(pilots: Pilots, saved: Path | None, goal: GoalWord | None) -> LinearHead | None:
    """The receiver's head: a saved one, or one that is fitted to the labels or targets; none where nothing asks for it."""
    if pilots.targets is not None and pilots.labels is not None:
        raise ValueError(
            "give labels (of a classifier) or --targets (of a regression), got both: columns of labels are left out by --columns"
        )
    if saved is not None:
        found = load(saved, LinearHead).to(pilots.y.device)
    elif pilots.labels is not None:
        found = fit_head(pilots.y, pilots.labels, names=pilots.names)
    elif pilots.targets is not None:
        found = RegressionHead.fit(pilots.y, pilots.targets)
    elif goal not in (None, "mse"):
        raise ValueError(f"--goal {goal} needs the receiver's head: give labels, --targets or a saved --head, or --goal mse")
    else:
        return None
    if goal in ("fisher", "auto") and not isinstance(found, SoftmaxHead):
        raise ValueError(f"--goal {goal} is for a classifier, and the head is a regression: give --goal logits (its outputs) or mse")
    return found


def _choose_modes(
    known: PilotKnowledge,
    channel: Channel,
    goal: GoalWord,
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


def _judge(
    read: ReadPilots,
    head_of: Callable[[Pilots], LinearHead | None],
    radio: Channel,
    design: Callable[[PilotKnowledge], Solution],
) -> dict[str, float]:
    """Print the figures of the same head and design on pilots that they have not seen, where there are enough; return them by name."""
    pilots = read.pilots
    if len(pilots) < _LEAST_HELD_OUT:
        return {}
    seen, moments, unseen = read.split(_HELD_OUT)
    head, test = head_of(pilots[seen]), pilots[unseen]
    link = design(PilotKnowledge(pilots[seen], head, moments=moments)).transceiver
    labels = test.labels if isinstance(head, SoftmaxHead) else None
    with told_warnings():
        found = evaluate(
            link,
            test.x,
            test.y,
            channel=radio,
            head=head,
            labels=labels,
            targets=test.targets,
            gallery=test.y if head is None else None,
            generator=stream_generator(0, "held-out noise", device=str(pilots.y.device)),
        )
    rows, ceiling = list_figures(found), {}
    if found.accuracy is not None and head is not None and labels is not None:
        with warnings.catch_warnings(action="ignore"):  # the evaluation has told of labels that the head lacks
            own = accuracy(head, test.y, labels).overall.value
        rows.append(("accuracy (receiver's own latents)", f"{float(found.accuracy.mean()):.4g} ({own:.4g})"))
        ceiling = {"accuracy of the receiver's own latents": own}
    where = f"on {len(test)} held-out pilots"
    facts(f"the same design {where}", rows + list_power(found, radio)[:1])
    if float(found.nmse.mean()) >= 1:
        warn("on held-out pilots the link is worse than one that sends nothing (NMSE 1): take more pilots, or are the rows paired?")
    return {f"{name} {where}": value for name, value in (name_figures(found) | ceiling).items()}
