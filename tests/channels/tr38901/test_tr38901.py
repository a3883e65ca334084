"""3GPP channels: the same whatever the chunking, and with the statistics of the standard's own tables (TR 38.901 V19, 7.7)."""

import math
import subprocess
import sys
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from latentlink.channels.ofdm import ResourceElements
from latentlink.channels.tr38901.generate import draw_block, generate
from latentlink.channels.tr38901.model import Model, Panel
from latentlink.channels.tr38901.paths import draw_paths, time_steps

drawing = import_module("latentlink.channels.tr38901.generate")  # the package has a function of this name
EVEN = ResourceElements.over_frequency(6, 624)
# Table 7.7.2-1 and -4: normalised delays and powers in dB
TDL_A = (
    (0.0, 0.3819, 0.4025, 0.5868, 0.4610, 0.5375, 0.6708, 0.5750, 0.7618, 1.5375, 1.8978, 2.2242, 2.1718, 2.4942, 2.5119, 3.0582, 4.0810,
     4.4579, 4.5695, 4.7966, 5.0066, 5.3043, 9.6586),
    (-13.4, 0, -2.2, -4, -6, -8.2, -9.9, -10.5, -7.5, -15.9, -6.6, -16.7, -12.4, -15.2, -10.8, -11.3, -12.7, -16.2, -18.3, -18.9, -16.6,
     -19.9, -29.7),
)  # fmt: skip
TDL_D = (
    (0.0, 0.0, 0.035, 0.612, 1.363, 1.405, 1.804, 2.596, 1.775, 4.042, 7.937, 9.424, 9.708, 12.525),
    (-0.2, -13.5, -18.8, -21, -22.8, -17.9, -20.1, -21.9, -22.9, -27.8, -23.6, -24.8, -30.0, -27.7),
)
# Table 7.7.1-3, CDL-C: powers in dB, angles of departure in degrees; the rays of a cluster are spread by 2° and 3°
CDL_C_POWER = (-4.4, -1.2, -3.5, -5.2, -2.5, 0, -2.2, -3.9, -7.4, -7.1, -10.7, -11.1, -5.1, -6.8, -8.7, -13.2, -13.9, -13.9, -15.8, -17.1,
               -16, -15.7, -21.6, -22.8)  # fmt: skip
CDL_C_AZIMUTH = (-46.6, -22.8, -22.8, -22.8, -40.7, 0.3, 0.3, 0.3, 73.1, -64.5, 80.2, -97.1, -55.3, -64.3, -78.5, 102.7, 99.2, 88.8, -101.9,
                 92.2, 93.3, 106.6, 119.5, -123.8)  # fmt: skip
CDL_C_ZENITH = (97.2, 98.6, 98.6, 98.6, 100.6, 99.2, 99.2, 99.2, 105.2, 95.3, 106.1, 93.5, 103.7, 104.2, 93.0, 104.2, 94.9, 93.1, 92.2,
                106.7, 93.0, 92.9, 105.2, 107.8)  # fmt: skip
RAYS = (0.0447, 0.1413, 0.2492, 0.3715, 0.5129, 0.6797, 0.8844, 1.1481, 1.5195, 2.1551)  # Table 7.5-3, both signs


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def scale_blocks(monkeypatch):
    """The blocks of paths from which the mean gain of a model is learnt: few of them where no test is about it."""
    usual = drawing._SCALE_BLOCKS
    monkeypatch.setattr(drawing, "_SCALE_BLOCKS", 2)
    return usual


@pytest.mark.parametrize("model", ["TDL-C", "CDL-C", "UMi"])
def test_channels_do_not_depend_on_chunks_workers_or_how_many_are_asked_for(model):
    elements = ResourceElements((0, 40, 3), (0, 0, 28))
    whole = generate(model, 2, 4, batch=30, elements=elements, seed=7, speed_mps=20.0, cache=False)
    assert whole.shape == (30, 3, 2, 4)
    for chunk in (1, 20):
        assert torch.equal(generate(model, 2, 4, batch=30, elements=elements, seed=7, speed_mps=20.0, cache=False, chunk=chunk), whole)
    assert torch.equal(generate(model, 2, 4, batch=13, elements=elements, seed=7, speed_mps=20.0, cache=False), whole[:13])
    assert torch.equal(generate(model, 2, 4, batch=30, elements=elements, seed=7, speed_mps=20.0), whole)  # drawn and kept
    assert torch.equal(
        generate(model, 2, 4, batch=(2, 15), elements=elements, seed=7, speed_mps=20.0).flatten(0, 1), whole
    )  # taken from there
    assert not torch.equal(generate(model, 2, 4, batch=30, elements=elements, seed=8, speed_mps=20.0, cache=False), whole)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    assert torch.equal(generate(model, 2, 4, batch=13, elements=elements, seed=7, speed_mps=20.0, cache=False), whole[:13])
    torch.set_num_threads(before)


def test_workers_are_processes_that_draw_the_same():
    elements = ResourceElements.over_frequency(3, 48)
    one, two = (generate("TDL-B", 2, 2, batch=20, elements=elements, chunk=10, workers=n, cache=False) for n in (1, 2))
    assert torch.equal(one, two)


def test_banks_are_found_by_content_and_damage_is_noticed(own_cache):
    h = generate("TDL-A", 2, 2, batch=30, elements=EVEN, chunk=10)
    files = sorted(own_cache.rglob("*.safetensors"))
    assert [path.stem for path in files] == ["0", "1", "2"]
    files[1].write_bytes(files[1].read_bytes()[:-8])

    def written():
        return {path: path.stat().st_mtime_ns for path in own_cache.rglob("*.safetensors")}

    before = written()
    assert torch.equal(generate("TDL-A", 2, 2, batch=30, elements=EVEN, chunk=10), h)
    after = written()
    assert [path for path in files if after[path] != before[path]] == [files[1]]
    assert torch.equal(generate("TDL-A", 2, 2, batch=25, elements=EVEN), h[:25])
    assert written() == after  # however they are cut
    generate("TDL-A", 2, 2, batch=10, elements=EVEN, gain=2.0)
    (another,) = written().keys() - after.keys()  # another scale is another bank
    assert another.stem == "0"


def test_an_interrupted_bank_goes_on(own_cache):
    def interrupt(done, total):
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate("TDL-A", 1, 1, batch=40, chunk=10, progress=interrupt)
    assert len(list(own_cache.rglob("*.safetensors"))) in (2, 3)
    told = []
    generate("TDL-A", 1, 1, batch=40, chunk=10, progress=lambda done, total: told.append((done, total)))
    assert told == [(10, 40), (20, 40), (30, 40), (40, 40)]


def test_the_users_generators_are_left_as_they_were():
    from sionna.phy import config

    config.seed = 3
    torch.manual_seed(5)
    expected = (config.py_rng.random(), config.np_rng.random(), torch.rand(1, generator=config.torch_rng("cpu")), torch.rand(1))
    config.seed = 3
    torch.manual_seed(5)
    generate("CDL-A", 1, 1, batch=10, cache=False)
    got = (config.py_rng.random(), config.np_rng.random(), torch.rand(1, generator=config.torch_rng("cpu")), torch.rand(1))
    assert config.seed == 3
    assert expected[:2] == got[:2]
    assert torch.equal(expected[2], got[2])
    assert torch.equal(expected[3], got[3])


def test_an_element_is_the_same_among_others():
    alone = generate("CDL-B", 2, 2, batch=20, elements=ResourceElements((30,), (26,)), speed_mps=30.0)
    among = generate("CDL-B", 2, 2, batch=20, elements=ResourceElements((0, 30, 7), (13, 26, 39)), speed_mps=30.0)
    torch.testing.assert_close(among[:, 1], alone[:, 0], atol=1e-4, rtol=0)
    assert time_steps((13, 26, 39))[:2] == (13, 4)


@pytest.mark.parametrize("model", ["TDL-B", "CDL-B", "UMi"])
def test_many_time_steps_are_drawn_one_after_another_and_are_the_same(model):
    elements = ResourceElements((0, 30, 7, 9), (0, 3, 28, 25))
    settings = Model(model, Panel.linear(2), Panel.linear(2), speed_mps=30.0)
    at_once, in_turn = (draw_block(settings, elements, 3, most_at_once=most) for most in (4096, 0))
    torch.testing.assert_close(in_turn, at_once, atol=1e-4, rtol=0)


def profile(delays, powers_db):
    powers = 10 ** (np.array(powers_db) / 10)
    return np.array(delays), powers / powers.sum()


def test_tdl_a_has_the_delay_spread_of_its_table():
    """Correlation over frequency is Σ p exp(−j 2π Δf τ): within 0.05 (2,000 channels × 4 entries, standard error below 0.015)."""
    delays, powers = profile(*TDL_A)
    mean = powers @ delays
    spread = math.sqrt(powers @ (delays - mean) ** 2)
    assert spread == pytest.approx(1, abs=0.02)  # the table's own scale
    h = generate("TDL-A", 2, 2, batch=2000, elements=ResourceElements((0, 20, 60, 200), (0,) * 4), delay_spread_s=100e-9)
    measured = (h * h[:, :1].conj()).mean((0, 2, 3)).numpy()
    expected = np.exp(-2j * np.pi * np.outer([0, 20, 60, 200], delays) * 30e3 * 100e-9) @ powers
    np.testing.assert_allclose(measured, expected, atol=0.05)


@pytest.mark.parametrize("model", [f"{kind}-{letter}" for kind in ("TDL", "CDL") for letter in "ABCDE"])
def test_profiles_have_the_delay_spread_that_was_asked_for(model):
    """Root mean square over the mean power of paths, 40 channels: within 8 % of 100 ns (CDL-E's own table is 6 % off)."""
    a, tau = draw_paths(Model(model, Panel(1, 2, "VH"), Panel(1, 2, "VH"), delay_spread_s=100e-9), 1, 40, 2, 1e3)
    p = a[..., 0].abs().square().double().mean((0, 1, 2))
    p, tau = p / p.sum(), tau.double()[0]
    assert ((p @ tau.square()) - (p @ tau) ** 2).sqrt().item() == pytest.approx(100e-9, rel=0.08)


def test_tdl_d_has_the_k_factor_of_its_table():
    """First tap −0.2 dB over −13.5 dB: K = 13.3 dB. Of all power the specular path has 1/(1 + 10^−1.33 + …); measured within 0.3 dB."""
    _, powers = profile(*TDL_D)
    h = generate("TDL-D", 2, 2, batch=2000, elements=EVEN, delay_spread_s=1e-9)  # flat: all taps together over the band
    power = h.abs().square().mean((0, 2, 3))
    fourth = h.abs().pow(4).mean((0, 2, 3))
    specular = (2 * power.square() - fourth).clamp(min=0).sqrt()  # of a Rician amplitude: E|h|⁴ = 2 P² − S²
    expected = powers[0] / powers[1:].sum()
    measured = (specular / (power - specular)).mean().item()
    assert 10 * math.log10(measured / expected) == pytest.approx(0, abs=0.3)


def test_tdl_ages_as_clarke_has_it():
    """Correlation over time is J0(2π f_D t): within 0.06 at 100 km/h and 3.5 GHz, f_D = 324 Hz (1,500 channels × 4 entries)."""
    scipy = pytest.importorskip("scipy.special")
    speed, carrier = 100 / 3.6, 3.5e9
    symbols = (0, 14, 28, 42)
    h = generate("TDL-A", 2, 2, batch=1500, elements=ResourceElements((0,) * 4, symbols), speed_mps=speed, carrier_hz=carrier)
    measured = (h * h[:, :1].conj()).mean((0, 2, 3)).real.numpy()
    times = ResourceElements((0,) * 4, symbols).times_s(30e3).numpy()
    np.testing.assert_allclose(measured, scipy.j0(2 * np.pi * speed * carrier / 299792458 * times), atol=0.06)


def test_cdl_c_has_the_angular_spread_of_its_table():
    """Correlation over a base station's antennas is the Fourier transform of the table's angles: within 0.06 (1,500 channels × 8)."""
    h = generate("CDL-C", 4, 1, batch=1500, elements=ResourceElements.over_frequency(8, 624), delay_spread_s=300e-9,
                receive=Panel(1, 4, "V"), transmit=Panel(1, 1, "V"), direction="uplink")  # fmt: skip
    measured = torch.einsum("buat,but->a", h.conj(), h[:, :, 0]).abs().numpy() / (h.abs().square().sum() / 4).item()
    offsets = np.array([*RAYS, *(-ray for ray in RAYS)])
    _, powers = profile(CDL_C_POWER, CDL_C_POWER)
    azimuth = np.radians(np.array(CDL_C_AZIMUTH)[:, None, None] + 2.0 * offsets[None, :, None])
    zenith = np.radians(np.array(CDL_C_ZENITH)[:, None, None] + 3.0 * offsets[None, None, :])  # coupled at random: all pairs alike
    turns = np.pi * np.sin(zenith) * np.sin(azimuth)
    expected = [abs((powers[:, None, None] * np.exp(1j * a * turns)).sum() / 400) for a in range(4)]
    np.testing.assert_allclose(measured, expected, atol=0.06)


def test_umi_has_the_delay_spread_and_k_factor_of_its_table():
    """Table 7.5-6 at 3.5 GHz over 400 users: NLOS lg DS = −0.24 lg(1 + f) − 6.83, median 103 ns, within 15 %; LOS K = 9 dB within 1 dB.

    Powers add up over crossed antennas at both ends, whatever the user's orientation; scattering (XPR 9 dB) gains 0.5 dB of them.
    """
    blocked = Model("UMi", line_of_sight=False, indoor=0.0)
    spreads = []
    for seed in range(20):
        a, tau = draw_paths(blocked, seed, 20, 2, 1e3)
        p = a[..., 0].abs().square().sum((1, 2)).double()
        p, tau = p / p.sum(-1, keepdim=True), tau.double()
        spreads.append(((p * tau.square()).sum(-1) - (p * tau).sum(-1).square()).sqrt())
    assert torch.cat(spreads).median().item() == pytest.approx(103e-9, rel=0.15)
    seen = replace(blocked, line_of_sight=True)
    shares = []
    for seed in range(20):
        p = draw_paths(seen, seed, 20, 2, 1e3)[0][..., 0].abs().square().sum((1, 2))
        shares.append(p[:, 0] / p[:, 1:].sum(-1))
    assert 10 * math.log10(torch.cat(shares).median().item()) == pytest.approx(9, abs=1)


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("TDL-B", {}),
        ("CDL-D", {"transmit": Panel(2, 2, "VH", "38.901")}),
        ("RMa", {"direction": "uplink"}),
    ],
)
def test_the_mean_gain_is_what_was_asked_for(model, settings, scale_blocks, monkeypatch):
    """Within 5 % over 400 channels × 8 subcarriers (the scale itself is learnt to about 1 %)."""
    monkeypatch.setattr(drawing, "_SCALE_BLOCKS", scale_blocks)
    drawing._mean_gain.cache_clear()
    n_tx, elements = settings.get("transmit", Panel(1, 2)).antennas, ResourceElements.over_frequency(8, 624)
    h = generate(model, 2, n_tx, batch=400, elements=elements, gain=0.5, delay_spread_s=300e-9, **settings)
    assert h.abs().square().mean().item() == pytest.approx(0.5, rel=0.05)
    each = generate(model, 2, h.shape[-1], batch=10, elements=EVEN, gain=0.5, normalisation="each", **settings)
    torch.testing.assert_close(each.abs().square().mean((1, 2, 3)), torch.full((10,), 0.5, dtype=torch.float64), rtol=1e-5, atol=0)


def test_drops_keep_their_path_loss():
    """UMi at 3.5 GHz in sight: 32.4 + 21 log10(d) + 20 log10(f) gives 75 dB at 33 m; users lie 10 … 200 m away and shadowing is 4 dB."""
    h = generate("UMi", 1, 1, batch=100, elements=EVEN, normalisation="path-loss", line_of_sight=True, indoor=0.0)
    loss = -10 * h.abs().square().mean((1, 2, 3)).log10()
    assert 75 < loss.median() < 95
    blocked = generate("UMi", 1, 1, batch=100, elements=EVEN, normalisation="path-loss", line_of_sight=False, indoor=0.0)
    assert -10 * blocked.abs().square().mean((1, 2, 3)).log10().median() > loss.median() + 10


def test_polarised_arrays_are_better_conditioned():
    """CDL-C over single-polarised 8×8 arrays is nearly singular (median condition number in the hundreds); two polarisations mend much."""
    condition = {
        dual: torch.linalg.cond(
            generate("CDL-C", 8, 8, batch=40, receive=Panel.linear(8, dual=dual), transmit=Panel.linear(8, dual=dual))
        ).median()
        for dual in (False, True)
    }
    assert condition[False] > 200
    assert condition[True] < condition[False] / 3


def test_importing_latentlink_does_not_import_sionna():
    code = "import sys, latentlink; assert not any(name.split('.')[0] == 'sionna' for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sionna.phy", None)
    with pytest.raises(ImportError, match=r"pip install latentlink\[3gpp\]"):
        generate("TDL-A", 1, 1, cache=False)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"carrier_hz": 0.0}, "carrier_hz must be a finite number > 0"),
        ({"speed_mps": -1.0}, "speed_mps must be a finite number >= 0"),
        ({"correlation": (0.5, 0.5)}, "correlation must be"),
        ({"line_of_sight": True}, "line_of_sight and indoor belong to drops"),
        ({"normalisation": "path-loss"}, "needs a drop"),
        ({"receive": Panel(1, 3)}, "receive must be a Panel of n_rx = 2 antennas"),
        ({"chunk": 0}, "chunk must be an integer >= 1, got 0"),
        ({"workers": 0}, "workers must be an integer >= 1, got 0"),
        ({"seed": -1}, "seed must be an integer >= 0, got -1"),
        ({"batch": (2, 0)}, "batch must be an integer >= 1, got 0"),
        ({"speed_kmh": 3.0}, "settings must be those of Model, got speed_kmh"),
        ({"dtype": torch.float64}, "dtype must be"),
    ],
)
def test_mistakes_are_named(settings, match):
    with pytest.raises(ValueError, match=match):
        generate("CDL-A", 2, 2, **settings)


def test_mistakes_of_settings_are_named():
    with pytest.raises(ValueError, match="indoor must be None for InH"):
        Model("InH", indoor=0.5)
    with pytest.raises(ValueError, match="columns must be an integer"):
        Panel(1, 0)
    with pytest.raises(ValueError, match="even for two polarisations"):
        Panel.linear(3, dual=True)
