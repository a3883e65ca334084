"""Keeps what the cases give today: `python tests/golden/keep.py`, in an environment with all extras.

It may be run when a case was added: numbers that are kept already stay as they are, whatever the code now gives. It may be run with
`--replace CASE ...` when the numbers of these cases were *meant* to change, in the commit that changes them and that says why; never to
make a test pass. Only so is removed what a case no longer has. Parts of the package that are renamed or moved change names in `cases.py`,
and no numbers.

On another kind of processor a singular vector may come with another sign, and all that is sent, learnt or heard through noise differs,
while errors and powers hold. Then keep the numbers anew, without the old files, from the commit that last kept them, on that processor; and
go on from there.

Kept are `values.safetensors.gz` (complex numbers as pairs of real ones; packed, since names take more room than numbers) and `values.json`
(words, and for each case the machine that its numbers come from).
"""

import gzip
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

HERE = Path(__file__).parent
NUMBERS, WORDS = HERE / "values.safetensors.gz", HERE / "values.json"
Values = dict[str, Tensor | list[str]]


def machine() -> dict[str, str]:
    """What has to agree for float32 to agree to the last bit."""
    facts = [line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line] if _has_cpuinfo() else []
    first = {name.strip(): value.strip() for name, value in reversed(facts)}  # of the first processor
    model = " ".join(f"{name} {first[name]}" for name in ("model name", "cpu family", "model") if name in first)
    return {
        "capability": torch.backends.cpu.get_cpu_capability(),
        "processor": model or platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "mkl": os.environ.get("MKL_CBWR", "as the processor has it"),
    }


def _has_cpuinfo() -> bool:
    return Path("/proc/cpuinfo").is_file()


def computed(case) -> Values:
    """The numbers of a case on one thread, complex ones as pairs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            values = case.values()
    finally:
        torch.set_num_threads(before)
    return {name: value if isinstance(value, list) else _plain(value) for name, value in values.items()}


def _plain(value: Tensor) -> Tensor:
    value = value.detach().resolve_conj()
    return (torch.view_as_real(value) if value.is_complex() else value).contiguous().clone()


def kept() -> tuple[dict[str, Values], dict[str, dict[str, str]]]:
    """The numbers and words of each case, and the machine that they come from."""
    if not NUMBERS.is_file():
        return {}, {}
    words = json.loads(WORDS.read_text(encoding="utf-8"))
    values: dict[str, Values] = {name: dict(told["words"]) for name, told in words.items()}
    for name, value in sorted(safetensors.torch.load(gzip.decompress(NUMBERS.read_bytes())).items()):
        case, entry = name.split("/", 1)
        values[case][entry] = value
    return values, {name: told["machine"] for name, told in words.items()}


def write(values: Mapping[str, Values], machines: Mapping[str, dict[str, str]]) -> None:
    """All cases, in order, so that the same numbers are the same bytes."""
    numbers = {f"{case}/{name}": value for case in sorted(values) for name, value in values[case].items() if isinstance(value, Tensor)}
    words = {
        case: {"machine": machines[case], "words": {name: value for name, value in sorted(values[case].items()) if isinstance(value, list)}}
        for case in sorted(values)
    }
    NUMBERS.write_bytes(gzip.compress(safetensors.torch.save(numbers), mtime=0))
    WORDS.write_text(json.dumps(words, indent=1) + "\n", encoding="utf-8")


def main(replaced: list[str]) -> None:
    """Computes the cases that are not kept yet, or are to be replaced, or have new entries."""
    sys.path.insert(0, str(HERE.parent))
    from golden.cases import CASES

    if unknown := [name for name in replaced if name not in CASES]:
        raise SystemExit(f"no such case: {', '.join(unknown)}")
    values, machines = kept()
    values = {name: old for name, old in values.items() if name in CASES and name not in replaced}
    for name, case in CASES.items():
        found, old = computed(case), values.get(name, {})
        if added := {entry: value for entry, value in found.items() if entry not in old}:
            if old and case.single and machines[name] != machine():
                raise SystemExit(f"{name} was kept on another machine: add its entries as a case of their own")
            values[name] = {**old, **added}
            machines[name] = machines[name] if old else machine()
            print(f"{name}: {len(added)} kept")
    write(values, machines)


if __name__ == "__main__":
    main(sys.argv[2:] if sys.argv[1:2] == ["--replace"] else [])
