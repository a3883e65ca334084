"""`latentlink radio`: a link between processes that only share a file of its design.

The processes are those of the runtime, which need no PyTorch: a command takes the place of this process, with the options that
`python -m latentlink_runtime COMMAND --help` tells.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import Parameter

from latentlink.cli.console import facts, wrote
from latentlink.cli.options import Integer

_EXPORTED = ("pair", "codec", "head", "regression head")
Words = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def export(*sources: Path, output: Path = Path("device"), max_symbols: Integer | None = None, onnx: bool = False) -> None:
    """Write the files that devices need of saved pairs, codecs and heads: smaller ones, which the runtime reads without PyTorch.

    Writes NAME.device.safetensors for each file, and with --onnx the graphs of a codec, for devices that run no Python, to a folder NAME;
    where there is a head among the files, they decide as it does. A device that has the full file and one that has this file understand
    each other.

    Example: `latentlink radio export demo/codec.safetensors demo/head.safetensors --output device`

    Parameters
    ----------
    sources
        Files of pairs, codecs and heads, as `latentlink fit` and `latentlink demo` write them.
    output
        Folder for the files.
    max_symbols
        Symbols of the largest message of a pair, uses × antennas: modes beyond two a symbol are left out. All are kept if not given.
    onnx
        Write the graphs of codecs, too.
    """
    from latentlink.deploy.device import export_device
    from latentlink.deploy.onnx import export_onnx
    from latentlink_runtime.artifacts.artifact_file import read

    if not sources:
        raise ValueError("give at least one file of a pair, a codec or a head, such as demo/codec.safetensors")
    kinds = {source: str(read(source)[1]["kind"]) for source in sources}
    if onnx and "codec" not in kinds.values():
        raise ValueError(f"--onnx is for codecs, and there is none among {', '.join(kinds.values())}")
    if wrong := [f"{source} (a {kind})" for source, kind in kinds.items() if kind not in _EXPORTED]:
        raise ValueError(f"files must be of a {', a '.join(_EXPORTED)}, got {', '.join(wrong)}; links are read by devices as they are")
    if max_symbols is not None and "pair" not in kinds.values():
        raise ValueError("--max-symbols is for pairs, and there is none among the files; a codec has a number of its own")
    names = [source.name.removesuffix(".safetensors") for source in sources]
    if len(set(names)) < len(names):
        raise ValueError(f"files must have names of their own in one folder, got {', '.join(names)}; export them to several folders")
    head = next((source for source, kind in kinds.items() if kind.endswith("head")), None)
    output.mkdir(parents=True, exist_ok=True)
    for source, name in zip(sources, names, strict=True):
        path = output / f"{name}.device.safetensors"
        export_device(source, path, max_symbols if kinds[source] == "pair" else None)
        saved = f"{path.stat().st_size / 1e6:.2f} MB in place of {source.stat().st_size / 1e6:.2f}"
        facts("", [(f"{name}, {kinds[source]}", saved)])
        wrote(path)
        if onnx and kinds[source] == "codec":
            export_onnx(source, output / name, head)
            wrote(*sorted((output / name).glob("*.onnx")))


def keys(*words: Words) -> None:
    """Make the keys of a device, NAME.secret and NAME.public: the transmitter and the receiver know each other by them."""
    _become("keys", words)


def tx(*words: Words) -> None:
    """Send latents of a file: sound the channel, take the receiver's report, precode, and go on until told to end."""
    _become("tx", words)


def rx(*words: Words) -> None:
    """Receive latents, or a head's decisions: measure the channel, report it, decode, count, and show it live with --view PORT."""
    _become("rx", words)


def air(*words: Words) -> None:
    """Carry samples between both as an air does, with taps, noise and offsets; by GNU Radio's flow graph with --gnuradio."""
    _become("air", words)


def replay(*words: Words) -> None:
    """Send a SigMF recording at its own rate."""
    _become("replay", words)


def view(*words: Words) -> None:
    """Open the live page of a process that was started with --view."""
    _become("view", words)


def _become(command: str, words: tuple[str, ...]) -> NoReturn:
    """Let the runtime's command take the place of this process, which keeps its number and its parent."""
    sys.stdout.flush()
    sys.stderr.flush()
    environment = {**os.environ, "LATENTLINK_PROGRAM": "latentlink radio"}
    os.execve(sys.executable, [sys.executable, "-m", "latentlink_runtime", command, *words], environment)
