"""What a cell's transmitter knows of its channels, and the link that it makes of that.

The estimate is made as a radio makes it: every antenna has a pilot on each `pilot_spacing`-th subcarrier of the band, in the first symbol;
the message comes `delay_ms` later. What an estimator has to know of the model beforehand, its covariance over the grid, is learnt from
channels of another seed. Flat channels have one pilot a matrix, and age as Gauss–Markov processes with Jakes' correlation.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from latentlink.channels.ageing import aged, outdated
from latentlink.channels.channel import Channel, is_block_fading
from latentlink.channels.estimation import ChannelEstimator, least_squares_estimator, lmmse_estimator
from latentlink.channels.feedback import fed_back
from latentlink.channels.resource_elements import ResourceElements, symbol_duration_s
from latentlink.channels.statistics import SampledStatistics, correlation_over_time, doppler_hz
from latentlink.channels.tr38901 import grids
from latentlink.linear.csi_cases import (
    CsiAtBothEnds,
    CsiAtReceiverOnly,
    CsiAtTransmitter,
    CsiAtTransmitterOnly,
    CsiCase,
    Measurement,
    NoCsi,
)
from latentlink.linear.errors import total_mse
from latentlink.studies.channels import channel_of, elements_of, standard_model
from latentlink.studies.method import Run
from latentlink.studies.methods import ClosedFormMethod
from latentlink.studies.shared import Known
from latentlink.studies.spec import Cell
from latentlink.transceiver import Solution, Status

_LEARNT, _OTHERS = 200, 2**32  # channels that statistics are learnt from, and how far their seeds are from all others
_KMH = 1 / 3.6


@dataclass(frozen=True, eq=False)
class Situation:
    """The channels of a cell and what its transmitter knows of them.

    Attributes:
        truth: channels really passed. estimate: what is known of them, `truth` where that is all.
    """

    cell: Cell
    truth: Channel
    estimate: Channel

    def __getitem__(self, index: slice) -> "Situation":
        """Some of the channels."""
        return replace(self, truth=self.truth[index], estimate=self.estimate[index])

    def design(self, known: Known, power: Tensor, run: Run) -> Solution:
        """The link that is used, for a budget (…) of its own."""
        cell, truth, estimate = self.cell, self.truth.with_power(power), self.estimate.with_power(power)
        if cell.csi.known == "perfect":
            return cell.method.design(known, truth if cell.channel.knowledge == "aware" else truth.unaware(), run)
        method = cell.method
        if not isinstance(method, ClosedFormMethod):
            return method.design(known, estimate if cell.csi.known == "both-ends" else truth.unaware(), run)
        generator = torch.Generator(device=truth.h.device).manual_seed(cell.seed + _OTHERS)
        modes = method.modes(known)
        link = self._case(method.robust).link(modes, estimate, truth, generator)
        s = link.streams.shape[-1]
        mse = total_mse(modes, *link.response(truth, modes.covariance[:s, :s]))
        status = torch.full(truth.batch, (Status.ROBUST if method.robust else Status.BASELINE).code, device=truth.h.device)
        return Solution(link, status, mse, link.expected_power(modes.covariance))

    def _case(self, robust: bool) -> CsiCase:
        gain = self.cell.channel.gain
        measured = Measurement(float(pilot_noise(self.cell, self.truth)[0]), gain)
        cases: dict[str, Callable[[], CsiCase]] = {
            "both-ends": lambda: CsiAtBothEnds(robust),
            "transmitter": lambda: CsiAtTransmitter(robust, measured=measured),
            "receiver-only": lambda: CsiAtReceiverOnly(gain, measured=measured),
            "transmitter-only": lambda: CsiAtTransmitterOnly(gain),
            "none": NoCsi,
        }
        return cases[self.cell.csi.known]()


def csi_facts(there: Situation) -> dict[str, Any]:
    """Columns that say what is known of the channels."""
    csi = there.cell.csi
    if csi.known not in ("both-ends", "transmitter"):
        return {"csi": csi.known}
    facts = csi.model_dump(exclude={"known"})
    if not there.cell.channel.standard:
        facts["pilot_spacing"] = None
    return {"csi": csi.known, "error_variance": there.estimate.error_variance, **facts}


def situation(cell: Cell, device: torch.device) -> Situation:
    """The channels of a cell and what is known of them, drawn from its seed."""
    if cell.csi.known not in ("both-ends", "transmitter"):
        truth = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, device)
        return Situation(cell, truth, truth)
    truth, estimate = (_on_grid if cell.channel.standard else _flat)(cell, device)
    if cell.csi.feedback_bits is not None:
        estimate = fed_back(estimate, cell.csi.feedback_bits, cell.channel.gain)
    return Situation(cell, truth, estimate)


def pilot_noise(cell: Cell, truth: Channel) -> Tensor:
    """σ² / P_p (…): a pilot has what the study says over the noise, or all of a use's power; the same for all channels of a cell."""
    if cell.csi.pilot_snr_db is None:
        return truth.noise_variance / truth.power
    return torch.full_like(truth.noise_variance, 10 ** (-cell.csi.pilot_snr_db / 10))


def _on_grid(cell: Cell, device: torch.device) -> tuple[Channel, Channel]:
    """Truth and estimate of a 3GPP model, the pilots and the message being elements of the same grids."""
    model, message = standard_model(cell.channel, cell.ofdm), elements_of(cell.channel, cell.ofdm)
    later = message.delayed(round(1e-3 * cell.csi.delay_ms / symbol_duration_s(model.subcarrier_spacing_hz)))
    pilots = ResourceElements.comb(cell.csi.pilot_spacing, cell.ofdm.subcarriers, (0,))
    places = dict.fromkeys(pair for some in (pilots, later) for pair in zip(some.subcarriers, some.symbols, strict=True))
    together = ResourceElements(*(tuple(values) for values in zip(*places, strict=True)))
    index = {pair: number for number, pair in enumerate(places)}
    h = grids(model, cell.channel.draws, together, cell.seed).to(device, torch.complex128)
    own = torch.tensor([index[pair] for pair in zip(later.subcarriers, later.symbols, strict=True)], device=device)
    truth = replace(channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, device), h=h[:, own])
    statistics = SampledStatistics.of(grids(model, _LEARNT, together, cell.seed + _OTHERS).to(device), together)
    estimator = _estimator(cell)(statistics, pilots, later, float(pilot_noise(cell, truth)[0]))
    generator = torch.Generator(device=device).manual_seed(cell.seed)
    return truth, estimator.known(truth, h[:, : len(pilots)], generator)


def _estimator(cell: Cell) -> Callable[..., ChannelEstimator]:
    """The cell's estimator; a robust design takes of least squares what is uncorrelated with its error."""
    if cell.csi.estimator == "lmmse":
        return lmmse_estimator
    robust = isinstance(cell.method, ClosedFormMethod) and cell.method.robust

    def least_squares(*facts: object) -> ChannelEstimator:
        plain = least_squares_estimator(*facts)  # type: ignore[arg-type]
        return plain.corrected() if robust else plain

    return least_squares


def _flat(cell: Cell, device: torch.device) -> tuple[Channel, Channel]:
    """Truth and estimate of a flat model: the estimate is of the matrix a delay earlier."""
    before = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, device)
    age = (1e-3 * cell.csi.delay_ms, _KMH * cell.ofdm.speed_kmh, 1e9 * cell.ofdm.carrier_ghz)
    gain, generator = cell.channel.gain, torch.Generator(device=device).manual_seed(cell.seed + 1)
    once = before.h.narrow(-3, 0, 1) if is_block_fading(before.h) else before.h
    truth = replace(before, h=aged(once, *age, gain, generator).expand(before.h.shape))
    noise = pilot_noise(cell, before)
    if cell.csi.estimator == "lmmse" or (isinstance(cell.method, ClosedFormMethod) and cell.method.robust):
        return truth, outdated(before.estimated(noise, gain, generator), *age, gain)
    seen = once + noise.sqrt()[..., None, None, None] * torch.randn(once.shape, dtype=once.dtype, device=device, generator=generator)
    rho = float(correlation_over_time(age[0], doppler_hz(*age[1:])))
    return truth, replace(before, h=seen.expand(before.h.shape), error_variance=noise + 2 * (1 - rho) * gain)
