"""The command line: one small file per command."""

import os
import sys
from typing import NoReturn

import cyclopts
import torch
from rich.console import Console

import latentlink
from latentlink.cli.demo import demo
from latentlink.cli.encode import encode
from latentlink.cli.evaluate import evaluate
from latentlink.cli.fit import fit
from latentlink.cli.inspect import inspect
from latentlink.cli.study import app as study

app = cyclopts.App(name="latentlink", help=latentlink.__doc__, help_format="markdown", suppress_keyboard_interrupt=False)
for command in (demo, encode, fit, evaluate, inspect):
    app.command(command)
app.command(study)


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
    except (ValueError, OSError, ImportError, MemoryError, torch.OutOfMemoryError) as error:
        errors.print("error:", str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)


def _leave(status: int) -> NoReturn:
    """End at once: cells under way compute in threads, and an interpreter that shuts down beneath them aborts (CPython before 3.14)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
