"""Arrays of HDF5 files and of MATLAB's: version 7.3, which is HDF5, and version 5, which is not.

The axes of MATLAB's arrays come in the order in which their author wrote them, whichever the version. A field of a struct is named by
`out.H` or `out/H`; a cell array of matrices of one shape becomes one array whose first axis counts the cells.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from latentlink.data.readers.containers import choose
from latentlink.data.readers.content import Array, Cells, FileContentError
from latentlink.data.readers.matlab_tags import check_tags
from latentlink.numerics.extras import import_extra

SUFFIXES = (".h5", ".hdf5", ".mat")
_COMPOUNDS = (("real", "imag"), ("r", "i"))  # names that MATLAB, h5py and others give to the parts of a complex number


def read_hdf5(path: Path, key: str | None) -> Array:
    """Read one array of an HDF5 or MATLAB file.

    Raises:
        FileContentError: a missing or wrong key, or content that is no array of numbers.
        ImportError: h5py or scipy is not installed.
    """
    if _is_version_5(path):
        return _read_version_5(path, key)
    with import_extra("h5py", "hdf5").File(path, "r") as file:
        return _complex(str(path), _dataset(path, file, _chosen(path, file, key)))


@contextmanager
def open_dataset(path: Path, key: str | None) -> Iterator[tuple[tuple[int, ...], Callable[[range], Array]] | None]:
    """Open one array of an HDF5 file: its shape, and a function that reads some of its rows.

    None stands for an array that is read only whole: of MATLAB's version 5, and cell arrays. Raises as `read_hdf5`.
    """
    if _is_version_5(path):
        yield None
        return
    h5py = import_extra("h5py", "hdf5")
    with h5py.File(path, "r") as file:
        dataset = _chosen(path, file, key)
        if h5py.check_ref_dtype(dataset.dtype) is not None:
            yield None
            return
        _check_dataset(path, dataset)
        turned = "MATLAB_class" in dataset.attrs

        def take(rows: range) -> Array:
            part = dataset[..., rows.start : rows.stop] if turned else dataset[rows.start : rows.stop]
            return _complex(str(path), np.asarray(part).T if turned else np.asarray(part))

        yield dataset.shape[::-1] if turned else dataset.shape, take


def _is_version_5(path: Path) -> bool:
    """Tell MATLAB's version 5 from HDF5."""
    with path.open("rb") as file:
        start = file.read(128)
    if path.suffix.lower() != ".mat" or import_extra("h5py", "hdf5").is_hdf5(path):
        return False
    if not start.startswith(b"MATLAB 5.0"):
        raise FileContentError(f"{path}: neither MATLAB of version 5 nor HDF5: it is damaged or something else")
    return True


def _chosen(path: Path, file: Any, key: str | None) -> Any:
    """The data set that a key names, or the only one; MATLAB's own ones do not count, nor do links where no key asks for them."""
    found = {name: kind for name, kind in _names(file).items() if name[0] != "#"}
    wanted = None if key is None or key in found else key.replace(".", "/").strip("/")
    stored = [name for name, kind in found.items() if kind == "stored"]
    name = key if key is not None and key in found else choose(str(path), stored if key is None and stored else found, wanted)
    if found[name] == "external":
        link = file.get(name, getlink=True)
        raise FileContentError(f"{path}: {name} is a link to {link.path} in the file {link.filename}: read it there")
    chosen = file[name]
    if "MATLAB_sparse" in chosen.attrs:
        raise _sparse(path, name)
    return chosen


def _sparse(path: Path, name: str) -> FileContentError:
    remedy = f"save full({name}) in MATLAB, or {name}.toarray() in Python"
    return FileContentError(f"{path}: {name} is a sparse matrix, expected a full one: {remedy}")


def _names(group: Any, prefix: str = "", seen: frozenset[int] = frozenset()) -> dict[str, str]:
    """The names of all data sets below a group, with how they are there: stored, linked to in this file, or external, in another one.

    HDF5's own walk (`visititems`) does not end in files whose lists of links were damaged to lead back to themselves. Groups within
    themselves are left out, as are links to groups, and a sparse matrix of MATLAB is one name.
    """
    h5py = import_extra("h5py", "hdf5")
    names: dict[str, str] = {}
    above = seen | {h5py.h5g.get_objinfo(group.id).objno}
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            names[prefix + name] = "external"
            continue
        try:
            item = group[name]
        except (KeyError, OSError, RuntimeError):
            if isinstance(link, h5py.HardLink):
                raise
            continue  # a link that leads nowhere, or to itself
        if isinstance(item, h5py.Dataset) or "MATLAB_sparse" in item.attrs:
            names[prefix + name] = "stored" if isinstance(link, h5py.HardLink) else "linked"
        elif isinstance(link, h5py.HardLink) and isinstance(item, h5py.Group) and h5py.h5g.get_objinfo(item.id).objno not in above:
            names |= _names(item, f"{prefix}{name}/", above)
    return names


def _check_dataset(path: Path, dataset: Any) -> None:
    if import_extra("h5py", "hdf5").check_string_dtype(dataset.dtype) is not None:
        raise FileContentError(
            f"{path}: {dataset.name} holds text, expected numbers: write words as lines of text, or as a column of a table"
        )
    if dataset.attrs.get("MATLAB_class") in (b"char", "char"):
        raise FileContentError(f"{path}: {dataset.name} holds text of MATLAB (char), expected numbers: save double(…) where they are meant")
    if dataset.attrs.get("MATLAB_empty", 0):
        size = "×".join(str(int(length)) for length in np.asarray(dataset[()]).ravel()[:32])
        raise FileContentError(f"{path}: {dataset.name} is an empty array of MATLAB ({size}), which holds nothing")
    if dataset.is_virtual:
        _check_sources(path, dataset)
    elif dataset.size and dataset.id.get_storage_size() == 0:
        raise FileContentError(f"{path}: {dataset.name} declares {dataset.shape} and holds nothing")


def _check_sources(path: Path, dataset: Any) -> None:
    """Refuse a virtual data set one of whose sources is missing: HDF5 would read zeros for it."""
    h5py = import_extra("h5py", "hdf5")
    for source in dataset.virtual_sources():
        named, within = source.file_name.replace("%b", "0"), source.dset_name.replace("%b", "0")
        at = path if named == "." else next((each for each in (path.parent / named, Path(named)) if each.is_file()), None)
        if at is None:
            raise FileContentError(f"{path}: {dataset.name} is made of other files, of which {named} is missing: put it beside this one")
        with h5py.File(at, "r") as file:
            if within not in file:
                raise FileContentError(f"{path}: {dataset.name} is made of other files, of which {at} lacks {within}")


def _dataset(path: Path, file: Any, dataset: Any) -> Array:
    """A data set, or the cells that it refers to; MATLAB stores by columns and HDF5 by rows: its axes come reversed."""
    h5py = import_extra("h5py", "hdf5")
    if h5py.check_ref_dtype(dataset.dtype) is not None:
        references = np.asarray(dataset[()]).T
        return _cells(path, [_complex(str(path), _dataset(path, file, file[reference])) for reference in references.ravel(order="F")])
    _check_dataset(path, dataset)
    array = np.asarray(dataset[()])
    return array.T if "MATLAB_class" in dataset.attrs else array


def _read_version_5(path: Path, key: str | None) -> Array:
    scipy_io = import_extra("scipy.io", "hdf5")
    check_tags(path)
    names = [name for name, _, _ in scipy_io.whosmat(path)]
    wanted = None if key is None else key.replace("/", ".").strip(".")
    variable = choose(str(path), names, None if wanted is None else wanted.split(".")[0])
    value = scipy_io.loadmat(path, variable_names=[variable], struct_as_record=True)[variable]
    found = dict(_fields(path, variable, value))
    return found[choose(str(path), found, wanted)]()


def _fields(path: Path, name: str, value: Any) -> list[tuple[str, Any]]:
    """The arrays of a variable, those of a struct by their fields, each with a function that returns it."""
    if hasattr(value, "toarray"):
        raise _sparse(path, name)
    if value.dtype.names is not None:
        if value.size != 1:
            raise FileContentError(f"{path}: {name} is an array of {value.size} structs: save the field as one array")
        return [pair for field in value.dtype.names for pair in _fields(path, f"{name}.{field}", value[field].ravel()[0])]
    if value.dtype == object:
        return [(name, lambda: _cells(Path(name), list(value.ravel(order="F"))))]
    return [(name, lambda: value)]


def _cells(path: Path, cells: list[Array]) -> Array:
    """A cell array of matrices of one shape, stacked along a first axis, which is known to count the cells."""
    shapes = {cell.shape for cell in cells}
    if len(shapes) != 1 or any(cell.dtype.kind not in "biufc" for cell in cells):
        raise FileContentError(f"{path}: a cell array of {len(cells)} cells, expected matrices of one shape, got {sorted(shapes)}")
    return np.stack(cells).view(Cells)


def _complex(origin: str, array: Array) -> Array:
    """Join pairs (real, imaginary) to complex numbers; other arrays are returned unchanged."""
    names = array.dtype.names
    if names is None:
        return array
    for parts in _COMPOUNDS:
        if set(names) == set(parts):
            return _joined(origin, array, parts)
    raise FileContentError(f"{origin}: holds records of {', '.join(names)}, expected numbers or pairs named real and imag, or r and i")


def _joined(origin: str, array: Array, parts: tuple[str, str]) -> Array:
    kinds: Mapping[str, Any] = {part: array.dtype[part] for part in parts}
    if any(kind.kind not in "iuf" for kind in kinds.values()):
        described = ", ".join(f"{part} {kind}" for part, kind in kinds.items())
        raise FileContentError(f"{origin}: holds complex numbers whose parts are no numbers ({described})")
    single = math.prod([kind.kind == "f" and kind.itemsize <= 4 for kind in kinds.values()])
    joined = np.empty(array.shape, np.complex64 if single else np.complex128)
    joined.real = array[parts[0]]
    joined.imag = array[parts[1]]
    return joined
