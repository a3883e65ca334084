"""The rules of the house that a reader would otherwise have to check: who imports whom, and how modules look.

Each rule is one test over all modules; its message lists every place that breaks it.
"""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import latentlink

SOURCE = Path(latentlink.__file__).parent
ROOMS = (
    "numerics",
    "storage",
    "execution",
    "latents",
    "channels",
    "streams",
    "power",
    "budget",
    "links",
    "tasks",
    "evaluation",
    "alignment",
    "linear",
    "nonlinear",
    "living",
    "bounds",
    "baselines",
    "digital",
    "neural",
    "surfaces",
    "networks",
    "deploy",
    "data",
    "studies",
    "report",
    "cli",
)  # upwards
FACADES = ("csi", "metrics", "nn", "objectives", "tr38901")  # namespaces that collect names of several rooms, imported by nothing inside
DOORS = ("__init__", "__main__", *FACADES)
LONGEST_MODULE = 300
LONGEST_FUNCTION = 40
PRIVATE_ENGLISH = ("As", "No", "None", "Of", "They", "Those", "Whether")  # no docstring begins with a fragment of a sentence


@cache
def modules():
    """The syntax of all modules, parsed by the first test that asks for it."""
    return {path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))}


def room(name):
    """The room of `linear/modes.py` or of `linear.modes`."""
    return name.removesuffix(".py").replace("/", ".").split(".")[0]


def dotted(name):
    """The module's name within the package: `linear/modes.py` is `linear.modes`, `linear/__init__.py` is `linear`."""
    return name.removesuffix(".py").removesuffix("__init__").strip("/").replace("/", ".")


@cache
def names():
    """Modules by their names within the package."""
    return {dotted(name): name for name in modules()}


def imports(name):
    """Line and module of the package, for everything that a module imports, at its head or in a function."""
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: imports are absolute"
            imported = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in imported:
            package, _, inner = module.partition(".")
            if package == "latentlink":
                yield node.lineno, inner if inner in names() else inner.rpartition(".")[0]


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_every_room_is_on_the_plan():
    assert {room(name) for name in modules()} - set(DOORS) <= set(ROOMS)
    folders = {path.parent for path in SOURCE.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_rooms_import_only_those_before_them():
    wrong = [
        f"{name}:{line}: {room(name)} imports {module or 'the package itself'}"
        for name in modules()
        if room(name) not in DOORS
        for line, module in imports(name)
        if not (room(name) == "cli" and module == "")  # the version and its description
        and (room(module) not in ROOMS or ROOMS.index(room(module)) > ROOMS.index(room(name)))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_through_others():
    graph = {name: sorted({names()[module] for _, module in imports(name) if module} - {name}) for name in modules()}
    finished, path = set(), []

    def visit(name):
        assert name not in path, "circle of imports: " + " -> ".join([*path[path.index(name) :], name])
        if name in finished:
            return
        path.append(name)
        for other in graph[name]:
            visit(other)
        finished.add(path.pop())

    for name in graph:
        visit(name)


def test_the_package_itself_only_collects_names():
    assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in modules()["__init__.py"].body)
    assert [name for name in latentlink.__all__ if not hasattr(latentlink, name)] == []


def test_a_stranger_meets_at_most_fifty_flat_names_and_twenty_namespaces():
    public = [name for name in dir(latentlink) if not name.startswith("_")]
    namespaces = [name for name in public if isinstance(getattr(latentlink, name), ModuleType)]
    assert len(public) - len(namespaces) <= 50, f"{len(public) - len(namespaces)}: {public}"
    assert len(namespaces) <= 20, namespaces


def test_importing_the_package_brings_no_optional_dependency():
    code = "import sys, latentlink; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "sklearn", "matplotlib", "h5py", "sionna", "constriction", "tensorflow", "pytest"} & set(result.stdout.split())


def test_nothing_is_printed_but_by_the_command_line():
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if room(name) != "cli"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_inverted():
    banned = {"inv", "pinv", "inverse", "pinverse", "inv_ex"}
    wrong = [
        f"{name}:{node.lineno}: {node.attr}; use solve, a factorisation or root_inverse"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in banned
    ]
    assert not wrong, "\n".join(wrong)


def test_modules_and_functions_are_short():
    wrong = []
    for name, tree in modules().items():
        lines = len((SOURCE / name).read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_MODULE:
            wrong.append(f"{name} has {lines} lines")
        for node in functions(tree):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            if length > LONGEST_FUNCTION:
                wrong.append(f"{name}:{node.lineno}: {node.name} has {length} lines")
    assert not wrong, "\n".join(wrong)


def test_modules_say_what_they_are_and_rooms_in_which_order_to_read_them():
    assert [name for name, tree in modules().items() if not ast.get_docstring(tree)] == []
    rooms = [name for name in modules() if name.endswith("/__init__.py")]
    wrong = [name for name in rooms if "read" not in (ast.get_docstring(modules()[name]) or "").lower().split()]
    assert not wrong, "no reading order in " + ", ".join(wrong)


def test_names_of_modules_say_something():
    wrong = []
    for name in modules():
        *folders, module = dotted(name).split(".")
        if module in ("utils", "helpers") or (folders and module == folders[-1]):
            wrong.append(name)
    assert not wrong, "\n".join(wrong)


def test_docstrings_are_sentences():
    wrong = []
    for name, tree in modules().items():
        for node in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)), *functions(tree)]:
            first = (ast.get_docstring(node) or "").split(maxsplit=1)
            if first and first[0].rstrip(",.:;") in PRIVATE_ENGLISH:
                wrong.append(f"{name}:{getattr(node, 'lineno', 1)}: {ast.get_docstring(node).splitlines()[0]}")
    assert not wrong, "\n".join(wrong)


MADE = {
    *("arange", "as_tensor", "asarray", "empty", "eye", "full", "hann_window", "linspace", "logspace", "ones", "rand", "randint", "randn"),
    *("randperm", "scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros"),
}  # what PyTorch makes on the default device


def test_what_is_made_names_its_device():
    """Where a device comes by keywords of a dictionary, another test has to look."""
    places = []
    for name, module in modules().items():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "torch":
                keywords = {keyword.arg for keyword in node.keywords}
                if node.func.attr in MADE and not keywords & {"device", None}:
                    places.append(f"{name}:{node.lineno}: torch.{node.func.attr}(…) must name its device")
    assert not places, "\n".join(places)


def test_protocols_can_be_checked_where_calls_are():
    """The check of types at every call asks every protocol of an annotation whether an argument is one."""
    unchecked = [
        f"{name}: {node.name} lacks @runtime_checkable"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(getattr(base, "id", "") == "Protocol" for base in node.bases)
        and not any(getattr(mark, "id", "") == "runtime_checkable" for mark in node.decorator_list)
    ]
    assert not unchecked, "\n".join(unchecked)
