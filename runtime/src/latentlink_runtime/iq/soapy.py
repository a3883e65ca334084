"""Samples of a radio by SoapySDR: a thin adapter over its Python module, which is passed in or imported.

A receiver that overflows says so, and by timestamps how much is missing: those samples are read as zeros. Without timestamps an overflow is
counted, and how much is missing is unknown. Rates, frequencies and gains are set once; automatic gain is switched off, since a gain that
changes within a frame is a channel that does.
"""

import importlib
import time
from typing import Any

import numpy as np

from latentlink_runtime.iq.buffer import SampleBuffer
from latentlink_runtime.iq.protocol import BUDGET_S, TIMEOUT_S, Block, IQTimeoutError, check_most, check_samples, check_stream, finite

Array = np.ndarray[Any, Any]

_CHUNK = 4096


class _Radio:
    """One direction of a device.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
    """

    def __init__(self, direction: str, device: str, rate: float, frequency: float, antennas: int, gain: float | None, module: Any) -> None:
        check_stream(rate, antennas)
        self.rate, self.antennas = rate, antennas
        self._soapy = _imported() if module is None else module
        self._device = self._soapy.Device(device)
        way = getattr(self._soapy, f"SOAPY_SDR_{direction}")
        for channel in range(antennas):
            self._device.setSampleRate(way, channel, rate)
            self._device.setFrequency(way, channel, frequency)
            if self._device.hasGainMode(way, channel):
                self._device.setGainMode(way, channel, False)
            if gain is not None:
                self._device.setGain(way, channel, gain)
        actual = float(self._device.getSampleRate(way, 0))
        if abs(actual / rate - 1) > 1e-6:
            raise ValueError(f"rate must be one that the device has: {rate} was asked for, and {actual} set")
        self._stream: Any = self._device.setupStream(way, self._soapy.SOAPY_SDR_CF32, list(range(antennas)))
        self._device.activateStream(self._stream)

    def close(self) -> None:
        """Stop the stream; a second call does nothing."""
        if self._stream is not None:
            self._device.deactivateStream(self._stream)
            self._device.closeStream(self._stream)
            self._stream = None


class SoapySource(_Radio):
    """A radio that receives.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
        buffer: what waits, with its counts.
        overflows: how often the device was not read in time.
        nonfinite: samples that were NaN or infinite, read as zeros.
    """

    def __init__(
        self,
        device: str,
        rate: float,
        frequency: float,
        antennas: int,
        *,
        gain: float | None = None,
        budget_s: float = BUDGET_S,
        module: Any = None,
    ) -> None:
        super().__init__("RX", device, rate, frequency, antennas, gain, module)
        self.buffer = SampleBuffer(antennas, check_stream(rate, antennas, budget_s))
        self.overflows = self.nonfinite = 0
        self._expected_ns: int | None = None

    def read(self, most: int, timeout: float = TIMEOUT_S) -> Block:
        """The next 1 to `most` samples; IQTimeoutError if none come in time, EOFError after `close`, OSError if the device fails."""
        check_most(most)
        end = time.monotonic() + max(timeout, 0)
        while not len(self.buffer):
            if self._stream is None:
                raise EOFError("the source is closed")
            self._fill(most, max(end - time.monotonic(), 0))
            if not len(self.buffer) and time.monotonic() >= end:
                raise IQTimeoutError(f"no samples within {timeout:g} s; is the device streaming?")
        return self.buffer.pop(most, 0)

    def _fill(self, most: int, timeout: float) -> None:
        count = min(most, _CHUNK, self.buffer.budget)
        arrays = [np.zeros(count, np.complex64) for _ in range(self.antennas)]
        result = self._device.readStream(self._stream, arrays, count, timeoutUs=round(1e6 * timeout))
        if result.ret in (self._soapy.SOAPY_SDR_TIMEOUT, 0):
            return
        if result.ret == self._soapy.SOAPY_SDR_OVERFLOW:
            self.overflows += 1
            return
        if not 0 < result.ret <= count:
            raise OSError(f"the device failed to read with code {result.ret}")
        lost = 0
        if result.flags & self._soapy.SOAPY_SDR_HAS_TIME:
            if self._expected_ns is not None:
                lost = max(round((result.timeNs - self._expected_ns) * 1e-9 * self.rate), 0)
            self._expected_ns = result.timeNs + round(result.ret * 1e9 / self.rate)
        samples, wrong = finite(np.stack([array[: result.ret] for array in arrays], -1))
        self.nonfinite += wrong
        self.buffer.push(samples, lost)


class SoapySink(_Radio):
    """A radio that transmits.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
        dropped: samples that the device did not take in time.
        clipped: samples above full scale, whose magnitude was cut to it.
    """

    def __init__(self, device: str, rate: float, frequency: float, antennas: int, *, gain: float | None = None, module: Any = None) -> None:
        super().__init__("TX", device, rate, frequency, antennas, gain, module)
        self.dropped = self.clipped = 0

    def write(self, samples: Array, timeout: float = TIMEOUT_S) -> None:
        """Send samples (n, antennas); IQTimeoutError if they are not taken in time, what is left being dropped and counted."""
        samples = check_samples(samples, self.antennas)
        magnitude = np.abs(samples)
        self.clipped += int((magnitude > 1).sum())
        columns = np.ascontiguousarray((samples / np.maximum(magnitude, 1)).T)
        end, sent = time.monotonic() + max(timeout, 0), 0
        while sent < len(samples):
            left = end - time.monotonic()
            arrays = [column[sent : sent + _CHUNK] for column in columns]
            result = self._device.writeStream(self._stream, arrays, len(arrays[0]), timeoutUs=round(1e6 * max(left, 0)))
            if result.ret > 0:
                sent += result.ret
            elif result.ret not in (0, self._soapy.SOAPY_SDR_TIMEOUT, self._soapy.SOAPY_SDR_UNDERFLOW):
                raise OSError(f"the device failed to write with code {result.ret}")
            if sent < len(samples) and time.monotonic() >= end:
                self.dropped += len(samples) - sent
                raise IQTimeoutError(f"{len(samples) - sent} of {len(samples)} samples were not taken within {timeout:g} s and are dropped")


def _imported() -> Any:
    try:
        return importlib.import_module("SoapySDR")
    except ImportError as error:
        raise ImportError("radios need the SoapySDR module of the system's packages: apt install python3-soapysdr") from error
