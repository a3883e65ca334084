"""The law that rooms need NumPy alone: pyzmq only where ZeroMQ is spoken, and SigMF and SoapySDR by no import at all."""

import subprocess
import sys

SCRIPT = """
import sys
for name in ("zmq", "torch", "sigmf", "SoapySDR", "jaxtyping"):
    sys.modules[name] = None
from latentlink_runtime.control import keys, receiver, session, transmitter, wire
from latentlink_runtime.feedback import links, report, streams
from latentlink_runtime.iq import addresses, buffer, fake, memory, protocol, sigmf, soapy, udp
for name, make in (
    ("iq.zeromq", lambda: __import__("latentlink_runtime.iq.zeromq")),
    ("control.link", lambda: __import__("latentlink_runtime.control.link")),
    ("keys", lambda: keys.make_keys("/nonexistent/key")),
):
    try:
        make()
    except ImportError as error:
        assert "pip install 'latentlink-runtime[zmq]'" in str(error), error
    else:
        raise AssertionError(name)
"""


def test_optional_packages_are_optional() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
