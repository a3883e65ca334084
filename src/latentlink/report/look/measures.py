"""How tables word measured values: headings and columns of tables, formats, and which value is the best."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """How tables show a column of results.

    Attributes:
        heading: of a table of it.
        short: of a column of it.
        form: of a value.
        best: the largest or the smallest value; "" where no value is better than another.
    """

    heading: str
    short: str
    form: str
    best: Literal["largest", "smallest", ""] = "smallest"

    def find_best(self, values: Iterable[float]) -> float | None:
        """Find the best value; None where values do not differ or none is better."""
        distinct = set(values)
        if len(distinct) < 2 or not self.best:
            return None
        return max(distinct) if self.best == "largest" else min(distinct)


MEASURES = {
    "accuracy": Measure("Accuracy", "accuracy", "{:.3f}", "largest"),
    "nmse": Measure("NMSE of the latent", "NMSE", "{:.3f}"),
    "flops": Measure("FLOPs", "FLOPs", "{:,.0f}"),
    "density": Measure("Weights left", "weights left", "{:.1%}", ""),
    "latency_us": Measure("Latency, one message (µs)", "latency, one message (µs)", "{:,.0f}"),
    "latency_batch_us": Measure("Latency per message, batched (µs)", "latency, batched (µs)", "{:,.1f}"),
    "exact_db": Measure("Distance to the exact optimum: MSE over the least of all linear links (dB)", "to exact (dB)", "{:+.2f}"),
    "opta_db": Measure("Distance to Gaussian OPTA: MSE over it (dB)", "to OPTA (dB)", "{:+.2f}"),
    "separation_db": Measure("Distance to the separation bound: MSE over it (dB)", "to separation (dB)", "{:+.2f}"),
    "block_error": Measure("Block error rate", "block error", "{:.3g}"),
    "message_bits": Measure("Bits per message", "bits per message", "{:,.1f}", ""),
}
