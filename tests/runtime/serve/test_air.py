"""Laws of the air: blocks of any length give the same samples, and they are those of an air written apart from it."""

import numpy as np
import pytest

from latentlink_runtime.iq.fake import ArraySource
from latentlink_runtime.iq.memory import memory_pair
from latentlink_runtime.serve.air import Air, carry, rayleigh
from runtime.radio.air import Air as OtherAir


def samples(n: int = 3000, antennas: int = 2) -> np.ndarray:
    rng = np.random.default_rng(1)
    spectrum = np.zeros((n, antennas), complex)
    spectrum[: n // 3] = rng.standard_normal((n // 3, antennas, 2)) @ np.array([1, 1j])
    return np.fft.ifft(spectrum, axis=0) * np.sqrt(n)


@pytest.mark.parametrize("given", [{}, {"delay": 5.0}, {"clock": 100e-6, "delay": 7.4, "frequency": 0.01}, {"clock": -50e-6}])
def test_it_is_the_other_air(given: dict[str, float]) -> None:
    taps, sent = rayleigh(2, 3, 4, 2), samples()
    ours = Air(taps, **given)(sent)
    theirs = OtherAir(taps, **given)(sent, np.random.default_rng(0))
    assert len(ours) > len(sent) - 20
    np.testing.assert_allclose(ours[30:-30], theirs[30 : len(ours) - 30], atol=3e-3)


@pytest.mark.parametrize("length", [1, 7, 64, 1000])
def test_blocks_of_any_length_give_the_same_samples(length: int) -> None:
    taps, sent = rayleigh(2, 3, 4, 2), samples(800)
    whole = Air(taps, clock=1e-4, delay=3.3, frequency=0.01)(sent)
    air = Air(taps, clock=1e-4, delay=3.3, frequency=0.01)
    parts = np.concatenate([air(sent[start : start + length]) for start in range(0, len(sent), length)])
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_noise_has_its_variance_and_the_taps_their_power() -> None:
    received = Air(np.zeros((1, 4, 2)), 0.3)(np.zeros((20000, 2)))
    assert (np.abs(received) ** 2).mean() == pytest.approx(0.3, rel=0.03)
    assert (np.abs(rayleigh(1, 4, 60, 60)) ** 2).sum(0).mean() == pytest.approx(1, rel=0.05)


def test_it_carries_to_the_end_of_the_stream() -> None:
    sink, source = memory_pair(1e6, 2)
    carried = carry(ArraySource(samples(5000)), sink, Air(np.eye(2)[None]), lambda: False)
    assert 4900 < carried <= 5000
    assert len(source.read(10000).samples) == carried


@pytest.mark.parametrize("given", [{"taps": np.zeros((2, 2))}, {"noise_variance": -1.0}, {"clock": 0.5}, {"delay": -1.0}])
def test_what_is_no_air_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        Air(**{"taps": np.ones((1, 1, 1)), **given})  # type: ignore[arg-type]
