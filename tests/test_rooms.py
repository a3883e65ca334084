"""The house rules that a reader would otherwise have to check: who imports whom, and how long things are."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import latentlink

SOURCE = Path(latentlink.__file__).parent
ROOMS = (
    "numerics",
    "storage",
    "latents",
    "channels",
    "streams",
    "power",
    "links",
    "tasks",
    "evaluation",
    "linear",
    "bounds",
    "baselines",
    "digital",
    "neural",
    "data",
    "studies",
    "report",
    "cli",
)  # upwards
FACADES = ("csi", "budget", "metrics")  # namespaces that collect names of several rooms, used by nothing inside
TOGETHER: dict[str, int] = {}
MODULES = {path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))}
LONGEST_MODULE, LONGEST_FUNCTION = 300, 45
every_module = pytest.mark.parametrize("name", MODULES)


def room(name):
    return name.split("/")[0].removesuffix(".py")


def imported_rooms(name):
    """Rooms that a module imports from, wherever in it the import stands."""
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: imports are absolute"
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in modules:
            package, *rest = module.split(".")
            if package == "latentlink":
                yield node.lineno, rest[0] if rest else ""


def rank(of):
    return TOGETHER.get(of, ROOMS.index(of))


def test_every_room_is_on_the_plan():
    assert {room(name) for name in MODULES} - {"__init__", "__main__", *FACADES} <= set(ROOMS)
    for folder in SOURCE.rglob("*"):
        if folder.is_dir() and folder.name != "__pycache__" and any(folder.glob("*.py")):
            assert (folder / "__init__.py").exists(), folder


@every_module
def test_rooms_import_only_those_above_them(name):
    mine = room(name)
    if mine in ("__init__", "__main__", *FACADES):
        return
    for line, other in imported_rooms(name):
        if other not in ROOMS:  # a public name, or the version
            assert mine == "cli", f"{name}:{line}: imports the package itself ({other})"
        else:
            assert other == mine or rank(other) < rank(mine), f"{name}:{line}: {mine} imports {other}"


def test_the_package_itself_only_collects_names():
    assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in MODULES["__init__.py"].body)
    assert list(latentlink.__all__) == sorted(latentlink.__all__)
    assert all(hasattr(latentlink, name) for name in latentlink.__all__)


def test_importing_the_package_brings_no_optional_dependency():
    code = "import sys, latentlink; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert not {"sklearn", "matplotlib", "h5py", "sionna", "constriction", "tensorflow", "pytest"} & set(result.stdout.split())


def called(name):
    """Names that are called, dotted."""
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


@every_module
def test_nothing_is_printed_but_by_the_command_line(name):
    if room(name) != "cli":
        assert not [line for line, function in called(name) if function == "print"]


@every_module
def test_nothing_is_inverted(name):
    banned = {"inv", "pinv", "inverse", "pinverse", "inv_ex"}
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Attribute):
            assert node.attr not in banned, f"{name}:{node.lineno}: {node.attr}; use solve, a factorisation or root_inverse"


@every_module
def test_modules_and_functions_are_short(name):
    lines = (SOURCE / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) < LONGEST_MODULE, f"{name} has {len(lines)} lines"
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length < LONGEST_FUNCTION, f"{name}:{node.lineno}: {node.name} has {length} lines"


@every_module
def test_modules_say_what_they_are(name):
    tree = MODULES[name]
    assert not tree.body or ast.get_docstring(tree), f"{name} has no docstring"
