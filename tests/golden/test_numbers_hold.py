"""The numbers of all designs are those that were kept: names and rooms of the package may change, these may not (`golden/keep.py`)."""

from fnmatch import fnmatch

import pytest
import torch

from golden.cases import CASES
from golden.keep import computed, kept, machine

KEPT, MACHINES = kept()

CLOSE = 1e-10
LOOSE: dict[str, float] = {}
SINGLE = 1e-2


def tolerance(case, entry):
    """Relative to the entry's largest magnitude."""
    if CASES[case].single:
        return 0.0 if MACHINES[case] == machine() else SINGLE
    return next((loose for pattern, loose in LOOSE.items() if fnmatch(f"{case}/{entry}", pattern)), CLOSE)


def off(now, then, within):
    """In what an entry differs from what was kept of it; nothing where it holds."""
    if isinstance(then, list):
        return None if now == then else f"{now}, kept were {then}"
    if (now.dtype, now.shape) != (then.dtype, then.shape):
        return f"{now.dtype} {tuple(now.shape)}, kept was {then.dtype} {tuple(then.shape)}"
    if not then.is_floating_point():
        return None if torch.equal(now, then) else f"{now.tolist()}, kept was {then.tolist()}"
    finite = then.isfinite()
    if not torch.equal(now[~finite].nan_to_num(nan=0.5), then[~finite].nan_to_num(nan=0.5)):
        return "it is not finite elsewhere"
    if not finite.any():
        return None
    scale, apart = then[finite].abs().max(), (now - then)[finite].abs().max()
    return (
        None
        if apart <= within * scale
        else f"{float(apart / scale):.1e} of its largest magnitude {float(scale):.3g}, allowed is {within:.0e}"
    )


def test_every_case_is_kept_and_no_other():
    assert set(KEPT) == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_hold(case):
    found, then = computed(CASES[case]), KEPT[case]
    assert sorted(found) == sorted(then)
    wrong = {entry: fault for entry in then if (fault := off(found[entry], then[entry], tolerance(case, entry)))}
    assert not wrong, "\n".join(
        [f"{len(wrong)} of {len(then)} numbers of {case} moved:", *(f"  {name}: {of}" for name, of in wrong.items())]
    )
