"""The channels of a cell: flat fading depends on seed and antennas alone, 3GPP models come from banks of the seed, others from a file.

Methods and SNRs of a study therefore meet the same channels.
"""

import torch
from jaxtyping import Complex
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.fading import exponential_correlation, kronecker, rayleigh, rician
from latentlink.channels.ofdm import ResourceElements
from latentlink.channels.snr import SnrDefinition, convert_snr
from latentlink.channels.tr38901.generate import grids
from latentlink.channels.tr38901.model import DROPS, PROFILES, Model, Panel
from latentlink.numerics.doors import finite
from latentlink.studies.channel_files import draw_from_file
from latentlink.studies.sections import ChannelAt, OfdmAt, Snr
from latentlink.studies.seeding import Draw
from latentlink.studies.spec.plug_in import blame, is_plug_in, load_attribute

_NAMES = {name.lower(): name for name in (*PROFILES, *DROPS)}
KMH = 1 / 3.6  # metres per second


def channel_of(at: ChannelAt, ofdm: OfdmAt, snr: Snr, seed: int, device: torch.device) -> Channel:
    """The channels (draws,) of a cell, drawn or read on the CPU so that they are the same on every device."""
    snr_db = snr_db_of(at, snr)
    if at.standard:
        h = grids(standard_model(at, ofdm), at.draws, elements_of(at, ofdm), seed=Draw.CHANNELS.seed(seed))
        return Channel.from_grid(h.to(device, torch.complex128), snr_db)
    generator = Draw.CHANNELS.generator(seed, *at.shape)
    if at.file is not None:
        any_of_them = generator if at.take == "random" else None
        h = draw_from_file(at.file, at.axes, at.draws, at.gain if at.normalise else None, any_of_them)
        return Channel.from_grid(h.to(device), snr_db).repeated(at.uses if h.shape[1] == 1 else 1)
    if is_plug_in(at.model):
        return Channel.from_grid(draw_own(at, generator).to(device), snr_db)
    return Channel.from_snr(draw_flat(at, generator).to(device), snr_db).repeated(at.uses)


def draw_flat(at: ChannelAt, generator: torch.Generator) -> Complex[Tensor, "draws r t"]:
    """Matrices (draws, n_rx, n_tx) of flat fading."""
    n_rx, n_tx = at.shape
    if at.model == "rician":
        return rician(n_rx, n_tx, at.k_factor, gain=at.gain, batch=(at.draws,), generator=generator)
    if at.model == "kronecker":
        receive, transmit = exponential_correlation(n_rx, at.correlation), exponential_correlation(n_tx, at.correlation)
        return kronecker(receive, transmit, at.gain, batch=(at.draws,), generator=generator)
    return rayleigh(n_rx, n_tx, at.gain, batch=(at.draws,), generator=generator)


def draw_own(at: ChannelAt, generator: torch.Generator) -> Complex[Tensor, "draws u r t"]:
    """Matrices (draws, uses, n_rx, n_tx) of a function outside of the package, `draw(*, draws, uses, n_rx, n_tx, gain, generator)`.

    It returns complex (draws, n_rx, n_tx), one matrix for all uses of a message, or (draws, uses, n_rx, n_tx); a PlugInError where it fails
    or returns something else.
    """
    n_rx, n_tx = at.shape
    draw = load_attribute(at.model)
    with blame(at.model):
        drawn = draw(draws=at.draws, uses=at.uses, n_rx=n_rx, n_tx=n_tx, gain=at.gain, generator=generator)
        h = finite("what it returned", drawn)
        if h.ndim == 3:
            h = h[:, None].expand(-1, at.uses, -1, -1)
        expected = (at.draws, at.uses, n_rx, n_tx)
        if tuple(h.shape) != expected:
            raise ValueError(f"expected matrices of shape {expected}, or without the uses, got {tuple(h.shape)}")
    return h.to(torch.complex128)


def snr_db_of(at: ChannelAt, snr: Snr) -> float:
    """SNR per transmit antenna in dB, converted from the reference that the study uses."""
    if snr.snr_reference == "transmit":
        return snr.snr_db
    received, ours = SnrDefinition.PER_RECEIVE_ANTENNA, SnrDefinition.PER_TRANSMIT_ANTENNA
    return convert_snr(snr.snr_db, received, ours, n_tx=at.shape[1], gain=at.gain)


def standard_model(at: ChannelAt, ofdm: OfdmAt) -> Model:
    """The 3GPP model of a cell, downlink; a ValueError where two polarisations have an odd number of antennas, or there is no path loss."""
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
    """The resource elements of a message, `uses` of them; a ValueError where the band has fewer."""
    if ofdm.placement == "contiguous":
        if at.uses > ofdm.subcarriers:
            raise ValueError(f"channel.uses must be at most ofdm.subcarriers, {ofdm.subcarriers}, got {at.uses}")
        return ResourceElements.contiguous(at.uses)
    if ofdm.placement == "slots":
        return ResourceElements.over_slots(at.uses, ofdm.slots)
    return ResourceElements.over_frequency(at.uses, ofdm.subcarriers)
