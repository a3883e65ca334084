"""3GPP channels (TR 38.901) on OFDM resource elements: TDL and CDL profiles, and drops in UMi, UMa, RMa and InH.

The paths are Sionna's [hoydis2022sionna] (extra `3gpp`). Path p with coefficient a_p(t) and delay τ_p gives resource element (k, l)

    H = Σ_p a_p(t_l) exp(−j 2π f_k τ_p),      f_k = k Δf,   t_l = l T_slot / 14          (see `ofdm`).

Channels are drawn in blocks of BLOCK, each from a seed of its own, on one thread: channel i of a seed is the same to the last bit however
many are asked for, at a time, or by how many workers. Each block is stored on disk as soon as it is drawn, in the folder of its bank, which
is named by the SHA-256 of all that its channels depend on, also of the version of what draws them: nothing in it is ever out of date, and
an interrupted bank goes on at its first missing file.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Complex
from torch import Tensor

from latentlink.channels.ofdm import ResourceElements, symbol_duration_s
from latentlink.channels.tr38901.model import Model, ModelName, Panel
from latentlink.channels.tr38901.paths import draw_paths, response, time_steps
from latentlink.numerics.doors import check_instance, integer
from latentlink.numerics.extras import import_extra
from latentlink.numerics.progress import CountProgress, on_terminal
from latentlink.numerics.threads import one_thread
from latentlink.numerics.validation import validate_call
from latentlink.storage.artifacts import artifact, load_if_there, save
from latentlink.storage.folders import cache_folder

BLOCK = 10  # channels drawn from one seed: another number gives other channels
_BANK_VERSION = 1  # of how channels come from what a bank is named by
_SCALE_BLOCKS = 64  # from which the mean gain of a model is learnt, apart from all seeds


@artifact("channels")
@dataclass(frozen=True, eq=False)
class _Kept:
    """The channels h (n, u, n_rx, n_tx) complex64 of a bank, as they are stored."""

    h: Complex[Tensor, "n u r t"]

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors and facts of the saved file."""
        return {"h": torch.view_as_real(self.h)}, {}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "_Kept":
        """Read the channels of a saved file."""
        return cls(torch.view_as_complex(tensors["h"]))


def grids(
    model: Model,
    batch: int,
    elements: ResourceElements,
    *,
    seed: int = 0,
    chunk: int = 100,
    workers: int = 1,
    cache: bool = True,
    progress: CountProgress | None = None,
) -> Complex[Tensor, "batch u r t"]:
    """Draw channels (batch, u, n_rx, n_tx) complex64 of a model at u resource elements; arguments and errors as in `generate`.

    Blocks that are not stored yet are drawn, about `chunk` channels at a time by each worker.
    """
    check_instance("elements", elements, ResourceElements, "ResourceElements.over_frequency(48, 624)")
    batch, seed = integer("batch", batch), integer("seed", seed, 0, 2**64 - 1)
    chunk, workers = integer("chunk", chunk), integer("workers", workers)
    shown = on_terminal(f"{model.model} channels") if progress is None else progress
    folder = _bank_folder(model, elements, seed) if cache else None
    h = torch.empty(batch, len(elements), model.receive.antennas, model.transmit.antennas, dtype=torch.complex64, device="cpu")
    blocks, step = -(-batch // BLOCK), max(1, chunk // BLOCK)
    ranges = [range(first, min(first + step, blocks)) for first in range(0, blocks, step)]
    joblib = import_extra("joblib", "3gpp")
    run = joblib.Parallel(n_jobs=workers, return_as="generator", pre_dispatch="n_jobs")
    parts = run(joblib.delayed(_take_blocks)(model, elements, seed, folder, of) for of in ranges)
    for of, part in zip(ranges, parts, strict=True):
        start, stop = of.start * BLOCK, min(of.stop * BLOCK, batch)
        h[start:stop] = part[: stop - start]
        shown(stop, batch)
    return h


def _bank_folder(model: Model, elements: ResourceElements, seed: int) -> Path:
    """The folder of a bank of channels."""
    try:
        source = version("sionna-no-rt")
    except PackageNotFoundError:
        source = "none"
    identity = f"{model.identity()} {elements} seed {seed} block {BLOCK} sionna {source} bank {_BANK_VERSION}"
    return cache_folder() / "channels" / hashlib.sha256(identity.encode()).hexdigest()


def _take_blocks(model: Model, elements: ResourceElements, seed: int, folder: Path | None, numbers: range) -> Complex[Tensor, "n u r t"]:
    """Take some blocks, from their files where there are such; workers in other processes call it."""
    taken = []
    for number in numbers:
        path = None if folder is None else folder / f"{number}.safetensors"
        before = load_if_there(path, _Kept) if path else None
        if before is not None and before.h.shape == (BLOCK, len(elements), model.receive.antennas, model.transmit.antennas):
            taken.append(before.h)
            continue
        with one_thread():
            taken.append(draw_block(model, elements, _seed_of(seed, number)))
        if path is not None:
            save("channels", _Kept(taken[-1]), path)
    return torch.cat(taken)


def draw_block(model: Model, elements: ResourceElements, seed: int, *, most_at_once: int = 4096) -> Complex[Tensor, "block u r t"]:
    """Draw one block of channels (BLOCK, u, n_rx, n_tx) complex64 from its seed.

    At most `most_at_once` time steps × antenna pairs are drawn at once, which bounds the memory; 4096 take some 200 MB.
    """
    h = _draw_over_time(model, elements, seed, most_at_once)
    if model.normalisation == "path-loss":
        return h
    if model.normalisation == "each":
        power = h.abs().square().mean((1, 2, 3), keepdim=True)
        return h * (model.gain / torch.where(power > 0, power, 1.0)).sqrt()
    return h * math.sqrt(model.gain / _mean_gain(replace(model, gain=1.0)))


def _draw_over_time(model: Model, elements: ResourceElements, seed: int, most_at_once: int) -> Complex[Tensor, "block u r t"]:
    """Draw the block before it is scaled: all time steps at once or, where they are too many, each symbol from the same seed."""
    step, count, steps = time_steps(elements.symbols)
    frequencies, duration = elements.frequencies_hz(model.subcarrier_spacing_hz), symbol_duration_s(model.subcarrier_spacing_hz)
    if count <= 2 or count * model.receive.antennas * model.transmit.antennas <= most_at_once:
        return response(*draw_paths(model, seed, BLOCK, count, 1 / (step * duration)), frequencies, steps)
    symbols = torch.tensor(elements.symbols, device="cpu")
    h = torch.empty(BLOCK, len(elements), model.receive.antennas, model.transmit.antennas, dtype=torch.complex64, device="cpu")
    for symbol in symbols.unique().tolist():
        here = symbols == symbol  # the second step of two, the first one being symbol 0
        a, tau = draw_paths(model, seed, BLOCK, 2, 1 / (max(symbol, 1) * duration))
        h[:, here] = response(a, tau, frequencies[here], torch.full((int(here.sum()),), int(symbol > 0), device="cpu"))
    return h


@lru_cache
def _mean_gain(model: Model) -> float:
    """Measure E|h|² over entries and channels as the model draws it: Σ_p |a_p|², which is free of fading between paths."""
    if model.model.startswith("TDL"):
        return 1.0  # the profiles' powers add up to one
    period = symbol_duration_s(model.subcarrier_spacing_hz)
    with one_thread():
        drawn = (draw_paths(model, _seed_of(-1, number), BLOCK, 2, 1 / period)[0] for number in range(_SCALE_BLOCKS))
        powers = [a[..., 0].abs().square().sum(-1).mean().item() for a in drawn]
    return sum(powers) / _SCALE_BLOCKS


def _seed_of(seed: int, number: int) -> int:
    """Derive a seed for each block by hash, unrelated to those of other blocks and seeds; banks on disk depend on it."""
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:7], "little")


@validate_call
def generate(
    model: ModelName,
    n_rx: int,
    n_tx: int,
    *,
    batch: int | Sequence[int] = 1,
    elements: ResourceElements | None = None,
    seed: int = 0,
    chunk: int = 100,
    workers: int = 1,
    cache: bool = True,
    progress: CountProgress | None = None,
    dtype: torch.dtype = torch.complex128,
    **settings: Any,
) -> Complex[Tensor, "*batch u n_rx n_tx"]:
    """Draw 3GPP channels on a grid of resource elements, for `Channel.from_grid`.

    Args:
        model: name of the profile or scenario, "TDL-A" … "CDL-E", "UMi", "UMa", "RMa" or "InH".
        n_rx: number of receive antennas.
        n_tx: number of transmit antennas.
        batch: number of channels, or their shape.
        elements: resource elements that a message takes, u of them; one alone if None.
        seed: the same seed gives the same channels, bit for bit; the first channels of a larger batch are those of a smaller one.
        chunk: number of channels computed and stored at a time, which bounds memory; channels do not depend on it.
        workers: number of processes; channels do not depend on it.
        cache: whether channels are stored on this machine and read from there.
        progress: callback, called with (channels drawn, channels in all) after each chunk. If None, a line is written to stderr, or
            to a log one every 30 s at most; pass `lambda done, total: None` for silence.
        dtype: complex64 or complex128 (the models compute in complex64).
        settings: further attributes of `Model` (carrier_hz, delay_spread_s, speed_mps, subcarrier_spacing_hz, normalisation, …); `receive`
            and `transmit` may be panels of n_rx and n_tx antennas, and are linear arrays, cross-polarised if even, if not given.

    Returns:
        h (*batch, u, n_rx, n_tx).

    Raises:
        ValueError: as `Model`; batch, chunk or workers is below 1, seed is negative, a panel has other than n_rx or n_tx antennas, or
            dtype is real.
        ImportError: the extra `3gpp` is not installed.

    References:
        [3gpp38901]; [hoydis2022sionna].

    Example:
        >>> import latentlink as ll
        >>> grid = ll.tr38901.generate("TDL-A", 2, 2, batch=10, elements=ll.channels.ResourceElements.over_frequency(4, 624))
        >>> ll.Channel.from_grid(grid, snr_db=20.0)
        Channel(10 channels, 2×2, 4 uses, SNR 20 dB, power 1)
    """
    if dtype not in (torch.complex64, torch.complex128):
        raise ValueError(f"dtype must be torch.complex64 or torch.complex128, got {dtype}")
    for end, name, antennas in (("receive", "n_rx", n_rx), ("transmit", "n_tx", n_tx)):
        count = integer(name, antennas)
        settings[end] = settings.get(end) or Panel.linear(count)
        if not isinstance(settings[end], Panel) or settings[end].antennas != count:
            raise ValueError(f"{end} must be a Panel of {name} = {count} antennas, got {settings[end]!r}")
    if unknown := sorted(settings.keys() - {field.name for field in fields(Model)}):
        raise ValueError(f"settings must be those of Model, got {', '.join(unknown)}")
    shape = tuple(integer("batch", size) for size in (batch if isinstance(batch, list | tuple) else (batch,)))
    count = math.prod(shape)
    elements = ResourceElements((0,), (0,)) if elements is None else elements
    options: dict[str, Any] = {"seed": seed, "chunk": chunk, "workers": workers, "cache": cache, "progress": progress}
    h = grids(Model(model, **settings), count, elements, **options)
    return h.to(dtype).reshape(*shape, *h.shape[1:])
