"""Latents as payloads of any number of bits: the coefficients that are coded, their codes, and the errors that remain.

Coefficients of unit variance z = Φ (x − μx) are weighted, c = diag(w) z, so that squared errors of c add up to the error that matters, and
the receiver reads ŷ = μy + Ψ ẑ:

    aligned at the transmitter    semantic modes, w = b: the Karhunen–Loève transform of the part of y (or of W y) that is linear in x;
    aligned at the receiver       principal components of x, w = √λ, Ψ = Ryx Φᵀ: a code of x that knows nothing of y.

Of a payload of B bits, v ∈ {0, 10, 20, B} go to a residual vector quantiser and the rest to a transform code of its residual; the
best v is found on pilots held back from all tables, once for payloads of about the same size.
"""

import math
import threading
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.digital.source.transform import TransformCode
from latentlink.digital.source.vectors import VectorQuantiser
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.latents.whitening import Spectrum
from latentlink.links.link_file import taken_out
from latentlink.links.shapes import check_latents
from latentlink.numerics.doors import AnyArray, integer
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts, named_tensors
from latentlink.numerics.reprs import Summarised, counted
from latentlink.storage.fields import check_fields

_PREFIXES = (0, 10, 20)  # bits of the vector quantiser before a transform code
_ALL_VECTORS = 64  # bits up to which the vector quantiser is also tried alone
_SMALLEST_TRANSFORM = 12  # bits
_LARGEST = 2**20  # bits of a message
_HELD_SHARE, _HELD_MOST = 0.15, 512  # of the pilots, to judge codes on
_DIGITS = 6  # significant bits of the size of a payload: sizes are shared, and at most 3 % of the payload is not used


@dataclass(frozen=True, eq=False)
class Coordinates(Parts):
    """The coefficients that are coded, c = diag(w) Φ (x − μx), and how the receiver reads them, ŷ = μy + Ψ diag(w)⁻¹ ĉ.

    Attributes:
        analysis: Φ (k, d).
        synthesis: Ψ (m, k).
        weight: w (k,), decreasing.
        mean_x: μx (d,).
        mean_y: μy (m,).
    """

    analysis: Float[Tensor, "k d"]
    synthesis: Float[Tensor, "m k"]
    weight: Float[Tensor, "k"]
    mean_x: Float[Tensor, "d"]
    mean_y: Float[Tensor, "m"]

    @classmethod
    def of_moments(cls, moments: Moments, shrinkage: float) -> "Coordinates":
        """The principal components of x, with R_λ in place of Rx: the receiver aligns."""
        moments = moments.without_rounding()
        values, vectors = Spectrum.of(moments.cov_x).kept(shrinkage)
        analysis = values.rsqrt().unsqueeze(-1) * vectors.mH
        return cls(analysis, moments.cov_yx @ analysis.mT, values.sqrt(), moments.mean_x, moments.mean_y)

    def weighted(self, x: AnyArray) -> Float[Tensor, "*a n k"]:
        """The weighted coefficients c (…, n, k) of latents x (…, n, d).

        Raises:
            ValueError: x is complex, not finite, of another dimension, or has no message axis.
        """
        x = check_latents(x, len(self.mean_x))
        return (x.to(self.analysis) - self.mean_x) @ self.analysis.mT * self.weight

    def truncated(self, k: int) -> "Coordinates":
        """The first k coefficients alone."""
        return Coordinates(self.analysis[:k], self.synthesis[:, :k], self.weight[:k], self.mean_x, self.mean_y)


class Remaining(NamedTuple):
    """The errors E||c − ĉ||² (weighted) and E||y − ŷ||² (mse) of a payload on the latents of pilots."""

    weighted: float
    mse: float


@made_by("Digital().code(modes, pilots)")
class LatentCode(Summarised):
    """Codes of latents for every size of payload, learnt from pilots; both devices hold it.

    Tables are made when a payload first needs them. A saved code holds the data of the tables, so that a device makes the same ones.

    Attributes:
        coordinates: the coefficients that are coded.
        learnt: weighted coefficients (n, k) of the pilots that tables are made of.
        held: weighted coefficients (h, k) of the pilots that codes are judged on.
        wanted: y − μy (h, m) of the same pilots.
        energy: E||c||² of held-back pilots, the weighted error of the mean.
        variance: E||y − μy||² of held-back pilots.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
        >>> code = ll.digital.Digital().code(modes, ll.Pilots(x, y))
        >>> bits = code.encode(code.held[:3], payload=16)
        >>> bits.shape, code.decode(bits).shape
        (torch.Size([3, 16]), torch.Size([3, 6]))
    """

    def __init__(
        self, coordinates: Coordinates, learnt: Float[Tensor, "n k"], held: Float[Tensor, "h k"], wanted: Float[Tensor, "h m"]
    ) -> None:
        self.coordinates, self.learnt, self.held, self.wanted = coordinates, learnt, held, wanted
        self.energy = float(held.square().sum(-1).mean())
        self.variance = float(wanted.square().sum(-1).mean())
        self._vectors = VectorQuantiser(learnt)
        self._transform, self._best_prefix = cache(self._fit_transform), cache(self._search_prefix)
        self._measured, self._encoded_held = cache(self._measure), cache(partial(self.encode, self.held))
        self._lock = threading.RLock()

    def _facts(self) -> dict[str, str]:
        return {
            "coefficients": counted(self.learnt.shape[-1], "coefficient"),
            "learnt from": f"learnt from {counted(len(self.learnt), 'pilot')}",
            "judged on": f"judged on {counted(len(self.held), 'pilot')}",
        }

    @classmethod
    def of_pilots(cls, coordinates: Coordinates, pilots: Pilots) -> "LatentCode":
        """Learn the code from pilots, some of which are held back to judge it on."""
        c = coordinates.weighted(pilots.x)
        order = torch.randperm(len(c), generator=torch.Generator().manual_seed(0), device="cpu").to(c.device)
        count = min(_HELD_MOST, int(_HELD_SHARE * len(c)))
        held = order[:count] if count else order
        return cls(coordinates, c[order[count:]], c[held], pilots.y[held].to(c) - coordinates.mean_y)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles hold the data that the tables are made of, from which they make the same ones."""
        return LatentCode, (self.coordinates, self.learnt, self.held, self.wanted)

    def to(self, device: torch.device | str) -> "LatentCode":
        """The same code on another device, where its tables are made anew."""
        return LatentCode(self.coordinates.to(device), self.learnt.to(device), self.held.to(device), self.wanted.to(device))

    def to_tensors(self) -> dict[str, Tensor]:
        """The tensors that the code is made of, by name, for a saved link."""
        return named_tensors({name: getattr(self, name) for name in ("coordinates", "learnt", "held", "wanted")})

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "LatentCode":
        """The code of a saved link."""
        if wrong := sorted(name for name, value in tensors.items() if value.dtype != torch.float64):
            raise ValueError(f"{', '.join(wrong)} must be in float64, in which both devices compute their tables")
        coordinates = Coordinates(**taken_out(tensors, "coordinates."))
        check_fields(coordinates, "coordinates.")
        return cls(coordinates, **tensors)

    @staticmethod
    def round_down(bits: int) -> int:
        """The payload of at most `bits` that is used: six significant binary digits."""
        bits = integer("bits", bits, 0)
        unit = 1 << max(0, bits.bit_length() - _DIGITS)
        return bits // unit * unit

    def encode(self, c: Float[Tensor, "n k"], payload: int) -> Int[Tensor, "n p"]:
        """Payloads (n, payload) of weighted coefficients c (n, k)."""
        payload = integer("payload", payload, 0, _LARGEST)
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
            return self._encoded_held(payload)

    def reach(self, payload: int) -> int:
        """The number of coefficients, from the strongest on, that a payload describes."""
        payload = integer("payload", payload, 0, _LARGEST)
        with self._lock:
            prefix = self._prefix(payload)
            beyond = max(self._transform(prefix).sizes(payload - prefix)) if prefix < payload else 0
            return max(1, self._vectors.size if prefix else 0, beyond)

    def search_operations(self, payload: int, each: int) -> int:
        """Operations that the search of the quantisers takes for a message, at `each` for a coefficient and step of a transform code."""
        with self._lock:
            prefix = self._prefix(payload)
            vectors = sum(2 * self._vectors.size * (1 << bits) for bits in self._vectors.stages(prefix))
            steps = sum(self._transform(prefix).sizes(payload - prefix)) if prefix < payload else 0
            return vectors + each * steps

    def remaining(self, payload: int) -> Remaining:
        """The errors that a payload leaves on held-back pilots; between sizes that are measured, by powers of the size."""
        with self._lock:
            if payload <= _SMALLEST_TRANSFORM:
                return self._measured(payload)
            low = _grid(payload)
            high = low * 4 // 3 if low % 3 == 0 else low * 3 // 2  # the next of the measured sizes
            part = math.log(payload / low) / math.log(high / low)
            below = self._measured(low)
            above = self._measured(high) if part > 0 else below
            return Remaining(_between(below.weighted, above.weighted, part), _between(below.mse, above.mse, part))

    def _measure(self, payload: int) -> Remaining:
        _, c = self._encoded(self.held, payload, self._prefix(payload))
        y = (c / self.coordinates.weight) @ self.coordinates.synthesis.mT
        weighted, mse = (float(error.square().sum(-1).mean()) for error in (self.held - c, self.wanted - y))
        return Remaining(weighted, mse)

    def _prefix(self, payload: int) -> int:
        """The bits v of the payload that the vector quantiser takes."""
        if payload < _SMALLEST_TRANSFORM:
            return payload
        size = _grid(payload)
        chosen = self._best_prefix(size)
        return chosen if chosen < size else payload

    def _search_prefix(self, size: int) -> int:
        options = [v for v in _PREFIXES if size - v >= _SMALLEST_TRANSFORM] + ([size] if size <= _ALL_VECTORS else [])
        return min(options, key=lambda v: float((self.held - self._encoded(self.held, size, v)[1]).square().sum()))

    def _fit_transform(self, prefix: int) -> TransformCode:
        return TransformCode(self.learnt - self._vectors.encode(self.learnt, prefix)[1] if prefix else self.learnt)

    def _encoded(self, c: Float[Tensor, "n k"], payload: int, prefix: int) -> tuple[Int[Tensor, "n p"], Float[Tensor, "n k"]]:
        bits, decoded = self._vectors.encode(c, prefix)
        if prefix == payload:
            return bits, decoded
        rest, more = self._transform(prefix).encode(c - decoded, payload - prefix)
        return torch.cat([bits, rest], -1), decoded + more.to(decoded)


def _grid(payload: int) -> int:
    """The largest of the measured sizes 12, 16, 24, 32, 48, 64, … that is not above a payload."""
    power = 1 << (payload.bit_length() - 1)
    between = power * 3 // 2
    return between if payload >= between else max(power, _SMALLEST_TRANSFORM)


def _between(a: float, b: float, part: float) -> float:
    """The geometric interpolation between two errors."""
    return math.exp((1 - part) * math.log(max(a, 1e-300)) + part * math.log(max(b, 1e-300)))
