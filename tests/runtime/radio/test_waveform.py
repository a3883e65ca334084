"""Known symbols: their power, their orthogonality, and that OFDM's two directions undo each other."""

import numpy as np
import pytest

from latentlink_runtime.radio import waveform
from latentlink_runtime.radio.frame import FrameFormat, Placement, build_frame
from latentlink_runtime.radio.header import Header
from latentlink_runtime.radio.numerology import LL_64_16, LL_256_64, Numerology

ANTENNAS = (1, 2, 3, 4, 6, 8)
NUMEROLOGIES = (LL_64_16, LL_256_64)


def power(samples: np.ndarray) -> float:
    """Mean over samples, summed over antennas."""
    return float((np.abs(samples) ** 2).sum(1).mean())


@pytest.mark.parametrize("n_tx", ANTENNAS)
@pytest.mark.parametrize("numerology", NUMEROLOGIES, ids=lambda numerology: numerology.name)
def test_every_part_of_a_frame_has_the_power_one_and_every_antenna_its_share(numerology: Numerology, n_tx: int) -> None:
    rng = np.random.default_rng(0)
    frame_format = FrameFormat(n_tx, numerology)
    stf = waveform.stf(numerology, n_tx)
    assert power(stf) == pytest.approx(1, abs=0.01)
    assert (np.abs(stf) ** 2).mean(0) == pytest.approx(1 / n_tx, abs=0.01 / n_tx)
    for symbols in (waveform.ltf(numerology, n_tx), waveform.modulate(numerology, head(frame_format))):
        bodies = symbols.reshape(-1, numerology.symbol_length, n_tx)[:, numerology.cyclic_prefix :]
        assert power(bodies.reshape(-1, n_tx)) == pytest.approx(1, abs=0.01)
    known = waveform.pilots(numerology, n_tx, 8)
    assert np.abs(known) ** 2 == pytest.approx(1 / n_tx)
    messages = 60 * numerology.n_data // 16
    elements = (rng.standard_normal((16 * messages, n_tx, 2)) @ [1, 1j]) / np.sqrt(2 * n_tx)
    frame = build_frame(frame_format, Header(units=min(messages, 255)), b"", elements[: 16 * min(messages, 255)])
    payload = frame[-numerology.gap - 40 * numerology.symbol_length : -numerology.gap]
    assert power(payload) == pytest.approx(1, abs=0.05)  # elements are random: 40 symbols' sampling error
    assert not frame[-numerology.gap :].any()


def head(frame_format: FrameFormat) -> np.ndarray:
    """A header's carriers (symbols, K, n_tx)."""
    return frame_format.header_grid(Header(units=3).pack())[..., None] * frame_format.header_beams()


@pytest.mark.parametrize("n_tx", ANTENNAS)
def test_pilots_of_n_tx_successive_symbols_tell_the_antennas_apart(n_tx: int) -> None:
    known = waveform.pilots(LL_64_16, n_tx, n_tx + 3)
    for first in range(3):
        for pilot in range(4):
            P = known[first : first + n_tx, pilot]
            assert pytest.approx(np.eye(n_tx), abs=1e-12) == P.conj().T @ P


@pytest.mark.parametrize("n_tx", ANTENNAS)
def test_rows_of_the_training_matrix_are_orthogonal_and_it_is_not_symmetric(n_tx: int) -> None:
    W = waveform.training_matrix(n_tx)
    assert pytest.approx(n_tx * np.eye(n_tx), abs=1e-12) == W @ W.conj().T
    assert np.abs(W) == pytest.approx(1)
    if n_tx > 1:
        assert np.abs(W - W.T).max() > 0.5
        assert np.abs(W - W.conj().T).max() > 0.5
    assert waveform.training_matrix(n_tx, 2) @ waveform.training_matrix(n_tx, 2).conj().T == pytest.approx(2 * n_tx * np.eye(n_tx))


@pytest.mark.parametrize("numerology", NUMEROLOGIES, ids=lambda numerology: numerology.name)
def test_demodulation_undoes_modulation_and_noise_of_a_carrier_is_weaker_by_used_carriers(numerology: Numerology) -> None:
    rng = np.random.default_rng(1)
    grid = rng.standard_normal((5, numerology.n_used, 2, 2)) @ [1, 1j]
    samples = waveform.modulate(numerology, grid)
    assert waveform.demodulate(numerology, samples, numerology.cyclic_prefix, 5) == pytest.approx(grid, abs=1e-12)
    white = rng.standard_normal((200 * numerology.symbol_length, 1, 2)) @ [1, 1j] / np.sqrt(2)
    carriers = waveform.demodulate(numerology, white, numerology.cyclic_prefix, 200)
    assert (np.abs(carriers) ** 2).mean() == pytest.approx(numerology.n_used / numerology.n_fft, rel=0.05)


@pytest.mark.parametrize("n_tx", ANTENNAS)
def test_the_short_field_has_the_period_sixteen_and_antennas_differ(n_tx: int) -> None:
    field = waveform.stf(LL_64_16, n_tx)
    assert field[16:] == pytest.approx(field[:-16], abs=1e-12)
    gram = np.abs(field.conj().T @ field) / 320 * n_tx
    assert gram - np.eye(n_tx) == pytest.approx(0, abs=0.4)


def test_one_use_a_message_is_carrier_i_mod_48_of_symbol_i_div_48() -> None:
    placement = Placement.over_frequency(1, 48)
    assert (placement.index(200) == np.arange(200)).all()
    assert placement.symbols(193) == 5


@pytest.mark.parametrize("uses", [2, 3, 4, 5, 16])
def test_uses_of_a_message_lie_in_one_symbol_far_apart_and_no_element_comes_twice(uses: int) -> None:
    placement = Placement.over_frequency(uses, 48)
    index = placement.index(3 * (48 // uses))
    assert len(np.unique(index)) == len(index)
    symbol, carrier = np.divmod(index.reshape(-1, uses), 48)
    assert (symbol == symbol[:, :1]).all()
    assert (np.diff(carrier, axis=1) == 48 // uses).all()


def test_slots_of_ones_own_repeat_after_the_symbols_that_they_span() -> None:
    placement = Placement(np.array([[0, 50], [3, 96]]), 48)
    assert placement.index(4).tolist() == [0, 50, 3, 96, 144, 194, 147, 240]


@pytest.mark.parametrize(
    ("slots", "message"), [(np.array([[0, 0]]), "twice"), (np.array([0, 1]), r"\(messages, uses\)"), (np.array([[-1]]), ">= 0")]
)
def test_slots_that_overlap_or_are_none_are_refused(slots: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Placement(slots, 48)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_fft": 100}, "n_fft"),
        ({"cyclic_prefix": 2}, "cyclic_prefix"),
        ({"used": (0, 1)}, "used"),
        ({"used": tuple(range(1, 6))}, "divisor"),
        ({"pilots": (60,)}, "pilots"),
        ({"stf_length": 100}, "stf_length"),
        ({"gap": -1}, "gap"),
    ],
)
def test_numerologies_that_contradict_themselves_are_refused(change: dict[str, object], message: str) -> None:
    fields = {"name": "x", "n_fft": 64, "cyclic_prefix": 16, "used": LL_64_16.used, "pilots": LL_64_16.pilots, **change}
    with pytest.raises(ValueError, match=message):
        Numerology(**fields)
