"""The links of a network's cell, drawn from its seed.

The link of the first pair of devices is the channel that a study of one link has with this seed; further ones, and paths over a surface,
have streams of their own. Methods, SNRs and INRs of a study therefore meet the same channels.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from latentlink.channels.fading import rayleigh
from latentlink.studies.channels import channel_of, snr_db_of
from latentlink.studies.methods.network_situation import NetworkSituation
from latentlink.studies.seeding import Draw
from latentlink.studies.spec.cell import Cell
from latentlink.surfaces.surface import Surface


def draw_network(cell: Cell, device: torch.device) -> NetworkSituation:
    """The links of a cell, drawn from its seed on the CPU, so that they are the same on every device."""
    network, at = cell.network, cell.channel
    snr_db = snr_db_of(at, cell.snr)
    receivers, stations = network.listeners, network.stations

    def amplitude(k: int, t: int) -> float:
        disturbs = network.scenario == "pairs" and k != t and network.inr_db is not None
        beside = (network.inr_db or 0.0) - cell.snr.snr_db if disturbs else 0.0
        return 10 ** ((network.gain_db(k) + beside) / 20)

    def drawn(k: int, t: int) -> Tensor:
        seed = Draw.LINKS.seed(cell.seed, k, t) if k or t else cell.seed
        return amplitude(k, t) * channel_of(at, cell.ofdm, cell.snr, seed, device).h.to(torch.complex128)

    direct = 10 ** (network.direct_db / 20) if network.elements else 1.0
    h = [[direct * drawn(k, t) for t in range(stations)] for k in range(receivers)]
    surfaces = _surfaces(cell, h, amplitude, device) if network.elements else None
    turned = None
    if network.phase_error_deg:
        generator = Draw.PHASES.generator(cell.seed)
        angles = torch.randn(stations, at.draws, dtype=torch.float64, generator=generator, device="cpu")
        angles[0] = 0.0  # the others are relative to the first
        turned = (angles * torch.pi * network.phase_error_deg / 180).to(device)
    return NetworkSituation(tuple(map(tuple, h)), surfaces, snr_db, network, turned, cell.seed)


def _surfaces(
    cell: Cell, h: list[list[Tensor]], amplitude: Callable[[int, int], float], device: torch.device
) -> tuple[tuple[Surface, ...], ...]:
    """The direct path of each link beside those over the elements, which are Rayleigh on both sides."""
    network, at = cell.network, cell.channel
    n_rx, n_tx = at.shape

    def paths(rows: int, columns: int, *names: str | int) -> Tensor:
        generator = Draw.SURFACES.generator(cell.seed, *names)
        drawn = rayleigh(rows, columns, 1.0, batch=(at.draws, 1), generator=generator)
        return drawn.to(device, torch.complex128)

    incident = [paths(network.elements, n_tx, "incident", network.elements, t) for t in range(len(h[0]))]
    reflected = [paths(n_rx, network.elements, "reflected", network.elements, k) for k in range(len(h))]
    over = (at.gain * 10 ** (network.element_db / 10)) ** 0.5
    return tuple(
        tuple(Surface(each, incident[t], over * amplitude(k, t) * reflected[k]) for t, each in enumerate(row))
        for k, row in enumerate(h)
    )  # fmt: skip
