"""Which addresses samples and control may use: loopback, and others only where the caller says twice that it means it.

IQ samples are neither secret nor authentic by nature. An address that other machines reach has to be named, and confirmed by `i_know`.
"""

import ipaddress
import socket

I_KNOW = "pass i_know=True (--i-know on the command line) if other machines shall reach it"


class AddressError(ValueError):
    """An address that is malformed, or reaches beyond this machine without being confirmed."""


def check_endpoint(endpoint: str, i_know: bool = False) -> None:
    """AddressError unless a ZeroMQ endpoint is inproc, ipc or loopback TCP, or is confirmed by `i_know`."""
    scheme, _, rest = endpoint.partition("://")
    if scheme in ("inproc", "ipc") and rest:
        return
    host, _, port = rest.rpartition(":")
    if scheme != "tcp" or not host or not (port in ("*", "0") or (port.isascii() and port.isdigit() and 0 < int(port) < 2**16)):
        raise AddressError(f"endpoint must be tcp://HOST:PORT, ipc://PATH or inproc://NAME, got {endpoint!r}")
    check_host(host.strip("[]"), i_know)


def check_host(host: str, i_know: bool = False) -> None:
    """AddressError unless a host is loopback or confirmed by `i_know`."""
    if not i_know and not _is_loopback(host):
        raise AddressError(f"address {host!r} is not loopback: samples there are plain for all to read and to forge; {I_KNOW}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_free(endpoint: str) -> None:
    """OSError if a process listens at an ipc endpoint: ZeroMQ would take it away from that process without a word."""
    scheme, _, path = endpoint.partition("://")
    if scheme != "ipc":
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return
    raise OSError(f"{endpoint}: another process listens there; choose a fresh one")
