"""Spatial modes: the parallel scalar channels that the SVD of every channel use offers.

H_u = U_u diag(h_u) V_uᴴ gives q = min(n_rx, n_tx) complex symbols per use. All uses may be pooled and sorted, strongest first. Symbols of K
identical uses may be mixed by a unitary K-point DFT for each spatial mode: the singular values stay, and every use carries the same power.

A matrix whose rows are orthogonal needs no SVD: its rows are the modes, in the order of their norms. Fed-back channels diag(ĥ) V̂ᴴ are such
matrices, and equally quantised ĥ make their singular vectors arbitrary, so that an SVD would turn them as rounding has it, differently at
the transmitter and at the receiver.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from latentlink.latents.packing import real_embedding
from latentlink.numerics.parts import Parts

_NO_GRADIENT = (
    "h has equal singular values, whose vectors have no gradient: take that of expected_mse, a generalised gradient, since its one-sided "
    "derivatives differ there, or add a small random matrix to h"
)
_ORTHOGONAL = 64  # units of rounding by which rows that are orthogonal may miss it
_EQUAL = 1e-8  # relative difference of squared singular values below which they count as equal


class Pooled(NamedTuple):
    """The symbols of all uses together, strongest first.

    Attributes:
        amplitude: h (…, g q), decreasing.
        order: (…, g q), the number of each symbol among g × q.
    """

    amplitude: Float[Tensor, "*batch s"]
    order: Int[Tensor, "*batch s"]

    @property
    def real(self) -> Float[Tensor, "*batch s2"]:
        """Amplitudes (…, 2 g q) of the real streams: each symbol has two, its real and its imaginary part."""
        return self.amplitude.repeat_interleave(2, -1)


def pool(amplitude: Float[Tensor, "*batch g q"]) -> Pooled:
    """Sort the symbols of all uses together, strongest first; symbols of equal amplitude keep their order."""
    return Pooled(*amplitude.flatten(-2).sort(dim=-1, descending=True, stable=True))


def _refuse_equal(amplitude: Float[Tensor, "*batch q"]) -> Callable[[Tensor | None], None]:
    """A hook of singular vectors: refuse gradients to them where singular values are equal, since the vectors are not unique there."""

    def check(gradient: Tensor | None) -> None:
        if gradient is None:  # nothing depends on the vectors
            return
        squares = amplitude.detach().square()
        equal = ((squares[..., :-1] - squares[..., 1:]) <= _EQUAL * squares[..., :1]).any(-1)
        if bool((equal & (gradient != 0).any(-1).any(-1)).any()) or not bool(gradient.isfinite().all()):
            raise ValueError(_NO_GRADIENT)

    return check


def _refuse_undefined(amplitude: Float[Tensor, "*batch q"]) -> Callable[[Tensor | None], Tensor | None]:
    """A hook of channels: channels of zeros, over which nothing is sent, have gradient zero; NaN of equal singular values is refused."""

    def check(gradient: Tensor | None) -> Tensor | None:
        if gradient is None:  # nothing depends on the channels
            return None
        gradient = gradient.masked_fill((amplitude.detach()[..., :1] == 0).unsqueeze(-1), 0.0)
        if not bool(gradient.isfinite().all()):
            raise ValueError(_NO_GRADIENT)
        return gradient

    return check


def _above_rank(amplitude: Float[Tensor, "*batch q"], h: Complex[Tensor, "*b r t"]) -> Float[Tensor, "*batch q"]:
    """Singular values, those below the numerical rank set to zero."""
    cut = max(h.shape[-2:]) * torch.finfo(amplitude.dtype).eps * amplitude[..., :1]
    return torch.where(amplitude > cut, amplitude, 0.0)


def _of_orthogonal_rows(h: Complex[Tensor, "*batch r t"]) -> tuple[Tensor, Tensor, Tensor] | None:
    """Norms (…, q) of the rows, falling, the beams (…, t, q) that they are, and unit vectors (…, r, q); None where rows are not orthogonal.

    A single row has one singular vector, which an SVD finds as well; and singular vectors that have gradients are left to the SVD.
    """
    if h.shape[-2] < 2 or h.requires_grad or not h.numel():
        return None
    for some in (h[(0,) * (h.ndim - 2)], h):  # most channels are told by the first of them
        gram = (some @ some.mH).abs()
        off = gram - torch.diag_embed(gram.diagonal(dim1=-2, dim2=-1))
        if bool((off.amax((-2, -1)) > _ORTHOGONAL * torch.finfo(gram.dtype).eps * gram.amax((-2, -1))).any()):
            return None
    q = min(h.shape[-2:])
    norm, order = torch.linalg.vector_norm(h, dim=-1).sort(dim=-1, descending=True, stable=True)
    norm, order = norm[..., :q], order[..., :q]
    rows = h.gather(-2, order.unsqueeze(-1).expand(*order.shape, h.shape[-1]))
    V = (rows / torch.where(norm > 0, norm, 1.0).unsqueeze(-1)).mH
    if bool((norm == 0).any()):  # orthonormal to the others, whichever they are
        V = torch.where((norm > 0).unsqueeze(-2), V, torch.linalg.qr(V).Q)
    U = torch.nn.functional.one_hot(order, h.shape[-2]).mT.to(V)
    return norm, V, U


@dataclass(frozen=True, eq=False)
class SpatialModes(Parts):
    """The parallel symbols of g groups of w channel uses each, q symbols in each group.

    Attributes:
        amplitude: h ≥ 0 (…, g, q); values below the numerical rank are zero.
        transmit: V (…, g, w n_tx, q), one beam of the transmitter for each symbol.
        receive: U (…, g, w n_rx, q), one combiner of the receiver for each symbol.
    """

    amplitude: Float[Tensor, "*batch g q"]
    transmit: Complex[Tensor, "*batch g wt q"]
    receive: Complex[Tensor, "*batch g wr q"]

    @classmethod
    def of(cls, h: Complex[Tensor, "*batch u r t"]) -> "SpatialModes":
        """The SVD of every use; its phases make the largest entry of each transmit vector real and positive."""
        once = h
        for axis in range(h.ndim - 2):  # an expanded axis (repeated uses, an SNR sweep) is decomposed once
            if h.stride(axis) == 0 and h.shape[axis] > 0:
                once = once.narrow(axis, 0, 1)
        if (rows := _of_orthogonal_rows(once)) is not None:
            amplitude, V, U = rows
            return cls(*(value.expand(*h.shape[:-2], *value.shape[once.ndim - 2 :]) for value in (_above_rank(amplitude, h), V, U)))
        once = once.clone() if once.requires_grad else once  # a hook stays with the tensor that it is given to
        U, amplitude, Vh = torch.linalg.svd(once, full_matrices=False)
        for vectors in (U, Vh) if U.requires_grad else ():
            vectors.register_hook(_refuse_equal(amplitude))
        if U.requires_grad:
            once.register_hook(_refuse_undefined(amplitude))
        V = Vh.mH
        largest = V.gather(-2, V.detach().abs().argmax(-2, keepdim=True))
        phase = (largest / largest.abs()).conj()
        uses = h.shape[:-2]
        return cls(
            _above_rank(amplitude, h).expand(*uses, -1),
            (V * phase).expand(*uses, -1, -1),
            (U * phase).expand(*uses, -1, -1),
        )

    def pooled(self) -> Pooled:
        """The symbols of all groups together, strongest first."""
        return pool(self.amplitude)

    def __getitem__(self, index: Any) -> "SpatialModes":
        """The spatial modes of some channels, indexed along the first dimension of the batch."""
        return self.each(lambda value: value[index])

    def send(self, symbols: Complex[Tensor, "*batch n s"]) -> Complex[Tensor, "*batch n g wt"]:
        """Transmitted signal V a (…, n, g, w n_tx) of symbols a (…, n, g q), ordered by group."""
        return torch.einsum("...gtq,...ngq->...ngt", self.transmit, symbols.unflatten(-1, self.amplitude.shape[-2:]).to(self.transmit))

    def carry(self, sent: Complex[Tensor, "*batch n g wt"]) -> Complex[Tensor, "*batch n g wr"]:
        """Received signal U diag(h) Vᴴ s (…, n, g, w n_rx) without noise, of a transmitted signal s."""
        through = torch.einsum("...gtq,...ngt->...ngq", self.transmit.conj(), sent) * self.amplitude.unsqueeze(-3)
        return torch.einsum("...grq,...ngq->...ngr", self.receive, through)

    def separate(self, received: Complex[Tensor, "*batch n g wr"]) -> Complex[Tensor, "*batch n s"]:
        """Symbols Uᴴ r (…, n, g q) of a received signal r, each multiplied by its amplitude h."""
        return torch.einsum("...grq,...ngr->...ngq", self.receive.conj(), received.to(self.receive)).flatten(-2)

    def spread(self) -> "SpatialModes":
        """One group of all K uses, which must be identical: column k of a K-point DFT spreads symbol k of each spatial mode over them."""
        K = self.amplitude.shape[-2]
        step = torch.arange(K, device=self.amplitude.device, dtype=self.amplitude.dtype)
        D = torch.polar(torch.full_like(step, K**-0.5).expand(K, K).clone(), 2 * torch.pi / K * step.outer(step))

        def mix(beams: Tensor) -> Tensor:  # (…, K, a, q) → (…, 1, K a, K q)
            return torch.einsum("uk,...kaq->...uakq", D, beams).flatten(-2).flatten(-3, -2).unsqueeze(-3)

        return SpatialModes(self.amplitude.flatten(-2).unsqueeze(-2), mix(self.transmit), mix(self.receive))


def embed_beams(beams: Complex[Tensor, "*batch g a q"], weight: Float[Tensor, "*batch g q2"]) -> Float[Tensor, "*batch g a2 q2"]:
    """Real matrices (…, g, 2a, 2q) of complex beams, with a real weight for the real and one for the imaginary part of each symbol."""
    return real_embedding(beams) * weight.unsqueeze(-2)
