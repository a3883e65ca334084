"""Checkpoints: what is interrupted goes on with the same bits, and what does not belong together is refused and left as it is."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import latentlink as ll
from latentlink.storage import artifacts

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


class CutError(Exception):
    """An interruption."""


def cut_after(blocks):
    def progress(done, total):
        progress.seen += 1
        if progress.seen > blocks:
            raise CutError

    progress.seen = 0
    return progress


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
        "def progress(done, total):\n"
        "    time.sleep(1.8)\n"
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


def test_a_source_that_changed_is_refused_by_its_name(folder, tmp_path):
    path = tmp_path / "moments.safetensors"
    with pytest.raises(CutError):
        moments(folder, path, cut_after(1))
    changed = folder / "y-1.npy"
    before = changed.stat().st_mtime_ns
    os.utime(changed, ns=(before, before + 10**9))
    with pytest.raises(ll.data.CheckpointError, match=r"rx: y-1\.npy differs"):
        moments(folder, path)
    os.utime(changed, ns=(before, before))
    assert moments(folder, path).count == N


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
