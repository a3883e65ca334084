import pytest
import torch

import latentlink as ll
from latentlink.linear.robust.both_ends import balance
from latentlink.streams.allocation import Allocation
from latentlink.streams.spatial import SpatialModes
from oracles import normal, seeded


def setting(uses=4, n=2, times=1, modes=9, batch=(5,), seed=0):
    h = ll.rayleigh(n, n, batch=(*batch, uses), generator=seeded(seed)).repeat_interleave(times, -3)
    strength = normal(1, modes).abs().sort(descending=True).values
    noise, power = torch.full(batch, 0.05, dtype=torch.float64), torch.full(batch, float(uses * times), dtype=torch.float64)
    return strength, SpatialModes.of(h).amplitude, noise, power


def error(strength, used, noise):
    b = strength[: used.power.shape[-1]]
    return (b.square() / (1 + used.power * used.amplitude.square() / noise.unsqueeze(-1))).sum(-1)


@pytest.mark.parametrize("in_pairs", [False, True])
@pytest.mark.parametrize("modes", [2, 7, 8, 9, 16, 40])
def test_every_mode_keeps_a_slot_of_its_own_and_its_amplitude(modes, in_pairs):
    if in_pairs and modes % 2:
        modes += 1
    strength, h, noise, power = setting(modes=modes)
    used = Allocation.of(strength, h, noise, power)
    moved = balance(strength, used, noise, power, in_pairs=in_pairs)
    torch.testing.assert_close(moved.power.sum(-1), power)
    assert all(len(set(slots.tolist())) == len(slots) for slots in moved.streams)
    slots = torch.cat([h, h], -1).flatten(-2)
    torch.testing.assert_close(moved.amplitude, slots.gather(-1, moved.streams))
    if in_pairs:
        assert (moved.streams[..., 1::2] - moved.streams[..., ::2] == 2).all()


def test_on_equal_uses_it_costs_nothing_and_evens_their_powers():
    strength, h, noise, power = setting(uses=1, times=4, modes=16)
    used = Allocation.of(strength, h, noise, power)
    moved = balance(strength, used, noise, power, in_pairs=False)
    torch.testing.assert_close(error(strength, moved, noise), error(strength, used, noise))
    before, after = (one.on_slots(one.power).sum(-1) for one in (used, moved))
    assert (after.std(-1) < 0.5 * before.std(-1)).all()


def test_a_batch_is_its_members():
    strength, h, noise, power = setting()
    together = balance(strength, Allocation.of(strength, h, noise, power), noise, power, in_pairs=False)
    alone = balance(strength, Allocation.of(strength, h[3], noise[3], power[3]), noise[3], power[3], in_pairs=False)
    assert torch.equal(together.streams[3], alone.streams)
    torch.testing.assert_close(together.power[3], alone.power)
