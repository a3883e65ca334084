"""`module:attribute` in study files: methods, encoders, data sets, channel models and objectives of one's own.

The module is imported by its name, from what is installed, the folder of the study file and the current folder. A mistake in a name or a
parameter is an error of the study before anything runs. What the code itself raises later is a `PlugInError`: it names the code, carries
its traceback, and costs only the cells that use it.
"""

import hashlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

_PATTERN = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"


class PlugInError(RuntimeError):
    """Code outside of the package, named in a study file, raised an exception; it is the cause of this one."""


def is_plug_in(name: str) -> bool:
    """Return True if a name has the form `module:attribute` (`timm:NAME` is an encoder of timm)."""
    return ":" in name and not name.startswith("timm:")


def add_search_folder(folder: Path) -> None:
    """Let modules beside a study file, and those in the current folder, be imported; installed ones come first."""
    for place in (str(folder.resolve()), str(Path.cwd())):
        if place not in sys.path:
            sys.path.append(place)


def load_attribute(name: str) -> Any:
    """The object that `module:attribute` names.

    Raises:
        ValueError: there is no such module, it has no such attribute, or importing it fails, then with its traceback.
    """
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        if absent is not None and f"{module_name}.".startswith(f"{absent}."):
            places = "it is looked for among installed packages, beside the study file and in the current folder"
            raise ValueError(f"{name!r}: there is no module {absent!r}; {places}") from error
        raise ValueError(f"{name!r}: importing {module_name} failed\n{_frames(error)}") from error
    if not hasattr(module, attribute):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ValueError(f"{name!r}: module {module_name} has no attribute {attribute!r}; it has {', '.join(public) or 'none to call'}")
    return getattr(module, attribute)


def accepts(target: Callable[..., Any], parameter: str) -> bool:
    """Return True if a class or function takes a keyword argument of this name."""
    parameters = inspect.signature(target).parameters
    return parameter in parameters or any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())


def source_digest(name: str) -> str:
    """SHA-256 of the module's file, so that a cell is run anew when the code is changed; what it imports is not looked at."""
    load_attribute(name)
    file = getattr(sys.modules[name.partition(":")[0]], "__file__", None)
    return "" if file is None else hashlib.sha256(Path(file).read_bytes()).hexdigest()


@contextmanager
def blame(name: str) -> Iterator[None]:
    """Turn what code outside of the package raises into a PlugInError that names it.

    Raises:
        PlugInError: an exception was raised within the context.
    """
    try:
        yield
    except PlugInError:
        raise
    except (Exception, SystemExit) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename}:{place.lineno}"
        raise PlugInError(f"{name} raised {type(error).__name__}: {error} ({where})") from error


def _frames(error: BaseException) -> str:
    """The traceback below the import machinery."""
    frames = traceback.extract_tb(error.__traceback__)
    kept = [frame for frame in frames if "importlib" not in frame.filename and frame.filename != __file__]
    return "".join([*traceback.format_list(kept), *traceback.format_exception_only(error)]).rstrip()


def _is_loadable(name: str) -> str:
    load_attribute(name)
    return name


PlugIn = Annotated[str, Field(pattern=_PATTERN), AfterValidator(_is_loadable)]
