"""What the cases of `csi_cases` have in common: solutions of a chosen precoder, of an estimate that is trusted, and of baselines."""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Complex
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.interference import no_interference
from latentlink.linear.closed_form import LinearSolution, mark_status
from latentlink.linear.coloured import design_in_any_noise
from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import link_mse
from latentlink.linear.robust.both_ends import Choice
from latentlink.links.solution import Solution
from latentlink.links.status import Status
from latentlink.numerics.doors import finite
from latentlink.power import Mean, PowerLimit


def chosen(modes: SemanticModes, best: Choice) -> LinearSolution:
    """The solution of a chosen precoder."""
    link = modes.transceiver(best.decoded, best.streams, best.precoder)
    trace = {"stream_power": best.stream_power, "candidate": best.candidate}
    if best.mse_error is not None:
        trace["expected_mse_error"] = best.mse_error
    status = Status.OPTIMAL.where(best.stream_power.sum(-1) > 0)
    return Solution(link, status, best.mse, link.expected_power(modes.covariance), trace)


def trusting(modes: SemanticModes, known: Channel, limit: PowerLimit) -> LinearSolution:
    """The exact design for an estimate as if it were the channel; expected is its error on the channels that the estimate leaves open."""
    exact = design_in_any_noise(modes, known.without_error(), limit)
    if not known.uncertain:
        return exact
    mse = None if limit.limits_messages else link_mse(modes, exact.transceiver, known)
    return replace(exact, status=mark_status(exact.status, known.error_variance > 0, Status.BASELINE), expected_mse=mse)


def as_baseline(solution: LinearSolution) -> LinearSolution:
    """The solution as one that was not optimised for its channels, of which nothing is known: its expected MSE is left out."""
    everywhere = torch.ones_like(solution.status, dtype=torch.bool)
    return replace(solution, status=mark_status(solution.status, everywhere, Status.BASELINE), expected_mse=None)


def judged_by(truth: Channel, solution: LinearSolution, modes: SemanticModes) -> LinearSolution:
    """The solution with the MSE of its link on the true channels; None for messages that are scaled one by one."""
    link = solution.transceiver
    mse = None if link.power_limit.limits_messages else link_mse(modes, link, truth)
    batch = torch.broadcast_shapes(truth.batch, link.batch)
    status, power = solution.status.expand(batch), solution.expected_power.expand(batch)
    trace = {name: value for name, value in solution.trace.items() if name != "expected_mse_error"}  # that of a sampled expectation
    return replace(solution, status=status, expected_mse=mse, expected_power=power, trace=trace)


def require_pooled(limit: PowerLimit, case: object, known: Channel) -> None:
    """Raise ValueError where a case has no design within a limit, or in interference."""
    no_interference(known.interference, f"with {type(case).__name__}")
    if limit != Mean():
        remedy = "use csi=BothEnds() for other limits" if type(limit).allocate is not PowerLimit.allocate else "see ll.Admm for it"
        raise ValueError(f"power must be Mean() with {type(case).__name__}, got {limit!r}: {remedy}")


def statistical_root(scale: float, correlation: Any, like: Channel) -> Complex[Tensor, "t t"]:
    """√scale R^{1/2} on its min(n_rx, n_tx) strongest directions: more symbols than receive antennas would interfere.

    Raises:
        ValueError: the correlation is none, or the channels have interference, whose directions statistics of H leave open.
    """
    no_interference(like.interference, "where the transmitter knows only statistics")
    eye = torch.eye(like.n_tx, dtype=like.h.dtype, device=like.h.device)
    R = eye if correlation is None else finite("correlation", correlation).to(eye)
    if R.shape != eye.shape or not torch.allclose(R, R.mH, atol=1e-6):
        raise ValueError(f"correlation must be Hermitian of shape {tuple(eye.shape)}, got {tuple(R.shape)}")
    values, vectors = torch.linalg.eigh(R)
    if values[0] < -1e-6 * values[-1].abs().clamp(min=1.0):
        raise ValueError(f"correlation must be positive semidefinite, got an eigenvalue of {float(values[0]):.3g}")
    values[: like.n_tx - min(like.n_rx, like.n_tx)] = 0.0
    return scale**0.5 * (vectors * values.clamp(min=0).sqrt()) @ vectors.mH
