"""`latentlink design`: what was agreed on once, or a trained codec, becomes a link for another channel."""

from pathlib import Path

import torch

from latentlink.cli.card import check_card, read_card, write_card
from latentlink.cli.channels import channel_at, link_facts, matrices
from latentlink.cli.console import facts, wrote
from latentlink.cli.options import USUAL_READING, Device, Integer, Number, ReadingOptions
from latentlink.cli.provenance import channel_name
from latentlink.linear.design import ClosedForm
from latentlink.linear.modes import SemanticModes
from latentlink.links.solution import Solution
from latentlink.neural.codec.design import Codec
from latentlink.numerics.doors import device_named, integer, real
from latentlink.power import AllocatedWord, named
from latentlink.storage.artifacts import load
from latentlink.storage.atomic import check_writable
from latentlink.storage.provenance import Provenance


def design(
    source: Path,
    *,
    output: Path = Path("designed.safetensors"),
    channel: str | None = None,
    n_tx: Integer | None = None,
    n_rx: Integer | None = None,
    uses: Integer = 1,
    snr_db: Number = 20.0,
    gain: Number | None = None,
    power: AllocatedWord | None = None,
    budget: Number = 1.0,
    seed: Integer | None = None,
    card: bool = False,
    device: Device = "cpu",
    reading: ReadingOptions = USUAL_READING,
) -> None:
    """Design a link for another channel from a saved pair or codec; nothing is fitted or trained again.

    Example: `latentlink design my-link/pair.safetensors --channel measured.mat --axes matlab --output new-link.safetensors`

    Parameters
    ----------
    source
        pair.safetensors or codec.safetensors of `latentlink fit`, or its folder, whose codec is taken where there is one.
    output
        The link.
    channel
        Channels to design for, as for `latentlink fit`; else one Rayleigh channel.
    n_tx
        Transmit antennas of the Rayleigh channel, 8 if not given; with --channel, what its file must hold.
    n_rx
        Receive antennas of the Rayleigh channel, 8 if not given; with --channel, what its file must hold.
    uses
        Channel uses per message over the same channel matrix.
    snr_db
        Power of one transmit antenna over the noise of one receive antenna, in dB.
    gain
        Mean squared coefficient of the Rayleigh channel; 1 if not given.
    power
        What the power limits, for a pair: mean, per-use, equal or one-use-at-a-time. A codec has the limit that it was trained for.
    budget
        Transmit power per channel use.
    seed
        Seed of the Rayleigh channel; 0 if not given.
    card
        Also write a card in Markdown beside the link: what it is, from what it was made, and how good it was.
    """
    check_writable(output)
    if card:
        check_card(output)
    integer("--seed", seed or 0, 0, 2**64 - 1)
    path = _artifact(source)
    known = load(path).to(device_named(device))
    radio = channel_at(matrices(channel, reading, n_rx, n_tx, gain, seed).to(device), snr_db, real("--budget", budget, above=0.0)).repeated(
        uses
    )
    if isinstance(known, Codec):
        if power is not None:
            raise ValueError(f"--power {power} is for a pair: {source} is a codec, whose limit is that of its training")
        solution: Solution = known.design(radio)
    elif isinstance(known, SemanticModes):
        if power == "per-message":
            raise ValueError("--power per-message refits the decoder to pilots, which a pair does not hold: use `latentlink fit`")
        solution = ClosedForm(power=named(power or "mean")).design(known, radio)
    else:
        raise ValueError(f"{source} is a {type(known).__name__}, expected a pair or a codec that `latentlink fit` wrote")
    modes = known.modes if isinstance(known, Codec) else known
    told = link_facts(radio, snr_db, modes.variance, solution)
    facts("link", told.items())
    before = read_card(path)
    limit = {} if isinstance(known, Codec) else {"power": power or "mean"}
    settings = {**before.provenance.settings, **limit, "channels of": channel_name(channel, seed), **told}
    origin = f"{before.kind[0]} of SHA-256 {before.sha256}"
    solution.transceiver.to(torch.float32).save(output, Provenance(before.provenance.data, settings, made_from=origin))
    wrote(output, *([write_card(output)] if card else []))


def _artifact(source: Path) -> Path:
    """The file of a pair or codec; that in a folder which `latentlink fit` wrote."""
    if not source.exists():
        raise ValueError(f"there is no {source}: name a pair or a codec that `latentlink fit` wrote, or its folder")
    if not source.is_dir():
        return source
    found = [path for name in ("codec", "pair") if (path := source / f"{name}.safetensors").is_file()]
    if not found:
        raise ValueError(f"{source}: the folder holds neither codec.safetensors nor pair.safetensors")
    return found[0]
