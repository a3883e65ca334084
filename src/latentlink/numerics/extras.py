"""Optional dependencies: imported where they are first needed; a missing one is answered with the extra that installs it."""

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType


class MissingExtra(ImportError):  # noqa: N818 (named for what is missing)
    """A package that belongs to an extra of latentlink is not installed; the message gives the command that installs it."""


def import_extra(module: str, extra: str, hint: str = "") -> ModuleType:
    """Import a package of an extra; MissingExtra, with `hint` as one more sentence, if it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] != module.split(".")[0]:
            raise  # the package is there but one of its own imports is not: its message is the better one
        message = f"{module.split('.')[0]} is needed for this and is not installed: pip install latentlink[{extra}]"
        raise MissingExtra(f"{message}. {hint}" if hint else message, name=module) from error


def require_extra(extra: str, purpose: str, *modules: str) -> None:
    """Check that the packages of an extra are installed, without importing them; MissingExtra, about the purpose, if one is not."""
    for module in modules:
        if not is_installed(module):
            raise MissingExtra(f"{purpose} need {module}, which is not installed: pip install 'latentlink[{extra}]'", name=module)


def is_installed(module: str) -> bool:
    """Return True if a package can be imported, without importing it."""
    try:
        return find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):  # blocked by an import hook, or None in sys.modules
        return module in sys.modules and sys.modules[module] is not None
