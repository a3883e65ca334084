"""The command line: small files of commands, imported when a command is used.

Read `lazy` (how commands are registered), `options` and `console` (what they share of arguments and of the terminal), `encode`, `fit` and
`fit_codec`, `evaluate`, `inspect`, `study`, `keep` (for the documentation) and `demo`.
"""

import os
import sys
from typing import NoReturn

import cyclopts
from rich.console import Console

import latentlink
from latentlink.cli.lazy import register

app = cyclopts.App(
    name="latentlink",
    help=(latentlink.__doc__ or "").partition("\n")[0],
    help_format="markdown",
    version=latentlink.__version__,
    suppress_keyboard_interrupt=False,
)
for _name in ("demo", "encode", "fit", "evaluate", "inspect"):
    register(app, f"latentlink.cli.{_name}", _name)
_study = cyclopts.App(name="study", help="Run experiments that are described by a YAML file, and look at them.")
register(_study, "latentlink.cli.study", "run", "status", "results", "report", "schema")
register(_study, "latentlink.cli.keep", "keep", "archive")
app.command(_study)


def main() -> None:
    """Run the command line: exit status 0 is success, 1 an error in what was given, 2 wrong usage, 130 an interruption."""
    errors = Console(stderr=True)
    try:
        app(exit_on_error=False, error_console=errors)
    except cyclopts.CycloptsError:
        sys.exit(2)  # already explained
    except KeyboardInterrupt:
        errors.print("interrupted; what was finished is kept, and the same command goes on from there")
        _leave(130)
    except (ValueError, OSError, ImportError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and type(error).__name__ != "OutOfMemoryError":
            raise
        reason = str(error) or f"{type(error).__name__}: there is not enough memory"
        errors.print("error:", reason, style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)


def _leave(status: int) -> NoReturn:
    """End at once: cells under way compute in threads, and an interpreter that shuts down beneath them aborts (CPython before 3.14)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
