"""Containers are read whole or refused: no row, member or digit is lost on the way, whatever reads them."""

import zipfile

import numpy as np
import pytest

import latentlink as ll
from latentlink.data.readers.channels import read_channels
from latentlink.data.readers.latents import read_latents
from latentlink.data.readers.partial import open_array
from latentlink.data.readers.targets import read_targets

GENERATOR = np.random.default_rng(0)
LATENTS = GENERATOR.standard_normal((400, 12))


def several(path):
    with path.open("wb") as file:
        for part in (LATENTS[:2, :3], LATENTS[:2, :3], LATENTS[:2, :3]):
            np.save(file, part)


def flipped(path):
    np.save(path, LATENTS)
    path.write_bytes(path.read_bytes().replace(b"(400, 12)", b"(400, 10)"))


@pytest.mark.parametrize(("write", "held", "declared"), [(several, 400, 48), (flipped, 38400, 32000)])
def test_bytes_beyond_what_the_header_declares_are_refused(tmp_path, write, held, declared):
    write(tmp_path / "x.npy")
    np.save(tmp_path / "y.npy", LATENTS)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.write(tmp_path / "x.npy", "z.npy")
    message = rf"{held} bytes follow its header, expected the {declared} of .* into a file of its own"

    def stream(path):
        with open_array(path, None):
            pass

    for name in ("x.npy", "x.npz"):
        path = tmp_path / name
        for read in (read_latents, stream, lambda path: ll.data.moments_of_shards(path, tmp_path / "y.npy")):
            with pytest.raises(ValueError, match=message) as caught:
                read(path)
            assert str(path) in str(caught.value)


def test_members_of_one_name_are_refused_as_ambiguous(tmp_path):
    np.savez(tmp_path / "x.npz", **{"a": LATENTS, "b": LATENTS})
    with zipfile.ZipFile(tmp_path / "x.npz", "a") as archive:
        archive.writestr("a", archive.read("a.npy"))
    for key in (None, "a", "b"):
        with pytest.raises(ValueError, match=r"x\.npz: several members are one array by name \(a, a\.npy\).* under other names"):
            read_latents(tmp_path / "x.npz", key=key)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", b"2")
    with pytest.raises(ValueError, match="several members are one array"):
        read_latents(tmp_path / "x.npz")


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(np.float64).max, reason="this machine has no long doubles")
@pytest.mark.parametrize(("read", "dtype"), [(read_latents, "longdouble"), (read_targets, "longdouble"), (read_channels, "clongdouble")])
def test_numbers_that_a_shorter_precision_does_not_hold_are_refused(tmp_path, read, dtype):
    array = np.ones((3, 2, 2) if read is read_channels else (3, 2), dtype) * (1 + 1j if read is read_channels else 1)
    np.save(tmp_path / "x.npy", array)
    assert len(read(tmp_path / "x.npy")) == 3
    array[1] *= np.longdouble("1e1000")
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ValueError, match=r"x\.npy: \d values of .* are too large for .*, the first in row 1: scale the array down"):
        read(tmp_path / "x.npy")


def test_links_that_lead_nowhere_are_no_shards_to_leave_out(tmp_path):
    np.save(tmp_path / "part-1.npy", LATENTS)
    (tmp_path / "part-3.npy").symlink_to("/nonexistent")
    for source in (tmp_path, f"{tmp_path}/*.npy", tmp_path / "part-3.npy", [tmp_path / "part-3.npy"]):
        with pytest.raises(FileNotFoundError, match=r"part-3\.npy: a link to /nonexistent, which is not there: bring it back"):
            read_latents(source)
    (tmp_path / "part-3.npy").unlink()
    (tmp_path / "part-3.npy").symlink_to("part-3.npy")
    with pytest.raises((FileNotFoundError, ValueError), match=r"part-3\.npy"):
        read_latents(tmp_path)
