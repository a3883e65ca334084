"""HDF5 and MATLAB say more of an array than its numbers: text, emptiness, sparseness, links and sources in other files."""

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from latentlink.data.readers.channels import read_channels
from latentlink.data.readers.labels import read_labels
from latentlink.data.readers.latents import read_latents
from latentlink.data.readers.partial import open_array

LATENTS = np.random.default_rng(0).standard_normal((6, 3))


@pytest.mark.parametrize("read", [read_latents, read_labels, lambda path: open_array(path, None).__enter__()])
def test_text_and_empty_arrays_of_matlab_are_told(tmp_path, read):
    for name, data, marks, message in (
        ("t", np.array([[97], [98], [97]], np.uint16), {"MATLAB_class": np.bytes_("char")}, "holds text of MATLAB"),
        ("e", np.array([0, 5], np.uint64), {"MATLAB_class": np.bytes_("double"), "MATLAB_empty": np.uint8(1)}, r"is an empty array .*0×5"),
    ):
        with h5py.File(tmp_path / f"{name}.mat", "w") as file:
            file[name] = data
            file[name].attrs.update(marks)
        with pytest.raises(ValueError, match=rf"{name}\.mat: /{name} {message}"):
            read(tmp_path / f"{name}.mat")


def test_virtual_data_sets_need_all_their_sources(tmp_path):
    layout = h5py.VirtualLayout((6, 3), "f8")
    for number in range(2):
        with h5py.File(tmp_path / f"part{number}.h5", "w") as file:
            file["x"] = LATENTS[3 * number : 3 * number + 3]
        layout[3 * number : 3 * number + 3] = h5py.VirtualSource(f"part{number}.h5", "x", (3, 3))
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file.create_virtual_dataset("x", layout)
    np.testing.assert_array_equal(read_latents(tmp_path / "all.h5").numpy(), LATENTS)
    (tmp_path / "part1.h5").unlink()
    with pytest.raises(ValueError, match=r"all\.h5: /x is made of other files, of which part1\.h5 is missing"):
        read_latents(tmp_path / "all.h5")


def test_links_and_names_with_points(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["layer.4"] = LATENTS
        file["soft"] = h5py.SoftLink("/layer.4")
        file["nowhere"] = h5py.SoftLink("/absent")
        file["self"] = h5py.SoftLink("/self")
        file["other"] = h5py.ExternalLink("y.h5", "/x")
    for key in (None, "layer.4", "soft"):
        np.testing.assert_array_equal(read_latents(tmp_path / "x.h5", key=key).numpy(), LATENTS)
    with pytest.raises(ValueError, match=r"x\.h5: other is a link to /x in the file y\.h5: read it there"):
        read_latents(tmp_path / "x.h5", key="other")
    with pytest.raises(ValueError, match="no array 'nowhere'"):
        read_latents(tmp_path / "x.h5", key="nowhere")


@pytest.mark.parametrize("kind", [float, complex])
def test_sparse_matrices_are_refused_with_the_remedy(tmp_path, kind):
    scipy.io.savemat(tmp_path / "s.mat", {"x": scipy.sparse.csc_matrix(LATENTS.astype(kind))})
    with h5py.File(tmp_path / "t.mat", "w") as file:
        file["x/data"], file["x/ir"], file["x/jc"] = LATENTS[0], [0, 1, 2], [0, 3]
        file["x"].attrs["MATLAB_sparse"] = np.uint64(6)
    for name in ("s.mat", "t.mat"):
        for read in (read_latents, read_channels):
            with pytest.raises(ValueError, match=rf"{name}: x is a sparse matrix, expected a full one: save full\(x\)"):
                read(tmp_path / name)
