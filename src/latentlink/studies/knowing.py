"""What a cell's transmitter knows of its channels, and the link that it makes of that.

The estimate is made as a radio makes it: every antenna has a pilot on each `pilot_spacing`-th subcarrier of the band, in the first symbol;
the message comes `delay_ms` later, with pilots of its own for a receiver that measures. What an estimator has to know of the model
beforehand, its covariance over the grid, is learnt from channels of another seed. Flat channels have one pilot a matrix, and age as
Gauss–Markov processes with Jakes' correlation.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from latentlink.channels.ageing import aged, outdated
from latentlink.channels.channel import Channel, is_block_fading
from latentlink.channels.csi import posterior
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
        truth: channels really passed. estimate: what is known of them when the precoder is made, `truth` where that is all.
        received: what a receiver that measures knows of them when the message comes.
    """

    cell: Cell
    truth: Channel
    estimate: Channel
    received: Channel

    def __getitem__(self, index: slice) -> "Situation":
        """Some of the channels."""
        return replace(self, truth=self.truth[index], estimate=self.estimate[index], received=self.received[index])

    def design(self, known: Known, power: Tensor, run: Run) -> Solution:
        """The link that is used, for a budget (…) of its own."""
        cell, truth, estimate = self.cell, self.truth.with_power(power), self.estimate.with_power(power)
        if cell.csi.known == "perfect":
            return cell.method.design(known, truth if cell.channel.knowledge == "aware" else truth.unaware(), run)
        method = cell.method
        if not isinstance(method, ClosedFormMethod):
            return method.design(known, estimate if cell.csi.known == "both-ends" else truth.unaware(), run)
        modes = method.modes(known)
        link = self._case(method.robust).link(modes, estimate, truth)
        if cell.csi.known in ("transmitter", "receiver-only"):
            link = link.matched_to(self.received.with_power(power))
        s = link.streams.shape[-1]
        mse = total_mse(modes, *link.response(truth, modes.covariance[:s, :s]))
        status = torch.full(truth.batch, (Status.ROBUST if method.robust else Status.BASELINE).code, device=truth.h.device)
        return Solution(link, status, mse, link.expected_power(modes.covariance))

    def _case(self, robust: bool) -> CsiCase:
        """Who knows what; receivers that measure are matched to it afterwards."""
        gain = self.cell.channel.gain
        cases: dict[str, Callable[[], CsiCase]] = {
            "both-ends": lambda: CsiAtBothEnds(robust),
            "transmitter": lambda: CsiAtTransmitter(robust),
            "receiver-only": lambda: CsiAtReceiverOnly(gain),
            "transmitter-only": lambda: CsiAtTransmitterOnly(gain),
            "none": NoCsi,
        }
        return cases[self.cell.csi.known]()


def csi_facts(there: Situation) -> dict[str, Any]:
    """Columns that say what is known of the channels."""
    csi = there.cell.csi
    if csi.known not in ("both-ends", "transmitter", "receiver-only"):
        return {"csi": csi.known}
    facts = csi.model_dump(exclude={"known"})
    if not there.cell.channel.standard:
        facts["pilot_spacing"] = None
    return {"csi": csi.known, "error_variance": there.estimate.error_variance, **facts}


def situation(cell: Cell, device: torch.device) -> Situation:
    """The channels of a cell and what is known of them, drawn from its seed."""
    if cell.csi.known not in ("both-ends", "transmitter", "receiver-only"):
        truth = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, device)
        return Situation(cell, truth, truth, truth)
    there = (_on_grid if cell.channel.standard else _flat)(cell, device)
    if cell.csi.feedback_bits is not None:
        return replace(there, estimate=fed_back(there.estimate, cell.csi.feedback_bits, cell.channel.gain))
    return there


def pilot_noise(cell: Cell, truth: Channel) -> Tensor:
    """σ² / P_p (…): a pilot has what the study says over the noise, or all of a use's power; the same for all channels of a cell."""
    if cell.csi.pilot_snr_db is None:
        return truth.noise_variance / truth.power
    return torch.full_like(truth.noise_variance, 10 ** (-cell.csi.pilot_snr_db / 10))


def _on_grid(cell: Cell, device: torch.device) -> Situation:
    """Of a 3GPP model: pilots and message are elements of the same grids, the receiver's pilots in the message's first symbol."""
    model, message = standard_model(cell.channel, cell.ofdm), elements_of(cell.channel, cell.ofdm)
    delay = round(1e-3 * cell.csi.delay_ms / symbol_duration_s(model.subcarrier_spacing_hz))
    early = ResourceElements.comb(cell.csi.pilot_spacing, cell.ofdm.subcarriers, (0,))
    late, later = early.delayed(delay + min(message.symbols)), message.delayed(delay)
    together = _union(early, late, later)
    h = grids(model, cell.channel.draws, together, cell.seed).to(device, torch.complex128)
    statistics = SampledStatistics.of(grids(model, _LEARNT, together, cell.seed + _OTHERS).to(device), together)
    place = {pair: number for number, pair in enumerate(_pairs(together))}

    def at(elements: ResourceElements) -> Tensor:
        return h[:, torch.tensor([place[pair] for pair in _pairs(elements)], device=device)]

    truth = replace(channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, device), h=at(later))
    noise, generator = float(pilot_noise(cell, truth)[0]), torch.Generator(device=device).manual_seed(cell.seed)
    estimator = _estimator(cell)
    before, now = (estimator(statistics, pilots, later, noise) for pilots in (early, late))
    estimate = (before.corrected() if _robust(cell) else before).known(truth, at(early), generator)
    return Situation(cell, truth, estimate, now.corrected().known(truth, at(late), generator))


def _pairs(elements: ResourceElements) -> list[tuple[int, int]]:
    return list(zip(elements.subcarriers, elements.symbols, strict=True))


def _union(*parts: ResourceElements) -> ResourceElements:
    """All elements, each once."""
    pairs = dict.fromkeys(pair for part in parts for pair in _pairs(part))
    return ResourceElements(tuple(k for k, _ in pairs), tuple(symbol for _, symbol in pairs))


def _estimator(cell: Cell) -> Callable[..., ChannelEstimator]:
    return lmmse_estimator if cell.csi.estimator == "lmmse" else least_squares_estimator


def _robust(cell: Cell) -> bool:
    """Whether the design takes of an estimate what is uncorrelated with its error, and that error for noise."""
    return isinstance(cell.method, ClosedFormMethod) and cell.method.robust


def _flat(cell: Cell, device: torch.device) -> Situation:
    """Of a flat model: the estimate is of the matrix a delay earlier, the receiver's of the matrix that the message passes."""
    before = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, device)
    age = (1e-3 * cell.csi.delay_ms, _KMH * cell.ofdm.speed_kmh, 1e9 * cell.ofdm.carrier_ghz)
    gain, generator = cell.channel.gain, torch.Generator(device=device).manual_seed(cell.seed + 1)
    once = before.h.narrow(-3, 0, 1) if is_block_fading(before.h) else before.h
    truth = replace(before, h=aged(once, *age, gain, generator).expand(before.h.shape))
    noise = pilot_noise(cell, before)
    seen = once + noise.sqrt()[..., None, None, None] * torch.randn(once.shape, dtype=once.dtype, device=device, generator=generator)
    if cell.csi.estimator == "lmmse" or _robust(cell):
        mean, variance = posterior(seen, noise, gain)
        estimate = outdated(replace(before, h=mean.expand(before.h.shape), error_variance=variance), *age, gain)
    else:
        rho = float(correlation_over_time(age[0], doppler_hz(*age[1:])))
        estimate = replace(before, h=seen.expand(before.h.shape), error_variance=noise + 2 * (1 - rho) * gain)
    return Situation(cell, truth, estimate, truth.estimated(noise, gain, generator))
