import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from latentlink.data.cache import encode
from latentlink.data.datasets.images import ImageSet
from latentlink.data.encoders.image_encoder import from_callable
from latentlink.storage.folders import cache_folder

N, SHARD, BATCH = 50, 16, 8  # four shards: 16, 16, 16, 2


def images(seed=0, n=N):
    generator = torch.Generator().manual_seed(seed)
    return ImageSet(
        "noise", torch.randint(0, 256, (n, 4, 4), dtype=torch.uint8, generator=generator), torch.zeros(n, dtype=torch.int64), ("noise",)
    )


class Counting:
    """Flattens images, counts those it saw, and is interrupted at one of them."""

    def __init__(self, stop_at=None):
        self.seen, self.stop_at = 0, stop_at

    def __call__(self, batch):
        if self.stop_at is not None and self.seen >= self.stop_at:
            raise KeyboardInterrupt
        self.seen += len(batch)
        return batch.flatten(1).float() / 7

    def encoder(self, version="1"):
        return from_callable("flat", self, 16, version)


def run(function, folder, *, of=None, version="1", **sizes):
    return encode(
        function.encoder(version),
        images() if of is None else of,
        **{"batch_size": BATCH, "shard_size": SHARD} | sizes,
        folder=folder,
    )


def expected(of=None):
    return (images() if of is None else of).images.flatten(1).float() / 7


def shards(folder):
    """Files of the first shard, of the second and so on, as far as they are there."""
    first = {tuple(expected()[start].tolist()): start for start in range(0, N, SHARD)}
    found = {first[tuple(load_file(path)["latents"][0].tolist())]: path for path in folder.glob("latents/*/*.safetensors")}
    return {start // SHARD: path for start, path in sorted(found.items())}


def test_computed_once(tmp_path):
    function = Counting()
    assert torch.equal(run(function, tmp_path), expected())
    assert function.seen == N
    assert list(shards(tmp_path)) == [0, 1, 2, 3]
    assert torch.equal(run(function, tmp_path), expected())
    assert function.seen == N


def test_another_fingerprint_or_other_images_are_other_latents(tmp_path):
    function = Counting()
    run(function, tmp_path)
    run(function, tmp_path, version="2")
    run(function, tmp_path, of=images(seed=1))
    assert function.seen == 3 * N
    assert len(list((tmp_path / "latents").iterdir())) == 2  # one folder an encoder
    reshaped = ImageSet("noise", images().images.reshape(N, 2, 8), images().labels, ("noise",))
    run(function, tmp_path, of=reshaped)
    assert function.seen == 4 * N


def test_an_interrupted_encoding_goes_on_where_it_stopped(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(Counting(stop_at=SHARD + BATCH), tmp_path)  # in the middle of the second shard
    assert list(shards(tmp_path)) == [0]
    function = Counting()
    assert torch.equal(run(function, tmp_path), expected())
    assert function.seen == N - SHARD


class Killed(Counting):
    def __call__(self, batch):
        if self.seen >= 2 * SHARD:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


ELSEWHERE = f"""
import sys
from pathlib import Path

sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from data.test_cache import Counting, Killed, run

run({{}}(), Path())
"""  # what another process does in its folder


def test_so_does_one_that_was_killed(tmp_path, forge):
    assert forge.run(ELSEWHERE.format("Killed"), folder=tmp_path).returncode == -signal.SIGKILL
    function = Counting()
    assert torch.equal(run(function, tmp_path), expected())
    assert function.seen == N - 2 * SHARD


def truncate(content):
    return content[: len(content) // 2]


def flip(content):
    return content[:-5] + bytes([content[-5] ^ 0x10]) + content[-4:]


def empty(content):
    return b""


@pytest.mark.parametrize("damage", [truncate, flip, empty])
def test_a_damaged_shard_is_computed_again(tmp_path, damage, caplog):
    run(Counting(), tmp_path)
    path = shards(tmp_path)[1]
    path.write_bytes(damage(path.read_bytes()))
    function = Counting()
    with caplog.at_level(logging.WARNING, "latentlink"):
        assert torch.equal(run(function, tmp_path), expected())
    assert function.seen == SHARD
    assert str(path) in caplog.text
    run(function, tmp_path)
    assert function.seen == SHARD  # it was put right


def test_a_missing_shard_is_computed_alone(tmp_path):
    run(Counting(), tmp_path)
    shards(tmp_path)[0].unlink()
    function = Counting()
    assert torch.equal(run(function, tmp_path), expected())
    assert function.seen == SHARD


@pytest.mark.parametrize("part", [slice(0, 2 * SHARD), slice(SHARD, 3 * SHARD), slice(SHARD, None)])
def test_a_part_that_was_encoded_with_the_whole_is_not_encoded_again(tmp_path, part):
    run(Counting(), tmp_path)
    function = Counting()
    assert torch.equal(run(function, tmp_path, of=images().subset(part)), expected()[part])
    assert function.seen == 0


def test_a_whole_needs_only_what_its_parts_lack(tmp_path):
    run(Counting(), tmp_path, of=images().subset(slice(0, SHARD + 5)))
    function = Counting()
    assert torch.equal(run(function, tmp_path), expected())
    assert function.seen == N - SHARD
    mixed = images().subset(torch.cat([torch.arange(2 * SHARD, 3 * SHARD), torch.arange(SHARD)]))
    assert torch.equal(run(function, tmp_path, of=mixed), torch.cat([expected()[2 * SHARD : 3 * SHARD], expected()[:SHARD]]))
    assert function.seen == N - SHARD


def test_equal_shards_of_one_set_are_one(tmp_path):
    twice = images().subset(torch.arange(SHARD).repeat(2))
    for _ in range(2):
        assert torch.equal(run(Counting(), tmp_path, of=twice), expected(twice))
    assert len(list(tmp_path.glob("latents/*/*.safetensors"))) == 1


def test_a_file_that_holds_other_rows_is_computed_again(tmp_path):
    run(Counting(), tmp_path)
    files = shards(tmp_path)
    files[0].write_bytes(files[3].read_bytes())  # two rows, and their digest
    function = Counting()
    assert torch.equal(run(function, tmp_path), expected())
    assert function.seen == SHARD


@pytest.mark.parametrize("other", [25, 24, 12, 17])
def test_another_shard_size_never_mixes_rows(tmp_path, other):
    run(Counting(), tmp_path)
    assert torch.equal(run(Counting(), tmp_path, shard_size=other), expected())
    assert torch.equal(run(Counting(), tmp_path), expected())


def test_latents_that_are_not_numbers_name_encoder_and_image(tmp_path):
    def broken(batch):
        latents = batch.flatten(1).float()
        latents[batch[:, 0, 0] == images().images[20, 0, 0], 3] = torch.nan
        return latents

    first = int((images().images[:, 0, 0] == images().images[20, 0, 0]).nonzero()[0])
    with pytest.raises(ValueError, match=f"encoder broken returned NaN or infinity for image {first} of noise"):
        encode(from_callable("broken", broken, 16, "1"), images(), batch_size=8, shard_size=8, folder=tmp_path)


def test_sizes_are_checked(tmp_path):
    for sizes in ({"batch_size": 0}, {"shard_size": 0}, {"of": images().subset(slice(0, 0))}):
        with pytest.raises(ValueError, match="must be an integer >= 1, got 0"):
            run(Counting(), tmp_path, **sizes)


def test_progress_counts_the_images_that_are_computed_and_only_those(tmp_path, capsys):
    calls = []
    run(Counting(), tmp_path, progress=lambda *call: calls.append(call))
    assert calls == [("noise → flat", done, N) for done in (8, 16, 24, 32, 40, 48, 50)]
    shards(tmp_path)[1].unlink()
    calls.clear()
    run(Counting(), tmp_path, progress=lambda *call: calls.append(call))
    assert calls == [("noise → flat", 8, SHARD), ("noise → flat", 16, SHARD)]
    calls.clear()
    run(Counting(), tmp_path, progress=lambda *call: calls.append(call))
    assert calls == []
    assert capsys.readouterr() == ("", "")  # the library itself writes nothing


def test_two_processes_at_once(tmp_path, forge):
    with ThreadPoolExecutor(1) as waiting:
        other = waiting.submit(forge.run, ELSEWHERE.format("Counting"), folder=tmp_path)
        assert torch.equal(run(Counting(), tmp_path), expected())
        assert other.result().returncode == 0, other.result().stderr
    function = Counting()
    assert torch.equal(run(function, tmp_path), expected())
    assert function.seen == 0
    assert len(list(tmp_path.glob("latents/*/.*"))) == 0  # no drafts left


def test_the_folder_is_the_environments_or_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    encode(Counting().encoder(), images())
    assert len(list(tmp_path.glob("latents/*/*.safetensors"))) == 1
    monkeypatch.delenv("LATENTLINK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine" / "latentlink"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "latentlink"
