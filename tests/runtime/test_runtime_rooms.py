"""The rules of the house for the runtime: rooms import only those before them, nothing but NumPy at import, and modules stay short."""

import ast
import sys
from functools import cache
from pathlib import Path

import latentlink_runtime

SOURCE = Path(latentlink_runtime.__file__).parent
ROOMS = ("artifacts", "numerics", "channels", "tasks", "linear", "codec", "feedback", "radio", "iq", "control", "serve")  # upwards
PROGRAM = "serve/gnuradio/air.py"  # that the system's Python runs, which has GNU Radio
ALLOWED = ("numpy", "safetensors", "latentlink_runtime")
LONGEST_MODULE, LONGEST_FUNCTION = 250, 40


@cache
def modules():
    return {path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))}


def imports(tree):
    """The modules that are imported when this one is, not those that a function imports when it is called."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_rooms_import_only_those_before_them():
    wrong = []
    for name, tree in modules().items():
        room = name.split("/")[0]
        for imported in imports(tree):
            parts = imported.split(".")
            if (
                room in ROOMS
                and parts[0] == "latentlink_runtime"
                and parts[1:2]
                and parts[1] in ROOMS
                and ROOMS.index(parts[1]) > ROOMS.index(room)
            ):
                wrong.append(f"{name} imports {imported}")
    assert wrong == []
    assert {name.split("/")[0] for name in modules() if "/" in name} <= set(ROOMS)


def test_nothing_but_numpy_and_safetensors_is_imported_with_a_module():
    known = set(sys.stdlib_module_names) | set(ALLOWED)
    assert [
        f"{name} imports {module}"
        for name, tree in modules().items()
        if name != PROGRAM
        for module in imports(tree)
        if module.split(".")[0] not in known
    ] == []


def test_the_program_of_the_systems_python_has_no_line_of_ours():
    assert [module for module in imports(modules()[PROGRAM]) if module.startswith("latentlink")] == []


def test_modules_and_functions_are_short_and_say_what_they_are():
    long, silent = [], []
    for name, tree in modules().items():
        length = len((SOURCE / name).read_text(encoding="utf-8").splitlines())
        long += [f"{name} has {length} lines"] * (length > LONGEST_MODULE)
        silent += [name] * (not ast.get_docstring(tree))
        if name.endswith("/__init__.py"):
            silent += [name] * ("read" not in (ast.get_docstring(tree) or "").lower().split())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= LONGEST_FUNCTION:
                long.append(f"{name}: {node.name} has {node.end_lineno - node.lineno + 1} lines")
        for node in [*tree.body, *(member for found in tree.body if isinstance(found, ast.ClassDef) for member in found.body)]:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node):
                silent.append(f"{name}: {node.name}")
    assert long == []
    assert silent == []
