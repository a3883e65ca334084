"""What every transceiver promises, whoever designed it: one test for each promise, run over all of them."""

import copy
import pickle

import numpy as np
import pytest
import torch

import latentlink as ll
from conformance.registry import DESIGNS, D, M, channel, pilots, solution
from latentlink.links.operation_count import OperationCount
from oracles import seeded

LINKS = (
    "exact", "exact, per message", "disjoint", "top-k", "top-k, aligned before", "decision", "decision, averaged", "gated", "lifted",
    "mixture", "mixture, lifted", "digital", "digital, by a genie", "neural", "codec", "codec of a user",
)  # fmt: skip
every_link = pytest.mark.parametrize("name", LINKS)
X = pilots().x[:6]


def link(name):
    return solution(name).transceiver


def radio(name):
    return channel(DESIGNS[name].batch)


def received(name, x=X):
    """What arrives of x in fresh noise, and the receiver that may know of x."""
    return radio(name).apply(link(name).encode(x), seeded(5)), link(name).informed_by(x)


@every_link
def test_it_keeps_the_protocol_and_its_shapes(name):
    assert isinstance(link(name), ll.Transceiver)
    batch = DESIGNS[name].batch
    assert link(name).batch == link(name).channel.batch == batch
    assert link(name).encode(X).shape == (*batch, 6, 2, 2)
    assert link(name).encode(X).is_complex()
    r, receiver = received(name)
    z = receiver.receive(r)
    assert z.shape == (*batch, 6, link(name).synthesis.shape[1])
    assert receiver.decode(r).shape == (*batch, 6, M)
    expected = link(name).mean_y + z @ link(name).synthesis.mT
    torch.testing.assert_close(receiver.decode(r), expected, rtol=1e-5, atol=1e-5)


@every_link
def test_each_channel_may_have_messages_of_its_own(name):
    own = X.expand(*DESIGNS[name].batch, -1, -1)
    torch.testing.assert_close(link(name).encode(own), link(name).encode(X))
    r, receiver = received(name, own)
    assert receiver.decode(r).shape == (*DESIGNS[name].batch, 6, M)


@every_link
def test_it_moves_to_the_precision_of_a_device(name):
    short = link(name).to(torch.float32)
    r, receiver = received(name)
    assert short.encode(X).dtype == torch.complex64
    torch.testing.assert_close(short.encode(X), link(name).encode(X).to(torch.complex64), rtol=1e-3, atol=1e-3)
    decoded = short.informed_by(X).decode(r)
    assert decoded.dtype == torch.float32
    torch.testing.assert_close(decoded, receiver.decode(r).float(), rtol=1e-2, atol=1e-2)
    assert torch.equal(link(name).to("cpu").encode(X), link(name).encode(X))
    assert link(name).encode(X).dtype == (torch.complex128 if DESIGNS[name].double else torch.complex64)


@every_link
def test_its_power_is_within_the_budget(name):
    s = link(name).encode(pilots().x)
    per_use = s.abs().square().sum(-1).mean(-1)  # (…, n)
    assert (per_use.mean(-1) <= 1.5 * 1.02).all()
    if name in ("exact, per message", "neural"):
        torch.testing.assert_close(per_use, torch.full_like(per_use, 1.5), rtol=1e-5, atol=0)


@every_link
def test_it_is_saved_and_loaded_bit_by_bit(name, tmp_path):
    path = tmp_path / "link.safetensors"
    link(name).save(path)
    loaded = ll.load(path, type(link(name)))
    r, receiver = received(name)
    assert torch.equal(loaded.encode(X), link(name).encode(X))
    assert torch.equal(loaded.informed_by(X).decode(r), receiver.decode(r))
    assert loaded.flops == link(name).flops
    with pytest.raises(ll.ArtifactError, match="expected a SemanticModes"):
        ll.load(path, ll.SemanticModes)


@pytest.mark.parametrize("name", DESIGNS)
def test_it_is_copied_and_pickled(name):
    for copied in (copy.deepcopy(link(name)), pickle.loads(pickle.dumps(link(name)))):
        assert torch.equal(copied.encode(X), link(name).encode(X))
        if not DESIGNS[name].awaits:
            r, receiver = received(name)
            assert torch.equal(copied.informed_by(X).decode(r), receiver.decode(r))


@pytest.mark.parametrize("name", [name for name, design in DESIGNS.items() if not design.awaits])
def test_no_message_is_sent_and_received_too(name):
    nothing = X[:0]
    s = link(name).encode(nothing)
    assert s.shape == (*DESIGNS[name].batch, 0, 2, 2)
    assert link(name).informed_by(nothing).decode(radio(name).apply(s)).shape == (*DESIGNS[name].batch, 0, M)


@every_link
def test_it_is_matched_to_another_channel_or_says_that_it_cannot_be(name):
    met = channel(DESIGNS[name].batch, uncertain=True)
    if name.startswith(("digital", "neural")):
        with pytest.raises(ValueError, match="design it again"):
            link(name).matched_to(met)
        return
    matched = link(name).matched_to(met)
    assert torch.equal(matched.encode(X), link(name).encode(X))
    assert matched.informed_by(X).decode(received(name)[0]).isfinite().all()
    with pytest.raises(ValueError, match="channel must have"):
        link(name).matched_to(ll.Channel(met.h[..., :1]))


@every_link
def test_what_is_no_latent_and_no_symbol_is_refused_by_name(name):
    r, receiver = received(name)
    for wrong in (X.masked_fill(X[0, 0] == X, torch.nan), X[:, :-1], X[0], X + 0j):
        with pytest.raises(ValueError, match=r"^x "):
            link(name).encode(wrong)
    if DESIGNS[name].batch == (3,):
        with pytest.raises(ValueError, match="x must have a batch that broadcasts with"):
            link(name).encode(X.expand(2, -1, -1))
    for wrong in (r * torch.nan, r[..., :1], r[..., :1, :], r.real, r[(0,) * (r.ndim - 2)]):
        with pytest.raises(ValueError, match=r"^r "):
            receiver.receive(wrong)


@every_link
def test_arrays_of_any_kind_are_taken(name):
    expected, array = link(name).encode(X), X.numpy().copy()
    array.flags.writeable = False
    assert torch.equal(link(name).encode(array), expected)
    torch.testing.assert_close(link(name).encode(X.numpy()[::-1]), expected.flip(-3), rtol=1e-5, atol=1e-5)
    for coarse in (X.half(), X.float(), X.numpy().astype(">f8")):
        rounded = torch.as_tensor(np.asarray(coarse, dtype=np.float64))
        torch.testing.assert_close(link(name).encode(coarse), link(name).encode(rounded), rtol=1e-2, atol=1e-2)
    r, receiver = received(name)
    assert torch.equal(receiver.decode(r.numpy()), receiver.decode(r))


@every_link
def test_it_counts_its_operations_and_shows_itself_in_one_line(name):
    flops = link(name).flops
    assert isinstance(flops, OperationCount)
    assert flops.encode > 2 * D
    assert flops.decode > 2 * M
    shown = repr(link(name))
    assert shown.startswith(type(link(name)).__name__)
    assert "2×2, 2 uses" in shown
    assert len(shown) < 120
    assert "\n" not in shown
    assert link(name)._repr_html_().startswith("<table>")


@every_link
def test_what_is_optional_has_a_default(name):
    one = link(name)
    assert one.side_symbols >= 0
    assert one.side_bits >= 0
    assert one.density is None or 0 <= one.density <= 1
    hash(one.clock_key)
    timed = one.for_clock(X, 2)
    assert timed.encode(X).shape[-3:] == (6, 2, 2)
    assert one.for_counting().flops.total <= one.flops.total
    further = one.measured(X, lambda s: radio(name).apply(s, seeded(6)))
    assert all(value.shape == one.batch for value in further.values())
    factor = torch.full(one.batch, 2.0, dtype=torch.float64)
    if one.scalable:
        torch.testing.assert_close(one.scaled(factor).encode(X), 2**0.5 * one.encode(X))
    else:
        with pytest.raises(ValueError, match="design it again"):
            one.scaled(factor)
