"""Write `golden.json`: bytes and the beams that they make, and what `latentlink.csi.quantise_feedback` (torch) knows of the same channels.

Run `python -m runtime.feedback.make_golden` in `tests/` after a change of the format, never to mend a red test.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

import latentlink as ll
from latentlink_runtime.feedback.links import link_from_feedback
from latentlink_runtime.feedback.report import Report
from runtime.feedback.designs import channels, linear_design

CASES = [(4, 4, 6, 12), (4, 4, 3, 4), (4, 4, 2, 4), (2, 2, 6, 6), (1, 1, 6, 4), (2, 4, 5, 4), (4, 2, 5, 4), (8, 8, 4, 2), (3, 3, 8, 4)]


def case(n_rx: int, n_tx: int, bits: int, groups: int) -> dict[str, Any]:
    h = channels(groups, n_rx, n_tx, seed=100 * n_rx + n_tx + bits)
    report = Report.measure(h, 0.05, 0.01, bits=bits, groups=groups, epoch=7)
    made = link_from_feedback(linear_design(), report.to_bytes(), 2 * groups)
    gain = 10 ** (report.gain_code / 1000)
    known = ll.csi.quantise_feedback(ll.Channel(torch.as_tensor(h)[:, None], 0.05, 1.0), bits, gain).h[:, 0].numpy()
    return {
        "sizes": [n_rx, n_tx, bits, groups],
        "channel": pairs(h),
        "feedback": report.to_bytes().hex(),
        "library": pairs(known),
        "beams": pairs(made.beams),
        "digest": made.digest.hex(),
    }


def pairs(values: Any) -> Any:
    return np.stack([values.real, values.imag], -1).tolist()


if __name__ == "__main__":
    Path(__file__).with_name("golden.json").write_text(json.dumps([case(*sizes) for sizes in CASES], separators=(",", ":")) + "\n")
