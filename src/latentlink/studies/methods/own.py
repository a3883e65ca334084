"""A method of one's own in a study, `name: my_lab.precoder:Mine`.

    class Mine:                                       # parameters of the study file are arguments of the constructor
        def __init__(self, strength: float = 1.0, seed: int = 0): ...
        def design(self, known, channel) -> ll.Solution: ...

In a network (section `network`) design gets the links of all devices in place of a channel, `design(known, links)`, with a
`NetworkKnowledge` whose `x`, `y` and `modes(...)` are those of all devices, and returns a `NetworkSolution` of `ll.networks`.

`channel` is the `Channel` to design for, with a batch of channels, and `known` is the `PilotKnowledge`: `pilots` (x, y, labels), `moments`,
`head` (the receiver's classifier), `others` (latents x of no pilot, or None) and `modes(...)`, the semantic modes, made once for all cells
that share pilots. A parameter `seed` that the file leaves out is drawn from the cell's seed. A class attribute `label` names the method in
tables and figures; `gain_controlled = False` leaves its power as it is designed.
"""

import inspect
from dataclasses import replace
from typing import Any, ClassVar, get_args

import torch
from pydantic import ConfigDict, model_validator

from latentlink.channels.channel import Channel
from latentlink.links.own import as_transceiver
from latentlink.links.solution import Solution
from latentlink.links.transceiver import Transceiver
from latentlink.networks.links import Links
from latentlink.networks.solution import NetworkSolution
from latentlink.numerics.doors import as_tensor, check_instance, finite
from latentlink.numerics.reprs import counted
from latentlink.studies.knowledge import PilotKnowledge
from latentlink.studies.methods.method import Method, Run
from latentlink.studies.methods.network_situation import NetworkSituation, Served
from latentlink.studies.network_at import Scenario
from latentlink.studies.network_data import NetworkKnowledge
from latentlink.studies.sections import Point, identify
from latentlink.studies.spec.plug_in import PlugIn, accepts, blame, load_attribute


class OwnMethod(Method):
    """A class outside of the package, with `design(known, channel) -> Solution`; other keys are its parameters."""

    model_config = ConfigDict(extra="allow")
    family: ClassVar[str] = "own"
    scenarios: ClassVar[tuple[Scenario, ...]] = get_args(Scenario)
    name: PlugIn

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the study file beside name and label."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _takes_its_parameters(self) -> "OwnMethod":
        target = load_attribute(self.name)
        if not hasattr(target, "design") or not callable(target):
            got = type(target).__name__ if not callable(target) else f"{target.__name__}, which has no such method"
            raise ValueError(f"{self.name!r} must be a class with design(known, channel), got {got}")
        signature = inspect.signature(target)
        try:
            signature.bind(**self.parameters)
        except TypeError as error:
            raise ValueError(f"{self.name!r}: {error}; its parameters are {signature}") from error
        return self

    @property
    def own(self) -> str:
        return self.name

    @property
    def gain_controlled(self) -> bool:  # type: ignore[override]
        return bool(getattr(load_attribute(self.name), "gain_controlled", True))

    def describe(self) -> str:
        target = load_attribute(self.name)
        return str(getattr(target, "label", target.__name__))

    def canonical(self, point: Point) -> dict[str, Any]:
        return super().canonical(point) | {"name": identify(self.name)}

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        target = load_attribute(self.name)
        drawn = {"seed": run.design_seed(self.name)} if accepts(target, "seed") else {}
        with blame(self.name):
            solution = target(**(drawn | self.parameters)).design(known, channel)
            check_instance("what design returns", solution, Solution, "latentlink.Solution(...)")
            link = as_transceiver(solution, channel, known.pilots.y.shape[1])
            _check_batch(solution, link, channel)
            for name, value in (("expected_mse", solution.expected_mse), ("expected_power", solution.expected_power)):
                if value is not None:
                    finite(name, value)
            solution.statuses()
            return replace(solution, transceiver=link)

    def check(self, point: Point) -> None:
        super().check(point)
        if point.network.elements:
            raise ValueError(f"network.elements must be 0 for {self.name!r}: methods of one's own design links, and no surface")

    def serve(self, known: NetworkKnowledge, there: NetworkSituation, run: Run) -> Served:
        target = load_attribute(self.name)
        drawn = {"seed": run.design_seed(self.name)} if accepts(target, "seed") else {}
        with blame(self.name):
            solution = target(**(drawn | self.parameters)).design(known, there.links)
            check_instance("what design returns", solution, NetworkSolution, "a solution of ll.networks")
            _check_network(solution, known, there.links)
        truth = there.in_truth(there.links) if there.turned is not None or not _are_same(solution.links, there.links) else None
        return Served.of(solution, truth)


def _check_network(solution: NetworkSolution, known: NetworkKnowledge, links: Links) -> None:
    """Refuse a solution for other devices, or for another number of networks, than there are."""
    finite("precoder", solution.precoder)
    got, expected = solution.modes, (len(known.x), len(known.y))
    if (got.sources, got.users) != expected:
        raise ValueError(
            f"what design returns must be for the network's {counted(expected[0], 'source')} and {counted(expected[1], 'user')}, got "
            f"{got.sources} and {got.users}"
        )
    sizes, there = ([[each.h.shape[-3:] for each in row] for row in of.table] for of in (solution.links, links))
    if sizes != there:
        raise ValueError(f"links of what design returns must be of the network's antennas and uses, {there}, got {sizes}")
    if solution.status.shape != links.batch:
        raise ValueError(f"status must have batch {tuple(links.batch)}, one for each network, got {tuple(solution.status.shape)}")


def _are_same(designed: Links, there: Links) -> bool:
    """True where a design was for the links that there are, and not for others, such as those with more noise."""
    pairs = zip((each for row in designed.table for each in row), (each for row in there.table for each in row), strict=True)
    return all(
        torch.allclose(a.to(b), b, rtol=1e-5, atol=0.0)
        for one, other in pairs
        for a, b in ((one.h, other.h), (one.noise_variance, other.noise_variance))
    )


def _check_batch(solution: Solution, link: Transceiver, channel: Channel) -> None:
    """Refuse a solution that is not for the channels asked for; a link without a batch is one for all of them."""
    parts = {name: getattr(solution, name) for name in ("status", "expected_mse", "expected_power")}
    shapes = {name: as_tensor(name, value).shape for name, value in parts.items() if value is not None}
    shapes |= {"transceiver": link.batch} if link.batch else {}
    count = channel.batch.numel()
    for name, shape in shapes.items():
        if shape != channel.batch and not (count == 1 and shape == ()):
            got = f"solution for {counted(shape.numel(), 'channel')}, expected {count}"
            raise ValueError(f"{got}: {name} must have batch {tuple(channel.batch)}, got {tuple(shape)}")
