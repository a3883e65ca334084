"""Latents as payloads of any number of bits: which coefficients are coded, by which code, and what is left of them.

Coefficients of unit variance z = Φ (x − μx) are weighted, c = diag(w) z, so that squared errors of c add up to the error that matters, and
the receiver reads ŷ = μy + Ψ ẑ:

    aligned at the transmitter    semantic modes, w = b: the Karhunen–Loève transform of what x tells of y, or of a goal's share of it;
    aligned at the receiver       principal components of x, w = √λ, Ψ = Ryx Φᵀ: a code of x that knows nothing of y.

Of a payload of B bits, v ∈ {0, 10, 20, B} go to a residual vector quantiser and the rest to a transform code of what that leaves; the
best v is found on pilots held back from all tables, once for payloads of about the same size.
"""

import math
import threading
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from latentlink.digital.source.transform import TransformCode
from latentlink.digital.source.vectors import VectorQuantiser
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.latents.whitening import Spectrum
from latentlink.linear.modes import SemanticModes, varying_covariances
from latentlink.numerics.doors import finite

_PREFIXES = (0, 10, 20)  # bits of the vector quantiser before a transform code
_ALL_VECTORS = 64  # bits up to which the vector quantiser is also tried alone
_SMALLEST_TRANSFORM = 12  # bits
_HELD_SHARE, _HELD_MOST = 0.15, 512  # of the pilots, to judge codes on
_DIGITS = 6  # significant bits of the size of a payload: sizes are shared, and at most 3 % of the payload is not used


@dataclass(frozen=True, eq=False)
class Coordinates:
    """What is coded: Φ (k, d), Ψ (m, k), w (k) decreasing, μx (d,), μy (m,)."""

    analysis: Float[Tensor, "k d"]
    synthesis: Float[Tensor, "m k"]
    weight: Float[Tensor, "k"]
    mean_x: Float[Tensor, "d"]
    mean_y: Float[Tensor, "m"]

    @classmethod
    def of_modes(cls, modes: SemanticModes) -> "Coordinates":
        """Alignment at the transmitter."""
        return cls(modes.analysis, modes.synthesis, modes.strength, modes.mean_x, modes.mean_y)

    @classmethod
    def of_moments(cls, moments: Moments, shrinkage: float) -> "Coordinates":
        """Alignment at the receiver, with R_λ in place of Rx."""
        Rx, Ryx, _ = varying_covariances(moments)
        values, vectors = Spectrum.of(Rx).kept(shrinkage)
        analysis = values.rsqrt().unsqueeze(-1) * vectors.mH
        return cls(analysis, Ryx @ analysis.mT, values.sqrt(), moments.mean_x, moments.mean_y)

    def weighted(self, x: Tensor | NDArray[Any]) -> Float[Tensor, "*a n k"]:
        """c (…, n, k) of latents x (…, n, d).

        Raises:
            ValueError: x is complex, not finite, of another dimension, or has no message axis.
        """
        x = finite("x", x)
        if x.is_complex() or x.ndim < 2 or x.shape[-1] != len(self.mean_x):
            raise ValueError(f"x must have shape (..., n, {len(self.mean_x)}) and be real, got {x.dtype} {tuple(x.shape)}")
        return (x.to(self.analysis) - self.mean_x) @ self.analysis.mT * self.weight

    def truncated(self, k: int) -> "Coordinates":
        """The first k of them."""
        return Coordinates(self.analysis[:k], self.synthesis[:, :k], self.weight[:k], self.mean_x, self.mean_y)

    def to(self, target: torch.device | torch.dtype | str) -> "Coordinates":
        """The same on another device or in another dtype."""
        return Coordinates(*(getattr(self, name).to(target) for name in ("analysis", "synthesis", "weight", "mean_x", "mean_y")))


class LatentCode:
    """Codes of latents for every size of payload, learnt from pilots; both devices hold it.

    Attributes:
        coordinates: what is coded. energy: E||c||² of held-back pilots, the weighted error of the mean. variance: E||y − μy||² of theirs.
    """

    def __init__(self, coordinates: Coordinates, pilots: Pilots) -> None:
        self.coordinates = coordinates
        c = coordinates.weighted(pilots.x)
        order = torch.randperm(len(c), generator=torch.Generator().manual_seed(0)).to(c.device)
        held = min(_HELD_MOST, int(_HELD_SHARE * len(c)))
        rows, learnt = order[:held] if held else order, c[order[held:]]
        self._held, self._wanted = c[rows], pilots.y[rows].to(c) - coordinates.mean_y
        self.energy, self.variance = float(self._held.square().sum(-1).mean()), float(self._wanted.square().sum(-1).mean())
        self._vectors, self._learnt = VectorQuantiser(learnt), learnt
        self._transforms: dict[int, TransformCode] = {}
        self._prefixes: dict[int, int] = {}
        self._left: dict[int, tuple[float, float]] = {}
        self._payloads: dict[int, Tensor] = {}
        self._lock = threading.RLock()

    @staticmethod
    def rounded(bits: int) -> int:
        """The payload of at most `bits` that is used: six significant binary digits."""
        unit = 1 << max(0, bits.bit_length() - _DIGITS)
        return bits // unit * unit

    def encode(self, c: Float[Tensor, "n k"], payload: int) -> Int[Tensor, "n p"]:
        """Payloads (n, payload) of weighted coefficients c (n, k)."""
        with self._lock:
            return self._encoded(c, payload, self._prefix(payload))[0]

    def decode(self, bits: Int[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Weighted coefficients ĉ (n, k) of payloads (n, payload); equal ones are decoded once."""
        size = len(self.coordinates.weight)
        if bits.numel() == 0:
            return torch.zeros(len(bits), size, dtype=torch.float64, device=bits.device)
        different, which = bits.unique(dim=0, return_inverse=True)
        with self._lock:
            prefix = self._prefix(bits.shape[-1])
            decoded = self._vectors.decode(different[:, :prefix], size)
            if prefix < bits.shape[-1]:
                decoded = decoded + self._transform(prefix).decode(different[:, prefix:], size)
        return decoded[which]

    def held_payloads(self, payload: int) -> Int[Tensor, "n p"]:
        """Payloads of held-back pilots, encoded once."""
        with self._lock:
            if payload not in self._payloads:
                self._payloads[payload] = self.encode(self._held, payload)
            return self._payloads[payload]

    def reach(self, payload: int) -> int:
        """How many coefficients a payload can say anything of, the first ones."""
        with self._lock:
            prefix = self._prefix(payload)
            beyond = self._transform(prefix).reach(payload - prefix) if prefix < payload else 0
            return max(1, self._vectors.size if prefix else 0, beyond)

    def left(self, payload: int) -> tuple[float, float]:
        """E||c − ĉ||² and E||y − ŷ||² of held-back pilots at a payload; between sizes that are not measured, by powers of the size."""
        if payload <= _SMALLEST_TRANSFORM:
            return self._measured(payload)
        low = _grid(payload)
        high = _above(low)
        part = math.log(payload / low) / math.log(high / low)
        a, b = self._measured(low), self._measured(high) if part > 0 else self._measured(low)
        return _between(a[0], b[0], part), _between(a[1], b[1], part)

    def _measured(self, payload: int) -> tuple[float, float]:
        with self._lock:
            if payload not in self._left:
                c, coordinates = self._encoded(self._held, payload, self._prefix(payload))[1], self.coordinates
                y = (c / coordinates.weight) @ coordinates.synthesis.mT
                errors = (self._held - c, self._wanted - y)
                self._left[payload] = tuple(float(e.square().sum(-1).mean()) for e in errors)  # type: ignore[assignment]
            return self._left[payload]

    def _prefix(self, payload: int) -> int:
        """v, bits of the vector quantiser."""
        if payload < _SMALLEST_TRANSFORM:
            return payload
        size = _grid(payload)
        if size not in self._prefixes:
            options = [v for v in _PREFIXES if size - v >= _SMALLEST_TRANSFORM] + ([size] if size <= _ALL_VECTORS else [])
            errors = [float((self._held - self._encoded(self._held, size, v)[1]).square().sum()) for v in options]
            best = options[errors.index(min(errors))]
            self._prefixes[size] = best if best < size else -1
        chosen = self._prefixes[size]
        return payload if chosen < 0 else chosen

    def _transform(self, prefix: int) -> TransformCode:
        if prefix not in self._transforms:
            left = self._learnt - self._vectors.encode(self._learnt, prefix)[1] if prefix else self._learnt
            self._transforms[prefix] = TransformCode(left)
        return self._transforms[prefix]

    def _encoded(self, c: Float[Tensor, "n k"], payload: int, prefix: int) -> tuple[Int[Tensor, "n p"], Float[Tensor, "n k"]]:
        bits, decoded = self._vectors.encode(c, prefix)
        if prefix == payload:
            return bits, decoded
        rest, more = self._transform(prefix).encode(c - decoded, payload - prefix)
        return torch.cat([bits, rest], -1), decoded + more.to(decoded)


def _grid(payload: int) -> int:
    """The largest of 12, 16, 24, 32, 48, 64, … that is not above."""
    power = 2 ** (payload.bit_length() - 1)
    return power * 3 // 2 if payload >= power * 3 // 2 else power if power >= _SMALLEST_TRANSFORM else _SMALLEST_TRANSFORM


def _above(size: int) -> int:
    return size * 4 // 3 if size % 3 == 0 else size * 3 // 2


def _between(a: float, b: float, part: float) -> float:
    return math.exp((1 - part) * math.log(max(a, 1e-300)) + part * math.log(max(b, 1e-300)))
