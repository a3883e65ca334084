"""Every placement of `latentlink.channels.ResourceElements` on a grid of data carriers carries messages, or is refused by name."""

import numpy as np
import pytest

from latentlink.channels import ResourceElements
from latentlink_runtime.radio.frame import FrameFormat, Placement
from runtime.radio.loops import loop

CARRIERS = 48
OFFERED = {
    "one": ResourceElements((7,), (3,)),
    "contiguous": ResourceElements.contiguous(5, first=2),
    "a whole symbol": ResourceElements.contiguous(CARRIERS, symbol=1),
    "over frequency": ResourceElements.over_frequency(3, CARRIERS),
    "over frequency, unevenly": ResourceElements.over_frequency(7, CARRIERS, symbol=4),
    "over slots": ResourceElements.over_slots(4, 1, subcarrier=11),
    "over slots, unevenly": ResourceElements.over_slots(5, 2),
    "block": ResourceElements.block(12, 4),
    "comb": ResourceElements.comb(12, CARRIERS),
    "later": ResourceElements.comb(24, CARRIERS, symbols=(0, 1)).delayed(9),
    "joined": ResourceElements.contiguous(2).union(ResourceElements.over_slots(3, 1, subcarrier=40)),
}


def placed(elements: ResourceElements) -> Placement:
    return Placement.of_elements(elements.subcarriers, elements.symbols, CARRIERS)


@pytest.mark.parametrize("name", OFFERED)
def test_elements_of_a_message_are_those_of_the_library_moved_as_a_whole(name: str) -> None:
    elements, placement = OFFERED[name], placed(OFFERED[name])
    symbol, carrier = np.divmod(placement.slots, CARRIERS)
    assert (np.ptp(carrier - elements.subcarriers, axis=1) == 0).all()
    assert (np.ptp(symbol - elements.symbols, axis=1) == 0).all()
    assert len(np.unique(placement.index(3 * len(placement.slots)))) == 3 * placement.slots.size


@pytest.mark.parametrize("name", OFFERED)
def test_messages_come_through_a_frame_where_they_were_placed(name: str) -> None:
    placement = placed(OFFERED[name])
    air = loop(70, 2, 2, 25, 1, symbols=40, frame_format=FrameFormat(2, placement=placement), frequency=0.004)
    (frame,) = air.receive()
    assert not frame.lost.any()
    assert (np.abs(air.residual(frame)) ** 2).mean() < 1.5 * air.variance
    assert len(frame.lost_messages) == frame.header.messages


@pytest.mark.parametrize("uses", [1, 2, 3, 4, 6, 8, 12, 16, 24, 48])
def test_over_frequency_is_the_runtimes_own(uses: int) -> None:
    assert (placed(ResourceElements.over_frequency(uses, CARRIERS)).slots == Placement.over_frequency(uses, CARRIERS).slots).all()


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        (ResourceElements.over_frequency(4, 624), "subcarriers must be below 48"),
        (ResourceElements.over_slots(2, 20), "symbols must be less than 85 apart"),
    ],
)
def test_what_a_frame_cannot_carry_is_refused_by_name(elements: ResourceElements, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        placed(elements)


@pytest.mark.parametrize(
    ("subcarriers", "symbols", "message"),
    [
        ((1, 1), (0, 0), "twice"),
        ((1, 2), (0,), "one length"),
        ((), (), "one length"),
        ((-1,), (0,), ">= 0"),
        ((0.5,), (0,), "integers"),
        (((1,),), ((0,),), "one length"),
    ],
)
def test_arrays_that_are_no_elements_are_refused(subcarriers: object, symbols: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Placement.of_elements(subcarriers, symbols, CARRIERS)
