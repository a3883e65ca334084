"""What Prometheus is told: the format of the text, and that only this machine is told."""

import http.client
import re
import urllib.request

import pytest

from latentlink_runtime.iq.addresses import AddressError
from latentlink_runtime.serve.loopback import HEADERS, Answer, LoopbackServer
from latentlink_runtime.serve.metrics import COUNTERS, GAUGES, MetricsServer, render

LINE = re.compile(r'(# (HELP|TYPE) [a-z0-9_]+ [^\n]+|[a-z0-9_]+(\{[a-z]+="([^"\\]|\\.)*"\})? (NaN|[+-]Inf|-?[0-9.]+(e[+-]?[0-9]+)?))')


def asked(address, path, method="GET", **headers):
    """Status, headers and content of an answer."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=5)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


def test_the_text_is_that_of_the_exposition_format():
    text = render({"snr_db": 12.5, "ok": 40, "bad_header": 1, "messages": 10**6, "frequency": -4.1e-7, "session stale": 2})
    assert text == (
        "# HELP latentlink_frames_total Frames by what became of them.\n"
        "# TYPE latentlink_frames_total counter\n"
        'latentlink_frames_total{result="ok"} 40\n'
        'latentlink_frames_total{result="bad_header"} 1\n'
        'latentlink_frames_total{result="foreign"} 0\n'
        'latentlink_frames_total{result="stale"} 0\n'
        'latentlink_frames_total{result="replayed"} 0\n'
        'latentlink_frames_total{result="malformed"} 0\n'
        "# HELP latentlink_frequency Carrier frequency offset in cycles a sample.\n"
        "# TYPE latentlink_frequency gauge\n"
        "latentlink_frequency -4.1e-07\n"
        "# HELP latentlink_messages_total Messages sent, or received and decoded.\n"
        "# TYPE latentlink_messages_total counter\n"
        "latentlink_messages_total 1000000\n"
        "# HELP latentlink_session_stale_total Count of session stale.\n"
        "# TYPE latentlink_session_stale_total counter\n"
        "latentlink_session_stale_total 2\n"
        "# HELP latentlink_snr_db Mean power of the channel's entries over that of the noise, in dB.\n"
        "# TYPE latentlink_snr_db gauge\n"
        "latentlink_snr_db 12.5\n"
    )
    assert render({}) == ""


def test_every_metric_has_its_help_and_type_once_and_every_line_parses():
    values = dict.fromkeys([*GAUGES, *COUNTERS, "ok", "lost 2 läufe", "say \\n\n"], float("nan")) | {"linked": float("inf")}
    text = render(values)
    assert [line for line in text.splitlines() if not LINE.fullmatch(line)] == []
    names = re.findall(r"# TYPE (\S+) ", text)
    assert len(names) == len(set(names)) == len(values)
    assert names == re.findall(r"# HELP (\S+) ", text)
    assert r"Count of say \\n\n." in text
    assert "latentlink_linked +Inf" in text
    assert "latentlink_lost_2_l_ufe_total NaN" in text


def test_the_newest_values_are_served():
    with MetricsServer(0) as server:
        assert asked(server.address, "/metrics")[::2] == (200, b"")
        for count in 1, 2:
            server.publish({"messages": count})
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5) as answer:
                assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
                assert answer.read().decode().endswith(f"latentlink_messages_total {count}\n")
    with pytest.raises(OSError, match="refused"):
        asked(server.address, "/metrics")
    with pytest.raises(ValueError, match="port must be from 0 to 65535, got 70000"):
        MetricsServer(70000)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_only_loopback_is_served(host):
    with pytest.raises(AddressError, match="host must be loopback"):
        MetricsServer(0, host)


def test_requests_by_another_name_are_refused():
    """A page of another site could have its name point to 127.0.0.1."""
    with LoopbackServer({"/": lambda _: Answer("text/plain", b"own")}) as server:
        port = server.address.rpartition(":")[2]
        for host in f"127.0.0.1:{port}", "localhost", "[::1]:80":
            assert asked(server.address, "/", Host=host)[::2] == (200, b"own")
        for host in "evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "192.0.2.1", "":
            assert asked(server.address, "/", Host=host)[0] == 421


def test_nothing_can_be_changed_and_every_answer_has_careful_headers():
    with LoopbackServer({"/": lambda _: Answer("text/plain", b"own")}) as server:
        assert [asked(server.address, "/", method)[0] for method in ("POST", "PUT", "DELETE", "PATCH")] == [501] * 4
        assert asked(server.address, "/", "HEAD")[::2] == (200, b"")
        for path, status in ("/", 200), ("/nothing", 404), ("/../etc/passwd", 404):
            found, headers, _ = asked(server.address, path)
            assert found == status
            assert headers.items() >= HEADERS.items()
            assert "Access-Control-Allow-Origin" not in headers
