"""Registration of commands that are imported only when they are used: help texts are read from their source files."""

import ast
import sys
from pathlib import Path

import cyclopts


def register(app: cyclopts.App, package: str, name: str) -> None:
    """Add the function `name` of the module `package.name` as a command, with its docstring up to the parameters as help.

    Args:
        app: the group of commands, of an imported package.
        package: dotted name of the package.
        name: name of module, function and command.
    """
    folder = Path(sys.modules[package].__path__[0])
    module = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
    (function,) = (node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == name)
    text = (ast.get_docstring(function) or "").partition("\n\nParameters\n---")[0]
    app.command(f"{package}.{name}:{name}", name=name, help=text)
