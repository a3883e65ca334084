"""Every public name of the runtime has an example, and all examples run as they stand, from the repository's root."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import latentlink_runtime as lr

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", lr.__all__)
def test_the_example_of_a_public_name_runs(name, monkeypatch, tmp_path):
    member = getattr(lr, name)
    (found,) = doctest.DocTestFinder(recurse=False).find(member, name, module=import_module(member.__module__))
    assert found.examples
    (tmp_path / "runtime").symlink_to(ROOT / "runtime")
    monkeypatch.chdir(tmp_path)
    said = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found, out=said.append)
    assert result.failed == 0, "".join(said)
