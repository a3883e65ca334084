"""Laws of metrics: the text that Prometheus reads, on loopback alone."""

import re
import urllib.error
import urllib.request

import pytest

from latentlink_runtime.serve.metrics import MetricsServer, render


def test_the_text_is_what_prometheus_reads() -> None:
    text = render({"ok": 3.0, "stale": 1, "snr_db": 20.25, "messages": 7, "session beat": 2})
    assert 'latentlink_frames_total{result="ok"} 3\n' in text
    assert 'latentlink_frames_total{result="bad_header"} 0\n' in text
    assert "# TYPE latentlink_snr_db gauge\nlatentlink_snr_db 20.25\n" in text
    assert "# TYPE latentlink_messages_total counter\nlatentlink_messages_total 7\n" in text
    assert "latentlink_session_beat_total 2\n" in text
    assert all(
        re.fullmatch(r'# HELP [a-z_]+ .+|# TYPE [a-z_]+ (counter|gauge)|[a-z_]+(\{result="[a-z_]+"\})? [-\d.e+]+', line)
        for line in text.splitlines()
    )


def test_the_newest_values_are_served_on_loopback() -> None:
    server = MetricsServer(0)
    try:
        server.publish({"messages": 1})
        server.publish({"messages": 2})
        assert server._server.server_address[0] == "127.0.0.1"
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as answer:
            assert b"latentlink_messages_total 2\n" in answer.read()
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/../etc", timeout=10)
        error.value.close()
    finally:
        server.close()
    with pytest.raises(ValueError, match="port"):
        MetricsServer(-1)
