"""Latents of two ends that see one hidden cause of four numbers, with four classes, and work that stops after some of its steps."""

import numpy as np


def latents_of_one_cause(generator, n, d, m):
    """Latents x (n, d) and y (n, m) in float32, and class numbers (n,)."""
    cause = generator.normal(size=(n, 4))
    x, y = ((cause @ generator.normal(size=(4, size)) + 0.1 * generator.normal(size=(n, size))).astype(np.float32) for size in (d, m))
    return x, y, (cause[:, 0] > 0) + 2 * (cause[:, 1] > 0)


class CutError(Exception):
    """An interruption."""


def cut_after(steps):
    """A callback of progress that interrupts after so many steps; `seen` counts them."""

    def progress(done, total):
        progress.seen += 1
        if progress.seen > steps:
            raise CutError

    progress.seen = 0
    return progress
