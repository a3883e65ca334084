"""Registration of commands that are imported only when they are used: help texts are read from their source files."""

import ast
import sys
from pathlib import Path

import cyclopts


def register(app: cyclopts.App, module: str, *names: str) -> None:
    """Add functions of a module as commands of their names, each with its docstring up to the parameters as help.

    Args:
        app: the group of commands.
        module: dotted name of the module, whose package is imported already.
        names: of the functions.
    """
    package, _, stem = module.rpartition(".")
    source = Path(sys.modules[package].__path__[0], f"{stem}.py").read_text(encoding="utf-8")
    for function in ast.parse(source).body:
        if isinstance(function, ast.FunctionDef) and function.name in names:
            text = (ast.get_docstring(function) or "").partition("\n\nParameters\n---")[0]
            app.command(f"{module}:{function.name}", name=function.name, help=text)
