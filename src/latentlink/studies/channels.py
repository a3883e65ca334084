"""The channels that a cell meets, drawn from its own seed: flat fading by (seed, antennas) alone, 3GPP models from banks of the seed.

Methods and SNRs of a study therefore meet the same channels.
"""

from typing import Any

import torch

from latentlink.channels.channel import Channel
from latentlink.channels.fading import exponential_correlation, kronecker, rayleigh, rician
from latentlink.channels.ofdm import ResourceElements
from latentlink.channels.snr import SnrDefinition, convert_snr
from latentlink.channels.tr38901.generate import grids
from latentlink.channels.tr38901.model import DROPS, PROFILES, Model
from latentlink.channels.tr38901.panels import Panel
from latentlink.studies.sections import ChannelAt, OfdmAt, Snr

_NAMES = {name.lower(): name for name in (*PROFILES, *DROPS)}
KMH = 1 / 3.6  # in metres a second


def channel_of(at: ChannelAt, ofdm: OfdmAt, snr: Snr, seed: int, device: torch.device) -> Channel:
    """The channels (draws,) of a cell, drawn on the CPU so that they are the same on every device."""
    (n_rx, n_tx), snr_db = at.shape, snr_db_of(at, snr)
    if at.standard:
        h = grids(standard_model(at, ofdm), at.draws, elements_of(at, ofdm), seed=seed)
        return Channel.from_grid(h.to(device, torch.complex128), snr_db)
    generator = torch.Generator().manual_seed(1_000_003 * seed + 1009 * n_rx + n_tx)
    if at.model == "rician":
        h = rician(n_rx, n_tx, at.k_factor, gain=at.gain, batch=(at.draws,), generator=generator)
    elif at.model == "kronecker":
        receive, transmit = exponential_correlation(n_rx, at.correlation), exponential_correlation(n_tx, at.correlation)
        h = kronecker(receive, transmit, at.gain, batch=(at.draws,), generator=generator)
    else:
        h = rayleigh(n_rx, n_tx, at.gain, batch=(at.draws,), generator=generator)
    return Channel.from_snr(h.to(device), snr_db).repeated(at.uses)


def snr_db_of(at: ChannelAt, snr: Snr) -> float:
    """SNR per transmit antenna in dB, however the study says it."""
    if snr.snr_reference == "transmit":
        return snr.snr_db
    received, ours = SnrDefinition.PER_RECEIVE_ANTENNA, SnrDefinition.PER_TRANSMIT_ANTENNA
    return convert_snr(snr.snr_db, received, ours, n_tx=at.shape[1], gain=at.gain)


def standard_model(at: ChannelAt, ofdm: OfdmAt) -> Model:
    """The 3GPP model of a cell, downlink.

    Raises:
        ValueError: an array has an odd number of antennas but two polarisations, or the model has no path loss to keep.
    """
    n_rx, n_tx = at.shape
    dual = ofdm.polarisation == "dual" and not at.model.startswith("tdl")  # TDL has antennas, but no arrays
    if dual and (n_rx % 2 or n_tx % 2):
        raise ValueError(f"ofdm.polarisation must be single for an odd number of antennas, got dual for {n_rx}×{n_tx}")
    return Model(
        _NAMES[at.model],
        receive=Panel.linear(n_rx, dual=dual),
        transmit=Panel.linear(n_tx, ofdm.pattern, dual),
        carrier_hz=1e9 * ofdm.carrier_ghz,
        subcarrier_spacing_hz=1e3 * ofdm.spacing_khz,
        delay_spread_s=1e-9 * ofdm.delay_spread_ns,
        speed_mps=KMH * ofdm.speed_kmh,
        normalisation=ofdm.normalisation,
        gain=at.gain,
    )


def elements_of(at: ChannelAt, ofdm: OfdmAt) -> ResourceElements:
    """The resource elements of a message: `uses` of them.

    Raises:
        ValueError: there is no room for them.
    """
    if ofdm.placement == "contiguous" and at.uses > ofdm.subcarriers:
        raise ValueError(f"channel.uses must be at most ofdm.subcarriers, {ofdm.subcarriers}, got {at.uses}")
    if ofdm.placement == "contiguous":
        return ResourceElements.contiguous(at.uses)
    if ofdm.placement == "slots":
        return ResourceElements.over_slots(at.uses, ofdm.slots)
    return ResourceElements.over_frequency(at.uses, ofdm.subcarriers)


def facts(at: ChannelAt, ofdm: OfdmAt) -> dict[str, Any]:
    """Columns that say which channels these are."""
    n_rx, n_tx = at.shape
    known = {
        "channel_model": at.model,
        "gain": at.gain,
        "n_tx": n_tx,
        "n_rx": n_rx,
        "uses": at.uses,
        "k_factor": at.k_factor if at.model == "rician" else None,
        "correlation": at.correlation if at.model == "kronecker" else None,
        "clipping_db": at.clipping_db,
    }
    return known | (ofdm.model_dump(exclude=set(ignored(at, ofdm))) if at.standard else {})


def ignored(at: ChannelAt, ofdm: OfdmAt) -> tuple[str, ...]:
    """Settings of `ofdm` that make no difference to a 3GPP model."""
    if not at.standard:
        return ()
    arrays = ("polarisation", "pattern") if at.model.startswith("tdl") else ()
    spread = ("delay_spread_ns",) if _NAMES[at.model] in DROPS else ()
    return (*arrays, *spread, *(() if ofdm.placement == "slots" else ("slots",)))
