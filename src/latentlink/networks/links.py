"""The channels of a network: one from every transmitter to every receiver, r_k = Σ_t H_kt s_t + v_k."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Complex
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.matrices import Scalars
from latentlink.numerics.doors import AnyArray, as_generator, as_tensor, integer
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts
from latentlink.numerics.reprs import Summarised, counted, spread

Table = Sequence[Sequence[AnyArray]]


@made_by("Links.from_snr([[h11, h12], [h21, h22]], snr_db)")
@dataclass(frozen=True, eq=False, init=False, repr=False)
class Links(Summarised, Parts):
    """A batch of networks of R receivers and T transmitters; every tensor shares the leading dimensions `...`, one network each.

    Attributes:
        table: the channel [k][t] of each receiver and transmitter, of one batch; a row has the receiver's noise (and interference from
            outside), a column the transmitter's power.
        transmitter_of: the transmitter of each source, for sources at transmitters of several; None where there is one transmitter, or
            one for each source.
        receiver_of: the receiver of each user, likewise.

    Raises:
        ValueError: h is no table, or its entries are not complex (…, u, n_rx_k, n_tx_t), or differ in antennas within a row or column, in
            uses or in batch; or another argument does not fit; naming it.

    Example:
        >>> import latentlink as ll
        >>> h = [[ll.rayleigh(2, 4, batch=(10, 1), generator=3 * k + t) for t in range(2)] for k in range(2)]
        >>> ll.networks.Links(h, noise_variance=0.1)
        Links(10 networks, 2 receivers, 2 transmitters, 1 use, SNR 3.979 dB)
    """

    table: tuple[tuple[Channel, ...], ...]
    transmitter_of: tuple[int, ...] | None
    receiver_of: tuple[int, ...] | None

    def __init__(
        self,
        h: Table,
        noise_variance: Scalars | Sequence[Scalars] = 0.0,
        power: Scalars | Sequence[Scalars] = 1.0,
        *,
        error_variance: Scalars | Sequence[Sequence[Scalars]] = 0.0,
        interference: Sequence[AnyArray | None] | None = None,
        transmitter_of: Sequence[int] | None = None,
        receiver_of: Sequence[int] | None = None,
    ) -> None:
        """Make the links.

        Args:
            h: table [k][t] of complex matrices (…, u, n_rx_k, n_tx_t).
            noise_variance: σ² of all receivers, or one (…) for each.
            power: P of all transmitters, or one (…) for each, per channel use.
            error_variance: τ of all links, or a table [k][t], of each entry of H around h given what is known.
            interference: covariances (…, 2 u n_rx, 2 u n_rx) of what arrives from outside at each receiver (see `Channel`), or None.
            transmitter_of: see the class.
            receiver_of: see the class.
        """
        rows = [list(row) for row in h] if isinstance(h, list | tuple) else []
        if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
            raise ValueError("h must be a table [receiver][transmitter] of matrices (..., u, n_rx, n_tx), with as many in each row")
        R, T = len(rows), len(rows[0])
        noise, budget = _each("noise_variance", noise_variance, R), _each("power", power, T)
        errors = [list(row) if isinstance(row, list | tuple) else [row] * T for row in _each("error_variance", error_variance, R)]
        outside = [None] * R if interference is None else list(interference)
        if any(len(row) != T for row in errors):
            raise ValueError(f"error_variance must be a number, one for each of {R} receivers, or a table of {R} × {T}")
        if len(outside) != R:
            raise ValueError(f"interference must be one covariance or None for each of {R} receivers, got {len(outside)}")
        made = [[_channel(rows[k][t], noise[k], budget[t], errors[k][t], outside[k], (k, t)) for t in range(T)] for k in range(R)]
        object.__setattr__(self, "table", _agreeing(made))
        for name, given in (("transmitter_of", transmitter_of), ("receiver_of", receiver_of)):
            most = T if name == "transmitter_of" else R
            if given is not None and any(not isinstance(n, int) or not 0 <= n < most for n in given):
                raise ValueError(f"{name} must be numbers from 0 to {most - 1}, got {list(given)}")
            object.__setattr__(self, name, None if given is None else tuple(given))

    @classmethod
    def from_snr(cls, h: Table, snr_db: Scalars, power: Scalars = 1.0, **settings: Any) -> "Links":
        """One use of each matrix (…, n_rx, n_tx) or u of each (…, u, n_rx, n_tx), at an SNR of P / (n_tx σ²) of gain 1.

        The noise of receiver k is that of its SNR with respect to transmitter k (or the only one); weaker links have smaller h.

        Args:
            h: table [k][t]; matrices of three axes and more have their uses before the antennas, so that batches need a use axis.
            snr_db: in dB (…).
            power: P of every transmitter.
            settings: further arguments of the class.

        Raises:
            ValueError: as the class, or the SNR is not finite.

        Example:
            >>> import latentlink as ll
            >>> h = [[ll.rayleigh(2, 4, generator=0)], [ll.rayleigh(3, 4, generator=1)]]  # one transmitter, two receivers
            >>> ll.networks.Links.from_snr(h, snr_db=10.0)
            Links(1 network, 2 receivers, 1 transmitter, 1 use, SNR 10 dB)
        """
        rows = [[_with_uses(matrix) for matrix in row] for row in h]
        own = [Channel.from_grid(row[min(k, len(row) - 1)], snr_db, power) for k, row in enumerate(rows) if row]
        return cls(rows, [each.noise_variance for each in own], power, **settings)

    @property
    def receivers(self) -> int:
        """R, the number of receivers."""
        return len(self.table)

    @property
    def transmitters(self) -> int:
        """T, the number of transmitters."""
        return len(self.table[0])

    @property
    def uses(self) -> int:
        """u, the number of channel uses."""
        return self.table[0][0].uses

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...`."""
        return self.table[0][0].batch

    def channel(self, receiver: int, transmitter: int) -> Channel:
        """The channel of one pair of devices, as if nobody else sent; a ValueError where there is no such device."""
        receiver = integer("receiver", receiver, 0, self.receivers - 1)
        transmitter = integer("transmitter", transmitter, 0, self.transmitters - 1)
        return self.table[receiver][transmitter]

    def own(self, k: int) -> Channel:
        """The channel of user k and the transmitter of source k (or the only one), as if nobody else sent; a ValueError without user k."""
        k = integer("k", k, 0, max(len(self.receiver_of or self.table), len(self.transmitter_of or self.table[0])) - 1)
        users = self.receiver_of or tuple(range(self.receivers))
        sources = self.transmitter_of or tuple(range(self.transmitters))
        return self.table[users[min(k, len(users) - 1)]][sources[min(k, len(sources) - 1)]]

    def apply(self, s: Sequence[AnyArray], generator: torch.Generator | int | None = None) -> list[Complex[Tensor, "*b n u r"]]:
        """Send n messages at a time from every transmitter: r_k = Σ_t H_kt s_t + v_k.

        Args:
            s: symbols (…, n, u, n_tx_t) of each transmitter.
            generator: source of the noise of all receivers, or its seed.

        Raises:
            ValueError: there is not one s for each transmitter, or one does not fit (see `Channel.apply`).
        """
        if len(s) != self.transmitters:
            raise ValueError(f"s must be the symbols of each of {self.transmitters} transmitters, got {len(s)}")
        source = as_generator(generator, "noise", self.table[0][0].h.device)
        received = []
        for row in self.table:
            silent = [Channel(each.h, 0.0, each.power).apply(symbols, source) for each, symbols in zip(row[1:], s[1:], strict=True)]
            received.append(sum(silent, row[0].apply(s[0], source)))
        return received

    def __getitem__(self, index: Any) -> "Links":
        """Some of the batch, indexed as a tensor of shape `batch` is."""
        return self._with([[each[index] for each in row] for row in self.table])

    def flattened(self) -> "Links":
        """The same networks with one batch dimension."""
        return self._with([[each.flattened() for each in row] for row in self.table])

    def _with(self, table: list[list[Channel]]) -> "Links":
        made = object.__new__(type(self))
        for name, value in (
            ("table", tuple(map(tuple, table))),
            ("transmitter_of", self.transmitter_of),
            ("receiver_of", self.receiver_of),
        ):
            object.__setattr__(made, name, value)
        return made

    def _facts(self) -> dict[str, str]:
        return {
            "networks": counted(self.batch.numel(), "network"),
            "receivers": counted(self.receivers, "receiver"),
            "transmitters": counted(self.transmitters, "transmitter"),
            "channel uses": counted(self.uses, "use"),
            "SNR": f"SNR {spread(torch.stack([self.own(k).snr_db for k in range(self.receivers)]))} dB",
        }


def _each(name: str, value: Any, count: int) -> list[Any]:
    """One value for each device: a list as it is, anything else repeated."""
    values = list(value) if isinstance(value, list | tuple) else [value] * count
    if len(values) != count:
        raise ValueError(f"{name} must be one for all or one for each of {count} devices, got {len(values)}")
    return values


def _with_uses(matrix: AnyArray) -> Tensor:
    h = as_tensor("h", matrix)
    if h.ndim < 2:
        raise ValueError(f"h must be a table of matrices (n_rx, n_tx) or (..., uses, n_rx, n_tx), got one of shape {tuple(h.shape)}")
    return h.unsqueeze(-3) if h.ndim == 2 else h


def _channel(h: AnyArray, noise: Any, power: Any, error: Any, interference: Any, at: tuple[int, int]) -> Channel:
    """The channel of one pair of devices; a ValueError says which."""
    outside = {} if interference is None else {"interference": interference}
    try:
        return Channel(h, noise, power, error_variance=error, **outside)
    except ValueError as error_of_one:
        raise ValueError(f"link of receiver {at[0]} and transmitter {at[1]}: {error_of_one}") from error_of_one


def _agreeing(table: list[list[Channel]]) -> tuple[tuple[Channel, ...], ...]:
    """The table with one batch, after a look at uses and antennas."""
    if len({each.uses for row in table for each in row}) > 1:
        raise ValueError(f"h must have the same uses everywhere, got {[[each.uses for each in row] for row in table]}")
    for k, row in enumerate(table):
        if len({each.n_rx for each in row}) > 1 or any(a.n_tx != b.n_tx for a, b in zip(row, table[0], strict=True)):
            shapes = [[tuple(each.h.shape[-2:]) for each in row] for row in table]
            raise ValueError(f"h must have n_rx of receiver {k} in its row and n_tx of a transmitter in its column, got {shapes}")
    batches = [each.batch for row in table for each in row]
    try:
        batch = torch.broadcast_shapes(*batches)
    except RuntimeError as error:
        raise ValueError(f"batch shapes of h, noise_variance and power must broadcast, got {[tuple(s) for s in batches]}") from error
    return tuple(tuple(_expanded(each, torch.Size(batch)) for each in row) for row in table)


def _expanded(channel: Channel, batch: torch.Size) -> Channel:
    """A channel with a larger batch."""
    if channel.batch == batch:
        return channel
    outside = channel.interference
    settings = {} if outside is None else {"interference": outside.expand(*batch, *outside.shape[-2:])}
    return Channel(
        channel.h.expand(*batch, *channel.h.shape[-3:]), channel.noise_variance.expand(batch), channel.power.expand(batch),
        error_variance=channel.error_variance.expand(batch), **settings,
    )  # fmt: skip
