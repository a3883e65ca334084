"""Counted operations against a network of numbers that count what is done to them."""

import math

import pytest
import torch

import latentlink as ll
from latentlink.links.operation_count import LayerFlops
from latentlink.neural.paper.transceiver import Network
from neural.paper.networks_small import by, channel, pilots, small


class Counting:
    """A real number that counts products, sums, roots and error functions; what is known to be zero costs nothing."""

    count = 0

    def __init__(self, value):
        self.value = float(value)

    def _done(self, value):
        Counting.count += 1
        return Counting(value)

    def __add__(self, other):
        return self._done(self.value + Counting.of(other))

    def __sub__(self, other):
        return self._done(self.value - Counting.of(other))

    def __mul__(self, other):
        return self._done(self.value * Counting.of(other))

    __radd__, __rmul__ = __add__, __mul__

    def root(self):
        return self._done(math.sqrt(self.value))

    def erf(self):
        return self._done(math.erf(self.value))

    @staticmethod
    def of(value):
        return value.value if isinstance(value, Counting) else value


def linear(weight, bias, z):
    """Complex products and sums over the nonzero weights, each output starting from its bias; None where it is 0 whatever comes in."""
    outputs = []
    for row in range(weight.shape[1]):
        start = (Counting(bias[0, 0, row]), Counting(bias[1, 0, row]))
        used = [j for j in range(weight.shape[2]) if (weight[:, row, j] != 0).any()]
        if not used and not (bias[..., row] != 0).any():
            outputs.append(None)
            continue
        real, imag = start
        for j in used:
            a, b = float(weight[0, row, j]), float(weight[1, row, j])
            if z[j] is None:  # a dead unit still is multiplied: its weights are counted as they are
                z[j] = (Counting(0.0), Counting(0.0))
            c, d = z[j]
            real = real + (c * a - d * b)
            imag = imag + (d * a + c * b)
        outputs.append((real, imag))
    return outputs


def activation(z):
    units = []
    for unit in z:
        if unit is None:
            units.append(None)
            continue
        a, b = unit
        gain = ((a * a + b * b).root() * 0.5**0.5).erf() * 0.5 + 0.5
        units.append((a * gain, b * gain))
    return units


@pytest.mark.parametrize("share", [None, 0.5, 0.15])
def test_every_layer_costs_what_is_counted(share):
    pruning = None if share is None else ll.budget.Weights(share)
    link = small(hidden_tx=6, hidden_rx=5, layers=2, epochs=3, **by(pruning)).design(pilots(), channel()).transceiver
    for network in (link.precoder, link.decoder):
        counted = {line.name: line.flops for line in network.layer_flops()}
        generator = torch.Generator().manual_seed(0)
        z = torch.randn(2 * network.weights[0].shape[2], generator=generator)
        reference = network(z.view(2, 1, -1)).flatten()
        half = len(z) // 2
        units = [(Counting(z[i]), Counting(z[half + i])) for i in range(half)]
        for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True), 1):
            if number > 1:
                Counting.count = 0
                units = activation(units)
                assert Counting.count == counted[f"activation {number - 1}"]
            Counting.count = 0
            units = linear(weight, bias, units)
            assert Counting.count == counted[f"linear {number}"]
        got = [Counting.of(unit[part]) if unit else 0.0 for part in (0, 1) for unit in units]
        torch.testing.assert_close(torch.tensor(got), reference, rtol=1e-4, atol=1e-5)


def test_the_ends_cost_what_is_counted():
    link = small(epochs=1).design(pilots(), channel(2, 3, 2)).transceiver
    counted = {line.name: line.flops for line in link.layer_flops()}
    Counting.count = 0
    x = [(Counting(value) - 1.0) * 2.0 for value in range(7)]
    assert Counting.count == counted["precoder: centre and scale"]
    Counting.count = 0
    s = [(Counting(1.0), Counting(2.0)) for _ in range(6)]
    energy = None
    for a, b in s:
        part = a * a + b * b
        energy = part if energy is None else energy + part
    scale = (energy * 0.5).root()
    _ = [(a * scale, b * scale) for a, b in s]
    assert Counting.count == counted["precoder: power"]
    assert counted["decoder: scale and centre"] == 2 * 5
    assert len(x) == 7


def test_a_dense_pair_of_known_size():
    weights = (torch.ones(2, 4, 3), torch.ones(2, 2, 4))
    network = Network(weights, (torch.ones(2, 1, 4), torch.ones(2, 1, 2)))
    assert network.layer_flops() == [
        LayerFlops("linear 1", 8 * 12, 12),
        LayerFlops("activation 1", 10 * 4),
        LayerFlops("linear 2", 8 * 8, 8),
    ]


def test_linear_links_count_their_dense_matrices():
    data = pilots()
    link = ll.ClosedForm().design(ll.semantic_modes(ll.Moments.from_pairs(data.x, data.y)), channel(2, 3, 2)).transceiver
    assert link.flops == ll.metrics.OperationCount(encode=2 * (2 * 2 * 3) * 7, decode=2 * 5 * (2 * 2 * 2))


def test_latency_is_a_median_per_message_on_one_thread():
    link = small(epochs=1).design(pilots(), channel()).transceiver
    threads = torch.get_num_threads()
    seen = []

    class Spy:
        def __getattr__(self, name):
            return getattr(link, name)

        def encode(self, x):
            seen.append((len(x), torch.get_num_threads()))
            return link.encode(x)

    one = ll.metrics.latency(Spy(), pilots().x, channel(), batch=1, repeats=5)
    assert torch.get_num_threads() == threads
    assert set(seen) == {(1, 1)}
    assert one.encode_us > 0
    assert one.decode_us > 0
    seen.clear()
    ll.metrics.latency(Spy(), pilots(4).x, channel(), batch=9, repeats=1)  # more than there are: some are sent twice
    assert set(seen) == {(9, 1)}
    with pytest.raises(ValueError, match="batch must be an integer >= 1, got 0"):
        ll.metrics.latency(link, pilots().x, channel(), batch=0)


def test_units_that_are_constant_join_the_next_bias_when_left_out():
    generator = torch.Generator().manual_seed(0)
    weights, biases = ([torch.randn(2, *shape, generator=generator) for shape in shapes] for shapes in (((5, 3), (4, 5)), ((1, 5), (1, 4))))
    weights[0][:, 1:3] = 0  # nothing reaches units 1 and 2, but their biases do
    weights[1][:, :, 4] = 0  # unit 4 reaches nothing
    network = Network(tuple(weights), tuple(biases))
    small_network = network.compacted()
    assert [tuple(weight.shape) for weight in small_network.weights] == [(2, 2, 3), (2, 4, 2)]
    z = torch.randn(2, 6, 3, generator=generator)
    torch.testing.assert_close(small_network(z), network(z))
    torch.testing.assert_close(small_network.as_sparse()(z), network(z))
