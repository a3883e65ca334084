"""Limits of the power that primary users receive, in cognitive radio: what a channel to their antennas makes of a precoder."""

from dataclasses import dataclass

from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.matrices import complex_matrices
from latentlink.numerics.doors import AnyArray, as_tensor
from latentlink.numerics.expectations import made_by, shown
from latentlink.numerics.parts import Parts
from latentlink.numerics.reprs import Summarised, spread
from latentlink.streams.whitened import real_channel


@made_by("power.Leakage(h_primary, cap=0.1)")
@dataclass(frozen=True, eq=False, init=False, repr=False)
class Leakage(Summarised, Parts):
    """A limit of the power that one primary user receives from the transmitter.

    Attributes:
        h: channel (…, u, n, n_tx) from the transmitter to the primary's antennas, or (…, 1, n, n_tx) for all uses alike; (n, n_tx) is
            one matrix for all channels and uses.
        cap: I ≥ 0 (…), the most power that its antennas receive together, a mean per channel use; 0 for none, inf for no limit.

    Raises:
        ValueError: h is real, not finite or of another shape, or the cap is negative or NaN.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(4, 4, batch=(10,), generator=0), snr_db=10.0)
        >>> primary = ll.power.Leakage(ll.rayleigh(2, 4, generator=1), cap=0.1)
        >>> solution = ll.ClosedForm(leakage=[primary]).design(modes, channel)
        >>> solution.status_names(), bool((solution.trace["leakage"] <= 0.1 + 1e-6).all())
        (['optimal'], True)
    """

    h: Complex[Tensor, "*b u n t"]
    cap: Float[Tensor, "*c"]

    def __init__(self, h: AnyArray, cap: AnyArray | float) -> None:
        matrices = complex_matrices("h", h, 2, "(..., uses, n, n_tx)")
        values = _limits(cap, matrices)
        object.__setattr__(self, "h", matrices.unsqueeze(-3) if matrices.ndim == 2 else matrices)
        object.__setattr__(self, "cap", values)

    def _facts(self) -> dict[str, str]:
        return {"antennas": f"{self.h.shape[-2]}×{self.h.shape[-1]}", "cap": f"cap {spread(self.cap)}"}

    def correlation(self, channel: Channel) -> Float[Tensor, "*batch a a"]:
        """S = HᵀH (…, a, a) over all uses of a channel's transmitter; a ValueError where antennas, uses or batch do not fit."""
        u, t = self.h.shape[-3], self.h.shape[-1]
        if t != channel.n_tx or u not in (1, channel.uses):
            raise ValueError(f"leakage must have h of {channel.n_tx} transmit antennas and 1 or {channel.uses} uses, got {t} and {u}")
        try:
            h = self.h.to(channel.h).expand(*channel.batch, channel.uses, *self.h.shape[-2:])
        except RuntimeError as error:
            raise ValueError(f"leakage must have h of a batch that expands to {tuple(channel.batch)}, got {tuple(self.h.shape)}") from error
        H = real_channel(Channel(h))
        return H.mT @ H


def _limits(cap: AnyArray | float, like: Tensor) -> Float[Tensor, "*c"]:
    """A cap ≥ 0, which may be infinite, in the precision and on the device of a tensor."""
    values = as_tensor("cap", cap)
    if values.is_complex() or isinstance(cap, bool):
        raise ValueError(f"cap must be a number or an array of numbers, got {shown(cap)}")
    values = values.to(dtype=like.real.dtype, device=like.device)
    if bool((values.isnan() | (values < 0)).any()):
        raise ValueError(f"cap must be at least 0, or inf for no limit, got {shown(cap)}")
    return values
