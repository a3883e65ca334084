"""Channels on the command line: those of a file, or one that is drawn; and what there is to say of a link over them."""

import warnings

from torch import Tensor

from latentlink.bounds.capacity import capacity
from latentlink.channels.channel import Channel
from latentlink.channels.fading import rayleigh
from latentlink.cli.console import told_warnings
from latentlink.cli.options import Reading
from latentlink.data.readers.channels import read_channels
from latentlink.links.solution import Solution
from latentlink.numerics.doors import integer
from latentlink.numerics.seeds import stream_generator

_ANTENNAS = 8  # of the Rayleigh channel that is drawn where none is given


def matrices(channel: str | None, reading: Reading, n_rx: int | None, n_tx: int | None, gain: float | None, seed: int | None) -> Tensor:
    """Channels of a file, or one drawn."""
    if channel is None:
        generator = stream_generator(0 if seed is None else seed, "channel")
        size = (integer("--n-rx", _ANTENNAS if n_rx is None else n_rx), integer("--n-tx", _ANTENNAS if n_tx is None else n_tx))
        try:
            return rayleigh(*size, gain=1.0 if gain is None else gain, generator=generator).unsqueeze(-3)
        except RuntimeError as error:
            raise MemoryError(f"--n-rx {size[0]} and --n-tx {size[1]} make a channel that memory does not hold: give fewer") from error
    given = {"--gain": gain, "--seed": seed}
    if idle := [name for name, value in given.items() if value is not None]:
        raise ValueError(f"{', '.join(idle)} draw a channel, and --channel {channel} brings one: give one or the other")
    h = read_radio(channel, reading)
    for name, wanted, found in (("--n-rx", n_rx, h.shape[-2]), ("--n-tx", n_tx, h.shape[-1])):
        if wanted is not None and wanted != found:
            raise ValueError(
                f"{name} must be {found}, what --channel {channel} holds as [N, uses, rx, tx], got {wanted}: are its --axes others?"
            )
    return h


def channel_at(h: Tensor, snr_db: float, power: float) -> Channel:
    """Channels at an SNR, with a line where what arrives is not what any radio hears."""
    with told_warnings():
        warnings.filterwarnings("ignore", "the imaginary parts")  # which the reader of the file has told
        return Channel.from_grid(h, snr_db, power)


def read_radio(path: str, reading: Reading) -> Tensor:
    """Channels of a file (N, uses, rx, tx), with a line for every warning of their reader."""
    with told_warnings():
        return read_channels(path, axes=reading.axes)


def link_facts(radio: Channel, snr_db: float, variance: Tensor, solution: Solution) -> dict[str, str | float]:
    """What there is to say of a link before a message is sent, by name; `variance` is that of the receiver's latents."""
    expected = solution.expected_mse
    return {
        "channel": f"{radio.n_rx}×{radio.n_tx}, {radio.uses} use(s), {snr_db:g} dB, {radio.batch.numel()} channel(s)",
        "mean |h|²": float(radio.h.abs().square().mean()),
        "capacity, bits per message": float(capacity(radio).mean()),
        "expected NMSE on the pilots": "not known" if expected is None else float(expected.mean() / variance),
        "status": "; ".join(solution.messages()),
    }
