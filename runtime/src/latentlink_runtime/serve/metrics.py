"""What a process tells Prometheus: counts and gauges of a plain mapping, as text, on loopback.

    with MetricsServer(9464) as server:
        server.publish({"snr_db": 12.5, "ok": 40, "bad_header": 1})     # http://127.0.0.1:9464/metrics

The text is that of the exposition format 0.0.4. What became of frames is one metric with a label; every other name is a gauge or a counter
of its own.
"""

from collections.abc import Mapping

from latentlink_runtime.serve.loopback import Answer, LoopbackServer

PORT = 9464
PREFIX = "latentlink_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

FRAMES = ("ok", "bad_header", "foreign", "stale", "replayed", "malformed")
GAUGES = {
    "noise_variance": "Variance of the noise of a carrier.",
    "error_variance": "Variance of the error of an entry of the estimated channel.",
    "snr_db": "Mean power of the channel's entries over that of the noise, in dB.",
    "frequency": "Carrier frequency offset in cycles a sample.",
    "clock_ppm": "The transmitter's clock against the receiver's, in parts per million.",
    "known_error": "Error of the known messages over their energy.",
    "epoch_age": "Seconds since the last report of the channel.",
    "accuracy": "Share of decisions that were right, where labels are known.",
    "queue": "Samples or messages that wait.",
    "queue_age": "Seconds that the oldest of what waits has waited.",
    "linked": "1 while a precoder is in use, else 0.",
}
COUNTERS = {
    "messages": "Messages sent, or received and decoded.",
    "lost_messages": "Messages received in damaged symbols.",
    "symbols": "Payload symbols.",
    "lost_symbols": "Payload symbols that were not what was sent.",
    "missed": "Frames that never came, by the numbers of those around them.",
    "lost_samples": "Samples that were missing or came too fast, read as zeros.",
    "sounding": "Frames that only sound the channel.",
    "jumps": "Times that samples were missing without anyone knowing how many.",
}


def render(values: Mapping[str, float]) -> str:
    """The text of values by name; a name that is neither in `GAUGES` nor in `COUNTERS` is a counter."""
    lines: list[str] = []
    if any(name in values for name in FRAMES):
        own = metric_name("frames", "counter")
        lines += _head(own, "counter", "Frames by what became of them.")
        lines += [f'{own}{{result="{name}"}} {number(values.get(name, 0))}' for name in FRAMES]
    for name, value in sorted(values.items()):
        if name not in FRAMES:
            kind = "gauge" if name in GAUGES else "counter"
            own = metric_name(name, kind)
            lines += [*_head(own, kind, GAUGES.get(name) or COUNTERS.get(name, f"Count of {name}.")), f"{own} {number(value)}"]
    return "".join(f"{line}\n" for line in lines)


class MetricsServer(LoopbackServer):
    """The newest values that were published, at http://127.0.0.1:PORT/metrics, until it is closed; a context manager.

    Args:
        port: to listen at; 0 for any that is free.
        host: a loopback address.
    """

    def __init__(self, port: int = PORT, host: str = "127.0.0.1") -> None:
        self._text = b""
        super().__init__({"/metrics": lambda _: Answer(CONTENT_TYPE, self._text)}, port, host)

    def publish(self, values: Mapping[str, float]) -> None:
        """Let these values be the newest."""
        self._text = render(values).encode()


def metric_name(name: str, kind: str) -> str:
    """The name of a metric: letters, digits and underscores, "_total" at the end of a counter."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
    return f"{PREFIX}{letters}{'_total' if kind == 'counter' else ''}"


def number(value: float) -> str:
    """A number as Prometheus reads it."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


def _head(own: str, kind: str, text: str) -> list[str]:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return [f"# HELP {own} {escaped}", f"# TYPE {own} {kind}"]
