"""Propagation paths from Sionna's channel models, and their response on resource elements. The only module that knows Sionna's channels.

Sionna draws from generators that are global to the process: they are set for each block, under a lock, and put back afterwards.
"""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from latentlink.channels.fading import exponential_correlation
from latentlink.channels.tr38901.model import DROPS, Model, Panel
from latentlink.numerics.extras import import_extra

_DEVICE = "cpu"  # the same channels on every machine; they are moved afterwards
_LOCK = threading.Lock()


def time_steps(symbols: tuple[int, ...]) -> tuple[int, int, Int[Tensor, "u"]]:
    """Find the symbols of a time step, the number of steps from symbol 0 on that reach all of `symbols`, and the step of each (u,)."""
    step = reduce(math.gcd, symbols) or 1
    return (
        step,
        max(max(symbols) // step + 1, 2),
        torch.tensor(symbols, device="cpu") // step,
    )  # one step alone is computed in another order


def response(
    a: Complex[Tensor, "b r t p s"], tau: Float[Tensor, "b p"], frequencies_hz: Float[Tensor, "u"], steps: Int[Tensor, "u"]
) -> Complex[Tensor, "b u r t"]:
    """Compute H = Σ_p a_p(t) exp(−j 2π f τ_p) at each resource element (b, u, r, t)."""
    h = torch.empty(len(a), len(steps), *a.shape[1:3], dtype=a.dtype, device="cpu")
    turn = torch.polar(torch.ones((), dtype=torch.float64, device="cpu"), -2 * math.pi * tau.double().unsqueeze(-1) * frequencies_hz).to(
        a.dtype
    )
    for step in steps.unique():
        here = steps == step
        h[:, here] = torch.einsum("brtp,bpu->burt", a[..., step], turn[..., here])
    return h


def draw_paths(model: Model, seed: int, count: int, steps: int, rate_hz: float) -> tuple[Tensor, Tensor]:
    """Draw coefficients a (count, r, t, paths, steps) complex64 at `rate_hz`, and delays τ (count, paths) in seconds."""
    with _seed_sionna(seed):
        if model.model in DROPS:
            a, tau = _drop(model, count)(steps, rate_hz)
        else:
            a, tau = _profile(model)(count, steps, rate_hz)
    return a[:, 0, :, 0], tau[:, 0, 0]


@contextmanager
def _seed_sionna(seed: int) -> Iterator[None]:
    """Seed Sionna's generators meanwhile, then restore them."""
    phy = import_extra("sionna.phy", "3gpp")
    with _LOCK, torch.random.fork_rng():
        config = phy.config
        before, states = config.seed, {device: config.torch_rng(device).get_state() for device in config.available_devices}
        python, numpy = config.py_rng.getstate(), config.np_rng.bit_generator.state
        config.seed = seed
        try:
            yield
        finally:
            config.seed = before
            config.py_rng.setstate(python)
            config.np_rng.bit_generator.state = numpy
            for device, state in states.items():
                config.torch_rng(device).set_state(state)


def _profile(model: Model) -> Any:
    """Make a TDL or CDL model, to be called with (count, steps, rate)."""
    sionna = import_extra("sionna.phy.channel.tr38901", "3gpp")
    kind, letter = model.model.split("-")
    common = {"min_speed": model.speed_mps, "max_speed": model.speed_mps, "precision": "single", "device": _DEVICE}
    if kind == "CDL":
        return sionna.CDL(letter, model.delay_spread_s, model.carrier_hz, **_arrays(model), direction=model.direction, **common)
    transmit, receive = (
        exponential_correlation(panel.antennas, coefficient).to(torch.complex64) if coefficient else None
        for panel, coefficient in zip((model.transmit, model.receive), model.correlation, strict=True)
    )
    antennas = {"num_rx_ant": model.receive.antennas, "num_tx_ant": model.transmit.antennas}
    return sionna.TDL(letter, model.delay_spread_s, model.carrier_hz, **antennas, rx_corr_mat=receive, tx_corr_mat=transmit, **common)


def _drop(model: Model, count: int) -> Any:
    """Make a scenario with one user dropped in each of `count` cells, to be called with (steps, rate)."""
    sionna = import_extra("sionna.phy.channel.tr38901", "3gpp")
    real = model.normalisation == "path-loss"
    options = {"enable_pathloss": real, "enable_shadow_fading": real, "precision": "single", "device": _DEVICE}
    if model.model in ("UMi", "UMa"):
        options["o2i_model"] = "low"
    scenario = getattr(sionna, model.model)(carrier_frequency=model.carrier_hz, direction=model.direction, **_arrays(model), **options)
    *where, inside = _office(model, count) if model.model == "InH" else _sector(model, count)
    sight = {} if model.line_of_sight is None else {"los": model.line_of_sight}
    scenario.set_topology(*where, inside, **sight)
    return scenario


def _sector(model: Model, count: int) -> tuple[Tensor, ...]:
    """Place users uniformly over a sector of the scenario's size: places, orientations and velocities, and whether they are indoors."""
    utils = import_extra("sionna.phy.channel.utils", "3gpp")
    speed = {"min_ut_velocity": model.speed_mps, "max_ut_velocity": model.speed_mps}
    cell = {"indoor_probability": model.indoor, "precision": "single", "device": _DEVICE}
    return utils.gen_single_sector_topology(count, 1, model.model.lower(), **speed, **cell)


def _office(model: Model, count: int) -> tuple[Tensor, ...]:
    """Place users uniformly over the office of InH, each served by the sector of the nearest site that looks its way."""
    topology = import_extra("sionna.sys.topology", "3gpp")
    places = topology.gen_tr38901_indoor_office_topology(count, 1, precision="single", device=_DEVICE)
    users, sites, turned, looks = (place[:, :1] if i in (0, 2) else place for i, place in enumerate(places[:4]))
    away = users - sites  # (count, sectors, 3)
    azimuth = torch.atan2(away[..., 1], away[..., 0]) - looks[..., 0]
    distance = away[..., :2].norm(dim=-1)
    nearest = distance <= distance.amin(-1, keepdim=True) + 1e-3  # all sectors of one site
    serving = torch.where(nearest, azimuth.cos(), -2.0).argmax(-1)
    chosen = serving[:, None, None].expand(-1, 1, 3)
    generator = import_extra("sionna.phy", "3gpp").config.torch_rng(_DEVICE)
    heading = 2 * math.pi * torch.rand(count, 1, generator=generator, device="cpu")
    velocity = model.speed_mps * torch.stack([heading.cos(), heading.sin(), torch.zeros_like(heading)], -1)
    inside = torch.ones(count, 1, dtype=torch.bool, device="cpu")
    return users, sites.gather(1, chosen), turned, looks.gather(1, chosen), velocity, inside


def _arrays(model: Model) -> dict[str, Any]:
    """Make the arrays of user and base station, whichever transmits."""
    user, base = (model.receive, model.transmit) if model.direction == "downlink" else (model.transmit, model.receive)
    return {"ut_array": _array(user, model.carrier_hz), "bs_array": _array(base, model.carrier_hz)}


def _array(panel: Panel, carrier_hz: float) -> Any:
    """Make Sionna's array of a panel."""
    sionna = import_extra("sionna.phy.channel.tr38901", "3gpp")
    return sionna.PanelArray(
        num_rows_per_panel=panel.rows,
        num_cols_per_panel=panel.columns,
        polarization="dual" if panel.dual else "single",
        polarization_type=panel.polarisation,
        antenna_pattern=panel.pattern,
        carrier_frequency=carrier_hz,
        precision="single",
        device=_DEVICE,
    )
