"""The arguments of the commands."""

import argparse
import math
from pathlib import Path
from typing import Any

from latentlink_runtime.iq.protocol import BUDGET_S
from latentlink_runtime.radio.numerology import LL_64_16, LL_256_64
from latentlink_runtime.serve.streams import KINDS
from latentlink_runtime.serve.view import PORT

NUMEROLOGIES = {numerology.name: numerology for numerology in (LL_64_16, LL_256_64)}


def parser(program: str = "latentlink_runtime") -> argparse.ArgumentParser:
    """The parser of all commands, whose usage names the program."""
    top = argparse.ArgumentParser(program, description="Semantic MIMO links between processes: samples as IQ streams, control by CURVE.")
    commands = top.add_subparsers(dest="command", required=True)
    keys = _command(commands, "keys", help="make NAME.secret and NAME.public")
    keys.add_argument("name", type=Path)
    _tx(_command(commands, "tx", help="send latents of a file"))
    _rx(_command(commands, "rx", help="receive latents, or a head's outputs"))
    _air(_command(commands, "air", help="carry samples from one address to another as an air does"))
    replay = _command(commands, "replay", help="send a SigMF recording")
    replay.add_argument("recording", type=Path)
    replay.add_argument("--to", required=True, metavar="ADDRESS", help=f"where the samples are offered: {KINDS}")
    _radio(replay)
    _common(replay)
    view = _command(commands, "view", help="open the live page of a process that was started with --view")
    view.add_argument("--port", type=int, default=PORT, help="that was given to --view")
    view.add_argument("--no-browser", action="store_true", help="say where the page is, and open nothing")
    return top


def _command(commands: Any, name: str, **settings: str) -> argparse.ArgumentParser:
    """A command whose help tells the defaults."""
    made: argparse.ArgumentParser = commands.add_parser(name, formatter_class=_Defaults, **settings)
    return made


def _natural(text: str) -> int:
    """An integer from 0."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"must be an integer from 0, got {text!r}")
    return int(text)


def _positive(text: str) -> float:
    """A finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a finite number above 0, got {text!r}")
    return number


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Help with the default of every option that has one which says something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None or action.default is False else super()._get_help_string(action)


def _tx(command: argparse.ArgumentParser) -> None:
    _ends(command)
    command.add_argument("--latents", type=Path, required=True, help=".npy of shape (messages, d), sent over and over")
    command.add_argument("--server-key", type=Path, required=True, help="NAME.public of the receiver")


def _rx(command: argparse.ArgumentParser) -> None:
    _ends(command)
    command.add_argument("--allowed", type=Path, required=True, help="file of public keys that are let in")
    numbered = "modulo the rows of the transmitter's file its row, and -1 if damaged"
    command.add_argument("--out", type=Path, help=f".npy of what was decoded, written at the end; NAME.rows.npy has its number: {numbered}")
    command.add_argument("--keep", type=_natural, default=100_000, help="messages that --out keeps at most")
    stream = ".npy arrays one after the other, of each frame as it comes without what was damaged; - is standard output"
    command.add_argument("--stream", type=Path, help=f"file that latentlink watch follows: {stream}")
    command.add_argument("--head", type=Path, help="the receiver's linear head, whose outputs are wanted")
    command.add_argument("--latents", action="store_true", help="keep latents, and use the head for the accuracy alone")
    command.add_argument("--labels", type=Path, help=".npy of the label of each row of the transmitter's file, for the accuracy")
    command.add_argument("--bits", type=int, default=6, help="of each angle and amplitude of a report")
    command.add_argument("--groups", type=int, help="groups of carriers in a report; one a data carrier if not given")
    command.add_argument("--coherence", type=_positive, default=2.0, help="seconds for which a report holds")
    command.add_argument("--log", type=Path, help="CSV file with a line of each frame: SNR, offsets, what was lost")
    command.add_argument("--record", type=Path, help="SigMF recording of the samples that come, its frames marked")


def _air(command: argparse.ArgumentParser) -> None:
    command.add_argument("--from", dest="source", required=True, metavar="ADDRESS", help="where the transmitter offers samples")
    command.add_argument("--to", required=True, metavar="ADDRESS", help="where the receiver finds them")
    command.add_argument("--gnuradio", action="store_true", help="let GNU Radio's flow graph be the air, by the system's Python")
    command.add_argument("--taps", type=Path, help=".npy of shape (taps, n_rx, n_tx); Rayleigh taps of the seed if not given")
    command.add_argument("--seed", type=int, default=0, help="of taps and noise")
    command.add_argument("--snr-db", type=float, default=20.0, help="of a sample at a receive antenna")
    command.add_argument("--frequency", type=float, default=0.0, help="carrier frequency offset in cycles a sample")
    command.add_argument("--ppm", type=float, default=0.0, help="of the transmitter's clock against the receiver's")
    command.add_argument("--delay", type=float, default=0.0, help="in samples")
    _antennas(command)
    _radio(command)
    _rate(command)
    _common(command)


def _ends(command: argparse.ArgumentParser) -> None:
    """What both ends have in common."""
    command.add_argument("--design", type=Path, required=True, help="file of the pair or the codec, the same at both ends")
    command.add_argument("--keys", type=Path, required=True, help="NAME.secret of this end")
    command.add_argument("--control", required=True, metavar="ENDPOINT", help="where the receiver listens")
    command.add_argument("--iq", required=True, metavar="ADDRESS", help=f"of the samples: {KINDS}")
    command.add_argument("--numerology", choices=NUMEROLOGIES, default=LL_64_16.name, help="of the frame; the longer one for long channels")
    command.add_argument("--uses", type=int, default=1, help="channel uses of a message")
    command.add_argument("--per-frame", type=int, default=768, help="messages of a frame, the same at both ends")
    command.add_argument("--messages", type=_natural, default=0, help="after which to end; 0 goes on until SIGTERM")
    command.add_argument("--metrics", type=int, metavar="PORT", help="Prometheus text at http://127.0.0.1:PORT/metrics; 0 takes any port")
    command.add_argument("--view", type=int, metavar="PORT", help="live page at http://127.0.0.1:PORT; 0 takes any port")
    _radio(command)
    _antennas(command)
    _rate(command)
    _common(command)


def _radio(command: argparse.ArgumentParser) -> None:
    command.add_argument("--carrier", type=float, help="carrier frequency in Hz, of a radio")
    command.add_argument("--gain", type=float, help="in dB, of a radio; the device's own if not given")


def _antennas(command: argparse.ArgumentParser) -> None:
    command.add_argument("--n-tx", type=int, default=4, help="transmit antennas")
    command.add_argument("--n-rx", type=int, default=4, help="receive antennas")


def _rate(command: argparse.ArgumentParser) -> None:
    command.add_argument("--rate", type=_positive, default=1e5, help="samples a second of each antenna, the same for all of tx, air and rx")


def _common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--queue", type=_positive, default=BUDGET_S, metavar="SECONDS", help="of samples that wait at most; older ones are lost"
    )
    command.add_argument("--i-know", action="store_true", help="allow addresses that other machines reach")
    command.add_argument("--outlive-parent", action="store_true", help="go on when the process that started this one has ended")
