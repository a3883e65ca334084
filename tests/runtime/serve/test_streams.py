"""Addresses of samples: each kind opens what it names, and what is none is named."""

import socket
from pathlib import Path

import numpy as np
import pytest

from latentlink_runtime.iq.addresses import AddressError
from latentlink_runtime.iq.protocol import IQSink, IQSource
from latentlink_runtime.serve.streams import Radio, open_sink, open_source

SAMPLES = (np.arange(24).reshape(12, 2) * (1 + 1j)).astype(np.complex64)


def carried(sink: IQSink, source: IQSource) -> None:
    try:
        sink.write(SAMPLES)
        np.testing.assert_array_equal(source.read(100, 5.0).samples, SAMPLES)
    finally:
        sink.close()
        source.close()


def test_zeromq(tmp_path: Path) -> None:
    pytest.importorskip("zmq")
    address = f"ipc://{tmp_path}/iq"
    carried(open_sink(address, 1e6, 2), open_source(address, 1e6, 2))


def test_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"udp://127.0.0.1:{probe.getsockname()[1]}"
    source = open_source(address, 1e6, 2)
    carried(open_sink(address, 1e6, 2), source)


@pytest.mark.parametrize("address", ["udp://127.0.0.1", "udp:127.0.0.1:5", "udp://:5", "udp://127.0.0.1:70000", "file:///x", "127.0.0.1:5"])
@pytest.mark.parametrize("opened", [open_source, open_sink])
def test_what_is_no_address_is_named(address: str, opened: object) -> None:
    pytest.importorskip("zmq")
    assert callable(opened)
    with pytest.raises(AddressError, match=r"HOST:PORT"):
        opened(address, 1e6, 2)


@pytest.mark.parametrize("address", ["udp://0.0.0.0:5000", "tcp://192.0.2.1:5000"])
def test_beyond_this_machine_only_with_i_know(address: str) -> None:
    pytest.importorskip("zmq")
    with pytest.raises(AddressError, match="i_know"):
        open_source(address, 1e6, 2)


def test_a_radio_needs_its_frequency() -> None:
    with pytest.raises(ValueError, match="--carrier"):
        open_source("soapy:driver=null", 1e6, 2, radio=Radio())
    with pytest.raises(ImportError, match="SoapySDR"):
        open_sink("soapy:driver=null", 1e6, 2, radio=Radio(2.4e9))
