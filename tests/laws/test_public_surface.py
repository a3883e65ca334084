"""Whatever a public callable is given, what comes is a value, or a documented error that names the argument, and soon.

`pytest -m sweep` gives every parameter every bad value, some 50,000 calls in minutes; the suite gives each of them some, chosen by a hash.
"""

import inspect
import signal
import zlib

import pytest

import laws.public_surface as surface

LATEST_S = 5.0  # a second where nothing else runs
OF_EACH = 2  # bad values for every parameter in the suite


class NoEndInSight(BaseException):
    """A call took longer than anyone waits."""


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path, monkeypatch):
    """Words are paths, too: what is written to them does not belong to the folder of the tests."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("no data")


@pytest.fixture
def alarm():
    def late(*_):
        raise NoEndInSight

    before = signal.signal(signal.SIGALRM, late)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def cases(share):
    """Subject, parameter and bad value: all, or those of each parameter whose hashes are least."""
    labels = list(surface.bad_values())
    for name, subject in surface.subjects()[0].items():
        for parameter in inspect.signature(subject.function).parameters:
            if parameter in subject.hints:
                ranked = sorted(labels, key=lambda label: zlib.crc32(f"{name} {parameter} {label}".encode()))
                yield from ((subject, parameter, label) for label in ranked[:share])


def findings(share, alarm):
    found = []
    for subject, parameter, label in cases(share):
        alarm(LATEST_S)
        try:
            wrong = surface.verdict(subject, parameter, label)
        except NoEndInSight:
            wrong = "no end in sight"
        alarm(0)
        if wrong:
            found.append(f"{subject.name}({parameter}={label}): {wrong}")
    return found


def test_every_public_name_is_called_or_left_out_with_a_reason():
    found, missing = surface.subjects()
    assert not missing
    names = {name.rpartition(".")[2] for name, _ in surface.public()}
    assert {name.rpartition(".")[2] for name in surface.NOT_CALLED} <= names
    assert {method for _, thing in surface.public() if isinstance(thing, type) for method in surface.methods_of(thing)} >= surface.LEFT_OUT
    assert len(found) > 300


def test_bad_values_are_refused_by_name(alarm):
    assert not findings(OF_EACH, alarm)


@pytest.mark.sweep
def test_all_bad_values_are_refused_by_name(alarm):
    assert not findings(None, alarm)


@pytest.mark.parametrize("subject", ["Goal.fisher", "evaluate", "Pilots", "rayleigh", "transmit", "Channel.from_snr", "fit_head"])
def test_what_is_valid_is_taken(subject):
    """The law above would hold of a callable that refuses everything."""
    assert surface.subjects()[0][subject].refusal() == ""
