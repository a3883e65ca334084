import errno
import os
import stat
import tempfile
from pathlib import Path

import pytest
import torch

import latentlink as ll
from latentlink.storage.atomic import atomic_path

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
HEAD = ll.fit_head(torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1]))


def raising(error):
    def fail(*args, **kwargs):
        raise error

    return fail


def listing(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_the_whole_file_takes_the_old_ones_place(tmp_path):
    path = tmp_path / "a" / "b" / "file.txt"
    for text in ("old", "new"):
        with atomic_path(path) as draft:
            assert draft.parent == path.parent
            assert draft.suffix == path.suffix
            draft.write_text(text)
            assert not path.exists() or path.read_text() == "old"
        assert path.read_text() == text
        assert listing(path.parent) == ["file.txt"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize(
    ("owner", "name"), [(Path, "write_bytes"), (os, "fsync"), (Path, "replace"), (Path, "chmod"), (tempfile, "mkstemp"), (Path, "mkdir")]
)
@pytest.mark.parametrize("error", [FULL, PermissionError(errno.EACCES, os.strerror(errno.EACCES))])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, owner, name, error):
    path = tmp_path / "head.safetensors"
    HEAD.save(path)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, raising(error))
        with pytest.raises(type(error), match=r"head\.safetensors") as caught:
            HEAD.save(path)
    assert caught.value.errno == error.errno
    assert error.strerror in str(caught.value)
    assert path.read_bytes() == before
    assert listing(tmp_path) == ["head.safetensors"]


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OSError, match=r"could not write .*head\.safetensors"):
        HEAD.save(tmp_path / "file" / "head.safetensors")
    with pytest.raises(OSError, match=r"could not write .*file"):
        HEAD.save(tmp_path)
    assert (tmp_path / "file").read_text() == "kept"
    assert listing(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_other_errors_pass_and_leave_nothing(tmp_path, error):
    def stopped():
        with atomic_path(tmp_path / "file") as draft:
            draft.write_text("half")
            raise error

    with pytest.raises(type(error)):
        stopped()
    assert listing(tmp_path) == []
