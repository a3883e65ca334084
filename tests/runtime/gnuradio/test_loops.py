"""Links over GNU Radio, which shares no code with them: their error is that of a simulation with the same estimate's error.

The same runs over the NumPy air where GNU Radio is missing, and beside it where it is not.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentlink_runtime.radio.numerology import LL_256_64
from runtime.gnuradio import airs, semantics
from runtime.gnuradio.airs import Through
from runtime.radio.air import Air, rayleigh

FRAMES = 8  # of 1,920 messages each
FREQUENCY, CLOCK = 0.01, 100e-6

Carrier = Callable[[Air, Path], AbstractContextManager[Through]]
each_air = pytest.mark.parametrize("carrier", [airs.of_numpy, airs.of_gnuradio], ids=["numpy", "gnuradio"])


def channel(antennas: int, snr_db: float) -> Air:
    """Four taps, CFO and clock offset."""
    taps = rayleigh(np.random.default_rng(70 + antennas), 4, antennas, antennas)
    return Air(taps, 10 ** (-snr_db / 10), frequency=FREQUENCY, clock=CLOCK)


@each_air
@pytest.mark.parametrize(
    ("name", "antennas", "snr_db", "points"),
    [("pair", 4, 10, 0.02), ("pair", 4, 20, 0.02), ("pair", 2, 10, 0.02), ("codec-mean", 4, 20, 0.015), ("codec-mean", 2, 10, 0.015)],
)
def test_the_loops_error_is_the_simulations(
    carrier: Carrier, name: str, antennas: int, snr_db: float, points: float, tmp_path: Path
) -> None:
    air = channel(antennas, snr_db)
    with carrier(air, tmp_path) as through:
        outcome = semantics.over(through, air, name, FRAMES)
    assert [frame.header.sequence for frame in outcome.frames] == list(range(semantics.SOUNDINGS, semantics.SOUNDINGS + FRAMES))
    assert not any(frame.lost.any() for frame in outcome.frames)
    assert outcome.loop.nmse == pytest.approx(outcome.simulation.nmse, abs=0.005)
    assert outcome.loop.accuracy == pytest.approx(outcome.simulation.accuracy, abs=points)
    assert outcome.noise_ratio == pytest.approx(1, abs=0.1)
    assert [frame.frequency for frame in outcome.frames] == pytest.approx([FREQUENCY] * FRAMES, abs=2e-5)
    assert outcome.frames[-1].clock.offset == pytest.approx(CLOCK, abs=15e-6)


@pytest.mark.parametrize("snr_db", [10, 20])
@pytest.mark.parametrize("taps", [20, 60])
def test_long_channels_have_the_simulations_error_with_256_carriers(taps: int, snr_db: float, tmp_path: Path) -> None:
    decay = 0.1 ** (1 / taps)
    air = Air(rayleigh(np.random.default_rng(taps), taps, 4, 4, decay), 10 ** (-snr_db / 10), frequency=0.004, clock=20e-6)
    with airs.of_numpy(air, tmp_path) as through:
        outcome = semantics.over(through, air, "pair", 4, numerology=LL_256_64, symbols=10)
    assert len(outcome.frames) == outcome.sent
    assert not any(frame.lost.any() for frame in outcome.frames)
    assert outcome.loop.nmse == pytest.approx(outcome.simulation.nmse, abs=0.005)
    assert outcome.noise_ratio == pytest.approx(1, abs=0.1)


def test_the_flow_graph_is_the_numpy_air_up_to_single_precision(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    air = Air(rayleigh(rng, 5, 2, 3), frequency=0.01)
    samples: Any = rng.standard_normal((20_000, 3, 2)) @ [1, 1j]
    with airs.of_gnuradio(air, tmp_path) as through:
        first, second = through(samples), through(samples)
    for received, turns in ((first, 0.0), (second, air.frequency * len(first))):
        expected = air(samples, rng)[: len(samples)] * np.exp(2j * np.pi * turns)
        assert len(received) == len(samples) + airs.TAIL
        assert np.abs(received[: len(samples)] - expected).max() < 1e-3


def test_the_flow_graphs_noise_has_the_power_that_it_was_told_and_antennas_have_their_own(tmp_path: Path) -> None:
    air = Air(np.zeros((1, 2, 1), complex), noise_variance=0.3)
    with airs.of_gnuradio(air, tmp_path) as through:
        heard = through(np.zeros((200_000, 1)) + 0j)
    covariance = heard.T @ heard.conj() / len(heard)
    assert covariance == pytest.approx(0.3 * np.eye(2), abs=0.004)
    assert heard.T @ heard / len(heard) == pytest.approx(np.zeros((2, 2)), abs=0.004)
