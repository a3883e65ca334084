"""One artifact of every kind, and forgeries of each: a tensor or a fact replaced by another under a digest that is right."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

import latentlink as ll
from conformance.registry import channel, codec, modes, pilots, solution
from latentlink.storage import artifacts

BLANK = "0" * 64


def watch() -> ll.living.Watch:
    """A watch that has seen messages."""
    y = pilots().y
    return ll.living.Watch.calibrated(ll.fit_head(y, pilots().labels), y, false_alarms=0.05).update(y[:5])


def running_modes() -> ll.living.RunningModes:
    """Modes that have followed a few pairs."""
    x, y = pilots().x, pilots().y
    first = ll.living.RunningModes.of(ll.Moments.from_pairs(x[:40], y[:40]), ll.Goal(torch.eye(2, y.shape[1])))
    return first.update(x[40:50], y[40:50])


KINDS: dict[str, Callable[[], Any]] = {
    "pair": modes,
    "head": lambda: ll.fit_head(pilots().y, pilots().labels),
    "codec": codec,
    "link": lambda: solution("exact").transceiver,
    "watch": watch,
    "running modes": running_modes,
    "per use": lambda: solution("exact, per use").transceiver,
    "decision link": lambda: solution("decision").transceiver,
    "gated link": lambda: solution("gated").transceiver,
    "top-k link": lambda: solution("top-k").transceiver,
    "digital link": lambda: solution("digital").transceiver,
    "genie link": lambda: solution("digital, by a genie").transceiver,
    "neural link": lambda: solution("neural").transceiver,
    "codec link": lambda: solution("codec").transceiver,
    "user codec link": lambda: solution("codec of a user").transceiver,
}
OTHER_TENSORS: dict[str, Callable[[Tensor], Tensor]] = {
    "not a number": lambda value: torch.full_like(value, torch.nan) if value.is_floating_point() else value.double() / 0,
    "infinite": lambda value: torch.full_like(value, torch.inf) if value.is_floating_point() else value.double(),
    "empty": lambda value: value.new_zeros(0),
    "a row less": lambda value: value[1:] if value.ndim else value.new_zeros(1),
    "one more axis": lambda value: value.unsqueeze(0),
    "transposed": lambda value: value.mT if value.ndim > 1 and value.shape[-1] != value.shape[-2] else value.new_zeros(3, 5, 7),
    "integers": lambda value: value.long() if value.is_floating_point() else value.to(torch.int8).double(),
    "half": lambda value: value.half() if value.is_floating_point() else value.bool().half(),
    "beyond": lambda value: value + 1000 if value.dtype == torch.long else value.bool(),
    "below": lambda value: -1 - value if value.dtype == torch.long else value.to(torch.int32),
}
OTHER_FACTS = (None, "evil", -1, 1.5, 10**9, 10**30, [], {}, True, [1, 2, 3], ["a", 1], float("inf"))
UNREAD = {"conventions", "versions", "provenance", "sha256", "kind", "format"}  # told, not used


def forged(path: Path, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> None:
    content = safetensors.torch.save(
        {name: value.contiguous().clone() for name, value in tensors.items()},
        {"manifest": json.dumps({**manifest, "sha256": BLANK}, sort_keys=True)},
    )
    path.write_bytes(content.replace(BLANK.encode(), hashlib.sha256(content).hexdigest().encode(), 1))


def forgeries(kind: str, path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Each forgery of a kind: what it is, and a function that writes it to a path."""
    KINDS[kind]().save(path)
    tensors, manifest = artifacts.read(path)
    for name, value in tensors.items():
        for word, change in OTHER_TENSORS.items():
            yield f"{name} {word}", lambda name=name, value=value, change=change: forged(path, {**tensors, name: change(value)}, manifest)
        others = {other: each for other, each in tensors.items() if other != name}
        yield f"without {name}", lambda others=others: forged(path, others, manifest)
    yield "with more", lambda: forged(path, {**tensors, "more": torch.zeros(3)}, manifest)
    for name in sorted(set(manifest) - UNREAD):
        for value in OTHER_FACTS:
            if value != manifest[name] or type(value) is not type(manifest[name]):
                yield f"{name} = {value!r}", lambda name=name, value=value: forged(path, tensors, {**manifest, name: value})


def used(content: Any) -> None:
    """Take an artifact for what it is: a link sends, a pair designs, a head decides."""
    if isinstance(content, ll.SemanticModes):
        ll.ClosedForm().design(content, channel())
    elif isinstance(content, ll.SoftmaxHead):
        content(pilots().y[:3])
    elif isinstance(content, ll.Codec):
        content.design(channel())
    elif isinstance(content, ll.living.Watch):
        content.update(pilots().y[:3])
    elif isinstance(content, ll.living.RunningModes):
        ll.ClosedForm().design(content.update(pilots().x[:3], pilots().y[:3]).modes(), channel())
    elif not getattr(getattr(content, "link", content), "awaits_channel", False):
        ll.transmit(content, pilots().x[:3], content.channel, generator=0)


def accepted(path: Path) -> str:
    """What is wrong with a file that is taken although it is forged, or an empty word where it is refused or its use is right."""
    try:
        content = ll.load(path)
    except ll.ArtifactError:
        return ""
    before = path.read_bytes()
    try:
        used(content)
        content.save(path)
        again = ll.load(path)
        used(again)
    except Exception as error:
        return f"taken, and then {type(error).__name__}: {str(error)[:100]}"
    first, second = (safetensors.torch.load(each) for each in (before, path.read_bytes()))
    same = first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    return "" if same and _facts(before) == _facts(path.read_bytes()) else "taken, and saved again it is another"


def _facts(content: bytes) -> dict[str, Any]:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    facts = json.loads(header["__metadata__"]["manifest"])
    return {name: value for name, value in facts.items() if name not in UNREAD}
