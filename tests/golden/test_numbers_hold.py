"""The numbers of all designs are those that were kept: names and rooms of the package may change, these may not (`golden/keep.py`)."""

from fnmatch import fnmatch

import pytest
import torch

from golden.cases import CASES
from golden.keep import computed, kept, machine

KEPT, MACHINES = kept()

CLOSE = 1e-10
# Where rounding grows: seen is what it grew to where MKL and PyTorch were held to other instruction sets (SSE4.2, AVX) on one machine.
LOOSE = {
    "power_limits_per_use/use*": 1e-4,  # L-BFGS ends on a plateau of the error, which is flat to the square of this (seen 5e-6)
    "bounds_per_antenna/*": 1e-6,  # steps towards the top of a function with kinks (seen 2e-8)
    "admm/antenna*": 1e-7,  # its bound is found so (seen 1e-9)
    "admm/modulus*": 1e-7,  # phases of small entries (seen 6e-10)
    "admm_from_warm_starts/antenna/*": 1e-2,  # starts from the prices at which those steps end, where the bound is flat (seen 7e-4)
    "admm_from_warm_starts/antenna limits/*": 1e-7,  # likewise, with prices that are clear (seen 6e-10)
    "heads/*": 1e-3,  # L-BFGS stops at a gradient of 3e-5 (seen 4e-5)
    "goal_choice/score*": 0.1,  # a share of few messages, whose noise meets singular vectors of any sign (seen 2e-2)
}
ELSEWHERE = {  # float32 on another machine than that which the numbers come from; on that one they are the same to the last bit
    "codec/*": 5e-2,  # training lets rounding grow, and scores count few messages (seen 7e-3)
    "*": 1e-4,  # (seen 3e-7)
}


def tolerance(case, entry):
    """Relative to the entry's largest magnitude."""
    if CASES[case].single and MACHINES[case] == machine():
        return 0.0
    table = ELSEWHERE if CASES[case].single else LOOSE
    return next((loose for pattern, loose in table.items() if fnmatch(f"{case}/{entry}", pattern)), CLOSE)


def off(entry, now, then, within):
    """By how much an entry differs from what was kept of it, relative to its largest magnitude; nothing where it holds."""
    if isinstance(then, list):
        return None if now == then else f"{now}, kept were {then}"
    if (now.dtype, now.shape) != (then.dtype, then.shape):
        return f"{now.dtype} {tuple(now.shape)}, kept was {then.dtype} {tuple(then.shape)}"
    if torch.equal(now, then):
        return None
    if not then.is_floating_point() and within <= CLOSE:
        return f"{now.tolist()}, kept was {then.tolist()}"
    now, then = now.double(), then.double()
    finite = then.isfinite()
    if not torch.equal(now[~finite].nan_to_num(), then[~finite].nan_to_num()) or not bool(now[finite].isfinite().all()):
        return "its numbers that are not finite moved"
    now, then = now[finite], then[finite]
    scale = 1.0 if entry.endswith("trace.gap") else float(then.abs().max())  # a gap is relative already, and may be nothing but rounding
    apart = float((now - then).abs().max())
    return None if apart <= within * scale else f"{apart:.2e}, at a largest magnitude of {scale:.3g} and a tolerance of {within:.0e}"


def test_every_case_is_kept_and_no_other():
    assert set(KEPT) == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_hold(case):
    found, then = computed(CASES[case]), KEPT[case]
    assert sorted(found) == sorted(then)
    wrong = {entry: fault for entry in then if (fault := off(entry, found[entry], then[entry], tolerance(case, entry)))}
    assert not wrong, f"{len(wrong)} of {len(then)} numbers of {case} moved: " + "; ".join(
        f"{entry} by {by}" for entry, by in wrong.items()
    )
