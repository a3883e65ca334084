"""Files of every format that a reader takes, written as their authors' tools write them."""

import h5py
import numpy as np
import polars as pl
import scipy.io
import torch
from safetensors.torch import save_file


def tensors(arrays):
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


def frame(arrays):
    return pl.DataFrame({name: list(array) if array.ndim == 2 else array for name, array in arrays.items()})


def hdf5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


WRITE = {
    ".npz": lambda path, arrays: np.savez(path, **arrays),
    ".safetensors": lambda path, arrays: save_file(tensors(arrays), path),
    ".pt": lambda path, arrays: torch.save(tensors(arrays), path),
    ".pth": lambda path, arrays: torch.save(tensors(arrays), path),
    ".h5": hdf5,
    ".mat": scipy.io.savemat,
    ".parquet": lambda path, arrays: frame(arrays).write_parquet(path),
    ".arrow": lambda path, arrays: frame(arrays).write_ipc(path),
    ".feather": lambda path, arrays: frame(arrays).write_ipc(path),
    ".npy": lambda path, arrays: np.save(path, next(iter(arrays.values()))),
}
TABLES = (".parquet", ".arrow", ".feather")


def written(folder, suffix, **arrays):
    path = folder / f"file{suffix}"
    WRITE[suffix](path, arrays)
    return path


def matlab(path, h, name="h", fields=("real", "imag")):
    """As MATLAB's save -v7.3: a block of its own first, axes reversed, pairs of numbers, the class as an attribute."""
    stored = np.empty(h.T.shape, dtype=[(fields[0], "<f8"), (fields[1], "<f8")])
    stored[fields[0]], stored[fields[1]] = h.T.real, h.T.imag
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset(name, data=stored).attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))
