"""A small part of the hostile input of `benchmarks/fuzz_air.py`, and that it would see what it looks for."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from latentlink_runtime.control import wire
from latentlink_runtime.iq import udp
from latentlink_runtime.linear import link
from latentlink_runtime.radio import header

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fuzz_air.py"
COUNTS = {"header": 600, "report": 600, "message": 800, "packet": 600, "recording": 200, "key": 150, "file": 200, "session": 100, "iq": 20}


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("fuzz_air", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", [*COUNTS, "node"])
def test_hostile_input_is_refused_or_right(fuzz: Any, kind: str) -> None:
    outcome = fuzz.fuzzed(kind, COUNTS.get(kind, 20), seed=1)
    assert dict(outcome.wrong) == {}
    assert outcome.taken > 0
    assert outcome.refused > 0


MUTANTS: list[tuple[str, Any, str, Any, str]] = [
    ("message", wire.TYPES, "beat", ({"want": lambda value: value < 3}, 0), "TypeError"),
    ("file", link, "check_arrays", lambda *given, **more: None, "Error"),
    ("packet", udp, "finite", lambda samples: (samples, 0), "not finite"),
    ("header", header, "_has_tag", lambda content, key: True, "another header"),
    ("message", wire, "_digest", lambda frames: frames and wire.MAGIC + bytes(16), "a digest that nobody made"),
]


@pytest.mark.parametrize(("kind", "holder", "name", "mutant", "word"), MUTANTS)
def test_a_parser_that_is_made_wrong_is_found(
    fuzz: Any, monkeypatch: pytest.MonkeyPatch, kind: str, holder: Any, name: str, mutant: Any, word: str
) -> None:
    monkeypatch.setitem(holder, name, mutant) if isinstance(holder, dict) else monkeypatch.setattr(holder, name, mutant)
    assert any(word in found for found in fuzz.fuzzed(kind, 600, 1).wrong)


FAULTS = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("fuzz_air", sys.argv[1])
fuzz = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz)
kept = []

def case(drawn):
    kept.append(drawn.randbytes(2**19))
    return True

fuzz.KINDS["key"], fuzz.LATEST_S = fuzz.Kind(1.0, 2**20, lambda folder: case), 1e-6
print(*fuzz.fuzzed("key", 200, 1).wrong, sep="\\n")
"""


def test_what_takes_long_or_much_memory_is_found() -> None:
    """In a process of its own: one that has run other tests has memory to give."""
    found = subprocess.run([sys.executable, "-c", FAULTS, str(SCRIPT)], capture_output=True, text=True, check=True).stdout
    assert "s of computing" in found
    assert "MB more memory" in found
