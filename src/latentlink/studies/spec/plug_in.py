"""`module:attribute` in study files: methods, encoders, data sets, channel models and objectives of one's own.

The module is looked for beside the study file, then among the installed packages and in the current folder, and loaded when the study is
read, so that a mistake in a name or a parameter is an error of the study before anything runs. Its file is read once, and what was read is
both hashed and executed: the code that runs is the code whose digest a cell carries, and an edited module is another module. A module
beside a study file, or in the current folder, brings those that it imports from its own folder: they are loaded anew with it and count in
its digest. Objects without a file, such as classes in a notebook's cell, are identified by their bytecode and what it refers to.

An exception that the code raises later becomes a `PlugInError`: it names the code, carries its traceback, and costs only the cells that
use it.
"""

import hashlib
import importlib.util
import inspect
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import dropwhile
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, NamedTuple

from pydantic import Field, WrapValidator

from latentlink.links.own import OwnLinkError
from latentlink.numerics.identity import identity_of

_PATTERN = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
_PACKAGE = Path(__file__).parents[2]
_PACKAGE_NAME = __name__.partition(".")[0]
_INSTALLED = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
_NOT_OWN = (str(_PACKAGE), *_INSTALLED, "<frozen", "<@")  # files of this package and of others, importlib's and beartype's frames


class OwnModule(NamedTuple):
    """A loaded module.

    Attributes:
        module: whose attributes are used.
        digests: SHA-256 of its file, and of those that it imports from its folder; none where it has no source file.
    """

    module: ModuleType
    digests: dict[Path, str]


_LOCK = threading.RLock()
_LOADED: dict[tuple[str, Path | None], OwnModule] = {}
_BESIDE: set[str] = set()  # modules of sys.modules that own modules have imported from their folders


def load_module(name: str, folder: Path | None) -> OwnModule:
    """Load a module from beside a study file, else from the installed packages or the current folder, anew if its code has changed.

    Raises:
        Exception: that its import raises; ModuleNotFoundError where there is none.
    """
    top = name.partition(".")[0]
    homes = [place.resolve() for place in (folder, Path.cwd()) if place is not None and _holds(place, top)]
    with _LOCK:
        key = name, homes[0] if homes else None
        before = _LOADED.get(key)
        if before is None or not before.digests or any(_digest(path) != digest for path, digest in before.digests.items()):
            with _imports_from(key[1]) as imported:
                module, digests = _execute(*key)
            _LOADED[key] = OwnModule(module, digests | {path: _digest(path) for path in imported} if digests else {})
        return _LOADED[key]


def digest_of(own: OwnModule, target: Any) -> str:
    """The SHA-256 of all files of a module, or, where it has none, the identity of one of its objects."""
    digests = list(own.digests.values()) or [identity_of(target)]
    return digests[0] if len(digests) == 1 else _hash("".join(digests).encode())


def _holds(folder: Path, top: str) -> bool:
    return (folder / f"{top}.py").is_file() or (folder / top).is_dir()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest(path: Path) -> str:
    return _hash(path.read_bytes()) if path.is_file() else ""


def _execute(name: str, home: Path | None) -> tuple[ModuleType, dict[Path, str]]:
    """Execute what a module's file holds, under a name with its digest; a module without source is imported as usual."""
    in_memory = sys.modules.get(name)
    if in_memory is not None and (in_memory.__spec__ is None or name == "__main__"):
        return in_memory, {}
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    file = Path(spec.origin or "")
    if file.suffix != ".py" or not file.is_file():
        return importlib.import_module(name), {}
    source = file.read_bytes()
    if name.partition(".")[0] == _PACKAGE_NAME:  # a second copy of its classes would be strange to the first
        return importlib.import_module(name), {file: _hash(source)}
    unique = f"{name}@{_hash(f'{home}'.encode() + source)[:12]}"
    own = importlib.util.spec_from_file_location(unique, file, submodule_search_locations=spec.submodule_search_locations)
    assert own is not None
    module = sys.modules[unique] = importlib.util.module_from_spec(own)
    try:
        exec(compile(source, str(file), "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        del sys.modules[unique]
        raise
    return module, {file: _hash(source)}


@contextmanager
def _imports_from(home: Path | None) -> Iterator[list[Path]]:
    """Context in which modules of a folder are imported anew; yields a list that has their files in the end."""
    files: list[Path] = []
    if home is None:
        yield files
        return
    hidden = {name: module for name, module in sys.modules.items() if name in _BESIDE or _lies_in(home, name)}
    path, silent, before = list(sys.path), sys.dont_write_bytecode, set(sys.modules) - set(hidden)
    for name in hidden:
        del sys.modules[name]
    sys.path.insert(0, str(home))
    sys.dont_write_bytecode = True  # a file edited twice within a second would be read as the first edit
    importlib.invalidate_caches()
    try:
        yield files
    finally:
        sys.path[:], sys.dont_write_bytecode = path, silent
        imported = [name for name in sys.modules if name not in before and "@" not in name and _lies_in(home, name)]
        files += sorted(Path(file) for name in imported if (file := getattr(sys.modules[name], "__file__", None)) is not None)
        _BESIDE.update(imported)
        sys.modules.update({name: module for name, module in hidden.items() if name not in _BESIDE})
        _BESIDE.intersection_update(sys.modules)


def _lies_in(home: Path, name: str) -> bool:
    """True for a module of sys.modules whose top package lies in a folder; this package and the main module stay."""
    top = name.partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    if file is None or top in ("__main__", _PACKAGE_NAME):
        return False
    place = Path(file)
    return (place.parent.parent if place.stem == "__init__" else place.parent) == home


class OwnCode(str):
    """A name `module:attribute` with the object that it named when the study was read.

    Attributes:
        target: the object.
        digest: SHA-256 of its code.
    """

    target: Any
    digest: str

    @classmethod
    def bound(cls, name: str, target: Any, digest: str) -> "OwnCode":
        own = cls(name)
        own.target, own.digest = target, digest
        return own

    def __deepcopy__(self, memo: dict[int, Any]) -> "OwnCode":
        return self


class PlugInError(RuntimeError):
    """Code outside of the package, named in a study file, raised an exception; it is the cause of this one."""


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
    return OwnCode.bound(name, target, digest_of(own, target))


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
