"""Latents in a folder: {train,test}-{transmitter,receiver}, with labels or targets where there are any, in any format."""

import hashlib
from functools import lru_cache
from pathlib import Path

from latentlink.data.readers.opening import SUFFIXES
from latentlink.data.readers.pairing import read_pairs
from latentlink.data.readers.targets import read_targets
from latentlink.latents.pilots import Pilots


def read_splits(folder: Path) -> tuple[Pilots, Pilots]:
    """Training and test latents; both have labels, or targets, or neither. Names of classes are numbered as in training.

    Raises:
        ValueError: a file is absent or there are several of its role, or the splits differ in what they hold beside latents.
    """
    train, test = (_read_split(folder, split) for split in ("train", "test"))
    for role in ("labels", "targets", "names"):
        if (getattr(train, role) is None) != (getattr(test, role) is None):
            what = {"names": "labels by name"}.get(role, role)
            raise ValueError(f"data.folder must hold the same of both splits, got {what} of one of them alone in {folder}")
    return train, test if train.names is None else test.numbered_as(train.names)


def _read_split(folder: Path, split: str) -> Pilots:
    transmitter, receiver = (find_file(folder, f"{split}-{end}") for end in ("transmitter", "receiver"))
    labels, targets = (_list_files(folder, f"{split}-{role}") for role in ("labels", "targets"))
    if labels and targets:
        raise ValueError(f"data.folder must hold labels (of a classifier) or targets (of a regression), got both in {folder}")
    pairs = read_pairs(transmitter, receiver, find_file(folder, f"{split}-labels") if labels else None)
    if not targets:
        return pairs
    return Pilots(pairs.x, pairs.y, targets=read_targets(find_file(folder, f"{split}-targets")))


def find_file(folder: Path, name: str) -> Path:
    """The one file, or folder of shards, of a name, whatever its format."""
    found = _list_files(folder, name)
    if not found:
        raise ValueError(
            f"data.folder must hold {name}{SUFFIXES[0]} (or {', '.join(SUFFIXES[1:])}, or a folder of shards), got {folder.resolve()}"
        )
    if len(found) > 1:
        raise ValueError(f"data.folder must hold one file of {name}, got {', '.join(path.name for path in found)} in {folder}")
    return found[0]


def _list_files(folder: Path, name: str) -> list[Path]:
    """The files, or folders of shards, of a name, whatever their format."""
    return [path for path in (folder / f"{name}{suffix}" for suffix in (*SUFFIXES, "")) if path.exists()]


def files_digest(folder: Path) -> str:
    """SHA-256 of the latents and labels in a folder, shards too; that of nothing where there are none."""
    named = [*folder.glob("train-*"), *folder.glob("test-*")] if folder.is_dir() else []
    found = {file for path in named for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()}
    return _digest(folder, tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(found)))


@lru_cache
def _digest(folder: Path, stamped: tuple[tuple[Path, int, int], ...]) -> str:
    """SHA-256 of files, each of which has its time of modification and size here: a changed one is read again."""
    digest = hashlib.sha256()
    for path, _, _ in stamped:
        with path.open("rb") as file:
            digest.update(f"{path.relative_to(folder).as_posix()} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
