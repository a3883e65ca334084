"""Modules outside of the package: found beside a study file, among the installed packages or in the current folder.

A module's file is read once, and what was read is both hashed and executed: the code that runs is the code whose digest a cell carries, and
an edited module is another module. A module beside a study file, or in the current folder, brings those that it imports from its own
folder: they are loaded anew with it and count in its digest. Objects without a file, such as classes in a notebook's cell, are identified
by their bytecode and what it refers to.
"""

import hashlib
import importlib.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from latentlink.numerics.identity import identity_of

_PACKAGE_NAME = __name__.partition(".")[0]


class OwnModule(NamedTuple):
    """A loaded module.

    Attributes:
        module: whose attributes are used.
        sources: content of its file, and of those that it imports from its folder; none where it has no source file.
        home: that folder; None for a module that is installed.
    """

    module: ModuleType
    sources: dict[Path, bytes]
    home: Path | None = None


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
        if before is None or not before.sources or any(read_if_there(path) != content for path, content in before.sources.items()):
            with _imports_from(key[1]) as imported:
                module, sources = _execute(*key)
            _LOADED[key] = OwnModule(module, sources | {path: read_if_there(path) for path in imported} if sources else {}, key[1])
        return _LOADED[key]


def digest_of(own: OwnModule, target: Any) -> str:
    """The SHA-256 of all files of a module, or, where it has none, the identity of one of its objects."""
    digests = [_hash(content) for content in own.sources.values()] or [identity_of(target)]
    return digests[0] if len(digests) == 1 else _hash("".join(digests).encode())


def _holds(folder: Path, top: str) -> bool:
    return (folder / f"{top}.py").is_file() or (folder / top).is_dir()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_if_there(path: Path) -> bytes:
    """The content of a file; nothing where there is none."""
    return path.read_bytes() if path.is_file() else b""


def _execute(name: str, home: Path | None) -> tuple[ModuleType, dict[Path, bytes]]:
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
        return importlib.import_module(name), {file: source}
    unique = f"{name}@{_hash(f'{home}'.encode() + source)[:12]}"
    own = importlib.util.spec_from_file_location(unique, file, submodule_search_locations=spec.submodule_search_locations)
    assert own is not None
    module = sys.modules[unique] = importlib.util.module_from_spec(own)
    try:
        exec(compile(source, str(file), "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        del sys.modules[unique]
        raise
    return module, {file: source}


@contextmanager
def _imports_from(home: Path | None) -> Iterator[list[Path]]:
    """Context in which modules of a folder are imported anew; yields a list that has their files in the end."""
    files: list[Path] = []
    if home is None:
        yield files
        return
    tops = _tops_in(home)
    hidden = {name: module for name, module in sys.modules.items() if name in _BESIDE or name.partition(".")[0] in tops}
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
        tops = _tops_in(home)
        imported = [name for name in sys.modules if name not in before and "@" not in name and name.partition(".")[0] in tops]
        files += sorted(Path(file) for name in imported if (file := getattr(sys.modules[name], "__file__", None)) is not None)
        _BESIDE.update(imported)
        sys.modules.update({name: module for name, module in hidden.items() if name not in _BESIDE})
        _BESIDE.intersection_update(sys.modules)


def _tops_in(home: Path) -> set[str]:
    """Name the top packages and modules of sys.modules that lie in a folder; this package and the main module stay."""
    tops = [(name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items()) if "." not in name]
    places = {name: Path(file) for name, file in tops if file is not None and name not in ("__main__", _PACKAGE_NAME)}
    return {name for name, place in places.items() if (place.parent.parent if place.stem == "__init__" else place.parent) == home}
