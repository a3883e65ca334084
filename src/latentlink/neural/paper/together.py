"""Trainings of one shape together: networks for many channels, noise levels and seeds as one batch, instead of one after the other.

    forward and backward of all networks at once  →  one step of Adam on all weights  →  …  →  each network ends its epoch by itself

The weights of all networks lie in one tensor a layer, of which each network sees its part. Adam moves every number by its own gradient, and
the sum of all losses has the gradient of each network's own loss, so that each is trained as it would be alone: on its order of pilots,
with its noise, its pruning, its best weights, and until its own validation stops improving. The numbers are those of a training alone up
to the rounding of a product of many matrices. Networks that have ended leave the batch. Where all of them see the same pilots in the same
order, these are multiplied by all first layers as by one matrix.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from latentlink.neural.paper.layers import ComplexLinear, ComplexMlp
from latentlink.neural.paper.loop import Pair, PairLoop
from latentlink.neural.training_loop import KEEP_EVERY_S, Checkpoint

_REST = 10  # times as long as it takes to store the states of a batch, it is trained before they are stored again


def shape_of(loop: PairLoop) -> tuple[Any, ...]:
    """What trainings have to share, to be done together."""
    pair, schedule = loop.pair, loop.schedule
    widths = tuple(layer.weight.shape for layer in pair.linears())
    shared = (schedule.batch_size, schedule.learning_rate, loop.dtype, loop.device)
    return widths, pair.H.shape, pair.uses, pair.is_uncertain, len(loop.data), loop.round, *shared


def train_together(
    loops: Sequence[PairLoop],
    checkpoints: Sequence[Checkpoint | None] | None = None,
    report: Callable[[PairLoop], Any] | None = None,
) -> None:
    """Train each to its end, those of one shape as one batch; the modules then have their best weights.

    Args:
        loops: the trainings, each with networks of its own.
        checkpoints: where the state of each is stored every few seconds, and taken from at the start if the file is there; a training that
            was begun together may go on alone.
        report: called with each training after each of its epochs; an exception that it raises ends all, whose states are then stored.

    Raises:
        ValueError: a checkpoint is of another training, or damaged.
    """
    places = [None] * len(loops) if checkpoints is None else checkpoints
    trainings = list(zip(loops, places, strict=True))
    for loop, checkpoint in trainings:
        if checkpoint is not None:
            checkpoint.restore(loop.resume)
    go_on_together(trainings, report)


def go_on_together(trainings: Sequence[tuple[PairLoop, Checkpoint | None]], report: Callable[[PairLoop], Any] | None = None) -> None:
    """Train each from where it is to its end, as `train_together` does with what its checkpoint holds.

    A training that ends leaves its state in its checkpoint, from which nothing is left to be trained.
    """
    groups: dict[tuple[Any, ...], list[tuple[PairLoop, Checkpoint | None]]] = {}
    for loop, checkpoint in trainings:
        groups.setdefault(shape_of(loop), []).append((loop, checkpoint))
    for group in groups.values():
        _train_group(group, report)


def _train_group(group: Sequence[tuple[PairLoop, Checkpoint | None]], report: Callable[[PairLoop], Any] | None) -> None:
    for loop, _ in group:
        loop.begin()
    active = [(loop, checkpoint) for loop, checkpoint in group if not loop.finished]
    batch, next_s = _Batch([loop for loop, _ in active]), time.monotonic() + KEEP_EVERY_S
    while active:
        losses = batch.train()
        for (loop, _), loss in zip(active, losses, strict=True):
            loop.end_round(loss)
        due = time.monotonic() > next_s
        try:
            for loop, _ in active if report is not None else ():
                report(loop)  # type: ignore[misc]
        except BaseException:
            due = True
            raise
        finally:
            spent_s = _save([(loop, checkpoint) for loop, checkpoint in active if due or loop.finished])
            next_s = time.monotonic() + max(KEEP_EVERY_S, _REST * spent_s) if due else next_s
        left = [(loop, checkpoint) for loop, checkpoint in active if not loop.finished]
        if len(left) < len(active):
            active, batch = left, _Batch([loop for loop, _ in left])
    for loop, _ in group:
        loop.end()


def _save(trainings: Sequence[tuple[PairLoop, Checkpoint | None]]) -> float:
    """Store the state of each, and return the seconds that it took."""
    started = time.monotonic()
    for loop, checkpoint in trainings:
        if checkpoint is not None:
            checkpoint.save(_own(loop.state()))
    return time.monotonic() - started


def _own(state: Any) -> Any:
    """The state with tensors of its own, which were parts of those of the batch and would be stored with it."""
    if isinstance(state, Tensor):
        return state.clone()
    if isinstance(state, dict):
        return {name: _own(value) for name, value in state.items()}
    return [_own(value) for value in state] if isinstance(state, list) else state


class _Batch:
    """Trainings in step: their weights, and what Adam knows of them, in one tensor each, of which each training sees its part."""

    def __init__(self, loops: Sequence[PairLoop]) -> None:
        self.loops = loops
        if not loops:
            return
        first = loops[0]
        self.pair = _stacked_pair([loop.pair for loop in loops])
        self.optimiser = torch.optim.Adam(self.pair.parameters(), **{**first.optimiser.defaults})
        self.prunes = any(loop.pruning is not None for loop in loops)
        for whole, parts in zip(self.pair.parameters(), zip(*(loop.pair.parameters() for loop in loops), strict=True), strict=True):
            self._join_state(whole, parts)
            for number, part in enumerate(parts):
                part.data = whole.data[number]
        for layer, layers in zip(self.pair.linears(), zip(*(loop.pair.linears() for loop in loops), strict=True), strict=True):
            for number, each in enumerate(layers):
                each.mask = layer.mask[number]

    def _join_state(self, whole: nn.Parameter, parts: Sequence[nn.Parameter]) -> None:
        """Join what Adam knows of a parameter: the steps, which are the same for all, and two means of its gradients."""
        states = [loop.optimiser.state[part] for loop, part in zip(self.loops, parts, strict=True)]
        joined = {"step": states[0].get("step", torch.zeros((), dtype=torch.float32, device=whole.device)).clone()}
        for name in ("exp_avg", "exp_avg_sq"):
            joined[name] = torch.stack([state.get(name, torch.zeros_like(part)) for state, part in zip(states, parts, strict=True)])
        self.optimiser.state[whole] = joined
        for number, state in enumerate(states):
            state |= {"step": joined["step"], **{name: joined[name][number] for name in ("exp_avg", "exp_avg_sq")}}

    def train(self) -> list[float]:
        """One pass over all rows; the mean squared error per message of each training."""
        loops, first = self.loops, self.loops[0]
        orders = [loop.draw_order() for loop in loops]
        same = all(loop.data is first.data and order.equal(orders[0]) for loop, order in zip(loops, orders, strict=True))
        total = torch.zeros(len(loops), device=first.device, dtype=torch.float32)
        for rows in zip(*(order.split(first.schedule.batch_size) for order in orders), strict=True):
            total += self._step(rows[:1] if same else rows) * len(rows[0])
        return (total / len(first.data)).tolist()

    @torch.enable_grad()
    def _step(self, rows: Sequence[Tensor]) -> Tensor:
        """One step of Adam for all; rows are those of each training, or of all of them."""
        loops = self.loops[: len(rows)]
        x, y = (
            torch.stack([latents[:, each] for latents, each in zip(part, rows, strict=True)]) if len(rows) > 1 else part[0][:, rows[0]]
            for part in zip(*((loop.data.x, loop.data.y) for loop in loops), strict=True)
        )
        noise = torch.stack([loop.draw_noise(len(rows[0]), loop.random["noise"]) for loop in self.loops])
        self.optimiser.zero_grad(set_to_none=True)
        losses = loops[0].data.error(self.pair(x, noise, loops[0].dtype), y)
        losses.sum().backward()
        self.optimiser.step()
        if self.prunes:
            for layer in self.pair.linears():
                layer.hold()
        return losses.detach()


def _stacked_pair(pairs: Sequence[Pair]) -> Pair:
    """One pair whose weights, channel and noise are those of all, along a first axis."""
    stacked = Pair.__new__(Pair)
    nn.Module.__init__(stacked)
    stacked.precoder = _stacked_mlp([pair.precoder for pair in pairs])
    stacked.decoder = _stacked_mlp([pair.decoder for pair in pairs])
    stacked.uses, stacked.is_uncertain = pairs[0].uses, pairs[0].is_uncertain
    for name in ("H", "variance", "error_variance", "budget"):
        stacked.register_buffer(name, torch.stack([getattr(pair, name) for pair in pairs]), persistent=False)
    return stacked


def _stacked_mlp(networks: Sequence[ComplexMlp]) -> ComplexMlp:
    stacked = ComplexMlp([])
    for layers in zip(*(network.linears() for network in networks), strict=True):
        stacked.layers.append(_stacked_layer(layers))
    return stacked


def _stacked_layer(layers: Sequence[ComplexLinear]) -> ComplexLinear:
    stacked = ComplexLinear(1, 1)
    stacked.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
    stacked.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))
    stacked.mask = torch.stack([layer.mask for layer in layers])
    return stacked
