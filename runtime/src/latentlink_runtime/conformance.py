"""The conformance kit: what any implementation must make of the files in `conformance/`.

`cases.json` lists the cases: the file, and the file of what is expected. A "link" is encoded and decoded as it is; a "design" makes a link
for the channel of the case first, from a pair or a codec, or from the file of one for devices. Expected files are plain safetensors of
float32, complex numbers as pairs of real ones in the last axis:

    x                        latents of the messages (n, d)
    channel.h, …             the channel (u, n_rx, n_tx), its noise_variance, power and error_variance
    s, r                     sent and received symbols (n, u, n_tx) and (n, u, n_rx)
    coefficients, y          what `receive` and `decode` make of r
    outputs                  of the head in `head.safetensors`, on y
    matched.h, …             another channel, and coefficients and y of the same r once the receiver is matched to it

Two implementations agree where no number differs by more than `TOLERANCE` of the largest number of its array. Signs of spatial streams are
free in a design: implementations agree on s where the largest entry of each transmit beam is real and positive.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.linear.link import complex_from
from latentlink_runtime.loading import load
from latentlink_runtime.tasks.head import Head

Array = np.ndarray[Any, Any]

TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Case:
    """One case of the kit.

    Attributes:
        name: of the case.
        link: path of the file of the link, pair or codec.
        kind: "link" or "design".
        expected: arrays by name, complex ones as complex numbers.
    """

    name: str
    link: Path
    kind: str
    expected: dict[str, Array]

    def channel(self, which: str = "channel") -> Channel:
        """The channel of the case, or the one that the receiver is "matched" to."""
        h, noise, power, error = (self.expected[f"{which}.{name}"] for name in ("h", "noise_variance", "power", "error_variance"))
        return Channel(h, noise, power, error_variance=error)


def cases(folder: Path) -> Iterator[Case]:
    """The cases of a folder that holds the kit."""
    for entry in json.loads((folder / "cases.json").read_text(encoding="utf-8")):
        arrays = safetensors.numpy.load_file(folder / entry["expected"])
        pairs = {name for name in arrays if name in ("s", "r") or name.endswith(".h")}
        expected = {name: complex_from(value) if name in pairs else value for name, value in arrays.items()}
        yield Case(entry["name"], folder / entry["file"], entry["kind"], expected)


def difference(found: Any, expected: Array) -> float:
    """The largest difference, relative to the largest number that is expected; infinite for arrays of another shape."""
    found = np.asarray(found)
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max(initial=np.finfo(np.float32).tiny))


def differences(case: Case, read: Callable[[Path], Any] = load, head: Head | None = None) -> dict[str, float]:
    """By how much an implementation differs from what is expected, for each array of a case.

    Args:
        case: of the kit.
        read: what makes a link or a design of a file; those of NumPy by default.
        head: the receiver's head, whose folded form is compared too where it is given.
    """
    link = read(case.link)
    if case.kind == "design":
        link = link.design(case.channel())
    x, r = case.expected["x"], case.expected["r"]
    matched = link.matched_to(case.channel("matched"))
    found = {"s": link.encode(x), "coefficients": link.receive(r), "y": link.decode(r)}
    found |= {"matched.coefficients": matched.receive(r), "matched.y": matched.decode(r)}
    if head is not None:
        found["outputs"] = link.folded(head)(link.receive(r))
    return {name: difference(value, case.expected[name]) for name, value in found.items()}
