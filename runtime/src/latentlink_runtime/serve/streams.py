"""Streams of samples by their address: what a process sends its samples to, or takes them from.

    tcp://HOST:PORT, ipc://PATH   ZeroMQ, as gr-zeromq speaks it: a sink binds, a source connects; samples wait for who takes them
    udp://HOST:PORT               packets, to or at this address: what is not taken in time is lost, and known to be
    soapy:ARGUMENTS               a radio by SoapySDR, such as soapy:driver=lime; it has a carrier frequency and a gain

Everything but radios stays on this machine unless it is told otherwise.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentlink_runtime.iq.addresses import AddressError
from latentlink_runtime.iq.protocol import BUDGET_S

if TYPE_CHECKING:  # each needs what only it needs
    from latentlink_runtime.iq.soapy import SoapySink, SoapySource
    from latentlink_runtime.iq.udp import UdpSink, UdpSource
    from latentlink_runtime.iq.zeromq import ZmqSink, ZmqSource

    Source = ZmqSource | UdpSource | SoapySource
    Sink = ZmqSink | UdpSink | SoapySink

KINDS = "tcp://HOST:PORT, ipc://PATH, udp://HOST:PORT or soapy:ARGUMENTS"


@dataclass(frozen=True)
class Radio:
    """What a radio is set to.

    Attributes:
        frequency: of the carrier in Hz.
        gain: in dB; the device's own if None.
    """

    frequency: float | None = None
    gain: float | None = None


def open_source(
    address: str, rate: float, antennas: int, *, i_know: bool = False, radio: Radio | None = None, budget_s: float = BUDGET_S
) -> "Source":
    """What is read at an address.

    Args:
        address: as the module says.
        rate: samples a second of each antenna.
        antennas: number of antennas.
        i_know: allow addresses that other machines reach.
        radio: what a radio is set to.
        budget_s: seconds of samples that wait at most.

    Raises:
        AddressError: the address is malformed, or reaches beyond this machine without `i_know`.
        ImportError: what the address needs is not installed.
        OSError: the address is taken or out of reach.
        ValueError: the rate or the antennas are out of range, or a radio has no frequency.
    """
    if address.startswith("udp:"):
        from latentlink_runtime.iq.udp import UdpSource

        return UdpSource(*host_and_port(address), rate, antennas, budget_s=budget_s, i_know=i_know)
    if address.startswith("soapy:"):
        from latentlink_runtime.iq.soapy import SoapySource

        frequency, gain = _tuned(address, radio)
        return SoapySource(address.removeprefix("soapy:"), rate, frequency, antennas, gain=gain, budget_s=budget_s)
    from latentlink_runtime.iq.zeromq import ZmqSource

    return ZmqSource(address, rate, antennas, budget_s=budget_s, i_know=i_know)


def open_sink(
    address: str,
    rate: float,
    antennas: int,
    *,
    i_know: bool = False,
    radio: Radio | None = None,
    budget_s: float = BUDGET_S,
    linger_s: float = 0.0,
) -> "Sink":
    """What is written at an address; other arguments, and errors, are those of `open_source`.

    Args:
        address: as the module says.
        rate: samples a second of each antenna.
        antennas: number of antennas.
        i_know: allow addresses that other machines reach.
        radio: what a radio is set to.
        budget_s: seconds of samples that wait at most, where they wait here.
        linger_s: seconds for which samples that wait may still be taken once the sink is closed.
    """
    if address.startswith("udp:"):
        from latentlink_runtime.iq.udp import UdpSink

        return UdpSink(*host_and_port(address), rate, antennas, i_know=i_know)
    if address.startswith("soapy:"):
        from latentlink_runtime.iq.soapy import SoapySink

        frequency, gain = _tuned(address, radio)
        return SoapySink(address.removeprefix("soapy:"), rate, frequency, antennas, gain=gain)
    from latentlink_runtime.iq.zeromq import ZmqSink

    return ZmqSink(address, rate, antennas, budget_s=budget_s, i_know=i_know, linger_s=linger_s)


def host_and_port(address: str) -> tuple[str, int]:
    """Host and port of udp://HOST:PORT."""
    host, _, port = address.removeprefix("udp://").rpartition(":")
    if not address.startswith("udp://") or not host or not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise AddressError(f"an address of samples must be {KINDS}, got {address!r}")
    return host.strip("[]"), int(port)


def _tuned(address: str, radio: Radio | None) -> tuple[float, float | None]:
    if radio is None or radio.frequency is None:
        raise ValueError(f"{address} is a radio, which needs a carrier frequency: give --carrier in Hz")
    return radio.frequency, radio.gain
