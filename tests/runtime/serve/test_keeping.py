"""What a receiver keeps says where every frame lies in the recording, and how it was received."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latentlink_runtime.iq.protocol import Block
from latentlink_runtime.iq.sigmf import SigMFSink, SigMFSource
from latentlink_runtime.serve.air import Air
from latentlink_runtime.serve.keeping import COLUMNS, FrameLog, Kept, Recording, ValueStream
from runtime.serve.loop import PER_FRAME, Loop, conformance

EARLY = 10  # samples, by which timing may be early on a channel of one tap


class Recorded(Loop):
    """The loop, whose receiver also records and logs."""

    def keep(self, folder: Path) -> None:
        self.recording = Recording(SigMFSink(folder / "air", 1e6, 4))
        self.log, self.kept = FrameLog(folder / "frames.csv"), Kept(folder / "y.npy", PER_FRAME, 2000)
        self.stream = ValueStream(folder / "stream.npy")
        push = self.rx.push

        def recorded(block: Block, now: float) -> list[object]:
            self.recording.block(block)
            came = push(block, now)
            for decoded in came:
                for keeper in (self.recording, self.log, self.kept, self.stream):
                    keeper(decoded)
            return came

        self.rx.push = recorded  # type: ignore[assignment, method-assign]


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("kept")
    loop = Recorded(conformance("pair"), Air(np.ones((1, 4, 4)) * np.exp(1j * np.pi * np.outer(range(4), range(4)) / 2), 1e-4))
    loop.keep(folder)
    loop.run(0.1)
    for keeper in (loop.recording, loop.log, loop.kept, loop.stream):
        keeper.close()
    loop.folder = folder  # type: ignore[attr-defined]
    return loop


def test_every_frame_is_marked_where_it_lies(loop: Recorded) -> None:
    source = SigMFSource(loop.folder / "air")  # type: ignore[attr-defined]
    samples, annotations = source.read(2**22).samples, source.annotations
    source.close()
    assert [mark["latentlink:sequence"] for mark in annotations] == [decoded.sequence for decoded in loop.decoded]
    assert [mark["latentlink:epoch"] for mark in annotations] == [decoded.epoch for decoded in loop.decoded]
    power = (np.abs(samples) ** 2).mean(-1)
    for mark in annotations:
        first, count = mark["core:sample_start"], mark["core:sample_count"]
        inside = power[first + EARLY : first + count - EARLY].mean()
        assert inside > 100 * power[first - 100 : first].mean()
        assert inside > 100 * power[first + count + EARLY : first + count + 100].mean()
    assert loop.recording.unmarked == 0


def test_the_log_has_a_line_of_each_frame(loop: Recorded) -> None:
    with (loop.folder / "frames.csv").open(encoding="utf-8") as file:  # type: ignore[attr-defined]
        lines = list(csv.DictReader(file))
    assert tuple(lines[0]) == COLUMNS
    assert [int(line["sequence"]) for line in lines] == [decoded.sequence for decoded in loop.decoded]
    assert {line["messages"] for line in lines} == {str(PER_FRAME)}
    for line, decoded in zip(lines, loop.decoded, strict=True):
        assert float(line["noise_variance"]) == pytest.approx(decoded.frame.noise_variance, rel=1e-4)
        assert float(line["snr_db"]) == pytest.approx(decoded.frame.snr_db, rel=1e-4)


def test_rows_say_which_message_each_value_is(loop: Recorded) -> None:
    values, rows = (np.load(loop.folder / name) for name in ("y.npy", "y.rows.npy"))  # type: ignore[attr-defined]
    assert len(values) == len(rows) >= 2000
    sequences = [decoded.sequence for decoded in loop.decoded][: len(values) // PER_FRAME]
    np.testing.assert_array_equal(rows, np.concatenate([np.arange(PER_FRAME) + PER_FRAME * sequence for sequence in sequences]))


def test_values_come_as_they_are_decoded_without_damaged_ones(loop: Recorded, tmp_path: Path) -> None:
    with (loop.folder / "stream.npy").open("rb") as file:  # type: ignore[attr-defined]
        for decoded in loop.decoded:
            np.testing.assert_array_equal(np.load(file), decoded.values.astype(np.float32))
        assert not file.read()
    stream, last = ValueStream(tmp_path / "stream.npy"), loop.decoded[-1]
    for lost in (np.arange(PER_FRAME) > 0, np.ones(PER_FRAME, bool)):
        stream(replace(last, lost=lost))
    stream.close()
    np.testing.assert_array_equal(np.load(tmp_path / "stream.npy"), last.values[:1].astype(np.float32))


def test_a_frame_before_the_recording_and_one_too_many_are_counted_and_not_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentlink_runtime.serve.keeping.MAX_ANNOTATIONS", 1)
    loop = Recorded(conformance("pair"), Air(np.ones((1, 4, 4)) * np.exp(1j * np.pi * np.outer(range(4), range(4)) / 2), 1e-4))
    loop.keep(tmp_path)
    loop.run(0.05)
    assert loop.recording.unmarked == len(loop.decoded) - 1 > 0
    for keeper in (loop.recording, loop.log, loop.kept, loop.stream):
        keeper.close()
