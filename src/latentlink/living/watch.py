"""A watch over a link that needs neither pairs nor labels: are the decisions on received latents as sure as they were?

For each message it adds up how far the entropy of the head's decision is above its mean, in deviations, by a one-sided cumulative sum
(`cusum`). The threshold is found by simulation: streams put together of blocks of the calibrating messages (`blocks`), since neither the
law of entropies nor their dependence is known. A change that leaves the law of received latents as it is, such as two equally likely
classes that change places, is seen by no test of this kind; `AgreementTest` sees it.
"""

import math
import warnings
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlink.latents.rows import as_latents
from latentlink.living.blocks import Dependence
from latentlink.living.cusum import Walks, cusum
from latentlink.numerics.doors import AnyArray, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call
from latentlink.tasks.heads import apply_head

_RAREST = 1e-5  # false alarms a message; a rarer one would take minutes of simulation
_DOUBT = 2.0  # factor by which the time between false alarms may be wrong before that is told


@made_by("living.Watch.calibrated(head, y_hat)")
@dataclass(frozen=True, eq=False, repr=False)
class Watch(Summarised):
    """The state of a watch; `update` returns the next one. Once alarmed it stays so, until it is `restarted`.

    Attributes:
        head: classifier of the receiver's latents.
        mean: mean entropy in nats while all is well.
        deviation: its standard deviation over messages.
        allowance: a, deviations that are forgiven at each message.
        threshold: h, what the statistic passes at an alarm.
        false_alarms: false alarms a message that the threshold was made for.
        between: least and greatest number of messages between false alarms that the sampling error of `mean` allows, at one standard error.
        correlation_time: messages after which the calibrating ones had forgotten each other; 1 for independent ones.
        calibrating: standardised entropies (n,) of the calibrating messages.
        statistic: s, of the last message.
        count: messages so far.
        alarmed_at: number of the message that raised the alarm, counted from 1; None before.

    Example:
        >>> import torch, latentlink as ll
        >>> y = torch.randn(4000, 6, generator=torch.Generator().manual_seed(0))
        >>> head = ll.fit_head(y, (y[:, 0] > 0).long())
        >>> watch = ll.living.Watch.calibrated(head, y, false_alarms=1 / 200)
        >>> watch.update(y[:20]).alarm, watch.update(0.1 * y[:20]).alarm  # what arrives is faint
        (False, True)
    """

    head: nn.Module
    mean: float
    deviation: float
    allowance: float
    threshold: float
    false_alarms: float
    between: tuple[float, float]
    correlation_time: float
    calibrating: Float[Tensor, "n"]
    statistic: float = 0.0
    count: int = 0
    alarmed_at: int | None = None

    def _facts(self) -> dict[str, str]:
        state = f"statistic {self.statistic:.3g} of {self.threshold:.3g}"
        return {
            "messages": f"{self.count} messages",
            "state": state if self.alarmed_at is None else f"alarm at message {self.alarmed_at}",
            "false alarms": f"a false alarm in {1 / self.false_alarms:.0f}",
        }

    @property
    def alarm(self) -> bool:
        """True if the statistic has passed the threshold."""
        return self.alarmed_at is not None

    @classmethod
    @validate_call
    def calibrated(cls, head: nn.Module, y_hat: AnyArray, *, false_alarms: float = 1 / 2500, shift: float = 0.5) -> "Watch":
        """Learn from messages that arrived while all was well, in their order: consecutive ones of a stream, if streams will be watched.

        Latents that the design or the head was fitted on do not serve: decisions on them are too sure.

        Args:
            head: classifier of the receiver's latents.
            y_hat: received latents (n, m), as `decode` gives them.
            false_alarms: false alarms a message, from 1e-5 to 0.1.
            shift: shift of the mean entropy, in deviations over messages, that is to be found soonest; larger ones are found sooner still.

        Raises:
            ValueError: y_hat is malformed or not from at least two messages of different entropy, the head is no classifier of them, or
                false_alarms or shift is out of range.

        Warns:
            UserWarning: there are too few messages to know the time between false alarms to a factor of two.
        """
        rate, shift = real("false_alarms", false_alarms, least=_RAREST, most=0.1), real("shift", shift, above=0.0, most=100.0)
        entropy = _entropies(head, y_hat)
        mean, deviation = float(entropy.mean()), float(entropy.std(correction=0))
        if not deviation > 1e-9 * max(1.0, mean):
            raise ValueError(f"y_hat must be of messages that the head is not equally sure of, got {len(entropy)} of entropy {mean:.3g}")
        z, allowance = (entropy - mean) / deviation, shift / 2
        dependence = Dependence.of(z)
        walks = Walks.of(z, dependence.block, allowance, rate)
        threshold = walks.threshold_for(1 / rate)
        error = (dependence.time / len(z)) ** 0.5
        low, high = (Walks.of(z, dependence.block, allowance, rate, sign * error).mean_time(threshold) for sign in (1, -1))
        _warn_of_few(len(z), low, high, 1 / rate)
        return cls(head, mean, deviation, allowance, threshold, rate, (low, high), dependence.time, z)

    def update(self, y_hat: AnyArray) -> "Watch":
        """The watch after further messages.

        Args:
            y_hat: their received latents (n, m), in the order of arrival.

        Raises:
            ValueError: y_hat is malformed, or the head cannot read it.
        """
        statistics = cusum(self._standardised(y_hat), self.allowance, self.statistic)
        passed = (statistics > self.threshold).nonzero()
        alarmed_at = self.alarmed_at if self.alarm or len(passed) == 0 else self.count + int(passed[0]) + 1
        return replace(self, statistic=float(statistics[-1]), count=self.count + len(statistics), alarmed_at=alarmed_at)

    def restarted(self) -> "Watch":
        """The watch as it was calibrated, after whatever raised the alarm has been mended."""
        return replace(self, statistic=0.0, count=0, alarmed_at=None)

    def delay_for(self, shift: float | AnyArray) -> float:
        """Mean number of messages from a change to the alarm, by simulation; inf where no alarm came in as long as two false ones take.

        Args:
            shift: by how many deviations the mean entropy changes; or received latents (n, m) of changed messages, in their order.

        Raises:
            ValueError: shift is neither a finite number nor such latents.
        """
        if isinstance(shift, int | float):
            block = Dependence.of(self.calibrating).block
            return Walks.of(self.calibrating, block, self.allowance, self.false_alarms, real("shift", shift)).mean_time(self.threshold)
        z = self._standardised(shift, "shift")
        return Walks.of(z, Dependence.of(z).block, self.allowance, self.false_alarms).mean_time(self.threshold)

    def _standardised(self, y_hat: AnyArray, name: str = "y_hat") -> Float[Tensor, "n"]:
        return (_entropies(self.head, y_hat, name) - self.mean) / self.deviation


def _entropies(head: nn.Module, y_hat: AnyArray, name: str = "y_hat") -> Float[Tensor, "n"]:
    """The entropy (n,) in nats of the head's softmax on latents (n, m)."""
    latents = as_latents(name, y_hat)
    try:
        logits = apply_head(head, latents).detach().double()
    except ValueError as error:
        raise ValueError(f"{name} must be latents that the head reads, got shape {tuple(latents.shape)}: {error}") from error
    if logits.shape[-1] < 2:
        raise ValueError("head must be a classifier with at least two outputs, got one output")
    log_p = torch.log_softmax(logits, -1)
    return -(log_p.exp() * log_p).sum(-1)


def _warn_of_few(count: int, low: float, high: float, wanted: float) -> None:
    """Tell where the mean of the calibrating entropies is too uncertain."""
    doubt = max(wanted / low, high / wanted)
    if doubt <= _DOUBT:
        return
    needed = math.ceil(count * (math.log(min(doubt, 1e6)) / math.log(_DOUBT)) ** 2)
    greatest = f"{high:.0f}" if math.isfinite(high) else "many more"
    warnings.warn(
        f"y_hat has {count} messages, which let the mean time between false alarms be anywhere from {low:.0f} to {greatest} "
        f"messages, at one standard error, where {wanted:.0f} are meant: calibrate on about {needed} messages, or allow more false alarms",
        UserWarning,
        stacklevel=4,
    )
