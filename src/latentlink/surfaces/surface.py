"""Surfaces as channels that depend on phases.

One surface of n elements beside a direct path, and L layers of them one behind the other (stacked intelligent metasurfaces):

    H(θ) = H_d + H_2 diag(e^{jθ}) H_1,                H(θ) = A_L diag(e^{jθ_L}) A_{L−1} ⋯ diag(e^{jθ_1}) A_0.

Both are affine in every e^{jθ_i}. With the gradient Γ of a real function of H, df = Re tr Γᴴ dH, that of the phases is

    ∂f/∂θ_i = Re( Γᴴ ∂H/∂θ_i )      = Re( j e^{jθ_i} (H_1 Γᴴ H_2)_ii )      for one surface.

Phases are the same in all channel uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.matrices import Scalars, complex_matrices
from latentlink.numerics.doors import AnyArray, finite
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts
from latentlink.numerics.reprs import Summarised, counted
from latentlink.surfaces.bounds import gain_of_layers, gain_over_phases


@runtime_checkable
class Phased(Protocol):
    """A channel that depends on phases."""

    @property
    def elements(self) -> int:
        """The number of phases n."""
        ...

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...`."""
        ...

    def matrix(self, phases: AnyArray) -> Complex[Tensor, "*batch u r t"]:
        """H(θ) (…, u, r, t)."""
        ...

    def pulled_back(self, phases: Float[Tensor, "*batch n"], slope: Complex[Tensor, "*batch u r t"]) -> Float[Tensor, "*batch n"]:
        """The gradient (…, n) of the phases from that of H."""
        ...

    def gain_bound(self, phases: AnyArray) -> Float[Tensor, "*batch"]:
        """What ||H||² exceeds at no phases."""
        ...


class _OfPhases(Summarised, Parts):
    """What surfaces and stacks of them have in common."""

    def channel(self: Phased, phases: AnyArray, snr_db: Scalars, power: Scalars = 1.0) -> Channel:
        """The channel at phases (…, n) in radians, at an SNR of P / (n_tx σ²) of gain 1.

        Raises:
            ValueError: the phases do not fit, or the SNR or power do not serve (see `Channel.from_snr`).
        """
        return Channel.from_grid(self.matrix(phases), snr_db, power)


@made_by("surfaces.Surface(direct, incident, reflected)")
@dataclass(frozen=True, eq=False, init=False, repr=False)
class Surface(_OfPhases):
    """A surface of n elements between a transmitter and a receiver, beside a direct path.

    Attributes:
        direct: H_d (…, u, r, t), or (…, r, t) of one use without a use axis where all three are such.
        incident: H_1 (…, u, n, t), from the transmitter to the elements.
        reflected: H_2 (…, u, r, n), from the elements to the receiver.

    Raises:
        ValueError: a matrix is real or not finite, or their sizes, uses or batches do not fit.

    Example:
        >>> import torch, latentlink as ll
        >>> source = torch.Generator().manual_seed(0)
        >>> direct, incident = ll.rayleigh(4, 4, gain=0.1, generator=source), ll.rayleigh(64, 4, generator=source)
        >>> surface = ll.surfaces.Surface(direct, incident, ll.rayleigh(4, 64, gain=1e-3, generator=source))
        >>> surface
        Surface(64 elements, 4×4)
        >>> surface.channel(torch.zeros(64), snr_db=10.0)
        Channel(1 channel, 4×4, 1 use, SNR 10 dB, power 1)
    """

    direct: Complex[Tensor, "*batch u r t"]
    incident: Complex[Tensor, "*batch u n t"]
    reflected: Complex[Tensor, "*batch u r n"]

    def __init__(self, direct: AnyArray, incident: AnyArray, reflected: AnyArray) -> None:
        given = {"direct": direct, "incident": incident, "reflected": reflected}
        parts = {name: complex_matrices(name, value, 2, "(..., uses, rows, columns)") for name, value in given.items()}
        if all(each.ndim == 2 for each in parts.values()):
            parts = {name: each.unsqueeze(0) for name, each in parts.items()}
        if min(each.ndim for each in parts.values()) < 3:
            raise ValueError("direct, incident and reflected must all be (..., uses, rows, columns), or all one matrix")
        r, t, n = *parts["direct"].shape[-2:], parts["incident"].shape[-2]
        if parts["incident"].shape[-1] != t or parts["reflected"].shape[-2:] != (r, n):
            shapes = {name: tuple(each.shape[-2:]) for name, each in parts.items()}
            raise ValueError(f"direct, incident and reflected must be (r, t), (n, t) and (r, n), got {shapes}")
        try:
            leading = torch.broadcast_shapes(*(each.shape[:-2] for each in parts.values()))
        except RuntimeError as error:
            raise ValueError(f"direct, incident and reflected must have batches and uses that broadcast: {error}") from error
        for name, each in parts.items():
            object.__setattr__(self, name, each.expand(*leading, *each.shape[-2:]))

    @property
    def elements(self) -> int:
        """n, the number of elements."""
        return self.incident.shape[-2]

    @property
    def antennas(self) -> tuple[int, int]:
        """(n_rx, n_tx)."""
        return self.direct.shape[-2], self.direct.shape[-1]

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...`."""
        return self.direct.shape[:-3]

    def matrix(self, phases: AnyArray) -> Complex[Tensor, "*batch u r t"]:
        """H(θ) (…, u, r, t) at phases (…, n); a ValueError where they do not fit."""
        turn = _turns(phases, self.elements, self.direct)
        return self.direct + (self.reflected * turn[..., None, None, :]) @ self.incident

    def pulled_back(self, phases: Float[Tensor, "*batch n"], slope: Complex[Tensor, "*batch u r t"]) -> Float[Tensor, "*batch n"]:
        """The gradient (…, n) of the phases from the gradient Γ (…, u, r, t) of H."""
        turn = _turns(phases, self.elements, self.direct)
        inner = torch.einsum("...unt,...urt,...urn->...n", self.incident, slope.conj(), self.reflected)
        return (1j * turn * inner).real

    def gain_bound(self, phases: AnyArray) -> Float[Tensor, "*batch"]:
        """What ||H||² over all uses exceeds at no phases; the closer the nearer the given ones (…, n) are to the greatest gain."""
        turn = _turns(phases, self.elements, self.direct)
        return gain_over_phases(*_columns(self.direct, self.incident, self.reflected, turn))

    def _facts(self) -> dict[str, str]:
        r, t = self.direct.shape[-2:]
        return {"elements": counted(self.elements, "element"), "antennas": f"{r}×{t}"}


@made_by("surfaces.StackedSurface([a0, a1, a2])")
@dataclass(frozen=True, eq=False, init=False, repr=False)
class StackedSurface(_OfPhases):
    """L layers of elements one behind the other (SIM), with the propagation before, between and after them.

    Attributes:
        layers: A_0, …, A_L: (…, u, n_1, t), (…, u, n_2, n_1), …, (…, u, r, n_L).

    Raises:
        ValueError: there are fewer than two, or one is real, not finite, or does not fit the next.

    Example:
        >>> import torch, latentlink as ll
        >>> a = [ll.rayleigh(*shape, generator=k) for k, shape in enumerate([(16, 2), (16, 16), (2, 16)])]
        >>> stack = ll.surfaces.StackedSurface(a)
        >>> stack.elements, stack.matrix(torch.zeros(32)).shape
        (32, torch.Size([1, 2, 2]))
    """

    layers: tuple[Complex[Tensor, "*_batch _u _n _m"], ...]

    def __init__(self, layers: Sequence[AnyArray]) -> None:
        parts = [complex_matrices(f"layers[{k}]", each, 2, "(..., uses, rows, columns)") for k, each in enumerate(layers)]
        parts = [each.unsqueeze(0) if each.ndim == 2 else each for each in parts]
        if len(parts) < 2 or any(b.shape[-1] != a.shape[-2] for a, b in pairwise(parts)):
            shapes = [tuple(each.shape) for each in parts]
            raise ValueError(f"layers must be two matrices or more, each for the rows of the one before, got {shapes}")
        leading = torch.broadcast_shapes(*(each.shape[:-2] for each in parts))
        object.__setattr__(self, "layers", tuple(each.expand(*leading, *each.shape[-2:]) for each in parts))

    @property
    def elements(self) -> int:
        """The number of elements of all layers, n_1 + … + n_L; their phases come layer by layer."""
        return sum(each.shape[-2] for each in self.layers[:-1])

    @property
    def antennas(self) -> tuple[int, int]:
        """(n_rx, n_tx)."""
        return self.layers[-1].shape[-2], self.layers[0].shape[-1]

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...`."""
        return self.layers[0].shape[:-3]

    def matrix(self, phases: AnyArray) -> Complex[Tensor, "*batch u r t"]:
        """H(θ) (…, u, r, t) at phases (…, n); a ValueError where they do not fit."""
        H = self.layers[0]
        for turn, after in zip(self._turns(phases), self.layers[1:], strict=True):
            H = after @ (turn[..., None, :, None] * H)
        return H

    def pulled_back(self, phases: Float[Tensor, "*batch n"], slope: Complex[Tensor, "*batch u r t"]) -> Float[Tensor, "*batch n"]:
        """The gradient (…, n) of the phases from the gradient Γ (…, u, r, t) of H, layer by layer from the receiver's side."""
        turns = self._turns(phases)
        ahead = [self.layers[0]]  # what arrives at each layer
        for turn, after in zip(turns[:-1], self.layers[1:-1], strict=True):
            ahead.append(after @ (turn[..., None, :, None] * ahead[-1]))
        behind, found = slope, []
        for turn, arriving, after in zip(reversed(turns), reversed(ahead), reversed(self.layers[1:]), strict=True):
            behind = after.mH @ behind  # gradient of what leaves the layer
            found.append((1j * turn * torch.einsum("...unt,...unt->...n", arriving, behind.conj())).real)
            behind = turn.conj()[..., None, :, None] * behind
        return torch.cat(list(reversed(found)), -1)

    def gain_bound(self, phases: AnyArray) -> Float[Tensor, "*batch"]:
        """What ||H||² over all uses exceeds at no phases; of several layers it is the same whatever phases (…, n) are given.

        One layer is a surface without a direct path. Several are bounded by what they could do with any unitary matrices in place of
        phases, Σ_i Π_l σ_i²(A_l).
        """
        turns = self._turns(phases)
        if len(turns) == 1:
            incident, reflected = self.layers
            direct = torch.zeros_like(reflected[..., :1] * incident[..., :1, :])
            return gain_over_phases(*_columns(direct, incident, reflected, turns[0]))
        return gain_of_layers(self.layers).expand(torch.broadcast_shapes(self.batch, turns[0].shape[:-1]))

    def _turns(self, phases: AnyArray) -> tuple[Complex[Tensor, "*batch n"], ...]:
        return _turns(phases, self.elements, self.layers[0]).split([each.shape[-2] for each in self.layers[:-1]], -1)

    def _facts(self) -> dict[str, str]:
        sizes = ", ".join(str(each.shape[-2]) for each in self.layers[:-1])
        return {"layers": f"layers of {sizes} elements", "antennas": f"{self.layers[-1].shape[-2]}×{self.layers[0].shape[-1]}"}


def _columns(direct: Tensor, incident: Tensor, reflected: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
    """W (…, u r t, n + 1) and v (…, n + 1) with vec H = W v: the path of every element, and the direct one."""
    paths = torch.einsum("...urn,...unt->...urtn", reflected, incident)
    W = torch.cat([paths, direct.unsqueeze(-1)], -1).flatten(-4, -2)
    return W, torch.cat([turn, torch.ones_like(direct[..., 0, 0, :1].expand(*turn.shape[:-1], 1))], -1)


def _turns(phases: AnyArray, elements: int, like: Tensor) -> Complex[Tensor, "*batch n"]:
    """e^{jθ} (…, n) in the precision of a channel."""
    theta = finite("phases", phases)
    if theta.is_complex() or theta.ndim < 1 or theta.shape[-1] != elements:
        raise ValueError(f"phases must be real radians (..., {elements}), got {theta.dtype} {tuple(theta.shape)}")
    theta = theta.to(dtype=like.real.dtype, device=like.device)
    return torch.polar(torch.ones_like(theta), theta)
