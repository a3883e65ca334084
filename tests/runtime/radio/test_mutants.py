"""Receivers made wrong on purpose: the law that guards each must fail for it, and hold for the right one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from latentlink_runtime.radio import estimate, received, receiver, synchronise, track, waveform
from latentlink_runtime.radio.estimate import ChannelEstimate
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.received import ReceivedFrame
from latentlink_runtime.radio.track import Clock, Line
from runtime.radio import laws

Patch = pytest.MonkeyPatch

LAWS = (
    laws.long_payload,
    laws.short_payload,
    laws.three_antennas_payload,
    laws.two_uses_payload,
    laws.longest_payload,
    laws.noise_variance,
    laws.prediction,
    laws.decoder_noise,
    laws.channel_error,
    laws.clock,
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_right_receiver_keeps_every_law(law: Callable[[], None]) -> None:
    law()


def frames_with(change: Callable[[ReceivedFrame], ReceivedFrame]) -> Callable[[Patch], None]:
    """Frames changed as they are handed out."""

    def apply(patch: Patch) -> None:
        right = receiver.assemble
        patch.setattr(receiver, "assemble", lambda *arguments: change(right(*arguments)))

    return apply


def estimates_with(change: Callable[[ChannelEstimate], ChannelEstimate]) -> Callable[[Patch], None]:
    """Estimates changed before they are used."""

    def apply(patch: Patch) -> None:
        right = estimate.estimate_channel
        patch.setattr(estimate, "estimate_channel", lambda *arguments: change(right(*arguments)))

    return apply


def lines_with(change: Callable[[Line], Line]) -> Callable[[Patch], None]:
    """Lines of phases changed before they are used."""

    def apply(patch: Patch) -> None:
        right = track.fit_line
        patch.setattr(track, "fit_line", lambda *arguments: change(right(*arguments)))

    return apply


def no_phases(patch: Patch) -> None:
    """Nothing after the coarse CFO."""
    lines_with(lambda line: Line(0.0, 0.0, Clock(0.0)))(patch)
    patch.setattr(track, "remaining_phase", lambda pilots, theta: np.zeros(len(theta)))


def no_line(patch: Patch) -> None:
    """The clock never learnt."""
    lines_with(lambda line: replace(line, clock=Clock(0.0)))(patch)


def clock_backwards(patch: Patch) -> None:
    """The sign of the clock's phases turned after the fit."""
    right = Line.theta
    patch.setattr(Line, "theta", lambda line, *rest: right(replace(line, clock=Clock(-line.clock.offset)), *rest))


def early(patch: Patch) -> None:
    """The window begins 6 samples early."""
    right = synchronise.best_window
    patch.setattr(synchronise, "best_window", lambda *arguments: right(*arguments) - 6)


def late(patch: Patch) -> None:
    """The window begins 6 samples late."""
    right = synchronise.best_window
    patch.setattr(synchronise, "best_window", lambda *arguments: right(*arguments) + 6)


def no_header_shift(patch: Patch) -> None:
    """The receiver's antennas send the header alike."""

    class Unshifted(FrameFormat):
        def header_beams(self) -> Any:
            return np.abs(super().header_beams()).astype(complex)

    patch.setattr(laws, "receiver_format", lambda air: Unshifted(air.frame_format.n_tx))


def no_smoothing(patch: Patch) -> None:
    """Each carrier's least squares, kept as it is."""
    right = estimate.estimate_channel
    patch.setattr(
        estimate, "estimate_channel", lambda grid, shape: replace(right(grid, shape), h=estimate.least_squares(grid, shape))
    )  # fmt: skip


def training_transposed(patch: Patch) -> None:
    """Wᵀ in place of W, at the receiver alone."""
    laws.three_antennas()
    right = waveform.training_matrix
    patch.setattr(waveform, "training_matrix", lambda n, repetitions=1: np.ascontiguousarray(right(n, repetitions).T))


def no_signs(patch: Patch) -> None:
    """The signs of elements left in."""
    right = received.take_elements

    def signed(shape: FrameFormat, header: Any, grid: Any) -> Any:
        return right(shape, replace(header, sequence=header.sequence + 1), grid)

    patch.setattr(received, "take_elements", signed)


def pilots_late(patch: Patch) -> None:
    """Pilots of the symbol before."""
    right = received.pilots
    patch.setattr(received, "pilots", lambda numerology, n_tx, symbols: right(numerology, n_tx, symbols + 1)[1:])


def no_error_at_decoder(patch: Patch) -> None:
    """Decoders matched to σ̂² without τ̂."""
    right = laws.per_carrier_channels
    patch.setattr(laws, "per_carrier_channels", lambda frame: right(replace(frame, error_variance=0 * frame.error_variance)))


MUTANTS: dict[str, tuple[Callable[[Patch], None], Callable[[], None]]] = {
    "H conjugated": (frames_with(lambda frame: replace(frame, h=frame.h.conj())), laws.short_payload),
    "H transposed": (frames_with(lambda frame: replace(frame, h=np.swapaxes(frame.h, 1, 2))), laws.short_payload),
    "carriers off by one": (frames_with(lambda frame: replace(frame, h=np.roll(frame.h, 1, 0))), laws.short_payload),
    "√n_tx missing": (frames_with(lambda frame: replace(frame, h=frame.h / 2)), laws.short_payload),
    "I and Q exchanged": (frames_with(lambda frame: replace(frame, elements=1j * frame.elements.conj())), laws.short_payload),
    "symbols in reverse": (
        frames_with(lambda frame: replace(frame, elements=frame.elements.reshape(4, 48, -1)[::-1].reshape(192, -1))),
        laws.short_payload,
    ),
    "uses exchanged": (
        frames_with(lambda frame: replace(frame, elements=frame.elements.reshape(-1, 2, 2)[:, ::-1].reshape(-1, 2))),
        laws.two_uses_payload,
    ),
    "H conjugated before the header": (estimates_with(lambda value: replace(value, h=value.h.conj())), laws.short_payload),
    "timing 6 early": (early, laws.longest_payload),
    "timing 6 late": (late, laws.longest_payload),
    "header shift forgotten": (no_header_shift, laws.short_payload),
    "training matrix transposed": (training_transposed, laws.three_antennas_payload),
    "signs left in": (no_signs, laws.short_payload),
    "pilots of the symbol before": (pilots_late, laws.short_payload),
    "no phase tracking": (no_phases, laws.long_payload),
    "no clock tracking": (no_line, laws.long_payload),
    "clock's sign": (clock_backwards, laws.long_payload),
    "clock's sign, told": (lines_with(lambda line: replace(line, clock=Clock(-line.clock.offset))), laws.clock),
    "CFO told of the coarse step alone": (lines_with(lambda line: replace(line, frequency=line.frequency + 4e-6)), laws.clock),
    "noise × 4": (estimates_with(lambda value: replace(value, noise_variance=4 * value.noise_variance)), laws.noise_variance),
    "noise / 4": (estimates_with(lambda value: replace(value, noise_variance=value.noise_variance / 4)), laws.noise_variance),
    "noise of samples, not of carriers": (
        estimates_with(lambda value: replace(value, noise_variance=value.noise_variance * 64 / 52)),
        laws.noise_variance,
    ),
    "no smoothing": (no_smoothing, laws.channel_error),
    "no smoothing, payload": (no_smoothing, laws.short_payload),
    "estimate's error left out": (
        estimates_with(lambda value: replace(value, error_variance=0 * value.error_variance)),
        laws.prediction,
    ),
    "estimate's error left out at the decoder": (no_error_at_decoder, laws.decoder_noise),
    "coarse CFO only": (lines_with(lambda line: replace(line, phase=0.0, frequency=0.0)), laws.clock),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_receiver_made_wrong_breaks_the_law_that_guards_it(name: str, monkeypatch: Patch) -> None:
    make, law = MUTANTS[name]
    make(monkeypatch)
    with pytest.raises(AssertionError):
        law()
