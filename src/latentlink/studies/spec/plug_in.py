"""`module:attribute` in study files: methods, encoders, data sets, channel models and objectives of one's own.

The module is looked for beside the study file, then among the installed packages and in the current folder, and loaded when the study is
read, so that a mistake in a name or a parameter is an error of the study before anything runs (see `own_modules`).

An exception that the code raises later becomes a `PlugInError`: it names the code, carries its traceback, and costs only the cells that
use it.
"""

import inspect
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import dropwhile
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, WrapValidator

from latentlink.execution.at_worker import worker_here
from latentlink.links.own import OwnLinkError
from latentlink.storage.atomic import write_atomically
from latentlink.storage.folders import cache_folder
from latentlink.studies.spec.own_modules import OwnModule, digest_of, load_module, read_if_there

_PATTERN = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
_PACKAGE = Path(__file__).parents[2]
_INSTALLED = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
_NOT_OWN = (str(_PACKAGE), *_INSTALLED, "<frozen", "<@")  # files of this package and of others, importlib's and beartype's frames


class OwnCode(str):
    """A name `module:attribute` with the object that it named when the study was read.

    It is pickled with the files of its module. Where it is loaded, as by a worker of a cluster, it is bound when its object is first asked
    for: to the module in the same folder if it is there unchanged, else to these files. An installed module has to be installed there too.

    Attributes:
        digest: SHA-256 of its code.
    """

    digest: str
    _find: Callable[[], Any]
    _sent: tuple[Any, ...]  # what makes it elsewhere: a function and its arguments

    @classmethod
    def bound(cls, name: str, own: OwnModule, target: Any) -> "OwnCode":
        """The name of an object of a module that was loaded here."""
        code, home = cls(name), own.home
        code.digest, code._find = digest_of(own, target), lambda: target
        files = {path.relative_to(home).as_posix(): content for path, content in own.sources.items()} if home is not None else {}
        code._sent = (cls.sent, name, code.digest, home, files) if own.sources else (cls._of_object, name, code.digest, target)
        return code

    @classmethod
    def sent(cls, name: str, digest: str, home: Path | None, files: dict[str, bytes]) -> "OwnCode":
        """The name of an object of a module that comes from elsewhere."""
        code = cls(name)
        code.digest, code._sent = digest, (cls.sent, name, digest, home, files)
        code._find = cache(lambda: _load_sent(name, digest, home, files))
        return code

    @classmethod
    def _of_object(cls, name: str, digest: str, target: Any) -> "OwnCode":
        code = cls(name)
        code.digest, code._find, code._sent = digest, lambda: target, (cls._of_object, name, digest, target)
        return code

    @property
    def target(self) -> Any:
        """The object.

        Raises:
            ValueError: it comes from elsewhere, and is not on this machine or is another one here.
        """
        return self._find()

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._sent[0], self._sent[1:]

    def __deepcopy__(self, memo: dict[int, Any]) -> "OwnCode":
        return self


def _load_sent(name: str, digest: str, home: Path | None, files: dict[str, bytes]) -> Any:
    """Load the object of a module that comes from elsewhere, from its own folder where that is here too, else from its files."""
    folder = home
    if home is not None and any(read_if_there(home / path) != content for path, content in files.items()):
        folder = cache_folder() / "code" / digest
        for path, content in files.items():
            if read_if_there(folder / path) != content:
                write_atomically(folder / path, content)
    worker = worker_here() or "this machine"
    try:
        found = bind(name, folder)
    except ValueError as error:
        raise ValueError(f"{error}; it is needed by the worker at {worker}: install it there, or set PYTHONPATH") from error
    if found.digest != digest:
        raise ValueError(f"{name!r} is other code at the worker {worker} than where the study was read: install the same")
    return found.target


class PlugInError(RuntimeError):
    """Code outside of the package, named in a study file, raised an exception; it is the cause of this one.

    Example:
        >>> import latentlink as ll
        >>> try:  # doctest: +SKIP
        ...     knowledge = ll.studies.run("mine.yaml")
        ... except ll.studies.PlugInError as error:
        ...     print(error, error.__cause__)
    """


def is_plug_in(name: str) -> bool:
    """Return True if a name has the form `module:attribute` (`timm:NAME` is an encoder of timm)."""
    return ":" in name and not name.startswith("timm:")


def bind(name: str, folder: Path | None = None) -> OwnCode:
    """Load the object that `module:attribute` names; its module is looked for in the study file's folder first.

    Raises:
        ValueError: there is no such module, it has no such attribute, or importing it fails, then with its traceback.
    """
    module_name, _, attribute = name.partition(":")
    try:
        own = load_module(module_name, folder)
    except (Exception, SystemExit) as error:
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        if absent is not None and f"{module_name}.".startswith(f"{absent}."):
            places = "it is looked for beside the study file, among installed packages and in the current folder"
            raise ValueError(f"{name!r}: there is no module {absent!r}; {places}") from error
        raise ValueError(f"{name!r}: importing {module_name} failed\n{_frames(error)}") from error
    if not hasattr(own.module, attribute):
        public = [key for key, value in vars(own.module).items() if callable(value) and not key.startswith("_")]
        raise ValueError(f"{name!r}: module {module_name} has no attribute {attribute!r}; it has {', '.join(public) or 'none to call'}")
    target = getattr(own.module, attribute)
    return OwnCode.bound(name, own, target)


def load_attribute(name: str) -> Any:
    """The object that `module:attribute` named when the study was read; raises ValueError as `bind`."""
    return (name if isinstance(name, OwnCode) else bind(name)).target


def source_digest(name: str) -> str:
    """SHA-256 of the code of `module:attribute` as it was when the study was read, so that changed code makes other cells."""
    return (name if isinstance(name, OwnCode) else bind(name)).digest


def accepts(target: Callable[..., Any], parameter: str) -> bool:
    """Return True if a class or function takes a keyword argument of this name."""
    parameters = inspect.signature(target).parameters
    return parameter in parameters or any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())


@contextmanager
def blame(name: str, everything: bool = True) -> Iterator[None]:
    """Turn what code outside of the package raises into a PlugInError that names it and its line.

    With `everything`, all that is raised within the context is due to the code, also by what it returned; else exceptions that did not pass
    through a line outside of the package stay as they are, but for what an own link returned (`OwnLinkError`).
    """
    try:
        yield
    except PlugInError:
        raise
    except (Exception, SystemExit) as error:
        lines = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame)]
        reason = f"{type(error).__name__}: {error}"
        if lines:
            raise PlugInError(f"{name} raised {reason} ({lines[-1].filename}:{lines[-1].lineno})") from error
        if everything or isinstance(error, OwnLinkError):
            raise PlugInError(f"{name} cannot be used: {reason}") from error
        raise


def _is_own(frame: traceback.FrameSummary) -> bool:
    return not frame.filename.startswith(_NOT_OWN)


def _frames(error: BaseException) -> str:
    """The traceback from the first line outside of the package on."""
    frames = dropwhile(lambda frame: not _is_own(frame), traceback.extract_tb(error.__traceback__))
    return "".join([*traceback.format_list(list(frames)), *traceback.format_exception_only(error)]).rstrip()


def _bind(value: Any, check: Callable[[Any], str], info: Any) -> str:
    """A name bound to its code, once; other strings are left as they are."""
    if isinstance(value, OwnCode):
        return value
    name = check(value)
    return bind(name, (info.context or {}).get("folder")) if is_plug_in(name) else name


MaybePlugIn = Annotated[str, WrapValidator(_bind)]
PlugIn = Annotated[str, Field(pattern=_PATTERN), WrapValidator(_bind)]
