"""GELU and water-filling of the runtime, held to the standard library and to the library's own."""

import math

import numpy as np
import torch

from latentlink.streams import waterfilling
from latentlink_runtime.numerics.gelu import erf, gelu
from latentlink_runtime.numerics.waterfilling import mse_waterfilling


def test_the_error_function_is_that_of_the_standard_library():
    x = np.linspace(-6, 6, 20001, dtype=np.float32)
    exact = np.array([math.erf(value) for value in x])
    assert np.abs(erf(x) - exact).max() < 3e-7
    assert np.abs(gelu(x) - x * (1 + np.array([math.erf(value / 2**0.5) for value in x])) / 2).max() < 1e-6
    np.testing.assert_allclose(gelu(np.array([1e4, -1e4], np.float32)), [1e4, 0.0], atol=1e-7 * 1e4)


def test_water_filling_is_that_of_the_library():
    generator = np.random.default_rng(0)
    for noise, power in ((0.0, 1.0), (0.1, 1.0), (10.0, 0.01), (1.0, 0.0), (1e-8, 100.0)):
        b, h = (np.sort(generator.exponential(size=(50, 12)), -1)[:, ::-1] for _ in range(2))
        b[3, 5:] = 0.0
        h[4, 2:] = 0.0
        N, P = np.full(50, noise), np.full(50, power)
        expected = waterfilling.mse_waterfilling(*(torch.tensor(value.copy()) for value in (b, h, N, P)))
        np.testing.assert_allclose(mse_waterfilling(b, h, N, P), expected.numpy(), rtol=1e-12, atol=1e-15)
