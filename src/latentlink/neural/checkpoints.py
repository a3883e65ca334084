"""Checkpoints of a training: files that are used only if they are intact and of the very same training.

A file is a SHA-256 and what `torch.save` makes of the state. The state carries the identity of its training, a hash of the settings and of
all tensors that the training depends on.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlink.storage.atomic import write_atomically

HASH_BYTES = 32


def identity_of(*parts: object) -> str:
    """A hash of settings and tensors, the same for equal parts in every process.

    Args:
        parts: tensors, by their values, types and shapes; anything else by its `repr`.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            digest.update(repr((part.dtype, tuple(part.shape))).encode())
            plain = torch.view_as_real(part.resolve_conj()) if part.is_complex() else part
            digest.update(plain.detach().cpu().double().contiguous().numpy().tobytes())
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """The file in which a training keeps its state.

    Attributes:
        path: the file.
        identity: of the training, which a state must have to be taken up.
        device: where the tensors of the state are loaded.
        depends_on: what the identity covers, in words for the error message.
    """

    path: Path
    identity: str
    device: torch.device
    depends_on: str

    def save(self, state: dict[str, Any]) -> None:
        """Write a state atomically."""
        buffer = io.BytesIO()
        torch.save({"identity": self.identity, **state}, buffer)
        content = buffer.getvalue()
        write_atomically(self.path, hashlib.sha256(content).digest() + content)

    def restore(self, take: Callable[[dict[str, Any]], None]) -> None:
        """Hand the state in the file, if it is there, to `take`, which puts it in place; nothing in the file is executed.

        Raises:
            ValueError: the file is no checkpoint, damaged, or of another training.
        """
        if not self.path.is_file():
            return
        try:
            state = self._read()
            same = state["identity"] == self.identity
            if same:
                take(state)
        except Exception as error:
            raise ValueError(f"checkpoint must be one of a training, got {self.path} ({error}); delete it to start anew") from error
        if not same:
            raise ValueError(f"checkpoint must be of the same {self.depends_on}, which {self.path} is not; delete it to start anew")

    def remove(self) -> None:
        """Delete the file, once its training is done."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        raw = self.path.read_bytes()
        if hashlib.sha256(raw[HASH_BYTES:]).digest() != raw[:HASH_BYTES]:
            raise ValueError("it was changed or cut")
        state: dict[str, Any] = torch.load(io.BytesIO(raw[HASH_BYTES:]), map_location=self.device, weights_only=True)
        return state
