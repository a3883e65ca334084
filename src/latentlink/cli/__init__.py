"""The command line: small files of commands, imported when a command is used; help texts are read from their source.

Read `options`, `encodings`, `console` with `logged`, `channels`, `provenance` and `card` (what commands share of arguments, terminals,
channels, and of what is told of files), then `encode`, `moments` with `beyond_memory`, `fit` with `fit_codec` and `pilot_costs`, `design`,
`evaluate`, `watch` with `watched`, `inspect` with `results`, `study`, `demo`, and `radio` with `radio_demo`.
"""

import ast
import os
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

import cyclopts
from rich.console import Console

import latentlink
from latentlink.cli.encodings import spell_what_consoles_lack


def _register(group: cyclopts.App, module: str, *names: str, **settings: Any) -> None:
    """Add functions of a module of this package as commands, each with its docstring up to the parameters as help."""
    for function in ast.parse(Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")).body:
        if isinstance(function, ast.FunctionDef) and function.name in names:
            text = (ast.get_docstring(function) or "").partition("\n\nParameters\n---")[0]
            group.command(f"latentlink.cli.{module}:{function.name}", name=function.name, help=text, **settings)


app = cyclopts.App(
    name="latentlink",
    help=(latentlink.__doc__ or "").partition("\n")[0],
    help_format="markdown",
    version=latentlink.__version__,
    suppress_keyboard_interrupt=False,
)
for _name in ("demo", "encode", "moments", "fit", "design", "evaluate", "watch", "inspect"):
    _register(app, _name, _name)
_study = cyclopts.App(name="study", help="Run experiments that are described by a YAML file, and look at them.")
_register(_study, "study", "run", "status", "results", "report", "schema", "keep", "archive")
app.command(_study)
_radio = cyclopts.App(name="radio", help="Run a link between processes that only share a file: over an air here, or radios.")
_register(_radio, "radio", "export")
_register(_radio, "radio", "keys", "tx", "rx", "air", "replay", "view", help_flags=())  # whose options, and help, are the runtime's
_register(_radio, "radio_demo", "demo")
app.command(_radio)
app.register_install_completion_command(help="Let the shell complete commands and options: bash, zsh or fish.")
_TOO_LARGE = ("OutOfMemoryError", "allocate memory", "overflow")  # of PyTorch, for tensors that no machine holds


def main() -> None:
    """Run the command line: exit status 0 is success, 1 an error in what was given, 2 wrong usage, 3 an alarm, 130 an interruption."""
    spell_what_consoles_lack()
    errors = Console(stderr=True)
    others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        """Print what this package warns of as a line; other warnings as usual."""
        if category is UserWarning or category.__module__.partition(".")[0] == __package__.partition(".")[0]:
            errors.print("warning:", message, style="yellow", highlight=False, markup=False, soft_wrap=True)
        else:
            others(message, category, *where, **more)

    warnings.showwarning = show
    try:
        app(exit_on_error=False, error_console=errors)
    except cyclopts.CycloptsError:
        sys.exit(2)  # already explained
    except KeyboardInterrupt:
        errors.print("interrupted; what was finished is stored, and the same command goes on from there")
        _leave(130)
    except (ValueError, OSError, ImportError, MemoryError, RuntimeError) as error:
        scarce = isinstance(error, RuntimeError) and any(sign in f"{type(error).__name__} {error}" for sign in _TOO_LARGE)
        if isinstance(error, RuntimeError) and not scarce:
            raise
        reason = f"{type(error).__name__}: there is not enough memory" if scarce or not str(error) else _words(error)
        errors.print("error:", reason, style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
    finally:
        warnings.showwarning = others


def _words(error: Exception) -> str:
    """What an error says; one of the system names its file first, as all others do, and not its number."""
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename and error.strerror else str(error)


def _leave(status: int) -> NoReturn:
    """End at once: cells under way compute in threads, and an interpreter that shuts down beneath them aborts (CPython before 3.14)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
