import hashlib
import importlib
import json
import random
from dataclasses import fields

import pytest
import torch
from safetensors.torch import save_file

import latentlink as ll
from latentlink.linear.modes import SemanticModes
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.storage import artifacts


def pilots(n=60, d=4, m=3):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, d, dtype=torch.float64, generator=generator) + 1
    return x, x @ torch.randn(d, m, dtype=torch.float64, generator=generator)


X, Y = pilots()
CHANNEL = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(3,), generator=torch.Generator().manual_seed(1)), 10.0).repeated(2)


def shared_values():
    """A channel whose noise, power and error are one tensor."""
    one = torch.ones(3).double()
    return ll.Channel(CHANNEL.h, one, one, error_variance=one)


def pair(**options):
    return ll.semantic_modes(ll.Moments.from_pairs(X, Y), **options).named("theirs", "ours")


def link(power=None, modes=None, channel=CHANNEL):
    return ll.ClosedForm(power=power or ll.power.Mean()).design(modes or pair(), channel).transceiver


def head():
    return ll.fit_head(Y, torch.arange(len(Y)) % 3)


def parts(value):
    """Every tensor and fact in an artifact, by name."""
    if isinstance(value, torch.nn.Module):
        return dict(value.state_dict())
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    channel = found.pop("channel", None)
    return found | ({f"channel.{name}": part for name, part in parts(channel).items()} if channel is not None else {})


def assert_identical(a, b):
    assert type(a) is type(b)
    a, b = parts(a), parts(b)
    assert a.keys() == b.keys()
    for name, value in a.items():
        if isinstance(value, torch.Tensor):
            assert value.dtype == b[name].dtype, name
            assert torch.equal(value, b[name]), name
        else:
            assert repr(value) == repr(b[name]), name


ONES = torch.ones(3, dtype=torch.float64)
GOAL = ll.Goal(torch.eye(2, 3, dtype=torch.float64))
CASES = {
    "pair": pair,
    "pair of float32": lambda: pair().to(torch.float32),
    "pair with a goal": lambda: pair(goal=GOAL),
    "complex-linear pair": lambda: pair(widely_linear=False),
    "pair without modes": lambda: ll.semantic_modes(ll.Moments.from_pairs(X * 0, Y)),
    "link": link,
    "link of float32": lambda: link().to(torch.float32),
    "link with power per use": lambda: link(ll.power.PerUse()),
    "link with power per message": lambda: link(ll.power.PerMessage(x=X, y=Y)),
    "link of one channel": lambda: link(channel=CHANNEL[0]),
    "link without noise": lambda: link(channel=ll.Channel(CHANNEL.h)),
    "link whose noise, power and error are one tensor": lambda: link(channel=shared_values()),
    "head": head,
    "head of float32": lambda: head().float(),
}


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_what_is_saved_is_what_is_loaded(tmp_path, make):
    value, path = make(), tmp_path / "made on the way" / "saved.safetensors"
    value.save(path)
    assert_identical(ll.load(path), value)
    assert_identical(ll.load(str(path)), value)


def test_a_loaded_link_and_head_work_as_before(tmp_path):
    transceiver, classifier = link(), head()
    transceiver.save(tmp_path / "link.safetensors")
    classifier.save(tmp_path / "head.safetensors")
    loaded = ll.load(tmp_path / "link.safetensors")
    s = transceiver.encode(X)
    assert torch.equal(loaded.encode(X), s)
    assert torch.equal(
        loaded.decode(CHANNEL.apply(s, torch.Generator().manual_seed(2))),
        ll.transmit(transceiver, X, CHANNEL, generator=torch.Generator().manual_seed(2)),
    )
    read = ll.load(tmp_path / "head.safetensors")
    assert torch.equal(read(Y), classifier(Y))
    assert not read.training
    assert not any(parameter.requires_grad for parameter in read.parameters())


def test_the_manifest_says_what_is_inside(tmp_path):
    path = tmp_path / "link.safetensors"
    link().save(path)
    tensors, manifest = artifacts.read(path)
    assert set(manifest["conventions"]) == {"snr_db", "noise", "packing", "power"}
    expected = {"format": "latentlink", "format_version": 1, "kind": "link", "tx_dim": 4, "rx_dim": 3, "channel_uses": 2, "channels": [3]}
    assert expected.items() <= manifest.items()
    assert manifest["encoders"] == ["theirs", "ours"]
    assert all(isinstance(value, torch.Tensor) for value in tensors.values())


def mutations(content, draw):
    """Flipped, cut, inserted, appended, removed, exchanged and replaced bytes, without end; each differs from the content."""
    n = len(content)
    while True:
        i, j = sorted(draw.sample(range(n + 1), 2))
        extra = draw.randbytes(draw.randint(1, 9))
        for mutant in (
            content[: i % n] + bytes([content[i % n] ^ (1 << draw.randrange(8))]) + content[i % n + 1 :],
            content[: i % n] + bytes([draw.randrange(256)]) + content[i % n + 1 :],
            content[:i],
            content[:i] + extra + content[i:],
            content[:i] + content[j:],
            content + extra,
            content[:i] + content[j : j + 1] + content[i + 1 : j] + content[i : i + 1] + content[j + 1 :],
            content[:i] + content[j:] + content[i:j],
            content[:i] + extra + content[i + len(extra) :],
            draw.randbytes(8) + content[8:],
        ):
            if mutant != content:
                yield mutant


@pytest.mark.parametrize("make", [link, pair, head])
def test_no_changed_byte_passes(tmp_path, make):
    path, mutant = tmp_path / "saved.safetensors", tmp_path / "mutant.safetensors"
    make().save(path)
    content = path.read_bytes()
    changed = mutations(content, random.Random(0))
    header = 8 + int.from_bytes(content[:8], "little")
    flips = (content[:i] + bytes([content[i] ^ 1 << i % 8]) + content[i + 1 :] for i in range(header))  # every byte of the header
    for bad in (*flips, *(next(changed) for _ in range(1000))):
        mutant.write_bytes(bad)
        with pytest.raises(ll.ArtifactError, match=r"mutant\.safetensors: "):
            ll.load(mutant)
    mutant.write_bytes(content)
    ll.load(mutant)


def sealed(path, manifest, tensors=None):
    """A file whose digest is right, whatever is in it."""

    class Content:
        def to_tensors(self):
            return tensors or {"a": torch.ones(2)}, manifest

    artifacts.save("pair", Content(), path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"\0" * 8, b"\2\0\0\0\0\0\0\0{}", b"\2\0\0\0\0\0\0\0[]", b"\4\0\0\0\0\0\0\0\xff\xfe{}", b"[" * 99999, b"GIF89a" * 99],
)
def test_foreign_bytes_are_refused(tmp_path, content):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(ll.ArtifactError, match="foreign: "):
        ll.load(path)


def test_foreign_safetensors_are_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    for metadata in (None, {"format": "pt"}, {"sha256": "0" * 64}, {"manifest": "{}"}, {"manifest": "{}", "sha256": "0" * 64}):
        save_file({"weight": torch.ones(3)}, path, metadata)
        with pytest.raises(ll.ArtifactError, match=r"foreign\.safetensors: "):
            ll.load(path)


def test_versions_and_kinds_to_come_are_refused(tmp_path):
    path = tmp_path / "later.safetensors"
    sealed(path, {"format_version": artifacts.FORMAT_VERSION + 1})
    with pytest.raises(ll.ArtifactError, match=r"later\.safetensors: format version 2 is newer than 1; update latentlink"):
        ll.load(path)
    sealed(path, {"kind": "sonnet"})
    kinds = "'genie link', 'head', .*'link', 'marginal', .*'moments', 'neural link', 'pair', 'regression head', .*'top-k link', .*'watch'"
    with pytest.raises(ll.ArtifactError, match=rf"unknown kind 'sonnet', expected one of \['channels', 'codec', .*'concepts', .*{kinds}\]"):
        ll.load(path)


@pytest.mark.parametrize("manifest", [{}, {"format_version": "1"}, {"format_version": None}, {"kind": None}, {"kind": ["pair"]}])
def test_a_sealed_file_that_is_no_artifact_is_refused(tmp_path, manifest):
    path = tmp_path / "sealed.safetensors"
    sealed(path, manifest)
    with pytest.raises(ll.ArtifactError, match=r"sealed\.safetensors: "):
        ll.load(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null"])
def test_a_sealed_manifest_that_is_no_manifest_is_refused(tmp_path, text):
    path = tmp_path / "sealed.safetensors"
    header = json.dumps({"__metadata__": {"manifest": text, "sha256": "0" * 64}}, separators=(",", ":")).encode()
    blank = len(header).to_bytes(8, "little") + header
    path.write_bytes(blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode(), 1))
    with pytest.raises(ll.ArtifactError, match=r"sealed\.safetensors: "):
        ll.load(path)


def test_an_absent_file_is_absent_and_an_artifact_error_is_a_value_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        ll.load(tmp_path / "absent.safetensors")
    assert issubclass(ll.ArtifactError, ValueError)


def test_every_kind_has_its_reader():
    for kind, module in artifacts._HOMES.items():
        importlib.import_module(module)
        assert artifacts._READERS[kind].__module__ == module
    assert set(artifacts._HOMES) == set(artifacts._READERS)
    for kind, of in (("pair", SemanticModes), ("link", LinearTransceiver), ("head", ll.SoftmaxHead)):
        assert artifacts._READERS[kind] is of
