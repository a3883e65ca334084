"""The docstrings of public names: each has an example that runs, and a line for every field, parameter and result.

Examples are read from the source, so that decorators hide none. Each one starts from nothing, in an empty folder: it imports what it uses,
and may write files. A warning is an error here as in all tests.
"""

import ast
import dataclasses
import doctest
import importlib
import inspect
import os
import re
import types
from functools import cache
from pathlib import Path

import pytest

import latentlink as ll

SOURCE = Path(ll.__file__).parent
SPACES = ("", *(f".{name}" for name in ll.__all__ if isinstance(getattr(ll, name), types.ModuleType)), ".execution")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
NOT_RUN = {  # what has an example that cannot run here in a moment, and why
    "data.cifar10": "needs the files of the data set",
    "data.clip_art": "needs the drawings of the library",
    "data.fashion_mnist": "needs the files of the data set",
    "deploy.export_onnx": "trains a codec",
    "data.small_digit_encoders": "trains two networks for seconds",
    "data.wordnet": "needs the files of WordNet",
    "execution.Cluster": "starts the workers of a cluster",
    "execution.ClusterLost": "needs a cluster that is lost",
    "execution.connect": "starts the workers of a cluster",
    "studies.PlugInError": "needs code outside of the package that fails, and a study that calls it",
    "studies.report": "draws for seconds",
}
FIRST_CALLED = (  # methods by which one begins: their own docstrings have examples too
    *("Channel.from_snr", "Channel.from_grid", "Channel.repeated", "Channel.estimated", "Channel.apply"),
    *("Moments.from_pairs", "Goal.fisher", "Goal.logits", "BaseTransceiver.calibrated", "nn.RegressionHead.fit", "tr38901.Panel.linear"),
)

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Warns", "References", "Example")
WITHOUT_LINES = {  # functions whose docstrings refer to those of others, or say it in a sentence
    *("choose_goal", "load", "csi.age_estimate", "csi.doppler_hz", "metrics.accuracy", "metrics.agreement", "metrics.mse", "metrics.nmse"),
    *("data.device_pair", "data.evaluate_shards", "data.latent_shards", "data.marginal_of_shards", "data.moments_of_shards"),
    *("data.read_images", "data.write_array", "studies.open_experiment", "studies.report", "studies.results", "studies.run"),
    *("execution.connect", "execution.in_order"),
}


@cache
def examples():
    """The docstrings with examples, of each module: name and line within it."""
    parser, found = doctest.DocTestParser(), {}
    for path in sorted(SOURCE.rglob("*.py")):
        name, content = path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8")
        if ">>>" not in content:
            continue
        tree = ast.parse(content)
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
    missing = [name for name, value in public().items() if name not in NOT_RUN and not runs(value)]
    assert not missing, f"no example that runs in the docstrings of {', '.join(missing)}"


def test_what_is_not_run_is_public_and_has_an_example_all_the_same():
    assert [name for name in NOT_RUN if ">>>" not in public()[name].__doc__ or runs(public()[name])] == []


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


def sections(value):
    """The lines of a docstring's sections."""
    found, lines = {}, []
    for line in (inspect.getdoc(value) or "").splitlines():
        if head := re.fullmatch(rf"({'|'.join(SECTIONS)})\b.*:", line):
            lines = found.setdefault(head[1], [])
        elif line and not line.startswith(" "):
            lines = []
        else:
            lines.append(line)
    return found


def described(value, section):
    """The names that have a line in a section."""
    return {found[1] for line in sections(value).get(section, ()) if (found := re.match(r"    (\w+):", line))}


def test_sections_of_docstrings_come_in_one_order():
    wrong = [name for name, value in public().items() if sorted(found := list(sections(value)), key=SECTIONS.index) != found]
    assert not wrong, f"sections must come as {', '.join(SECTIONS)} in the docstrings of {', '.join(wrong)}"


def lacking(value):
    """What a docstring says nothing of: fields of a class, parameters and the result of a function."""
    if inspect.isclass(value):
        fields = {field.name for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set()
        return sorted(fields - described(value, "Attributes"))
    silent = inspect.signature(value).return_annotation is None or {"Returns", "Yields"} & set(sections(value))
    return sorted(set(inspect.signature(value).parameters) - described(value, "Args")) + ([] if silent else ["what it returns"])


def test_every_field_parameter_and_result_has_a_line():
    wrong = {name: lacking(value) for name, value in public().items() if name not in WITHOUT_LINES}
    assert {name: missing for name, missing in wrong.items() if missing} == {}
    assert [name for name in WITHOUT_LINES if not lacking(public()[name])] == [], "these have all lines, and need no exception"
