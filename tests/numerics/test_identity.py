"""The identity of an object is that of its content: never of its `repr`, of the object's address, or of the device."""

import functools
import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

import latentlink as ll
from latentlink.numerics.identity import identity_of
from latentlink.studies.spec.plug_in import load_attribute


class Weighted:
    def __init__(self, weights, moments=None):
        self.weights, self.moments = weights, moments

    def __repr__(self):
        return "Weighted()"


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


@dataclass(frozen=True)
class Pair:
    first: object
    second: object


def moments(scale=1.0):
    x = torch.linspace(-1, scale, 60, dtype=torch.float64).reshape(20, 3).sin()
    return ll.Moments.from_pairs(x, x)


def long(place):
    values = torch.zeros(5000)
    values[place] = 1.0
    return values


def scaling_by(factor):
    return lambda x: factor * x


DIFFERENT = [
    *(Weighted(long(place)) for place in (2500, 2501)),
    Weighted(long(2500).numpy()),
    *(Weighted(None, moments(scale)) for scale in (1.0, 2.0)),
    *(Slotted(value) for value in (1, 1.0, True, "1", None, b"1", torch.int64, np.float32(1))),
    *(nn.LeakyReLU(slope) for slope in (0.1, 0.2)),
    *(nn.Sequential(act()) for act in (nn.Tanh, nn.ReLU)),
    *(functools.partial(torch.clamp, min=least) for least in (0, 1)),
    *([1, 2], (1, 2), {1: 2}, {1, 2}, {"1": 2}, [[1], 2]),
    *(scaling_by(factor) for factor in (2, 3)),
    *(torch.tensor(1.0, dtype=dtype) for dtype in (torch.float32, torch.float64, torch.complex64, torch.bfloat16, torch.bool)),
    *(torch.zeros(shape) for shape in ((2, 3), (3, 2), (6,), ())),
    torch.tensor(2**53 + 1),
    torch.tensor(2**53),
    Weighted,
    Pair,
    len,
]


def test_things_of_different_content_have_different_identities():
    assert len({identity_of(thing) for thing in DIFFERENT}) == len(DIFFERENT)


def test_things_of_equal_content_have_the_same():
    shared = (1, 2)
    for make in (
        lambda: Weighted(long(7), moments()),
        lambda: Slotted(np.arange(3)),
        lambda: nn.Linear(2, 1, bias=False).requires_grad_(False).apply(lambda layer: nn.init.ones_(layer.weight)),
        lambda: {"a", "b", "c"},
        lambda: torch.randn(3, generator=torch.Generator().manual_seed(0), dtype=torch.complex64).conj(),
        lambda: ll.ClosedForm(power=ll.power.Mean(peak=2.0)),
    ):
        assert identity_of(make()) == identity_of(make())
    assert identity_of(Pair(shared, shared)) == identity_of(Pair((1, 2), (*[1, 2],)))
    assert identity_of(nn.Dropout(0.1).train()) == identity_of(nn.Dropout(0.1).eval())
    assert identity_of(torch.ones(1).expand(1)) == identity_of(torch.ones(1)[0].expand(1))
    strided = torch.arange(12.0).reshape(3, 4).mT
    assert identity_of(strided) == identity_of(strided.contiguous())


def test_what_contains_itself_has_an_identity():
    ring: list[object] = [1]
    ring.append(ring)
    assert identity_of(ring) != identity_of([1, [1]])


def test_what_cannot_be_identified_is_refused_by_name():
    with pytest.raises(ValueError, match=r"_thread\.lock cannot be distinguished"):
        identity_of(Weighted(threading.Lock()))


SOURCE = "class Loss:\n    def __init__(self):\n        self.factor = 2\n\n    def wanted(self, y):\n        return {}\n"


def test_code_of_ones_own_is_known_by_its_module_and_its_source(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for name, text in (("objective_one", "y"), ("objective_two", "y"), ("objective_one", "2 * y"), ("objective_one", "y")):
        (tmp_path / f"{name}.py").write_text(SOURCE.format(text))
        found.append(identity_of(load_attribute(f"{name}:Loss")()))
    assert len(set(found)) == 3
    assert found[0] == found[3]


def test_a_class_of_a_notebook_is_known_by_what_its_functions_do():
    found = []
    for text in ("y", "2 * y", "y"):
        cell: dict[str, object] = {"__name__": "a_notebook"}
        exec(SOURCE.format(text), cell)
        found.append(identity_of(cell["Loss"]()))  # type: ignore[operator]
    assert found[0] == found[2] != found[1]
