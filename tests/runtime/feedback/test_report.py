"""Laws of the report's bytes: sizes, round trip, refusals, and the angles of the torch library."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentlink_runtime.feedback.codes import NOTHING, code_power, power_code
from latentlink_runtime.feedback.givens import from_givens_angles, givens_angles
from latentlink_runtime.feedback.report import HEADER_BYTES, MAX_BYTES, FeedbackError, Report, group_of, report_bytes
from runtime.feedback.designs import channels

GOLDEN: list[dict[str, Any]] = json.loads(Path(__file__).with_name("golden.json").read_text())


def complex_of(pairs: Any) -> Any:
    values = np.array(pairs)
    return values[..., 0] + 1j * values[..., 1]


def resealed(content: bytes) -> bytes:
    """The bytes with the CRC-32 that belongs to them."""
    return content[:16] + zlib.crc32(content[20:], zlib.crc32(content[:16])).to_bytes(4, "big") + content[20:]


@pytest.mark.parametrize(("antennas", "bits", "groups", "size"), [(4, 6, 48, 524), (4, 6, 12, 146), (4, 5, 12, 122), (2, 6, 48, 152)])
def test_sizes(antennas: int, bits: int, groups: int, size: int) -> None:
    report = Report.measure(channels(48, antennas, antennas, 1), 0.1, bits=bits, groups=groups)
    assert len(report.to_bytes()) == report_bytes(antennas, antennas, bits, groups) == size


def test_the_largest_report_is_within_the_cap() -> None:
    assert MAX_BYTES // 2 < report_bytes(16, 16, 16, 256) <= MAX_BYTES


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize(("n_rx", "n_tx"), [(1, 1), (2, 2), (1, 4), (4, 1), (3, 5), (8, 8)])
def test_round_trip(n_rx: int, n_tx: int, bits: int) -> None:
    report = Report.measure(channels(7, n_rx, n_tx, bits), 0.1, 0.01, bits=bits, epoch=2**16 + 9)
    back = Report.from_bytes(report.to_bytes())
    assert back.to_bytes() == report.to_bytes()
    for name in ("phi", "psi", "amplitude"):
        np.testing.assert_array_equal(getattr(back, name), getattr(report, name))
    assert (back.epoch, back.n_rx, back.n_tx, back.bits, back.groups) == (9, n_rx, n_tx, bits, 7)
    assert back.noise_variance == pytest.approx(0.1, rel=2e-3)
    h, V = back.modes()
    assert (h >= 0).all()
    np.testing.assert_allclose(np.conj(np.swapaxes(V, -1, -2)) @ V, np.broadcast_to(np.eye(back.q), (7, back.q, back.q)), atol=1e-13)


def test_many_bits_give_the_channel_back() -> None:
    h = channels(5, 3, 4, 2)
    amplitude, V = Report.measure(h, 0.1, bits=16).modes()
    known = V @ (amplitude[..., None] ** 2 * np.conj(np.swapaxes(V, -1, -2)))
    np.testing.assert_allclose(known, np.conj(np.swapaxes(h, -1, -2)) @ h, atol=2e-3)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: str(golden["sizes"]))
def test_measures_what_the_library_quantises(golden: dict[str, Any]) -> None:
    n_rx, _, bits, _ = golden["sizes"]
    report = Report.measure(complex_of(golden["channel"]), 0.05, 0.01, bits=bits, epoch=7)
    assert report.to_bytes().hex() == golden["feedback"]
    h, V = report.modes()
    known = h[..., None] * np.conj(np.swapaxes(V, -1, -2))
    np.testing.assert_allclose(known, complex_of(golden["library"])[:, : min(n_rx, known.shape[1])], atol=1e-12)


def test_angles_give_a_matrix_back_up_to_phases() -> None:
    rng = np.random.default_rng(1)
    V = np.linalg.qr(rng.standard_normal((50, 5, 3)) + 1j * rng.standard_normal((50, 5, 3)))[0]
    made = from_givens_angles(*givens_angles(V), 3, 5)
    np.testing.assert_allclose(np.abs((np.conj(V) * made).sum(-2)), 1, atol=1e-12)


def test_powers_in_decibels() -> None:
    assert power_code(0.0) == NOTHING
    assert code_power(NOTHING) == 0
    assert [power_code(value) for value in (1.0, 10.0, 1e-40, 1e40)] == [0, 1000, -32767, 32767]
    assert all(power_code(code_power(code)) == code for code in range(-32768, 32768, 77))


def test_a_dead_channel_is_reported_as_nothing() -> None:
    report = Report.from_bytes(Report.measure(np.zeros((4, 2, 2), complex), 0.0).to_bytes())
    assert not report.modes()[0].any()
    assert report.noise_variance == report.error_variance == 0


def test_amplitudes_do_not_depend_on_the_size_of_groups() -> None:
    flat = np.broadcast_to(channels(1, 3, 3, 4), (12, 3, 3))
    for groups in (1, 3, 12):
        report = Report.measure(flat, 0.1, bits=12, groups=groups)
        np.testing.assert_allclose(report.modes()[0][0], np.linalg.svd(flat[0])[1], rtol=1e-2)


def test_what_is_far_below_the_range_is_nothing() -> None:
    one = np.ones((2, 2, 2), complex)
    for bits in range(1, 17):
        h = Report.measure(one, 0.1, bits=bits).modes()[0]
        assert (h[:, 1] == 0).all()
    assert (h[:, 0] > 1.9).all()


def test_groups_are_neighbours_of_even_number() -> None:
    np.testing.assert_array_equal(group_of(48, 12), np.repeat(np.arange(12), 4))
    assert set(np.bincount(group_of(50, 12))) == {4, 5}


def test_mutations_are_refused() -> None:
    rng = np.random.default_rng(2)
    whole = Report.measure(channels(12, 4, 4, 3), 0.1).to_bytes()
    for _ in range(10_000):
        content = bytearray(whole)
        match rng.integers(4):
            case 0:
                content[rng.integers(len(content))] ^= 1 << rng.integers(8)
            case 1:
                del content[rng.integers(len(content)) :]
            case 2:
                content += rng.bytes(rng.integers(1, 9))
            case _:
                start, count = rng.integers(len(content)), rng.integers(1, 30)
                content[start : start + count] = rng.bytes(count)
        if bytes(content) != whole:
            with pytest.raises(FeedbackError):
                Report.from_bytes(bytes(content))


def test_mutations_that_are_sealed_anew_are_refused_or_harmless() -> None:
    rng = np.random.default_rng(3)
    whole = Report.measure(channels(12, 4, 4, 3), 0.1).to_bytes()
    taken = 0
    for _ in range(3_000):
        content = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            content[rng.integers(16 if rng.integers(2) else len(content))] = rng.integers(256)
        try:
            report = Report.from_bytes(resealed(bytes(content)))
        except FeedbackError:
            continue
        taken += 1
        assert report.to_bytes() == resealed(bytes(content))
        assert all(np.isfinite(values).all() for values in report.modes())
    assert taken > 100


@pytest.mark.parametrize(
    ("place", "value", "word"),
    [
        (2, 2, "version"),
        (5, 0, "n_tx"),
        (6, 200, "n_rx"),
        (7, 3, "q must"),
        (8, 0, "bits"),
        (8, 17, "bits"),
        (9, 3, "has"),
        (0, 0, "begin"),
    ],
)
def test_a_refusal_names_what_is_wrong(place: int, value: int, word: str) -> None:
    content = bytearray(Report.measure(channels(12, 4, 4, 3), 0.1).to_bytes())
    content[place] = value
    with pytest.raises(FeedbackError, match=word):
        Report.from_bytes(resealed(bytes(content)))


def test_padding_must_be_zero() -> None:
    content = bytearray(Report.measure(channels(3, 2, 2, 3), 0.1, bits=5).to_bytes())
    assert 3 * (5 + 3 + 10) % 8
    content[-1] |= 1
    with pytest.raises(FeedbackError, match="zero bits"):
        Report.from_bytes(resealed(bytes(content)))
    assert HEADER_BYTES == 20


@pytest.mark.parametrize("wrong", [{"bits": 0}, {"bits": 17}, {"groups": 0}, {"groups": 13}])
def test_wrong_arguments(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Report.measure(channels(12, 2, 2, 1), 0.1, **wrong)
    for h in (np.ones((2, 2)), np.ones((2, 2, 2)), np.full((2, 2, 2), np.nan + 0j)):
        with pytest.raises(ValueError, match="h must"):
            Report.measure(h, 0.1)
    with pytest.raises(ValueError, match="noise_variance"):
        Report.measure(channels(12, 2, 2, 1), -1.0)
