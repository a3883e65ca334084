"""Links of processes over an air: what arrives is what the simulation says, and a fault of the radio is seen as one."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import latentlink as ll
import latentlink_runtime as lr
from latentlink.deploy.over_air.air import AirSetting
from latentlink.deploy.over_air.processes import Reception, send_over_air
from latentlink.deploy.over_air.simulation import measure_arrival, simulate_over_air

pytest.importorskip("zmq")
KIT = Path(lr.__file__).parents[2] / "conformance"
SETTING = AirSetting(snr_db=12.0, seed=3, rate=4e4)


@pytest.fixture(scope="module")
def pairs():
    """Pilots of the conformance kit, and its head."""
    return runpy.run_path(str(KIT / "make.py"))["pairs"](), ll.load(KIT / "head.safetensors")


def test_the_channel_of_each_carrier_is_that_of_the_air():
    numerology = SETTING.numerology
    H = np.fft.fft(SETTING.taps, numerology.n_fft, axis=0)[numerology.carriers[numerology.data_index]]
    np.testing.assert_allclose(SETTING.carriers[:, 0].numpy(), H, atol=1e-12)


@pytest.mark.parametrize(("name", "value"), [("n_tx", 9), ("n_rx", 0), ("snr_db", float("nan")), ("n_tx", 2.5)])
def test_a_setting_names_what_it_cannot_be(name, value):
    with pytest.raises(ValueError, match=name):
        replace(SETTING, **{name: value})


@pytest.mark.parametrize("name", ["pair", "codec-mean"])
def test_what_arrives_over_the_air_is_what_the_simulation_says(name, pairs):
    pilots, head = pairs
    messages = []
    came = send_over_air(KIT / f"{name}.safetensors", pilots.x.numpy(), SETTING, 8000, view=0, told=messages.append)
    assert messages[0].startswith("http://127.0.0.1:")
    assert came.frames_sent == 11
    assert came.frames_lost <= 3  # none, where the machine has time
    assert len(came.values) + came.lost == (11 - came.frames_lost) * SETTING.per_frame
    assert came.messages_per_second > 1000
    assert came.counts["rx known_faults"] == 0
    design = ll.load(KIT / f"{name}.safetensors")
    data = pilots.x.float(), pilots.y.float(), pilots.labels, head
    here = measure_arrival(came.values, *data[1:], rows=came.rows)
    noise, error = came.mean("noise_variance"), came.mean("error_variance")
    there = simulate_over_air(design, *data, setting=SETTING, noise_variance=noise, error_variance=error)
    assert here.nmse == pytest.approx(there.nmse, abs=0.02)
    assert here.accuracy == pytest.approx(there.accuracy, abs=0.05)  # one report, and with it one error of it, lasts for the run
    worse = simulate_over_air(design, *data, setting=SETTING, noise_variance=2 * noise, error_variance=error)
    assert worse.nmse > there.nmse + 0.02  # a fault of 3 dB would be seen


def test_what_a_process_refuses_is_told_by_its_name(pairs):
    pilots, _ = pairs
    with pytest.raises(ValueError, match="must be a pair or a codec"):
        send_over_air(KIT / "head.safetensors", pilots.x.numpy(), SETTING, 100)
    with pytest.raises(ValueError, match="latents must have shape"):
        send_over_air(KIT / "pair.safetensors", pilots.y.numpy(), SETTING, 100)
    with pytest.raises(ValueError, match="head and labels must come together"):
        send_over_air(KIT / "pair.safetensors", pilots.x, SETTING, 100, labels=pilots.labels)
    with pytest.raises(ValueError, match="messages"):
        send_over_air(KIT / "pair.safetensors", pilots.x.numpy(), SETTING, 0)


def test_a_reception_of_nothing_has_no_figures():
    nothing = Reception(np.zeros((0, 0)), np.zeros(0, int), 0, [], 0, {})
    assert np.isnan(nothing.mean("snr_db"))
    assert np.isnan(nothing.messages_per_second)


def test_messages_a_second_are_those_between_the_first_frame_and_the_last():
    frames = [{"seconds": 0.5 * number, "messages": 100.0} for number in range(5)]
    came = Reception(np.zeros((500, 3)), np.arange(500), 0, frames, 6, {})
    assert came.messages_per_second == pytest.approx(200)
    assert came.frames_lost == 1


def test_an_arrival_that_cannot_be_measured_names_why(pairs):
    pilots, head = pairs
    y, labels = pilots.y.float(), pilots.labels
    for values, rows, message in (
        (y[:2], [-1, -1], "n > 0"),
        (y[:5, :3], None, r"\(5, 3\)"),
        (y[:2], [0.0, 1.0], "rows must be integers"),
        (y[:2] * torch.nan, None, "values"),
        (y[:5], torch.arange(4), "rows must be integers of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            measure_arrival(values, y, labels, head, rows=rows)
    with pytest.raises(ValueError, match=r"design must be a SemanticModes, .* or a Codec, got SoftmaxHead"):
        simulate_over_air(
            ll.load(KIT / "head.safetensors"), pilots.x, y, labels, head, setting=SETTING, noise_variance=0.1, error_variance=0.0
        )
    with pytest.raises(ValueError, match="pair row by row"):
        simulate_over_air(ll.load(KIT / "pair.safetensors"), pilots.x, y[:50], labels[:50], head, setting=SETTING, noise_variance=0.1,
                          error_variance=0.0)  # fmt: skip
    design, few = ll.load(KIT / "pair.safetensors"), (pilots.x[:40].float(), y[:40], labels[:40], head)
    with pytest.raises(ValueError, match="at least 48 messages"):
        simulate_over_air(design, *few, setting=SETTING, noise_variance=0.1, error_variance=0.0)
    with pytest.raises(ValueError, match="noise_variance"):
        simulate_over_air(design, pilots.x, y, labels, head, setting=SETTING, noise_variance=-1.0, error_variance=0.0)


def test_a_perfect_arrival_has_no_error(pairs):
    pilots, head = pairs
    seen = measure_arrival(pilots.y[[3, 1, 5]], pilots.y, pilots.labels, head, rows=torch.tensor([3 + len(pilots.y), 1, -1]))
    assert seen.nmse == 0


def test_an_air_that_dies_is_told(pairs, monkeypatch):
    pilots, _ = pairs
    monkeypatch.setattr(AirSetting, "taps", property(lambda self: np.full((1, 4, 4), np.nan)))
    with pytest.raises(ValueError, match="taps must be finite"):
        send_over_air(KIT / "pair.safetensors", pilots.x, SETTING, 500)
