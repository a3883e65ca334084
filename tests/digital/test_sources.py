"""Quantisers and entropy coder: round trips, lengths against entropy, distortion against payload."""

import math

import numpy as np
import pytest
import torch

import latentlink as ll
from digital.latents import code, pilots, unseen
from latentlink.digital.source.latent_code import Coordinates, LatentCode
from latentlink.digital.source.transform import HEADER, TransformCode
from latentlink.digital.source.vectors import VectorQuantiser
from oracles import normal

WEIGHTS = 3 * 0.8 ** torch.arange(20, dtype=torch.float64)


@pytest.fixture(scope="module")
def gaussian():
    return TransformCode(normal(1, 4000, 20) * WEIGHTS)


@pytest.mark.parametrize("payload", [12, 40, 100, 250])
def test_what_is_decoded_is_what_was_quantised(gaussian, payload):
    c = normal(2, 60, 20) * WEIGHTS
    c[0], c[1] = 0.0, 100.0  # an idle and an outrageous message
    bits, decoded = gaussian.encode(c, payload)
    assert bits.shape == (60, payload)
    assert set(bits.unique().tolist()) <= {0, 1}
    torch.testing.assert_close(gaussian.decode(bits, 20), decoded)


def test_payloads_of_noise_are_decoded_to_something_finite(gaussian):
    noise = (normal(3, 100, 60) > 0).long()
    assert gaussian.decode(noise, 20).isfinite().all()


def test_the_range_coder_takes_the_entropy_of_its_tables(gaussian):
    """Shortest payload that decodes right, over the information of the symbols and the header: within 2 % and a bit."""
    c = normal(4, 100, 20) * WEIGHTS
    payload = 150
    index, symbols, _ = gaussian.choose(c, payload)
    over = []
    for i, row in zip(index.tolist(), symbols.numpy(), strict=True):
        step = gaussian.offered(payload, i)
        information = HEADER + float(step.look_up(step.cost, torch.from_numpy(row[: len(step.cost)]).unsqueeze(0)).sum())
        written = gaussian.write(payload, i, row)
        used = min(payload, math.ceil(information + 1))  # a prefix of so many bits, zeros behind it, or the next one, is in the interval
        low = int("".join(map(str, written[:used])), 2)
        candidates = [np.array(list(np.binary_repr(v % 2**used, used) + "0" * (payload - used)), np.uint8) for v in (low, low + 1)]
        read = [gaussian.read(candidate) for candidate in candidates]
        over.append(any(r is not None and r[0] == i and np.array_equal(r[1], row[: len(step.cost)]) for r in read))
        assert information <= payload
    assert all(over)


def test_tables_cost_the_empirical_entropy(gaussian):
    c = normal(5, 4000, 20) * WEIGHTS
    step = gaussian.offered(100, 11)
    symbols = step.quantise(c)
    spent = step.look_up(step.cost, symbols).sum(-1).mean()
    entropy = 0.0
    for column in symbols.T:
        p = column.bincount().double() / len(column)
        entropy -= float((p[p > 0] * p[p > 0].log2()).sum())
    assert entropy <= float(spent) <= 1.03 * entropy  # tables of 4000 other messages


def test_gaussian_distortion_is_near_and_above_the_reverse_waterfilling_bound(gaussian):
    c, energy = normal(6, 1000, 20) * WEIGHTS, WEIGHTS.square()
    for payload in (40, 80):
        theta = torch.logspace(-4, 1, 4000, dtype=torch.float64)
        rate = 0.5 * (energy / theta.unsqueeze(-1)).clamp(min=1).log2().sum(-1)
        bound = float(torch.minimum(theta.unsqueeze(-1), energy).sum(-1)[(rate - payload).abs().argmin()])
        left = float((gaussian.encode(c, payload)[1] - c).square().sum(-1).mean())
        assert bound < left < 2.6 * bound  # 0.7 bits for each coefficient: quantiser 0.25, header, fixed length


@pytest.mark.parametrize("payload", [1, 7, 16])
def test_vector_quantisers_choose_what_they_decode(payload):
    vectors = VectorQuantiser(normal(7, 2000, 20) * WEIGHTS)
    bits, decoded = vectors.encode(normal(8, 50, 20) * WEIGHTS, payload)
    assert bits.shape == (50, payload)
    torch.testing.assert_close(vectors.decode(bits, 20), decoded, atol=1e-5, rtol=1e-5)


def test_few_pilots_make_few_codewords():
    assert VectorQuantiser(normal(9, 5, 3)).stages(6) == []
    assert VectorQuantiser(normal(9, 64, 3)).stages(7) == [3, 3, 1]


@pytest.mark.parametrize("align", ["transmitter", "receiver"])
def test_more_bits_leave_less(align):
    made = code(align)
    c = made.coordinates.weighted(unseen().x)
    left = [float((made.decode(made.encode(c, size)) - c).square().sum(-1).mean()) for size in (1, 3, 6, 11, 24, 48, 96)]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 0.05 * made.energy
    expected = [made.remaining(size).weighted for size in (1, 3, 6, 11, 24, 48, 96)]
    assert expected == sorted(expected, reverse=True)
    assert left[:-1] == pytest.approx(expected[:-1], rel=0.5)


@pytest.mark.parametrize("align", ["transmitter", "receiver"])
def test_with_all_bits_the_latent_is_aligned_as_without_a_channel(align):
    made = code(align)
    coordinates = made.coordinates
    c = made.decode(made.encode(coordinates.weighted(unseen().x), 120))
    y = coordinates.mean_y + (c / coordinates.weight) @ coordinates.synthesis.mT
    modes = ll.semantic_modes(ll.Moments.from_pairs(pilots().x, pilots().y))
    error = (modes.align(unseen().x) - y).square().sum(-1).mean()
    assert error < 1e-2 * made.variance


def test_sizes_of_payloads_are_rounded_down_by_little():
    for bits in range(1, 3000):
        assert 0.96 * bits < LatentCode.round_down(bits) <= bits
    assert LatentCode.round_down(63) == 63


def test_coordinates_are_white_and_sorted():
    coordinates = Coordinates.of_moments(ll.Moments.from_pairs(pilots().x, pilots().y), 0.0)
    z = coordinates.weighted(pilots().x) / coordinates.weight
    torch.testing.assert_close(z.mT @ z / len(z), torch.eye(z.shape[1], dtype=torch.float64), atol=1e-8, rtol=0)
    assert (coordinates.weight.diff() <= 0).all()
