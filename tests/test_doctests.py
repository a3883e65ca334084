"""The examples in docstrings: all of the package run as they stand, and every public class and function has one.

Examples are read from the source, so that decorators hide none. Each one starts from nothing, in an empty folder: it imports what it uses,
and may write files. A warning is an error here as in all tests.
"""

import ast
import doctest
import importlib
import inspect
import os
import types
from functools import cache
from pathlib import Path

import pytest

import latentlink as ll

SOURCE = Path(ll.__file__).parent
SPACES = ("", *(f".{name}" for name in ll.__all__ if isinstance(getattr(ll, name), types.ModuleType)), ".execution")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
NOT_RUN = {  # what has an example that cannot run here in a moment, and why
    "Cluster": "starts the workers of a cluster",
    "ClusterLost": "needs a cluster that is lost",
    "connect": "starts the workers of a cluster",
    "PlugInError": "needs code outside of the package that fails, and a study that calls it",
    "cifar10": "needs the files of the data set",
    "fashion_mnist": "needs the files of the data set",
    "report": "draws for seconds",
    "small_digit_encoders": "trains two networks for seconds",
}
FIRST_CALLED = (  # methods by which one begins: their own docstrings have examples too
    *("Channel.from_snr", "Channel.from_grid", "Channel.repeated", "Channel.estimated", "Channel.apply"),
    *("Moments.from_pairs", "Goal.fisher", "Goal.logits", "BaseTransceiver.calibrated", "nn.RegressionHead.fit", "tr38901.Panel.linear"),
)


@cache
def examples():
    """The docstrings with examples, of each module: name and line within it."""
    parser, found = doctest.DocTestParser(), {}
    for path in sorted(SOURCE.rglob("*.py")):
        name, tree = path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (text := ast.get_docstring(node)):
                test = parser.get_doctest(text, {}, getattr(node, "name", name), name, node.body[0].lineno - 1)
                if test.examples:
                    found.setdefault(name, []).append(test)
    return found


@cache
def public():
    """Public classes and functions by their names, each once."""
    found = {}
    for space in SPACES:
        module = importlib.import_module(f"latentlink{space}")
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isroutine(value):
                found.setdefault(value, f"{space}.{name}".lstrip("."))
    return {name: value for value, name in found.items()}


def runs(value):
    """True if the docstring has an example that is not skipped and does more than import."""
    lines = doctest.DocTestParser().get_examples(vars(value).get("__doc__") or "" if inspect.isclass(value) else value.__doc__ or "")
    return any(not line.source.startswith(("import ", "from ")) and doctest.SKIP not in line.options for line in lines)


@pytest.mark.parametrize("name", examples())
def test_examples_run_as_they_stand(name, tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", os.fspath(tmp_path / "cache"))
    told = []
    for number, test in enumerate(examples()[name]):
        (folder := tmp_path / str(number)).mkdir()
        monkeypatch.chdir(folder)
        runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
        test.globs = {"__name__": "__main__"}
        runner.run(test, out=told.append)
    assert not told, "".join(told)


def test_every_public_name_has_an_example_that_runs():
    missing = [name for name, value in public().items() if name.split(".")[-1] not in NOT_RUN and not runs(value)]
    assert not missing, f"no example that runs in the docstrings of {', '.join(missing)}"


def test_what_is_not_run_is_public_and_has_an_example_all_the_same():
    names = {name.split(".")[-1]: value for name, value in public().items()}
    assert [name for name in NOT_RUN if name not in names or ">>>" not in (names[name].__doc__ or "")] == []
    assert [name for name in NOT_RUN if runs(names[name])] == []


@pytest.mark.parametrize("name", FIRST_CALLED)
def test_methods_by_which_one_begins_have_examples(name):
    value = ll
    for part in name.split("."):
        value = getattr(value, part)
    assert runs(value)


def test_examples_use_public_names_only():
    """An example of what is not public imports from its own module."""
    wrong = [
        f"{name}:{test.lineno + 1}: {line.source.strip()}"
        for name, tests in examples().items()
        for test in tests
        for line in test.examples
        if line.source.startswith("from latentlink")
        and line.source.split()[1] not in ("latentlink.execution", f"latentlink.{name.removesuffix('.py').replace('/', '.')}")
    ]
    assert not wrong, "\n".join(wrong)
