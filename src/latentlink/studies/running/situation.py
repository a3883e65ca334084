"""The knowledge that a cell's transmitter and receiver have of its channels.

The estimate is made as a radio makes it: every antenna has a pilot on each `pilot_spacing`-th subcarrier of the band, in the first symbol;
the message comes `delay_ms` later, with pilots of its own for a receiver that measures. The covariance of the model over the grid, which an
estimator has to know, is learnt from other channels. Flat channels have one pilot a matrix, and age as Gauss–Markov processes with Jakes'
correlation. Channels of a file have one pilot a matrix of each use, all of them are estimated together by their second moments over all
channels of the file, and they have no age.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.channels.csi.ageing import age_channel, age_estimate
from latentlink.channels.csi.estimation import ChannelEstimator, least_squares_estimator, lmmse_estimator
from latentlink.channels.csi.feedback import quantise_feedback
from latentlink.channels.csi.posterior import posterior
from latentlink.channels.csi.statistics import SampledStatistics, correlation_over_time, doppler_hz
from latentlink.channels.ofdm import ResourceElements, symbol_duration_s
from latentlink.channels.tr38901.generate import grids
from latentlink.studies.channel_files import statistics_of
from latentlink.studies.channels import KMH, channel_of, elements_of, snr_db_of, standard_model
from latentlink.studies.methods.method import Situation
from latentlink.studies.seeding import Draw
from latentlink.studies.spec.cell import Cell

_LEARNT = 200  # least number of channels from which statistics are learnt
_PER_PILOT = 40  # antenna pairs of these channels for each pilot
_ESTIMATORS = {"lmmse": lmmse_estimator, "ls": least_squares_estimator}


def describe_situation(cell: Cell, there: Situation) -> dict[str, Any]:
    """Columns of a result row on its channels and on what was known of them; `knowledge` marks a design unaware of them."""
    at, csi = cell.channel, cell.csi
    n_rx, n_tx = at.shape
    columns = {
        "channel_model": str(at.file or at.model),
        "n_tx": n_tx,
        "n_rx": n_rx,
        **at.model_dump(include={"gain", "uses", "clipping_db"}),
        "k_factor": at.k_factor if at.model == "rician" else None,
        "correlation": at.correlation if at.model == "kronecker" else None,
        **(cell.ofdm.model_dump(exclude=cell.ofdm.ignored(at)) if at.standard else {}),
        "knowledge": "unaware" if csi.known == "unaware" else "aware",
        **cell.snr.model_dump(),
        "noise_variance": there.truth.noise_variance,
        "csi": csi.known,
    }
    if csi.estimated:
        known = there.received if csi.known == "receiver-only" else there.estimate
        columns |= {"error_variance": known.error_variance, **csi.model_dump(exclude={"known", *csi.ignored(at)})}
    return columns


def draw_situation(cell: Cell, device: torch.device) -> Situation:
    """The channels of a cell and what is known of them, drawn from its seed."""
    if not cell.csi.estimated:
        truth = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, device)
        return Situation(truth, truth, truth, cell.csi.known, cell.channel.gain)
    there = (_draw_on_grid if cell.channel.standard else _draw_flat if cell.channel.file is None else _draw_measured)(cell, device)
    if cell.csi.feedback_bits is not None:
        return replace(there, estimate=quantise_feedback(there.estimate, cell.csi.feedback_bits, cell.channel.gain))
    return there


def pilot_noise(cell: Cell, truth: Channel) -> Tensor:
    """σ² / P_p (…) of a channel pilot, the same for all channels of a cell: by its SNR, or with all power of a channel use."""
    if cell.csi.pilot_snr_db is None:
        return truth.noise_variance / truth.power
    return torch.full_like(truth.noise_variance, 10 ** (-cell.csi.pilot_snr_db / 10))


def _draw_on_grid(cell: Cell, device: torch.device) -> Situation:
    """A 3GPP model: pilots and message are elements of the same grids, the receiver's pilots are in the message's first symbol."""
    model, message = standard_model(cell.channel, cell.ofdm), elements_of(cell.channel, cell.ofdm)
    delay = round(cell.csi.age_s / symbol_duration_s(model.subcarrier_spacing_hz))
    early = ResourceElements.comb(cell.csi.pilot_spacing, cell.ofdm.subcarriers, (0,))
    late, later = early.delayed(delay + min(message.symbols)), message.delayed(delay)
    together = early.union(late, later)
    h = grids(model, cell.channel.draws, together, seed=Draw.CHANNELS.seed(cell.seed)).to(device, torch.complex128)
    pairs = model.receive.antennas * model.transmit.antennas
    learnt = max(_LEARNT, -(-_PER_PILOT * len(early) // pairs))
    statistics = SampledStatistics.of(grids(model, learnt, together, seed=Draw.STATISTICS.seed(cell.seed)).to(device), together)
    place = {pair: number for number, pair in enumerate(together.pairs)}

    def at(elements: ResourceElements) -> Tensor:
        return h[:, torch.tensor([place[pair] for pair in elements.pairs], device=device)]

    truth = Channel.from_grid(at(later), snr_db_of(cell.channel, cell.snr))
    noise, generator = float(pilot_noise(cell, truth)[0]), Draw.ESTIMATES.generator(cell.seed, device=device)
    before, now = (_ESTIMATORS[cell.csi.estimator](statistics, pilots, later, pilot_noise=noise) for pilots in (early, late))
    estimate = (before if cell.method.trusts_estimates else before.corrected()).known(truth, at(early), generator)
    received = now.corrected().known(truth, at(late), generator)
    return Situation(truth, estimate, received, cell.csi.known, cell.channel.gain)


def _draw_measured(cell: Cell, device: torch.device) -> Situation:
    """Channels of a file: both ends have pilots at the message's own elements, each end with noise of its own."""
    at = cell.channel
    assert at.file is not None
    truth = channel_of(at, cell.ofdm, cell.snr, cell.seed, device)
    statistics = statistics_of(at.file, at.axes, at.gain if at.normalise else None, device)
    elements, generator = statistics.elements, Draw.ESTIMATES.generator(cell.seed, device=device)
    once = replace(truth, h=truth.h[..., : len(elements), :, :])  # one matrix serves any number of uses
    made = _ESTIMATORS[cell.csi.estimator](statistics, elements, elements, pilot_noise=float(pilot_noise(cell, truth)[0]))

    def known(estimator: ChannelEstimator) -> Channel:
        seen = estimator.known(once, once.h, generator)
        return replace(seen, h=seen.h.expand(truth.h.shape))

    estimate = known(made if cell.method.trusts_estimates else made.corrected())
    return Situation(truth, estimate, known(made.corrected()), cell.csi.known, at.gain)


def _draw_flat(cell: Cell, device: torch.device) -> Situation:
    """A flat model: the estimate is of the matrix one delay earlier, the receiver's of the matrix that the message passes."""
    before = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, device)
    age = (cell.csi.age_s, KMH * cell.ofdm.speed_kmh, 1e9 * cell.ofdm.carrier_ghz)
    gain, generator = cell.channel.gain, Draw.ESTIMATES.generator(cell.seed, device=device)
    once = before.h.narrow(-3, 0, 1) if is_block_fading(before.h) else before.h
    truth = replace(before, h=age_channel(once, *age[:2], carrier_hz=age[2], gain=gain, generator=generator).expand(before.h.shape))
    noise = pilot_noise(cell, before)
    seen = once + noise.sqrt()[..., None, None, None] * torch.randn(once.shape, dtype=once.dtype, device=device, generator=generator)
    if cell.csi.estimator == "lmmse" or not cell.method.trusts_estimates:
        mean, variance = posterior(seen, noise, gain)
        fresh = replace(before, h=mean.expand(before.h.shape), error_variance=variance)
        estimate = age_estimate(fresh, *age[:2], carrier_hz=age[2], gain=gain)
    else:
        rho = float(correlation_over_time(age[0], doppler_hz(*age[1:])))
        estimate = replace(before, h=seen.expand(before.h.shape), error_variance=noise + 2 * (1 - rho) * gain)
    return Situation(truth, estimate, truth.estimated(noise, gain, generator), cell.csi.known, gain)
