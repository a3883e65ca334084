"""The API reference, from `__all__`: a page for each namespace with a table of its names, and a page for each name.

`pages()` gives the sources by name, which needs no Sphinx; a build writes them to docs/api. A new public name appears by itself.
"""

import importlib
import inspect
import re
import sys
import types
from pathlib import Path
from typing import get_args

from docstring_markup import escape, to_restructured

import latentlink

PACKAGE = latentlink.__name__
PUBLIC = {}  # the full public name of each object, by its identity, once `entries` has been called
BESIDE = ("execution",)  # public, and not loaded by `import latentlink`
TITLES = {
    "": "The package",
    "power": "Power limits",
    "csi": "Channel state information",
    "budget": "Complexity budgets",
    "channels": "Channels",
    "tr38901": "3GPP channels",
    "alignment": "Links from few pairs or none",
    "living": "Links that live",
    "nonlinear": "Beyond linear without training",
    "networks": "Many users",
    "surfaces": "Reconfigurable surfaces",
    "bounds": "Limits",
    "baselines": "Baselines",
    "digital": "The digital competitor",
    "metrics": "Metrics",
    "objectives": "Objectives of training",
    "studies": "Studies",
    "data": "Data and encoders",
    "nn": "Modules of PyTorch",
    "deploy": "Devices and links over an air",
    "execution": "Execution",
}


def namespaces():
    """The public modules by name: the package itself is the empty one."""
    found = {name: getattr(latentlink, name) for name in latentlink.__all__ if isinstance(getattr(latentlink, name), types.ModuleType)}
    found |= {name: importlib.import_module(f"{PACKAGE}.{name}") for name in BESIDE}
    order = [name for name in TITLES if name in found]
    return {"": latentlink} | {name: found[name] for name in (*order, *sorted(set(found) - set(order)))}


def names(module):
    """The public names of a module that are no modules themselves and no facts such as `__version__`."""
    return [name for name in module.__all__ if not name.startswith("__") and not isinstance(getattr(module, name), types.ModuleType)]


def entries():
    """Every public object under each of its full names, and the one full name under which it has its page."""
    found, homes = {}, {}
    for space, module in namespaces().items():
        for name in names(module):
            full = ".".join(part for part in (PACKAGE, space, name) if part)
            found[full] = getattr(module, name)
    for full, thing in found.items():
        homes.setdefault(identity(thing), full)
    PUBLIC.update(homes)
    return {full: homes[identity(thing)] for full, thing in found.items()}


def identity(thing):
    return id(inspect.unwrap(thing)) if callable(thing) else id(thing)


def summary(thing):
    """The first sentence of a docstring, on one line."""
    if isinstance(thing, dict) or get_args(thing):
        return ", ".join(code(member) for member in (thing.values() if isinstance(thing, dict) else get_args(thing)))
    first = (inspect.getdoc(thing) or "").partition("\n\n")[0]
    return escape(" ".join(first.split()))


def heading(text, line="="):
    return f"{text}\n{line * len(text)}\n"


def page_of_name(full, thing, others):
    """The page of one public name, which is found under its other full names too."""
    module, _, name = full.rpartition(".")
    shown = full.replace(PACKAGE, "ll", 1)
    lines = [heading(shown), f".. currentmodule:: {module}\n"]
    lines += [f'.. raw:: html\n\n   <span id="{other}"></span>\n' for other in others]
    if others:
        also = ", ".join(f"``{other.replace(PACKAGE, 'll', 1)}``" for other in others)
        lines += [f"The same as {also}.\n"]
    if inspect.isclass(thing):
        bases = ["   :show-inheritance:"] if public_bases(thing.__bases__) else []
        lines += [f".. autoclass:: {name}", "   :members:", *bases, ""]
    elif callable(thing):
        lines += [f".. autofunction:: {name}", ""]
    else:
        lines += [f".. py:data:: {name}", "", *(f"   {line}" for line in of_data(thing)), ""]
    return "\n".join([*lines, *of_module(getattr(thing, "__module__", ""))])


def of_module(name):
    """The docstring of the module where a name is defined, which holds the theory, folded; none where a namespace shows it anyway."""
    said = (inspect.getdoc(sys.modules[name]) or "").splitlines() if name in sys.modules else []
    if len(said) < 4 or name in {module.__name__ for module in namespaces().values()} or not name.startswith(PACKAGE):
        return []
    return [f".. dropdown:: From the module ``{name}``", "", *(f"   {line}" for line in to_restructured(said)), ""]


def public_bases(bases):
    """The bases that a reader can look up: public names, and exceptions and enumerations of Python."""
    return [base for base in bases if identity(base) in PUBLIC or (base.__module__ in ("builtins", "enum") and base is not object)]


def keep_public_bases(app, name, obj, options, bases):
    bases[:] = public_bases(bases)


def of_data(thing):
    """What a type or a constant is, which has no docstring of its own: members of a union, entries of a dictionary, or its value."""
    if isinstance(thing, dict):
        return ["A dictionary:", "", *(f"- ``{key!r}``: {code(value)}" for key, value in thing.items())]
    if get_args(thing):
        return ["One of these:", "", *(f"- {code(member)}" for member in get_args(thing))]
    return [f"``{thing!r}``"]


def code(thing):
    return f"`{PUBLIC.get(identity(thing), thing.__name__)}`" if inspect.isclass(thing) else f"``{thing!r}``"


def table(rows):
    """A table of names, each with its first sentence."""
    lines = [".. list-table::", "   :widths: 25 75", "   :header-rows: 1", "   :class: names", "", "   * - Name", "     - What it is"]
    for full, home, text in rows:
        shown = full.replace(PACKAGE, "ll", 1)
        lines += [f"   * - :doc:`{shown} <{home}>`", f"     - {text}"]
    return "\n".join(lines) + "\n"


def kind(thing):
    if inspect.isclass(thing):
        return "Exceptions" if issubclass(thing, BaseException) else "Classes"
    return "Functions" if inspect.isroutine(thing) or inspect.isfunction(inspect.unwrap(thing)) else "Types and constants"


def page_of_namespace(space, module, homes):
    """The page of a namespace: its docstring, and tables of its names."""
    dotted = f"{PACKAGE}.{space}".rstrip(".")
    shown = f"ll.{space}" if space else PACKAGE
    title = TITLES.get(space)
    lines = [heading(f"{title}: {shown}" if title else shown), f".. automodule:: {dotted}\n   :no-members:\n"]
    full_names = [f"{dotted}.{name}" for name in names(module)]
    for group in ("Classes", "Functions", "Types and constants", "Exceptions"):
        mine = [name for name in full_names if kind(getattr(module, name.rpartition(".")[2])) == group]
        if mine:
            rows = [(name, homes[name], summary(getattr(module, name.rpartition(".")[2]))) for name in mine]
            lines += [heading(group, "-"), table(rows)]
    pages_here = [name for name in full_names if homes[name] == name]
    lines += [".. toctree::", "   :hidden:", "", *(f"   {name.replace(PACKAGE, 'll', 1)} <{name}>" for name in pages_here), ""]
    return "\n".join(lines)


def pages():
    """The sources of the reference by file name without its ending: an index, the namespaces, and the names."""
    spaces, homes = namespaces(), entries()
    rows = [
        (f"ll.{space}".rstrip("."), f"{PACKAGE}.{space}".rstrip("."), TITLES.get(space) or summary(module))
        for space, module in spaces.items()
    ]
    index = [heading("API reference"), INTRODUCTION, table(rows), ".. toctree::", "   :hidden:", ""]
    made = {}
    for space, module in spaces.items():
        dotted = f"{PACKAGE}.{space}".rstrip(".")
        index.append(f"   {dotted}")
        made[dotted] = page_of_namespace(space, module, homes)
        for name in names(module):
            full = f"{dotted}.{name}"
            if homes[full] == full:
                others = [other for other, home in homes.items() if home == full != other]
                made[full] = page_of_name(full, getattr(module, name), others)
    return {"index": "\n".join(index) + "\n"} | made


INTRODUCTION = """\
``import latentlink as ll`` loads nothing but names; a part of the library is loaded when it is first used. The names that most programs
need are in the package itself, all others in namespaces. Shapes of tensors stand in their annotations: ``Float[Tensor, "*batch n d"]``
is a real tensor with any number of batch axes, then n messages of d numbers. Arguments are checked at every call, and a ``ValueError``
names the argument, what came and what was expected. Every example runs as it stands.

Some annotations have names: ``AnyArray`` is a tensor or an array of NumPy, ``AnyLabels`` an array of class numbers or a sequence of
class names, ``AnyPath`` a string or a path, ``AnyLink`` a transceiver, a solution or any object with ``encode`` and ``decode``, and
``AnyStudy`` a study, its file, or a mapping of the same content.
"""


def link_names(app, doctree):
    """Link `ll.Name` in the text of a page to its entry."""
    from docutils import nodes
    from sphinx import addnodes

    homes = entries()
    for literal in list(doctree.findall(nodes.literal)):
        match = re.fullmatch(r"ll\.(\w+(?:\.\w+)*)(?:\(\))?", literal.astext())
        if match and not isinstance(literal.parent, (nodes.reference, addnodes.pending_xref)):
            full, members = f"{PACKAGE}.{match[1]}", ""
            while full not in homes and "." in full:
                full, _, last = full.rpartition(".")
                members = f".{last}{members}"
            if full in homes:
                reference = addnodes.pending_xref(
                    "", refdomain="py", reftype="obj", reftarget=homes[full] + members, refexplicit=True, refwarn=False
                )
                literal.replace_self(reference)
                reference += literal


def write(app):
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    made = pages()
    for name, text in made.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.glob("*.rst"):
        if path.stem not in made:
            path.unlink()


def setup(app):
    app.connect("builder-inited", write, priority=100)
    app.connect("doctree-read", link_names)
    app.connect("autodoc-process-bases", keep_public_bases)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
