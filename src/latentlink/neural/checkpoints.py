"""The state of a training in a file that is taken for one only if it is whole: a SHA-256 and what `torch.save` makes."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from latentlink.storage.atomic import write_atomically


def write_sealed(path: Path, state: dict[str, Any]) -> None:
    """Write a state atomically."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    write_atomically(path, hashlib.sha256(content).digest() + content)


def read_sealed(path: Path, device: torch.device) -> dict[str, Any]:
    """The state in a file, its tensors on a device; nothing in it is executed.

    Raises:
        ValueError: the file was changed or cut.
    """
    raw = path.read_bytes()
    if hashlib.sha256(raw[32:]).digest() != raw[:32]:
        raise ValueError("it was changed or cut")
    state: dict[str, Any] = torch.load(io.BytesIO(raw[32:]), map_location=device, weights_only=True)
    return state


def resume(path: Path, identity: str, device: torch.device, take: Callable[[dict[str, Any]], None], agree: str) -> None:
    """Let a training take the state of a checkpoint that is its own.

    Args:
        identity: of the training, which the state must have.
        take: puts the state in place.
        agree: in words, what a checkpoint must agree in.

    Raises:
        ValueError: it is no checkpoint, or one of another training.
    """
    try:
        state = read_sealed(path, device)
        same = state["identity"] == identity
        if same:
            take(state)
    except Exception as error:
        raise ValueError(f"checkpoint must be one of a training, got {path} ({error}); delete it to start anew") from error
    if not same:
        raise ValueError(f"checkpoint must be of the same {agree}, which {path} is not; delete it to start anew")
