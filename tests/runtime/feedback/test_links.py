"""Laws of the precoder as a function of bytes: golden beams, no tie decided by rounding, both ends alike."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.codec.streams import place_streams
from latentlink_runtime.feedback.links import beams_digest, check_agreed, link_from_feedback
from latentlink_runtime.feedback.report import FeedbackError, Report
from latentlink_runtime.feedback.streams import modes_of_carriers, streams_from_feedback
from runtime.feedback.designs import channels, codec_design, linear_design, strengths

GOLDEN: list[dict[str, Any]] = json.loads(Path(__file__).with_name("golden.json").read_text())
Array = np.ndarray[Any, Any]


def made_of(h: Array, V: Array, noise: Any) -> Array:
    """Precoders V̂ diag(√q) of ĥ (…, u, q) and V̂."""
    modes, channel = streams_from_feedback(h, V, noise)
    streams, beams = place_streams(strengths(), channel, 32, modes)
    share = streams.share[..., : 2 * beams.transmit.shape[-1]]
    return np.repeat(beams.transmit, 2, -1) * np.sqrt(share)[..., None, :]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: str(golden["sizes"]))
def test_golden_bytes_give_golden_beams(golden: dict[str, Any]) -> None:
    made = link_from_feedback(linear_design(), bytes.fromhex(golden["feedback"]), 2 * golden["sizes"][3])
    beams = np.array(golden["beams"])
    np.testing.assert_allclose(made.beams, beams[..., 0] + 1j * beams[..., 1], atol=1e-10)
    assert made.digest.hex() == golden["digest"]


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
def test_beams_are_continuous_in_the_beams_that_are_fed_back(bits: int) -> None:
    rng = np.random.default_rng(bits)
    h, V = Report.measure(channels(120, 4, 4, bits), 0.05, bits=bits).modes()
    moved = V + 1e-12 * (rng.standard_normal(V.shape) + 1j * rng.standard_normal(V.shape))
    first, second = (made_of(h[:, None], beams[:, None], 0.05) for beams in (V, moved))
    assert np.abs(first - second).max() <= 1e-10


@pytest.mark.parametrize("bits", range(2, 9))
def test_equal_amplitudes_agree_in_both_precisions(bits: int) -> None:
    report = Report.measure(channels(100, 4, 4, bits, taps=1) + 0.1 * channels(100, 4, 4, 9), 0.05, bits=bits)
    h, V = report.modes()
    _, single = report.modes(np.float32)
    if bits <= 3:
        assert (np.diff(np.sort(h, -1), axis=-1) == 0).any(-1).mean() > 0.3  # there are ties to decide
    first, second = made_of(h[:, None], V[:, None], 0.05), made_of(h[:, None], single.astype(complex)[:, None], 0.05)
    assert np.abs(first - second).max() <= 5e-6


def test_all_amplitudes_equal_keeps_the_order_of_the_report() -> None:
    V = Report.measure(channels(6, 4, 4, 1), 0.05).modes()[1][:, None]
    modes, _ = streams_from_feedback(np.ones((6, 1, 4)), V, 0.05)
    np.testing.assert_array_equal(modes.transmit, V)


def test_the_strongest_come_first() -> None:
    rng = np.random.default_rng(1)
    h, V = rng.random((5, 2, 4)), Report.measure(channels(10, 4, 4, 1), 0.05).modes()[1].reshape(5, 2, 4, 4)
    modes, channel = streams_from_feedback(h, V, 0.05, n_rx=5)
    np.testing.assert_array_equal(modes.amplitude, -np.sort(-h, -1))
    gram = V @ (h[..., None] ** 2 * np.conj(np.swapaxes(V, -1, -2)))
    np.testing.assert_allclose(np.conj(np.swapaxes(channel.h, -1, -2)) @ channel.h, gram, atol=1e-12)


def test_the_modes_are_those_of_the_svd_where_they_differ() -> None:
    modes, channel = modes_of_carriers(Report.measure(channels(20, 4, 3, 7), 0.05, bits=10), 20)
    ours, beams = place_streams(strengths(), channel, 16, modes)
    theirs, others = place_streams(strengths(), channel, 16)
    for name in ("amplitude", "share", "gain"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.abs((beams.transmit.conj() * others.transmit).sum(-2)), 1, atol=1e-9)


def test_power_is_the_budget() -> None:
    content = Report.measure(channels(48, 4, 4, 7), 0.05, groups=12).to_bytes()
    for design in (linear_design(), codec_design()):
        made = link_from_feedback(design, content, 48, power=2.0)
        np.testing.assert_allclose((np.abs(made.beams) ** 2).sum((-2, -1)), 1, atol=1e-12)
        assert made.link.channel.power.max() == 2


@pytest.mark.parametrize("design", [linear_design(), codec_design()], ids=["linear", "codec"])
def test_the_link_serves_the_channel_that_is_measured(design: Any) -> None:
    h = channels(48, 4, 4, 11)
    made = link_from_feedback(design, Report.measure(h, 0.01, bits=8).to_bytes(), 48)
    link = made.link.matched_to(Channel(h[:, None], 0.01))
    if not hasattr(design, "modes"):
        with pytest.raises(ValueError, match="matched"):
            made.link.receive(np.ones((48, 1, 1, 4), complex))
    ideal = design.design(Channel(h[:, None], 0.01))
    x = np.random.default_rng(1).standard_normal((30, 40)) + link.mean_x
    modes = getattr(design, "modes", design)
    errors = []
    for one in (link, ideal):
        received = one.receive(one.encode(x) @ np.swapaxes(h, -1, -2)[:, None])
        z = (x - modes.mean_x) @ modes.analysis[: received.shape[-1]].T
        errors.append(float(((received - z) ** 2).mean()))
    assert errors[0] == pytest.approx(errors[1], rel=0.05)


def test_messages_of_several_uses_take_their_elements() -> None:
    content = Report.measure(channels(8, 2, 2, 11), 0.05).to_bytes()
    elements = np.array([[0, 3], [5, 2], [7, 7]])
    made = link_from_feedback(linear_design(), content, 8, elements=elements)
    assert made.beams.shape == (3, 4, 8)
    assert made.link.channel.uses == 2
    whole = modes_of_carriers(Report.from_bytes(content), 8)[1].h[:, 0]
    np.testing.assert_allclose(made.link.channel.h, whole[elements], atol=1e-6)


def test_the_digest_tells_beams_and_gate_apart() -> None:
    content = Report.measure(channels(12, 4, 4, 7), 0.05, bits=3).to_bytes()
    made = link_from_feedback(codec_design(), content, 48)
    rng = np.random.default_rng(1)
    near = made.beams + 1e-13 * rng.standard_normal(made.beams.shape)
    assert beams_digest(near, made.active) == made.digest == link_from_feedback(codec_design(), content, 48).digest
    assert beams_digest(-0.0 * made.beams, made.active) == beams_digest(0.0 * made.beams, made.active)
    turned = made.beams.copy()
    turned[5, :, :2] *= np.exp(1e-2j)
    flipped = made.active.copy()
    flipped[3] ^= True
    assert len({made.digest, beams_digest(turned, made.active), beams_digest(made.beams, flipped)}) == 3


def test_the_gate_sees_bits_in_steps() -> None:
    design = codec_design()
    modes, channel = modes_of_carriers(Report.measure(channels(200, 2, 2, 7), 0.2), 200)
    streams, beams = place_streams(strengths(), channel, design.most, modes)
    moved = type(streams)(streams.amplitude * (1 + 1e-14), streams.share, streams.gain)
    np.testing.assert_array_equal(design.of_streams(channel, streams, beams).active, design.of_streams(channel, moved, beams).active)


def test_what_both_ends_agreed_on_is_checked() -> None:
    report = Report.measure(channels(4, 2, 3, 7), 0.05, epoch=5)
    check_agreed(report, 2, 3, 5 + 2**16)
    for name, agreed in (("n_rx", (3, 3, 5)), ("n_tx", (2, 2, 5)), ("epoch", (2, 3, 6))):
        with pytest.raises(FeedbackError, match=name):
            check_agreed(report, *agreed)


@pytest.mark.parametrize(("moved", "serves"), [(0.0, True), (1e-9, True), (-1e-9, True), (1e-5, False)])
def test_a_gate_at_its_edge_is_decided_in_steps(moved: float, serves: bool) -> None:
    design = codec_design()
    edge = np.sqrt(2 * (2**2.5 - 1)) * (1 + moved)  # of 2.5 bits a symbol, above which the gate is shut
    V = np.ones((1, 1, 1, 1), complex)
    modes, channel = streams_from_feedback(np.full((1, 1, 1), edge), V, 2.0)
    streams, beams = place_streams(strengths(), channel, design.most, modes)
    assert design.of_streams(channel, streams, beams).active.all() == serves


def test_wrong_carriers() -> None:
    content = Report.measure(channels(12, 2, 2, 7), 0.05).to_bytes()
    with pytest.raises(ValueError, match="carriers"):
        link_from_feedback(linear_design(), content, 11)
    with pytest.raises(ValueError, match="elements"):
        link_from_feedback(linear_design(), content, 12, elements=np.array([[12]]))
    with pytest.raises(ValueError, match="codec"):
        link_from_feedback(codec_design(1), content, 12)
    with pytest.raises(ValueError, match="amplitude"):
        streams_from_feedback(np.ones((1, 3)), np.ones((1, 2, 2), complex), 0.1)
