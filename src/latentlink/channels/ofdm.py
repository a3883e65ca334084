"""The resource elements of an OFDM grid that carry a message.

Subcarrier k of a grid lies at frequency k Δf above its first, OFDM symbol l begins at l T_slot / 14: a slot of 14 symbols lasts
T_slot = 1 ms · 15 kHz / Δf (3GPP TS 38.211, normal cyclic prefix, whose slightly longer first symbol is evened out). A message's channel
uses are resource elements (k, l), in the order given.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.numerics.doors import integer, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised

SYMBOLS_PER_SLOT = 14
_MOST = 2**22  # elements: a band of 4,096 subcarriers over more than seventy slots


def symbol_duration_s(subcarrier_spacing_hz: float) -> float:
    """Compute the duration of an OFDM symbol with its cyclic prefix."""
    return 1e-3 * 15e3 / real("subcarrier_spacing_hz", subcarrier_spacing_hz, above=1e-300) / SYMBOLS_PER_SLOT


@made_by("ResourceElements.over_frequency(48, 624)")
@dataclass(frozen=True)
class ResourceElements(Summarised):
    """Resource elements (subcarrier, symbol), numbers from 0; u of them.

    Attributes:
        subcarriers: subcarrier of each element (u,).
        symbols: OFDM symbol of each element (u,), counted through all slots.

    Raises:
        ValueError: there is none, the two differ in length, an element comes twice, or a number is no integer >= 0.

    Example:
        >>> import latentlink as ll
        >>> elements = ll.channels.ResourceElements.over_frequency(4, 624)
        >>> elements.subcarriers
        (78, 234, 390, 546)
        >>> elements.frequencies_hz(30e3)
        tensor([ 2340000.,  7020000., 11700000., 16380000.], dtype=torch.float64)
    """

    subcarriers: tuple[int, ...]
    symbols: tuple[int, ...]

    def __post_init__(self) -> None:
        for name in ("subcarriers", "symbols"):
            values = getattr(self, name)
            numbers = tuple(integer(name, value, 0) for value in values) if isinstance(values, Iterable) else ()
            if not numbers:
                raise ValueError(f"{name} must be integers >= 0, at least one of them, got {values!r}")
            object.__setattr__(self, name, numbers)
        if len(self.subcarriers) != len(self.symbols):
            raise ValueError(f"symbols must be as many as subcarriers, {len(self.subcarriers)}, got {len(self.symbols)}")
        if len(set(self.pairs)) < len(self):
            raise ValueError("a resource element must not come twice")

    def __len__(self) -> int:
        return len(self.subcarriers)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The pair (subcarrier, symbol) of each element."""
        return tuple(zip(self.subcarriers, self.symbols, strict=True))

    def union(self, *others: "ResourceElements") -> "ResourceElements":
        """Join these elements and those of others, each once, in order."""
        pairs = dict.fromkeys(pair for elements in (self, *others) for pair in elements.pairs)
        return ResourceElements(*(tuple(numbers) for numbers in zip(*pairs, strict=True)))

    @classmethod
    def contiguous(cls, count: int, first: int = 0, symbol: int = 0) -> "ResourceElements":
        """Take neighbouring subcarriers of one symbol, as in a narrow allocation.

        Elements of a message lie in symbol 0 unless told otherwise, while those of `comb` are pilots, in symbols 2 and 11. Give both the
        same symbol where channels are known in one symbol only, as measured ones are: `comb(12, 48, symbols=(0,))`.

        Args:
            count: number of elements.
            first: the lowest subcarrier.
            symbol: the OFDM symbol of all elements.

        Raises:
            ValueError: count is no integer >= 1, or first or symbol none >= 0.
        """
        count, first = integer("count", count, most=_MOST), integer("first", first, 0)
        return cls(tuple(range(first, first + count)), (integer("symbol", symbol, 0),) * count)

    @classmethod
    def over_frequency(cls, count: int, subcarriers: int, symbol: int = 0) -> "ResourceElements":
        """Spread elements evenly over the subcarriers of a band, in one symbol.

        Args:
            count: number of elements.
            subcarriers: number of subcarriers of the band.
            symbol: the OFDM symbol of all elements.

        Raises:
            ValueError: the band has fewer subcarriers than elements are asked for.
        """
        return cls(_spread(count, "subcarriers", subcarriers), (integer("symbol", symbol, 0),) * count)

    @classmethod
    def over_slots(cls, count: int, slots: int, subcarrier: int = 0) -> "ResourceElements":
        """Spread elements evenly over the symbols of some slots, on one subcarrier.

        Args:
            count: number of elements.
            slots: number of slots, of 14 symbols each.
            subcarrier: the subcarrier of all elements.

        Raises:
            ValueError: the slots have fewer symbols than elements are asked for.
        """
        places = _spread(count, "slots, in symbols,", SYMBOLS_PER_SLOT * integer("slots", slots))
        return cls((integer("subcarrier", subcarrier, 0),) * count, places)

    @classmethod
    def block(cls, subcarriers: int, symbols: int) -> "ResourceElements":
        """Take all elements of a rectangle of the grid, symbol by symbol: 12 × 14 is a resource block.

        Args:
            subcarriers: number of subcarriers, from the first on.
            symbols: number of OFDM symbols, from the first on.

        Raises:
            ValueError: a number is no integer >= 1, or there are too many elements.
        """
        subcarriers, symbols = integer("subcarriers", subcarriers), integer("symbols", symbols)
        if subcarriers * symbols > _MOST:
            raise ValueError(f"subcarriers and symbols must be at most {_MOST:,} elements, got {subcarriers:,} × {symbols:,}")
        return cls.comb(1, subcarriers, range(symbols))

    @classmethod
    def comb(cls, spacing: int, subcarriers: int, symbols: Sequence[int] = (2, 11)) -> "ResourceElements":
        """Take every `spacing`-th subcarrier of a band in some symbols, as radio pilots lie; the first in the middle of its share.

        Pilots lie in symbols 2 and 11 of a slot unless told otherwise, as 5G's demodulation reference signals may, so that an estimator
        can interpolate in time; elements of a message, such as those of `contiguous`, lie in symbol 0. Channels that are known in one
        symbol only, as measured ones are, have their pilots there: `symbols=(0,)`.

        Args:
            spacing: distance of neighbouring pilots in subcarriers.
            subcarriers: number of subcarriers of the band.
            symbols: the OFDM symbols that have pilots.

        Raises:
            ValueError: the spacing is below 1 or wider than the band.
        """
        spacing = integer("spacing", spacing, 1, integer("subcarriers", subcarriers, most=_MOST))
        symbols = [integer("symbols", symbol, 0) for symbol in symbols]
        if not symbols:
            raise ValueError("symbols must be integers >= 0, at least one of them, got none")
        places = tuple(range((spacing - 1) // 2, subcarriers, spacing))
        return cls(places * len(symbols), tuple(symbol for symbol in symbols for _ in places))

    def delayed(self, symbols: int) -> "ResourceElements":
        """Move the elements later by a number of symbols."""
        return ResourceElements(self.subcarriers, tuple(symbol + symbols for symbol in self.symbols))

    def frequencies_hz(self, subcarrier_spacing_hz: float) -> Float[Tensor, "u"]:
        """Compute the frequency of each element above the first subcarrier (u,), in Hz."""
        subcarrier_spacing_hz = real("subcarrier_spacing_hz", subcarrier_spacing_hz, above=0.0)
        return subcarrier_spacing_hz * torch.tensor(self.subcarriers, dtype=torch.float64, device="cpu")

    def times_s(self, subcarrier_spacing_hz: float) -> Float[Tensor, "u"]:
        """Compute the time at which the symbol of each element begins (u,), in seconds."""
        return symbol_duration_s(subcarrier_spacing_hz) * torch.tensor(self.symbols, dtype=torch.float64, device="cpu")


def _spread(count: int, name: str, room: int) -> tuple[int, ...]:
    """Choose `count` places, evenly over 0 … room − 1, each in the middle of its share."""
    if integer(name.partition(",")[0], room) < integer("count", count, most=_MOST):
        raise ValueError(f"{name} must be at least {count}, one for each element, got {room}")
    return tuple((2 * i + 1) * room // (2 * count) for i in range(count))
