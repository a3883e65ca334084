"""Checkpoints: what is interrupted goes on with the same bits, and what does not belong together is refused and left as it is."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

import latentlink as ll
from latentlink.storage import artifacts
from one_cause import CutError, cut_after

DIM = 256  # for which a block is one chunk of 4096 rows
N = 20_000
FIELDS = ("mean_x", "mean_y", "cov_x", "cov_yx", "cov_y")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    draw = np.random.default_rng(1)
    made = tmp_path_factory.mktemp("latents")
    for name in "xy":
        for number, part in enumerate(np.array_split(draw.standard_normal((N, DIM), dtype=np.float32), 3)):
            np.save(made / f"{name}-{number}.npy", part)
    return made


def equal(a, b):
    return a.count == b.count and all(torch.equal(getattr(a, name), getattr(b, name)) for name in FIELDS)


def moments(folder, checkpoint, progress=lambda done, total: None, **options):
    return ll.data.moments_of_shards(f"{folder}/x-*.npy", f"{folder}/y-*.npy", checkpoint=checkpoint, progress=progress, **options)


@pytest.mark.parametrize("folds", [1, 3])
def test_what_was_interrupted_twice_is_equal_to_the_bit_and_not_computed_again(folder, tmp_path, folds):
    whole, path, seen = moments(folder, None, folds=folds), tmp_path / "moments.safetensors", []
    for _ in range(2):
        with pytest.raises(CutError):
            moments(folder, path, cut_after(1), folds=folds)
        with pytest.raises(ll.ArtifactError, match="unknown kind 'unfinished moments'"):
            ll.load(path)
    resumed = moments(folder, path, lambda done, total: seen.append(done), folds=folds)
    assert seen == [N]  # two blocks were of the first run, two of the second
    for a, b in zip((resumed, *resumed.folds), (whole, *whole.folds), strict=True):
        assert equal(a, b)
    assert equal(ll.load(path, ll.Moments), whole)
    assert equal(moments(folder, path, cut_after(0), folds=folds), whole)  # nothing is left to do


def test_a_process_that_is_killed_loses_seconds_at_most(folder, tmp_path):
    path = tmp_path / "moments.safetensors"
    script = (
        "import os, sys, time, latentlink as ll\n"
        "from latentlink.data.sharded import checkpoint\n"
        "checkpoint._EVERY_S = checkpoint._SHARE = 0.0\n"
        "def progress(done, total):\n"
        "    time.sleep(0.01)\n"
        "    os._exit(9) if done > 16000 else None\n"
        "ll.data.moments_of_shards(sys.argv[1] + '/x-*.npy', sys.argv[1] + '/y-*.npy', checkpoint=sys.argv[2], progress=progress)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(folder), str(path)], check=False).returncode == 9
    seen = []
    assert equal(moments(folder, path, lambda done, total: seen.append(done)), moments(folder, None))
    assert seen[0] > 2 * 4096


def refusals(folder, path):
    """Changes of the file or of the work, and what is said of them."""
    content = path.read_bytes()
    yield content[:-9] + b"\x00" + content[-8:], {}, "SHA-256 does not match"
    yield content[: len(content) // 2], {}, "cut short|SHA-256|not a safetensors"
    yield b"own notes", {}, "not a safetensors file"
    yield content, {"folds": 3}, "is of other work: folds was 2 and is 3"
    yield content, {"pool": "mean"}, "pool was None and is 'mean'"


def test_what_does_not_belong_together_is_refused_and_left_as_it_is(folder, tmp_path):
    path = tmp_path / "moments.safetensors"
    with pytest.raises(CutError):
        moments(folder, path, cut_after(1), folds=2)
    for content, change, message in refusals(folder, path):
        path.write_bytes(content)
        with pytest.raises(ll.data.CheckpointError, match=f"(?s){message}.*Delete it to begin anew"):
            moments(folder, path, **{"folds": 2, **change})
        assert path.read_bytes() == content
    head = tmp_path / "head.safetensors"
    ll.SoftmaxHead(3, 2).save(head)
    with pytest.raises(ll.data.CheckpointError, match="is a head, and no checkpoint of moments"):
        moments(folder, head)


@pytest.fixture
def copied(folder, tmp_path):
    """A copy of the latents that may be changed, and the path of a checkpoint of some of their rows."""
    for file in folder.glob("*.npy"):
        shutil.copy(file, tmp_path)
    path = tmp_path / "moments.safetensors"
    with pytest.raises(CutError):
        moments(tmp_path, path, cut_after(1))
    return tmp_path, path


def touch(file):
    before = file.stat().st_mtime_ns
    os.utime(file, ns=(before, before + 10**9))


def change(file, row):
    latents = np.load(file)
    latents[row] += 1
    np.save(file, latents)
    touch(file)


def test_files_that_were_touched_are_taken_for_the_same_where_the_rows_that_were_read_are(folder, copied):
    where, path = copied
    for name in ("x-0.npy", "y-0.npy", "y-2.npy"):
        touch(where / name)
    seen = []
    assert equal(moments(where, path, lambda done, total: seen.append(done)), moments(folder, None))
    assert seen[0] > 2 * 4096  # it went on
    touch(where / "x-1.npy")
    before = path.stat().st_mtime_ns
    assert equal(moments(where, path, cut_after(0)), moments(folder, None))  # a finished one too
    assert path.stat().st_mtime_ns > before  # with the new times, so that the next call need not compare
    change(where / "x-2.npy", -1)
    with pytest.raises(ll.data.CheckpointError, match=r"rows that were read have changed in x-2\.npy\. Delete it"):
        moments(where, path)


def test_a_source_whose_rows_changed_is_refused_by_its_name(copied):
    where, path = copied
    change(where / "y-0.npy", 4000)
    with pytest.raises(ll.data.CheckpointError, match=r"rows that were read have changed in y-0\.npy\. Delete it to begin anew"):
        moments(where, path)
    np.save(where / "y-0.npy", np.load(where / "y-0.npy")[:-1])
    with pytest.raises(ValueError, match="20000 rows and"):
        moments(where, path)
    np.save(where / "x-0.npy", np.load(where / "x-0.npy")[:-1])
    with pytest.raises(ll.data.CheckpointError, match=r"tx: x-0\.npy differs"):
        moments(where, path)


def test_rows_that_were_not_read_yet_may_change(copied):
    where, path = copied
    change(where / "y-2.npy", -1)
    assert equal(moments(where, path), moments(where, None))


def test_a_checkpoint_that_was_forged_is_refused(folder, tmp_path):
    path = tmp_path / "moments.safetensors"
    with pytest.raises(CutError):
        moments(folder, path, cut_after(1))
    tensors, facts = artifacts.read(path)
    own = {name: facts[name] for name in ("done", "parts", "work")}
    forged = [
        (tensors, {**own, "done": 4096}),
        (tensors, {**own, "parts": [None]}),
        (tensors, {**own, "parts": [{"count": -1, "fold_counts": []}]}),
        ({**tensors, "0.cov_x": -tensors["0.cov_x"]}, own),
        ({name: value for name, value in tensors.items() if name != "0.mean_x"}, own),
    ]
    for changed, facts in forged:

        class Content:
            def to_tensors(self, changed=changed, facts=facts):
                return changed, facts

        artifacts.save("unfinished moments", Content(), path)
        with pytest.raises(ll.data.CheckpointError, match="not what a checkpoint is made of"):
            moments(folder, path)


def test_frames_in_memory_have_no_checkpoint(tmp_path):
    import polars

    frame = polars.DataFrame({"e": [[1.0, 2.0], [3.0, 4.0]]})
    with pytest.raises(ValueError, match="checkpoint must go with files, got a polars DataFrame in memory"):
        ll.data.marginal_of_shards(frame, checkpoint=tmp_path / "m.safetensors")
