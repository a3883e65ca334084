"""`latentlink watch` tells alarms of files, of standard input and of what grows, goes on where it was, and names what it cannot watch."""

import io
import os
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import latentlink as ll
from latentlink.cli import app
from latentlink.cli.options import USUAL_READING
from latentlink.cli.watch import ALARMED, watch
from latentlink.cli.watched import Request, begin
from latentlink.report.watching import Alarm, Trace, plot_watch
from latentlink_runtime.serve.keeping import COLUMNS
from oracles import normal

M = 3
CLEAN, FAINT = normal(1, 4000, M).numpy(), 0.1 * normal(2, 60, M).numpy()
QUIET, LATER = (normal(seed, 60, M).numpy() for seed in (3, 6))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("clean.npy", CLEAN)
    head = ll.fit_head(CLEAN, CLEAN[:, 0] > 0)
    head.save("head.safetensors")
    return tmp_path


MADE = {}


@pytest.fixture
def state(folder):
    """The file of a watch that has seen nothing, calibrated once."""
    if not MADE:
        kept = folder.parent / "made.safetensors"
        begin(Request(Path("head.safetensors"), calibrate="clean.npy", false_alarms=200.0), None, USUAL_READING).save(kept)
        MADE["state"] = kept
    return Path(shutil.copy(MADE["state"], folder / "state.safetensors"))


def watched(messages, **options):
    """Exit status of a watch with one false alarm in 200 messages, which is fast to calibrate."""
    with_calibration = {"head": "head.safetensors", "calibrate": "clean.npy", "false_alarms": 200} | options
    given = {name: value for name, value in with_calibration.items() if value is not None}
    paths = {name: Path(given[name]) for name in ("head", "state", "plot") if name in given}
    return watch(str(messages), **given | paths)


def expected(*parts):
    """What the library says of the same messages."""
    head = ll.fit_head(CLEAN, CLEAN[:, 0] > 0)
    return ll.living.Watch.calibrated(head, CLEAN, false_alarms=1 / 200).update(np.concatenate(parts))


def test_an_alarm_is_told_with_its_message_and_its_beginning(folder, capsys):
    np.save("y.npy", np.concatenate([QUIET, FAINT]))
    assert watched("y.npy", plot="watch.png") == ALARMED
    told, wanted = capsys.readouterr().out, expected(QUIET, FAINT)
    assert f"alarm at message {wanted.alarmed_at}: decisions have been less sure since message {wanted.rising_since};" in told
    assert (folder / "watch.png").stat().st_size > 10_000
    np.save("y.npy", QUIET)
    assert watched("y.npy") == 0
    assert "quiet: 60 messages watched" in capsys.readouterr().out


def test_any_file_gives_the_same(folder, capsys):
    """Arrays one after the other, as `radio rx --stream` writes them, lines with times, shards, and a head's outputs."""
    rows = np.concatenate([QUIET, FAINT])
    with Path("stream.npy").open("wb") as file:
        for part in np.split(rows, [7, 40, 90]):
            np.save(file, part)
    lines = [f"12:00:{number:03d};" + ";".join(map(repr, row.tolist())) for number, row in enumerate(rows, 1)]
    (folder / "log.csv").write_text("\n".join(["when;a;b;c", *lines]))
    for number, part in enumerate(np.split(rows, 3)):
        ll.data.write_array(f"part-{number}.safetensors", torch.from_numpy(part))
    np.save("columns.npy", np.asfortranarray(rows))
    alarm = f"alarm at message {expected(rows).alarmed_at}"
    for source in ("stream.npy", "part-*.safetensors", "columns.npy"):
        assert watched(source) == ALARMED
        assert f"{alarm}: " in capsys.readouterr().out
    assert watched("log.csv", time="when") == ALARMED
    assert f"{alarm} (12:00:{expected(rows).alarmed_at:03d}): " in capsys.readouterr().out
    head = ll.load("head.safetensors")
    np.save("logits.npy", head(torch.from_numpy(rows)))
    np.save("clean-logits.npy", head(torch.from_numpy(CLEAN)))
    assert watched("logits.npy", head=None, logits=True, calibrate="clean-logits.npy") == ALARMED
    assert f"{alarm}: " in capsys.readouterr().out


def test_damaged_messages_of_a_receiver_are_left_out(folder, capsys):
    rows = np.insert(np.concatenate([QUIET, FAINT]), [3, 30, 70], 0.0, axis=0)
    marks = np.arange(len(rows))
    marks[[3, 31, 72]] = -1
    np.save("y.npy", rows)
    np.save("y.rows.npy", marks)
    assert watched("y.npy") == ALARMED
    assert f"alarm at message {expected(QUIET, FAINT).alarmed_at}:" in capsys.readouterr().out
    np.save("y.rows.npy", marks[:50])
    with pytest.raises(ValueError, match=r"y\.rows\.npy: has 50 numbers, fewer than y\.npy"):
        watched("y.npy")


def test_the_same_command_goes_on_in_a_file_that_has_grown(folder, capsys):
    rows, state = np.concatenate([QUIET, FAINT]), {"state": "w.safetensors"}
    np.save("y.npy", rows[:33])
    assert watched("y.npy", **state) == 0
    np.save("y.npy", rows)
    assert watched("y.npy", **state) == ALARMED
    first, second = ll.load("w.safetensors"), expected(rows[:33]).update(rows[33:])
    assert (first.statistic, first.count, first.alarmed_at) == (second.statistic, second.count, second.alarmed_at)
    calm = {"head": None, "calibrate": None, "false_alarms": None}
    assert watched("y.npy", **state, **calm) == ALARMED
    assert "no new messages in y.npy" in capsys.readouterr().out
    np.save("next.npy", LATER)
    assert watched("next.npy", **state, **calm, restart=True) == 0
    after = ll.load("w.safetensors")
    assert (after.count, after.alarmed_at) == (len(rows) + len(LATER), None)
    np.save("next.npy", LATER[:9])
    with pytest.raises(ValueError, match="has 9 messages, fewer than the 60 of it"):
        watched("next.npy", **state, **calm)
    for other in ({"false_alarms": 300}, {"calibrate": "next.npy"}, {"shift": 1.0}):
        with pytest.raises(ValueError, match=r"w\.safetensors: is a watch of another .*name another --state"):
            watched("y.npy", **state | calm | other)


def test_restarting_tells_every_alarm_and_leaves_the_figure_its_trace(folder, capsys):
    np.save("y.npy", np.concatenate([FAINT, QUIET, FAINT]))
    assert watched("y.npy", restart=True) == ALARMED
    alarms = [line for line in capsys.readouterr().out.splitlines() if line.startswith("alarm at message")]
    assert len(alarms) > 2
    assert watched("y.npy") == ALARMED
    assert sum(line.startswith("alarm at message") for line in capsys.readouterr().out.splitlines()) == 1


def test_what_grows_is_followed_until_the_alarm(folder, capsys):
    """Another thread appends to the file; a line that is half written is waited for."""
    log = folder / "log.csv"
    log.write_text("a,b,c\n")

    def write():
        with log.open("a") as file:
            for row in np.concatenate([QUIET, FAINT]):
                text = ",".join(map(repr, row.tolist()))
                for part in (text[:20], text[20:] + "\n"):
                    file.write(part)
                    file.flush()
                    time.sleep(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    assert watched("log.csv", follow=True) == ALARMED
    writer.join()
    assert f"alarm at message {expected(QUIET, FAINT).alarmed_at} (20" in capsys.readouterr().out  # with the time of the clock


def test_a_file_that_is_replaced_is_followed_no_more(folder):
    np.save("y.npy", QUIET)

    def replace():
        time.sleep(0.5)
        np.save("new.npy", QUIET)
        Path("new.npy").replace("y.npy")

    threading.Thread(target=replace).start()
    with pytest.raises(ValueError, match=r"y\.npy: was replaced or cut short while it was followed"):
        watched("y.npy", follow=True)


def test_the_exit_status_tells_an_alarm(folder, state):
    np.save("y.npy", FAINT)
    np.save("z.npy", QUIET)
    for source, status in (("y.npy", ALARMED), ("z.npy", 0)):
        with pytest.raises(SystemExit) as ended:
            app(["watch", source, "--state", str(state)], exit_on_error=False)
        assert (ended.value.code or 0) == status
        assert ALARMED == 3
        state.unlink()
        shutil.copy(MADE["state"], state)


def test_standard_input_is_read_to_its_end(folder, capsys, monkeypatch):
    for content in (b"", as_arrays(QUIET, FAINT), as_lines(QUIET, FAINT)):
        reader, writer = os.pipe()
        threading.Thread(target=lambda content=content, writer=writer: (os.write(writer, content), os.close(writer))).start()
        with os.fdopen(reader) as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            if not content:
                with pytest.raises(ValueError, match="standard input: holds no messages"):
                    watched("-")
                continue
            assert watched("-") == ALARMED
        assert f"alarm at message {expected(QUIET, FAINT).alarmed_at} (" in capsys.readouterr().out


def as_arrays(*parts):
    file = io.BytesIO()
    for part in parts:
        np.save(file, part)
    return file.getvalue()


def as_lines(*parts):
    return "\n".join(" ".join(map(repr, row.tolist())) for row in np.concatenate(parts)).encode()


BAD = {
    "a line of words": ("y.csv", b"a,b,c\n1,2,3\n1,x,3\n", r"y\.csv: line 3 holds 'x' in column b, expected a number"),
    "a short line": ("y.csv", b"a,b,c\n1,2,3\n1,2\n", r"y\.csv: line 3 has 2 fields, expected 3"),
    "no numbers": ("y.csv", b"a,b,c\n1,2,3\n1,nan,3\n", r"y\.csv: 1 values are NaN or infinite, the first in row 1"),
    "ids": ("y.csv", b"id,b,c,d\n1,2,3,4\n", r"y\.csv: id .* look like ids, labels or row numbers"),
    "a header alone": ("y.csv", b"a,b,c\n", r"y\.csv: holds no messages"),
    "UTF-16": ("y.csv", "1,2,3\n".encode("utf-16"), r"y\.csv: (cannot be read as text|is encoded as UTF-16)"),
    "binary": ("y.csv", bytes(range(128, 256)), r"y\.csv: cannot be read as text"),
    "other dimensions": ("y.csv", b"1.5,2\n3,4\n", r"y\.csv: holds messages of 2 numbers, expected 3"),
    "nothing": ("y.npy", b"", r"y\.npy: holds no messages"),
    "no array": ("y.npy", b"hello", r"y\.npy: cannot be read as \.npy"),
    "half a header": ("y.npy", as_arrays(QUIET)[:30], r"y\.npy: ends within an array"),
    "half an array": ("y.npy", as_arrays(QUIET)[:-5], r"y\.npy: ends within an array, 1 of whose rows"),
    "words after it": ("y.npy", as_arrays(QUIET) + b"more", r"y\.npy: is no array, or arrays one after the other|ends within"),
    "another dimension after it": ("y.npy", as_arrays(QUIET, QUIET[:, :2]), r"y\.npy: after 60 rows come some of shape \(2,\)"),
    "complex numbers": ("y.npy", as_arrays(QUIET + 0j), r"y\.npy: got complex128, expected real numbers"),
    "objects": ("y.npy", None, r"y\.npy: .*(objects|pickle)"),
    "lines that end as of old": ("y.csv", b"a,b,c\r1,2,3\r4,5,6\r", r"y\.csv: line 1 has carriage returns within it"),
    "a field without end": ("y.csv", b"a,b,c\n" + b"1" * 200_000 + b",2,3\n", r"y\.csv: has a line that cannot be divided into fields"),
    "brackets without end": ("y.npy", as_arrays(QUIET)[:10] + b"}" * 118, r"y\.npy: is no array, or arrays one after the other"),
    "a log of frames": ("f.csv", None, r"f\.csv: is the log of frames .* --stream FILE"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_watched_is_named_and_nothing_is_written(folder, state, what):
    name, content, message = BAD[what]
    if what == "objects":
        np.save(name, np.array([{}, {}], object))
    elif what == "a log of frames":
        (folder / name).write_text(",".join(COLUMNS) + "\n")
    else:
        (folder / name).write_bytes(content)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError, match=message):
        watch(name, state=state, plot=Path("watch.png"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_is_not_there_or_holds_nothing_is_said_to_be_so(folder, state, monkeypatch):
    np.save("none.npy", QUIET[:0])
    with pytest.raises(ValueError, match=r"--calibrate none\.npy: holds no messages"):
        watched("none.npy", calibrate="none.npy")
    with pytest.raises(FileNotFoundError, match=r"later\.csv: there is no such file yet"):
        watch("later.csv", state=state, follow=True)
    monkeypatch.setattr("sys.stdin", None)  # as Python has it where a shell closed it
    with pytest.raises(ValueError, match="standard input: is closed"):
        watch("-", state=state)
    (folder / "empty").mkdir()
    for name in ("empty", ""):
        with pytest.raises((ValueError, OSError), match=r"shards|suffix|no such file"):
            watch(name, state=state)


def test_bad_options_are_refused_by_name(folder):
    np.save("y.npy", QUIET)
    for options, message in (
        ({"calibrate": None}, "--calibrate must name messages that arrived while all was well"),
        ({"calibrate": None, "state": "no.safetensors"}, r"there is no no\.safetensors yet"),
        ({"head": None}, "give --head, the receiver's head, or else --logits"),
        ({"logits": True}, "give --head, the receiver's head, or else --logits"),
        ({"false_alarms": 5}, "--false-alarms must be a finite number >= 10 and <= 100000, got 5"),
        ({"shift": 0}, "--shift must be a finite number > 0"),
        ({"state": "w.npy"}, r"--state must be a file NAME\.safetensors, got w\.npy"),
        ({"state": "head.safetensors"}, r"head\.safetensors: expected a Watch, got a head"),
        ({"plot": "w.doc"}, r"--plot must be a file NAME\.png, \.pdf or \.svg, got w\.doc"),
        ({"time": "when"}, r"y\.npy: has no column 'when' of times"),
        ({"calibrate": "y2.npy"}, r"y2\.npy"),
    ):
        with pytest.raises((ValueError, OSError), match=message):
            watched("y.npy", **options)
    with pytest.raises(ValueError, match="can be followed"):
        watched("head.safetensors", follow=True)
    expected(QUIET).save("library.safetensors")
    with pytest.raises(ValueError, match=r"library\.safetensors: is a watch that no `latentlink watch` has written"):
        begin(Request(), Path("library.safetensors"), None)


def test_a_trace_takes_no_more_room_for_a_longer_stream():
    trace, watch = Trace(), expected(QUIET)
    for part in range(70):
        s = np.full(997, float(part))
        trace.add(s, -s)
    places, highest = trace.statistics
    assert trace.count == 70 * 997
    assert len(places) <= 2048
    assert trace.span == 64
    assert highest.max() == 69
    middles, means, counts = trace.entropies
    assert len(middles) <= 80
    assert counts.sum() == trace.count
    assert (means * counts).sum() == pytest.approx(-997 * 69 * 70 / 2)
    frames = plot_watch(trace, watch, [Alarm(10, 5, 3.0)]).frames
    assert [line.name for line in frames[0].lines][2:] == ["alarm", "it has been rising since"]
    plot_watch(Trace(), watch, [])
