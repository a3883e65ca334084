"""What is no argument of its kind is refused by name at every public door, before it is computed with."""

import itertools
import re
import warnings

import numpy as np
import pytest
import torch

import latentlink as ll
from latentlink.numerics.doors import as_tensor, device_named, finite, integer
from oracles import pairs

X, Y = pairs(5, 60, 4, 3)
MOMENTS = ll.Moments.from_pairs(X, Y)
MODES = ll.semantic_modes(MOMENTS, shrinkage=0.0)
H = ll.rayleigh(2, 2, batch=(3,), generator=0)
CHANNEL = ll.Channel.from_snr(H, 10.0)
AGE = {"delay_s": 1e-3, "speed_mps": 8.0, "carrier_hz": 3.5e9}

pytestmark = pytest.mark.filterwarnings("error")
REFUSED = {
    "shrinkage": lambda: ll.semantic_modes(MOMENTS, shrinkage=True),
    "widely_linear": lambda: ll.semantic_modes(MOMENTS, widely_linear="no"),
    "adaptive": lambda: ll.Admm(adaptive="x"),
    "robust": lambda: ll.csi.Transmitter(robust="no"),
    "seed": lambda: ll.csi.Transmitter(seed=1.5),
    "multiples": lambda: ll.csi.TransmitterOnly(multiples=0.5),
    "limits": lambda: ll.power.PerAntenna(limits=True),
    "correlation": lambda: ll.ClosedForm(csi=ll.csi.ReceiverOnly(correlation=-np.eye(2))).design(MODES, CHANNEL),
    "settings": lambda: ll.power.named("mean", foo=1),
    "channel": lambda: ll.bounds.capacity(H),
    "h must be complex": lambda: ll.csi.age_channel(H.real, **AGE),
    "batch": lambda: ll.rayleigh(2, 2, batch=(-1,)),
    "dtype": lambda: ll.rayleigh(2, 2, dtype=torch.float64),
}
MORE = {
    "channel": (lambda: ll.bounds.opta(MODES, H), lambda: ll.bounds.separation(MODES, H), lambda: ll.bounds.finite_length_bits(H, 0.1),
                lambda: ll.csi.quantise_feedback(H, 4)),
    "known": (lambda: ll.csi.age_estimate(H, **AGE),),
    "correlation has NaN": (
        lambda: ll.ClosedForm(csi=ll.csi.ReceiverOnly(correlation=np.full((2, 2), np.nan))).design(MODES, CHANNEL),
    ),
}  # fmt: skip
CALLS = [*REFUSED.items(), *((name, call) for name, calls in MORE.items() for call in calls)]


@pytest.mark.parametrize(("name", "call"), CALLS)
def test_it_is_refused_by_name(name, call):
    """Where the tests' own type checker comes first, it is the annotation that names the argument."""
    with pytest.raises((ValueError, TypeError), match=re.escape(name) + "|parameter"):
        call()


def test_numbers_of_numpy_are_numbers():
    assert ll.semantic_modes(MOMENTS, shrinkage=np.float64(0.5)).shrinkage == 0.5
    assert ll.budget.Flops(np.float64(6e5)).flops == 600_000
    assert ll.power.PerAntenna(limits=[0.1, 0.2]).limits.tolist() == [0.1, 0.2]


def test_a_large_read_only_array_is_shared_and_a_small_one_copied():
    """Case 14c: a mapped file of 20 GB was copied whole; PyTorch's warning of read-only arrays would be an error here."""
    for rows, shared in ((2**23, True), (4, False)):
        array = np.zeros((rows, 3), np.float32)
        array.flags.writeable = False
        tensor = as_tensor("x", array)
        assert (tensor.data_ptr() == array.ctypes.data) == shared
        assert tensor.shape == array.shape
        assert not array.flags.writeable
        del array
        assert float(tensor[-1].sum()) == 0  # the memory lives as long as the tensor


@pytest.mark.parametrize("entry", [(0, 0), (2**20, 1), (-1, -1)])
def test_what_is_not_finite_is_found_wherever_it_is(entry):
    array = np.zeros((2**20 + 5, 2), np.float32)
    assert finite("x", array).shape == array.shape
    array[entry] = np.inf
    with pytest.raises(ValueError, match="x has NaN or infinite"):
        finite("x", array)


def test_tensors_without_a_number_for_each_entry_are_refused_with_the_remedy():
    with warnings.catch_warnings(action="ignore"):  # torch warns of prototypes
        ragged = {"nested": torch.nested.nested_tensor([X[0], X[1]]), "masked": torch.masked.masked_tensor(X, X > 0)}
        for (word, value), call in itertools.product(
            ragged.items(), (lambda v: ll.Moments.from_pairs(v, Y), lambda v: ll.Moments.from_pairs(Y, v), MODES.align, ll.Channel)
        ):
            with pytest.raises(
                (ValueError, TypeError), match=rf"[xyh] must be a tensor with a number for each entry, got a {word} one|param"
            ):
                call(value)


def test_numbers_beyond_64_bits_and_lists_of_other_things_are_told_in_words():
    with pytest.raises(ValueError, match="integer from 1 to 2147483647"):
        integer("n", 10**30)
    with pytest.raises(ValueError, match=r"x must be a tensor or an array of numbers, got list \(of NoneType, float\)"):
        as_tensor("x", [None, 1.0])


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has it")
def test_a_device_that_is_not_there_is_told_in_a_sentence():
    with pytest.raises(ValueError, match=r"^device 'mps' cannot be used here: this build of PyTorch .*; cpu is always there$"):
        device_named("mps")
