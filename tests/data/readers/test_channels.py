"""Channels: axes are said or recognised and never guessed, in every format; amplitudes and path losses are told."""

import h5py
import numpy as np
import pytest
import scipy.io
import torch

from latentlink.data.readers.channels import read_channels
from written_files import WRITE, matlab, written

GENERATOR = np.random.default_rng(0)
CHANNELS = GENERATOR.standard_normal((5, 4, 2, 3)) + 1j * GENERATOR.standard_normal((5, 4, 2, 3))  # n use rx tx
FORMATS = [".npy", ".npz", ".h5", ".pt", ".safetensors"]
STORED = {**dict.fromkeys(FORMATS, (np.complex64, np.complex128)), ".safetensors": (np.complex64,)}  # the last has no complex128


@pytest.mark.parametrize(("suffix", "dtype"), [(suffix, dtype) for suffix in FORMATS for dtype in STORED[suffix]])
@pytest.mark.parametrize("axes", ["n use rx tx", "latentlink", "n,use,rx,tx", "(N, Use, RX, TX)"])
def test_channels_go_round(tmp_path, suffix, dtype, axes):
    read = read_channels(written(tmp_path, suffix, h=CHANNELS.astype(dtype)), axes=axes)
    assert read.dtype == torch.complex128
    assert read.is_contiguous()
    np.testing.assert_array_equal(read.numpy(), CHANNELS.astype(dtype))


@pytest.mark.parametrize("suffix", FORMATS)
def test_this_packages_own_order_and_one_matrix_are_recognised(tmp_path, suffix):
    stored = CHANNELS[:, 0].astype(np.complex64)
    assert read_channels(written(tmp_path, suffix, h=stored)).shape == (5, 1, 2, 3)
    assert read_channels(written(tmp_path, suffix, h=stored[0])).shape == (1, 1, 2, 3)


LAYOUTS = {
    "matlab": ("rx tx use n", (2, 3, 1, 0)),
    "quadriga": ("rx tx use n", (2, 3, 1, 0)),
    "deepmimo": ("n rx tx use", (0, 2, 3, 1)),
    "n rx use tx": ("n rx use tx", (0, 2, 1, 3)),
}


@pytest.mark.parametrize("preset", LAYOUTS)
def test_presets_are_the_axes_that_they_name(tmp_path, preset):
    names, order = LAYOUTS[preset]
    path = written(tmp_path, ".npy", h=CHANNELS.transpose(order))
    for axes in (preset, names):
        np.testing.assert_array_equal(read_channels(path, axes=axes).numpy(), CHANNELS)


def test_sionnas_seven_axes_make_a_channel_of_each_pair_of_ends(tmp_path):
    h = GENERATOR.standard_normal((2, 3, 4, 5, 2, 6, 7)) + 1j * GENERATOR.standard_normal((2, 3, 4, 5, 2, 6, 7))
    read = read_channels(written(tmp_path, ".npy", h=h), axes="sionna").numpy()
    assert read.shape == (2 * 3 * 5, 6 * 7, 4, 2)
    np.testing.assert_array_equal(read[(1 * 3 + 2) * 5 + 4, 5 * 7 + 6], h[1, 2, :, 4, :, 5, 6])


@pytest.mark.parametrize("shape", [(2, 2, 8), (4, 2, 1000), (1, 2, 1000), (20, 2, 4, 16), (2, 3, 4, 5, 6)])
def test_axes_that_could_be_others_have_to_be_said(tmp_path, shape):
    h = np.ones(shape) * (1 + 1j)
    with pytest.raises(ValueError, match=r"say which axis is which by axes \(--axes on the command line\)"):
        read_channels(written(tmp_path, ".npy", h=h))


def write_version_5(path, h):
    scipy.io.savemat(path, {"H": h})


@pytest.mark.parametrize("write", [write_version_5, lambda path, h: matlab(path, h, "H"), lambda path, h: matlab(path, h, "H", ("r", "i"))])
def test_both_versions_of_matlab_give_the_same_axes(tmp_path, write):
    h = CHANNELS.transpose(2, 3, 1, 0)
    write(tmp_path / "h.mat", h)
    np.testing.assert_array_equal(read_channels(tmp_path / "h.mat", axes="matlab").numpy(), CHANNELS)
    with pytest.raises(ValueError, match="4 axes are ambiguous"):
        read_channels(tmp_path / "h.mat")
    write(tmp_path / "h.mat", h[:, :, 0])
    with pytest.raises(ValueError, match="MATLAB's order of axes"):
        read_channels(tmp_path / "h.mat")
    np.testing.assert_array_equal(read_channels(tmp_path / "h.mat", axes="rx tx n").numpy(), CHANNELS[:, :1])


def test_structs_and_cells_of_matlab(tmp_path):
    cells = np.empty((1, 5), dtype=object)
    for number in range(5):
        cells[0, number] = CHANNELS[number, 0]
    scipy.io.savemat(tmp_path / "h.mat", {"out": {"H": CHANNELS[0, 0], "snr": 3.0}, "cells": cells})
    np.testing.assert_array_equal(read_channels(tmp_path / "h.mat", key="out.H").numpy()[0, 0], CHANNELS[0, 0])
    for axes in ("n rx tx", "matlab", "quadriga", "latentlink", None):  # what a cell is, is known
        np.testing.assert_array_equal(read_channels(f"{tmp_path}/h.mat::cells", axes=axes).numpy(), CHANNELS[:, :1])
    with pytest.raises(ValueError, match=r"its keys are: out\.H, out\.snr"):
        read_channels(tmp_path / "h.mat", key="out")
    with h5py.File(tmp_path / "h5.mat", "w") as file:
        for number in range(5):
            file[f"#refs#/{number}"] = CHANNELS[number, 0].T.astype(np.complex128)
            file[f"#refs#/{number}"].attrs["MATLAB_class"] = np.bytes_("double")
        references = [file[f"#refs#/{number}"].ref for number in range(5)]
        file.create_dataset("cells", data=np.array(references, dtype=h5py.ref_dtype).reshape(5, 1), dtype=h5py.ref_dtype)
    for axes in ("n rx tx", "matlab", None):
        np.testing.assert_array_equal(read_channels(tmp_path / "h5.mat", axes=axes).numpy(), CHANNELS[:, :1])


def test_plain_hdf5_pairs_are_not_transposed(tmp_path):
    stored = np.empty(CHANNELS.shape, dtype=[("real", "<f4"), ("imag", "<f4")])
    stored["real"], stored["imag"] = CHANNELS.real, CHANNELS.imag
    with h5py.File(tmp_path / "h.h5", "w") as file:
        file["h"] = stored
    np.testing.assert_array_equal(read_channels(tmp_path / "h.h5", axes="latentlink").numpy(), CHANNELS.astype(np.complex64))


def test_hdf5_with_several_datasets_wants_a_key(tmp_path):
    with h5py.File(tmp_path / "h.h5", "w") as file:
        file["site/a"], file["b"], file["#refs#/x"] = CHANNELS[:, 0], CHANNELS[:, 0] * 2, [1]
        file["note"] = "measured on the roof"
        file["odd"] = np.zeros(3, dtype=[("real", "S3"), ("imag", "f8")])
    with pytest.raises(ValueError, match="its keys are: b, note, odd, site/a"):
        read_channels(tmp_path / "h.h5")
    for key in ("site/a", "/site/a", "site.a"):
        np.testing.assert_array_equal(read_channels(tmp_path / "h.h5", key=key).numpy(), CHANNELS[:, :1])
    with pytest.raises(ValueError, match="no array 'site'"):
        read_channels(tmp_path / "h.h5", key="site")
    with pytest.raises(ValueError, match="holds text"):
        read_channels(tmp_path / "h.h5", key="note")
    with pytest.raises(ValueError, match=r"h\.h5: .*parts are no numbers \(real \|S3, imag float64\)"):
        read_channels(tmp_path / "h.h5", key="odd")


BAD_CHANNELS = {
    "real": (CHANNELS[:, 0].real, "got float64, expected complex numbers: amplitudes only"),
    "none": (CHANNELS[:0, 0], "holds nothing"),
    "infinite": (np.where(np.arange(5).reshape(5, 1, 1) == 2, np.inf, CHANNELS[:, 0]), "first in row 2"),
    "one axis": (CHANNELS[:, 0, 0, 0], "1 axes are ambiguous"),
}


@pytest.mark.parametrize("name", BAD_CHANNELS)
def test_arrays_that_are_no_channels(tmp_path, name):
    array, message = BAD_CHANNELS[name]
    path = written(tmp_path, ".npy", h=array)
    with pytest.raises(ValueError, match=message) as caught:
        read_channels(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("matlab5", "must name rx and tx"),
        ("n use n n", "must name rx and tx"),
        ("rx tx n", "name 3 axes"),
        ("sionna", r"expected \(n, n, rx, n, tx, use, use\) by axes='sionna'"),
        ("", "must name rx and tx"),
    ],
)
def test_axes_that_do_not_fit(tmp_path, axes, message):
    with pytest.raises(ValueError, match=message):
        read_channels(written(tmp_path, ".npy", h=CHANNELS), axes=axes)


@pytest.mark.parametrize("scale", [1e-6, 1e-20, 1e-150, 1e6, 1e25])
def test_path_losses_that_were_left_in_are_told(tmp_path, scale):
    with pytest.warns(UserWarning, match=r"mean \|h\|² is .*normalise .* or give the SNR by a link budget"):
        read_channels(written(tmp_path, ".npy", h=CHANNELS[:, 0] * scale))


def test_channels_without_phases_are_told(tmp_path):
    with pytest.warns(UserWarning, match="imaginary parts of all channels are zero: amplitudes only"):
        read_channels(written(tmp_path, ".npy", h=np.abs(CHANNELS[:, 0]).astype(complex)))


def test_shards_of_channels(tmp_path):
    for number in range(5):
        np.save(tmp_path / f"h{number}.npy", CHANNELS[number])
    np.testing.assert_array_equal(read_channels(tmp_path, axes="use rx tx").numpy(), CHANNELS)
    np.save(tmp_path / "h5.npy", CHANNELS[0, :2])
    with pytest.raises(ValueError, match="shards of several shapes"):
        read_channels(tmp_path, axes="use rx tx")


@pytest.mark.parametrize("suffix", [".h5", ".mat"])
@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_damaged_files(tmp_path, suffix, damage):
    path = tmp_path / f"file{suffix}"
    if suffix == ".mat":
        matlab(path, CHANNELS)
    else:
        WRITE[suffix](path, {"h": CHANNELS})
    content = path.read_bytes()
    path.write_bytes({"truncated": content[: len(content) // 2], "garbage": bytes(range(256)) * 8, "empty": b""}[damage])
    with pytest.raises(ValueError, match=r"damaged|empty file") as caught:
        read_channels(path)
    assert str(path) in str(caught.value)


def test_channels_whose_squares_overflow_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"file.npy: has channels above 1e\+150, whose squares overflow"):
        read_channels(written(tmp_path, ".npy", h=CHANNELS * 1e300), axes="latentlink")


@pytest.mark.parametrize("axes", [None, "matlab", "latentlink"])
def test_one_long_matrix_may_be_many_channels_of_one_antenna(tmp_path, axes):
    """MATLAB saves N×4×1 as N×4; what was one channel of 50×4 antennas then is what it says, if it is said."""
    many = (GENERATOR.standard_normal((50, 4)) + 1j * GENERATOR.standard_normal((50, 4))).astype(np.complex64)
    np.save(tmp_path / "h.npy", many)
    if axes != "latentlink":
        with pytest.raises(ValueError, match=r"h\.npy: got shape \(50, 4\), one channel of 50×4 antennas, or 50 channels of one antenna"):
            read_channels(tmp_path / "h.npy", axes=axes)
    np.testing.assert_array_equal(read_channels(tmp_path / "h.npy", axes="rx tx").numpy(), many[None, None])
    np.testing.assert_array_equal(read_channels(tmp_path / "h.npy", axes="n tx").numpy(), many[:, None, None])
    np.testing.assert_array_equal(read_channels(tmp_path / "h.npy", axes="n rx").numpy(), many[:, None, :, None])
