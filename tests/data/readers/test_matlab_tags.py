"""Damaged tags of MATLAB's version 5 are refused before they end the process; whole files pass, also those that MATLAB itself wrote."""

import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import scipy.io

import latentlink as ll
from latentlink.data.readers.content import FileContentError
from latentlink.data.readers.matlab_tags import check_tags

REAL = sorted((Path(scipy.io.__file__).parent / "matlab" / "tests" / "data").glob("test*.mat"))
KNOWN = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 14, 16, 17, 18}  # types of elements
X = np.arange(24.0).reshape(4, 6) + 0.5


@pytest.mark.parametrize("compressed", [False, True])
def test_whole_files_pass(tmp_path, compressed):
    cells = np.empty((2, 3), dtype=object)
    cells[:] = [[X, X[:1], X.astype("f4")]] * 2
    content = {"x": X, "h": X * 1j, "cells": cells, "out": {"a": X, "name": "words", "deep": {"b": np.int8([1])}}, "nothing": X[:0]}
    scipy.io.savemat(tmp_path / "whole.mat", content, do_compression=compressed)
    check_tags(tmp_path / "whole.mat")
    np.testing.assert_array_equal(ll.read_latents(tmp_path / "whole.mat", key="out.a"), X)


@pytest.mark.parametrize("path", [path for path in REAL if path.read_bytes().startswith(b"MATLAB 5.0")], ids=lambda path: path.stem)
def test_files_that_matlab_wrote_pass(path):
    check_tags(path)


def test_every_type_of_a_tag_is_read_or_refused_in_a_sentence(tmp_path):
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"latents": X})
    content = path.read_bytes()
    place = content.index(struct.pack("<II", 9, X.nbytes))
    for kind in [0, *range(6, 32), 255, 2**15]:
        path.write_bytes(content[:place] + struct.pack("<I", kind) + content[place + 4 :])
        if kind == 9:
            assert ll.read_latents(path).shape == X.shape
        elif kind not in KNOWN:
            with pytest.raises(FileContentError, match=f"an element of type {kind}"):
                ll.read_latents(path)
        else:  # other numbers in as many bytes: these may be as many as are declared
            with suppress(ValueError):
                ll.read_latents(path)


@pytest.mark.parametrize(
    ("place", "number", "reason"),
    [
        (132, 2**20, "an element of type 14 and 1048576 bytes, where"),
        (136, 5, "begins with an element of type 5"),
        (160, 2**30, "a cell array or struct of 1073741824 x 2 elements"),
        (156, 7, "dimensions of type 5 and 7 bytes"),
    ],
)
def test_what_is_out_of_bounds_is_named(tmp_path, place, number, reason):
    cells = np.empty((1, 2), dtype=object)
    cells[:] = [[X, X]]
    scipy.io.savemat(tmp_path / "x.mat", {"cells": cells})
    content = bytearray((tmp_path / "x.mat").read_bytes())
    content[place : place + 4] = struct.pack("<I", number)
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(FileContentError, match=reason):
        check_tags(tmp_path / "x.mat")


def test_what_the_reader_alone_does_not_survive_is_refused(tmp_path):
    """What the check is for: SciPy ends the process at such a file; once it raises an error instead, the check may go."""
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"x": X})
    content = path.read_bytes()
    place = content.index(struct.pack("<II", 9, X.nbytes))
    path.write_bytes(content[:place] + struct.pack("<I", 0) + content[place + 4 :])
    command = [sys.executable, "-c", "import sys, scipy.io; scipy.io.loadmat(sys.argv[1])", str(path)]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    with pytest.raises(FileContentError, match="an element of type 0"):
        ll.read_latents(path)
