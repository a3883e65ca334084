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

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.channels.csi.ageing import age_channel, age_estimate
from latentlink.channels.csi.estimation import ChannelEstimator, least_squares_estimator, lmmse_estimator
from latentlink.channels.csi.feedback import quantise_feedback
from latentlink.channels.csi.posterior import posterior
from latentlink.channels.csi.statistics import SampledStatistics, correlation_over_time, doppler_hz
from latentlink.channels.ofdm import ResourceElements, symbol_duration_s
from latentlink.channels.tr38901.generate import grids
from latentlink.linear.closed_form import ClosedForm
from latentlink.linear.knowledge import BothEnds, CsiCase, ReceiverOnly, Transmitter, TransmitterOnly
from latentlink.links.solution import Solution
from latentlink.studies.channels import KMH, channel_of, elements_of, snr_db_of, standard_model
from latentlink.studies.methods.linear import ClosedFormMethod
from latentlink.studies.methods.method import Run
from latentlink.studies.shared import Known
from latentlink.studies.spec.study import Cell

_LEARNT, _PER_PILOT = 200, 40  # channels that statistics are learnt from at least, and antenna pairs of them for each pilot
_OTHERS = 2**32  # how far seeds of what is drawn beside the channels are from those


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
        csi, method = cell.csi.known, cell.method
        if csi == "perfect":
            return method.design(known, truth if cell.channel.knowledge == "aware" else truth.unaware(), run)
        if csi == "none":
            return method.design(known, truth.unaware(), run)
        if not isinstance(method, ClosedFormMethod):
            return method.design(known, estimate, run)
        modes, case = method.modes(known), self._case(method.robust)
        solution = ClosedForm(csi=case).design(modes, estimate)
        return case.at_reception(solution, modes, truth, self.received.with_power(power))

    def _case(self, robust: bool) -> CsiCase:
        """What the two ends know."""
        gain = self.cell.channel.gain
        cases: dict[str, CsiCase] = {
            "both-ends": BothEnds(robust=robust),
            "transmitter": Transmitter(robust=robust),
            "receiver-only": ReceiverOnly(gain=gain),
            "transmitter-only": TransmitterOnly(gain=gain),
        }
        return cases[self.cell.csi.known]


def csi_facts(there: Situation) -> dict[str, Any]:
    """Columns that say what is known of the channels."""
    csi = there.cell.csi
    if csi.known in ("perfect", "none"):
        return {"csi": csi.known}
    known = there.received if csi.known == "receiver-only" else there.estimate
    return {"csi": csi.known, "error_variance": known.error_variance, **csi.model_dump(exclude={"known", *there.cell.csi_ignored})}


def situation(cell: Cell, device: torch.device) -> Situation:
    """The channels of a cell and what is known of them, drawn from its seed."""
    if cell.csi.known in ("perfect", "none"):
        truth = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, device)
        return Situation(cell, truth, truth, truth)
    there = (_on_grid if cell.channel.standard else _flat)(cell, device)
    if cell.csi.feedback_bits is not None:
        return replace(there, estimate=quantise_feedback(there.estimate, cell.csi.feedback_bits, cell.channel.gain))
    return there


def pilot_noise(cell: Cell, truth: Channel) -> Tensor:
    """σ² / P_p (…): a pilot has what the study says over the noise, or all of a use's power; the same for all channels of a cell."""
    if cell.csi.pilot_snr_db is None:
        return truth.noise_variance / truth.power
    return torch.full_like(truth.noise_variance, 10 ** (-cell.csi.pilot_snr_db / 10))


def _on_grid(cell: Cell, device: torch.device) -> Situation:
    """Of a 3GPP model: pilots and message are elements of the same grids, the receiver's pilots in the message's first symbol."""
    model, message = standard_model(cell.channel, cell.ofdm), elements_of(cell.channel, cell.ofdm)
    delay = round(cell.age_s / symbol_duration_s(model.subcarrier_spacing_hz))
    early = ResourceElements.comb(cell.csi.pilot_spacing, cell.ofdm.subcarriers, (0,))
    late, later = early.delayed(delay + min(message.symbols)), message.delayed(delay)
    together = early.union(late, later)
    h = grids(model, cell.channel.draws, together, seed=cell.seed).to(device, torch.complex128)
    pairs = model.receive.antennas * model.transmit.antennas
    learnt = max(_LEARNT, -(-_PER_PILOT * len(early) // pairs))
    statistics = SampledStatistics.of(grids(model, learnt, together, seed=cell.seed + _OTHERS).to(device), together)
    place = {pair: number for number, pair in enumerate(together.pairs)}

    def at(elements: ResourceElements) -> Tensor:
        return h[:, torch.tensor([place[pair] for pair in elements.pairs], device=device)]

    truth = Channel.from_grid(at(later), snr_db_of(cell.channel, cell.snr))
    noise, generator = float(pilot_noise(cell, truth)[0]), torch.Generator(device=device).manual_seed(cell.seed + _OTHERS)
    before, now = (_estimator(cell)(statistics, pilots, later, pilot_noise=noise) for pilots in (early, late))
    estimate = (before.corrected() if _careful(cell) else before).known(truth, at(early), generator)
    return Situation(cell, truth, estimate, now.corrected().known(truth, at(late), generator))


def _estimator(cell: Cell) -> Callable[..., ChannelEstimator]:
    return lmmse_estimator if cell.csi.estimator == "lmmse" else least_squares_estimator


def _careful(cell: Cell) -> bool:
    """Whether of an estimate that is taken which is uncorrelated with its error; naive designs take it as it is."""
    return not isinstance(cell.method, ClosedFormMethod) or cell.method.robust


def _flat(cell: Cell, device: torch.device) -> Situation:
    """Of a flat model: the estimate is of the matrix a delay earlier, the receiver's of the matrix that the message passes."""
    before = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, device)
    age = (cell.age_s, KMH * cell.ofdm.speed_kmh, 1e9 * cell.ofdm.carrier_ghz)
    gain, generator = cell.channel.gain, torch.Generator(device=device).manual_seed(cell.seed + _OTHERS)
    once = before.h.narrow(-3, 0, 1) if is_block_fading(before.h) else before.h
    truth = replace(before, h=age_channel(once, *age[:2], carrier_hz=age[2], gain=gain, generator=generator).expand(before.h.shape))
    noise = pilot_noise(cell, before)
    seen = once + noise.sqrt()[..., None, None, None] * torch.randn(once.shape, dtype=once.dtype, device=device, generator=generator)
    if cell.csi.estimator == "lmmse" or _careful(cell):
        mean, variance = posterior(seen, noise, gain)
        estimate = age_estimate(
            replace(before, h=mean.expand(before.h.shape), error_variance=variance), *age[:2], carrier_hz=age[2], gain=gain
        )
    else:
        rho = float(correlation_over_time(age[0], doppler_hz(*age[1:])))
        estimate = replace(before, h=seen.expand(before.h.shape), error_variance=noise + 2 * (1 - rho) * gain)
    return Situation(cell, truth, estimate, truth.estimated(noise, gain, generator))
