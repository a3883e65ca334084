"""Laws of the adapter to radios, against a module that counts."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from latentlink_runtime.iq.protocol import IQTimeoutError
from latentlink_runtime.iq.soapy import SoapySink, SoapySource
from runtime.iq.helpers import numbered, read_all


class Device:
    """A device that plays what it is given, (code or samples, nanoseconds or None), and keeps what is written."""

    def __init__(self, arguments: str) -> None:
        assert arguments == "driver=null"
        self.play: list[tuple[Any, int | None]] = []
        self.calls: list[tuple[Any, ...]] = []
        self.written: list[Any] = []
        self.answers: list[int] = []
        self.rate = 1e6

    def __getattr__(self, name: str) -> Any:
        return lambda *given: self.calls.append((name, *given))

    def hasGainMode(self, way: int, channel: int) -> bool:
        return True

    def getSampleRate(self, way: int, channel: int) -> float:
        return self.rate

    def setupStream(self, way: int, form: str, channels: list[int]) -> str:
        assert form == "CF32"
        return f"stream {way} {channels}"

    def readStream(self, stream: str, arrays: Any, count: int, timeoutUs: int) -> Any:
        if not self.play:
            return SimpleNamespace(ret=-1, flags=0, timeNs=0)
        samples, at = self.play.pop(0)
        if isinstance(samples, int):
            return SimpleNamespace(ret=samples, flags=0, timeNs=0)
        for array, column in zip(arrays, samples[:count].T, strict=True):
            array[: len(column)] = column
        return SimpleNamespace(ret=len(samples[:count]), flags=0 if at is None else 4, timeNs=at or 0)

    def writeStream(self, stream: str, arrays: Any, count: int, timeoutUs: int) -> Any:
        ret = self.answers.pop(0) if self.answers else count
        if ret > 0:
            self.written.append(np.stack([array[:ret] for array in arrays], -1))
        return SimpleNamespace(ret=ret)


def module() -> Any:
    codes = {"TIMEOUT": -1, "OVERFLOW": -4, "UNDERFLOW": -7, "HAS_TIME": 4, "RX": 1, "TX": 0, "CF32": "CF32"}
    return SimpleNamespace(Device=Device, **{f"SOAPY_SDR_{name}": value for name, value in codes.items()})


def test_reads_and_knows_by_time_what_is_lost() -> None:
    source = SoapySource("driver=null", 1e6, 2.4e9, 2, gain=20.0, module=module())
    device: Any = source._device
    whole = numbered(300)
    device.play = [(whole[:100], 5000), (-4, None), (whole[150:250], 155_000), (-1, None), (whole[250:], None)]
    samples, blocks = read_all(source, 300)
    expected = whole.copy()
    expected[100:150] = 0
    np.testing.assert_array_equal(samples, expected)
    assert (source.overflows, sum(block.lost for block in blocks)) == (1, 50)
    assert ("setGainMode", 1, 1, False) in device.calls
    assert ("setGain", 1, 0, 20.0) in device.calls
    with pytest.raises(IQTimeoutError):
        source.read(1, 0.0)
    device.play = [(-5, None)]
    with pytest.raises(OSError, match="-5"):
        source.read(1)
    source.close()
    source.close()
    assert sum(call[0] == "closeStream" for call in device.calls) == 1
    with pytest.raises(EOFError):
        source.read(1)


def test_time_that_goes_back_loses_nothing() -> None:
    source = SoapySource("driver=null", 1e6, 2.4e9, 1, module=module())
    device: Any = source._device
    device.play = [(numbered(10, 1), 10**6), (numbered(10, 1), 5)]
    assert sum(block.lost for block in read_all(source, 20)[1]) == 0


def test_writes_in_parts_and_cuts_what_is_too_loud() -> None:
    sink = SoapySink("driver=null", 1e6, 2.4e9, 2, module=module())
    device: Any = sink._device
    device.answers = [40, -7, 0, -1]
    whole = numbered(100) / 200
    whole[3, 0] = 3 + 4j
    sink.write(whole)
    written = np.concatenate(device.written)
    assert written[3, 0] == pytest.approx(0.6 + 0.8j)
    np.testing.assert_allclose(np.delete(written, 3, 0), np.delete(whole, 3, 0))
    assert sink.clipped == 1
    device.answers = [10] + 1000 * [-1]
    with pytest.raises(IQTimeoutError, match="90 of 100"):
        sink.write(whole, 0.0)
    assert sink.dropped == 90
    device.answers = [-2]
    with pytest.raises(OSError, match="-2"):
        sink.write(whole)
    sink.close()


def test_a_rate_that_the_device_does_not_have() -> None:
    with pytest.raises(ValueError, match="rate"):
        SoapySource("driver=null", 2e6, 2.4e9, 1, module=module())


def test_without_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "SoapySDR", None)
    with pytest.raises(ImportError, match="python3-soapysdr"):
        SoapySource("driver=null", 1e6, 2.4e9, 1)
