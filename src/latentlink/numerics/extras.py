"""Optional dependencies: imported where they are first needed, missing ones answered with the extra that brings them."""

import importlib
from types import ModuleType


def import_extra(module: str, extra: str, hint: str = "") -> ModuleType:
    """Import a package that only some users have.

    Args:
        module: dotted name to import.
        extra: the extra of latentlink that installs it.
        hint: one more sentence for the error, where the extra alone may not be enough.

    Raises:
        ImportError: it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] != module.split(".")[0]:
            raise  # the package is there but one of its own imports is not: its message is the better one
        message = f"{module.split('.')[0]} is needed for this and is not installed: pip install latentlink[{extra}]"
        raise ImportError(f"{message}. {hint}" if hint else message, name=module) from error
