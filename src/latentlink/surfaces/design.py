"""The design of a surface for one link: phases for what the receiver wants, with the closed form inside.

A start of phases zero goes to the greatest gain first, which is an easy landscape, then to the objective. The semantic error and capacity
take each other's solution as a second start, since each gets stuck where the other does not: a comparison of one start of each would be
unfair to either. Further starts are random. The best is kept for each channel.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.matrices import Scalars
from latentlink.linear.closed_form import LinearSolution
from latentlink.linear.design import ClosedForm
from latentlink.linear.modes import SemanticModes
from latentlink.numerics.doors import choice, integer
from latentlink.numerics.reprs import Summarised, spread
from latentlink.numerics.seeds import stream_generator
from latentlink.numerics.validation import validate_call
from latentlink.surfaces.bounds import least_error, most_capacity
from latentlink.surfaces.objectives import Worth, minus_capacity, minus_gain, semantic_error
from latentlink.surfaces.phases import follow, on_levels
from latentlink.surfaces.surface import StackedSurface, Surface

Objective = Literal["semantic", "capacity", "gain"]
_TOWARDS_GAIN = 80  # steps of the first start


@dataclass(frozen=True, eq=False, repr=False)
class SurfaceSolution(Summarised):
    """A designed surface and the link over it.

    Attributes:
        phases: θ (…, n) in radians.
        channel: what the surface makes of the channels.
        link: the closed form on it.
        trace: `objective` (…), the value that was minimised: the weighted error above what no channel avoids, minus the capacity in bits,
            or minus the gain; `bound` (…), below which no phases take it; `start` (…), the number of the start that it was found from.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> surface = ll.surfaces.Surface(*(ll.rayleigh(*s, generator=k) for k, s in enumerate([(2, 2), (8, 2), (2, 8)])))
        >>> ll.surfaces.SurfaceDesign(starts=1).design(modes, surface, snr_db=10.0).link
        Solution(1 channel, 2×2, 1 use, optimal)
    """

    phases: Float[Tensor, "*batch n"]
    channel: Channel
    link: LinearSolution
    trace: dict[str, Tensor] = field(default_factory=dict)

    def _facts(self) -> dict[str, str]:
        return {**self.channel.sizes, "objective": f"objective {spread(self.trace['objective'])}"}


@dataclass(frozen=True, kw_only=True)
class SurfaceDesign(Summarised):
    """Phases of a surface, continuous or of few levels, for one link.

    Attributes:
        objective: "semantic" for the least weighted error of the closed form, "capacity" or "gain" for comparison.
        bits: of each element's phase; None for continuous phases.
        starts: the number of starts: by gain first, by the other objective, then random ones.
        steps: of L-BFGS from each start.
        sweeps: over the elements at most, for phases of few levels.

    Raises:
        ValueError: an objective of another name, or a number out of range.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> surface = ll.surfaces.Surface(*(ll.rayleigh(*s, generator=k) for k, s in enumerate([(2, 2), (8, 2), (2, 8)])))
        >>> fine, coarse = (ll.surfaces.SurfaceDesign(starts=2, bits=bits).design(modes, surface, snr_db=0.0) for bits in (None, 1))
        >>> bool(fine.link.expected_mse < coarse.link.expected_mse)
        True
    """

    objective: Objective = "semantic"
    bits: int | None = None
    starts: int = 3
    steps: int = 150
    sweeps: int = 3

    def __post_init__(self) -> None:
        choice("objective", self.objective, ("semantic", "capacity", "gain"))
        integer("bits", 1 if self.bits is None else self.bits, 1, 8)
        for name, least in (("starts", 1), ("steps", 0), ("sweeps", 0)):
            integer(name, getattr(self, name), least)

    @validate_call
    def design(self, modes: SemanticModes, surface: Surface | StackedSurface, snr_db: Scalars, power: Scalars = 1.0) -> SurfaceSolution:
        """Find phases for every channel of the batch, and the closed form on what they make.

        Args:
            modes: semantic modes of the pair of devices.
            surface: channels that depend on phases, on the modes' device.
            snr_db: P / (n_tx σ²) in dB (…), for a channel of gain 1.
            power: P (…).

        Returns:
            SurfaceSolution, in the modes' precision; phases are found in float64.

        Raises:
            ValueError: an argument is of another type or does not fit.
        """
        wide = surface.to(torch.float64)
        zero = torch.zeros(*wide.batch, wide.elements, dtype=torch.float64, device=modes.strength.device)
        first = wide.channel(zero, snr_db, power)
        zero = zero.expand(*first.batch, -1)
        worths = {
            "semantic": semantic_error(modes, first.noise_variance, first.power),
            "capacity": minus_capacity(first.noise_variance, first.power),
            "gain": minus_gain,
        }
        worth: Worth = worths[self.objective]
        begun = [follow(wide, minus_gain, zero, _TOWARDS_GAIN)]
        gain = wide.gain_bound(begun[0])
        if self.objective != "gain":
            begun.append(follow(wide, worths["semantic" if self.objective == "capacity" else "capacity"], begun[0], self.steps))
        begun = [*begun, *(_random(zero, number) for number in range(2, self.starts))][: self.starts]
        found = [follow(wide, worth, each, self.steps) for each in begun]
        if self.bits is not None:
            found = [on_levels(wide, worth, each, self.bits, self.sweeps) for each in found]
        values = torch.stack([worth(wide.matrix(each))[0] for each in found])
        best = values.argmin(0)
        phases = torch.stack(found).gather(0, best[None, ..., None].expand(1, *found[0].shape)).squeeze(0)
        channel = wide.channel(phases, snr_db, power).to(modes.strength.dtype)
        trace = {"objective": values.amin(0).to(modes.strength), "bound": self._bound(modes, first, gain).to(modes.strength), "start": best}
        return SurfaceSolution(phases.to(modes.strength), channel, ClosedForm().design(modes, channel), trace)

    def _bound(self, modes: SemanticModes, channel: Channel, gain: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """What no channel of such a gain, of the sizes of the given one, takes the objective below."""
        u, *antennas = channel.h.shape[-3:]
        noise, budget, streams = channel.noise_variance, u * channel.power, u * min(antennas)
        if self.objective == "semantic":
            return least_error(modes.strength.double(), noise, budget, gain, streams)
        return -(most_capacity(noise, budget, gain, streams) if self.objective == "capacity" else gain)


def _random(like: Float[Tensor, "*batch n"], number: int) -> Float[Tensor, "*batch n"]:
    """Random phases of one start, the same for every channel of a batch."""
    generator = stream_generator(0, "surface", number)
    theta = 2 * torch.pi * torch.rand(like.shape[-1], dtype=like.dtype, generator=generator, device="cpu")
    return theta.to(like.device).expand(like.shape)
