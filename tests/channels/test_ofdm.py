import pytest
import torch

from latentlink.channels.ofdm import ResourceElements


def test_placements():
    assert ResourceElements.contiguous(3, first=4, symbol=2) == ResourceElements((4, 5, 6), (2, 2, 2))
    assert ResourceElements.over_frequency(3, 12) == ResourceElements((2, 6, 10), (0, 0, 0))
    assert ResourceElements.over_slots(4, slots=2, subcarrier=1) == ResourceElements((1,) * 4, (3, 10, 17, 24))
    block = ResourceElements.block(12, 14)
    assert len(block) == 168
    assert block.symbols[:13] == (*(0,) * 12, 1)
    assert ResourceElements((0, 1), (3, 3)).delayed(5).symbols == (8, 8)


def test_a_slot_of_14_symbols_lasts_a_millisecond_at_15_khz():
    elements = ResourceElements((0, 5), (0, 14))
    torch.testing.assert_close(elements.times_s(15e3), torch.tensor([0, 1e-3], dtype=torch.float64))
    torch.testing.assert_close(elements.times_s(30e3), torch.tensor([0, 0.5e-3], dtype=torch.float64))
    torch.testing.assert_close(elements.frequencies_hz(30e3), torch.tensor([0, 150e3], dtype=torch.float64))


@pytest.mark.parametrize("count", [1, 5, 48, 624])
def test_spread_elements_are_even_and_stay_within_the_band(count):
    places = torch.tensor(ResourceElements.over_frequency(count, 624).subcarriers)
    assert places.min() >= 0
    assert places.max() < 624
    assert count == 1 or int(places.diff().max() - places.diff().min()) <= 1


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: ResourceElements((), ()), "subcarriers must be integers"),
        (lambda: ResourceElements((0, 1), (0,)), "symbols must be as many as subcarriers, 2, got 1"),
        (lambda: ResourceElements((0, 0), (1, 1)), "must not come twice"),
        (lambda: ResourceElements((0, -1), (1, 1)), "subcarriers must be an integer >= 0, got -1"),
        (lambda: ResourceElements.over_frequency(13, 12), "subcarriers must be at least 13"),
        (lambda: ResourceElements.over_slots(15, 1), "slots, in symbols, must be at least 15"),
        (lambda: ResourceElements.contiguous(0), "count must be an integer from 1 to 4194304, got 0"),
    ],
)
def test_mistakes_are_named(make, match):
    with pytest.raises(ValueError, match=match):
        make()
