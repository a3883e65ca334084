"""A watch over a link that needs neither pairs nor labels: are the decisions on received latents as sure as they were?

For each message it adds up how far the entropy of the head's decision is above its mean, in deviations, by a one-sided cumulative sum
(`cusum`). The threshold is found by simulation: streams put together of blocks of the calibrating messages (`blocks`), since neither the
law of entropies nor their dependence is known. A change that leaves the law of received latents as it is, such as two equally likely
classes that change places, is seen by no test of this kind; `AgreementTest` sees it.

A statistic that has left 0 and not come back says when a change began: of all places of one change, the message after it was last 0 is the
likeliest [page1954continuous].
"""

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlink.latents.rows import as_latents
from latentlink.living.blocks import Dependence
from latentlink.living.cusum import Walks, cusum
from latentlink.numerics.doors import AnyArray, integer, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call
from latentlink.storage.artifacts import Saved, artifact
from latentlink.tasks.heads import SoftmaxHead, apply_head, is_affine

_RAREST = 1e-5  # false alarms a message; a rarer one would take minutes of simulation
_NUMBERS: dict[str, dict[str, float]] = {  # that are saved, and their limits
    "mean": {"least": 0.0},
    "deviation": {"above": 0.0},
    "allowance": {"above": 0.0},
    "threshold": {"least": 0.0},
    "false_alarms": {"least": _RAREST, "most": 0.1},
    "correlation_time": {"least": 1.0},
    "statistic": {"least": 0.0},
}
_DOUBT = 2.0  # factor by which the time between false alarms may be wrong before that is told


@made_by("living.Watch.calibrated(head, y_hat)")
@artifact("watch")
@dataclass(frozen=True, eq=False, repr=False)
class Watch(Summarised, Saved):
    """The state of a watch; `update` returns the next one. Once alarmed it stays so, until it is `restarted`.

    It is saved by `save`, read back by `latentlink.load`, and goes on as if it had never been away.

    Attributes:
        head: classifier of the receiver's latents; `torch.nn.Identity()` where what arrives are its outputs already.
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
        rising_since: number of the message with which the statistic last left 0: of the last one, or of the alarm; the next message
            where it is 0.

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
    rising_since: int = 1

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
        s = self.statistics(y_hat)
        passed = (s > self.threshold).nonzero()
        count = self.count + len(s)
        if self.alarm:
            return replace(self, statistic=float(s[-1]), count=count)
        end = int(passed[0]) if len(passed) else len(s) - 1
        zeros = (s[: end + 1] == 0).nonzero()
        since = self.count + int(zeros[-1]) + 2 if len(zeros) else self.rising_since
        alarmed_at = self.count + end + 1 if len(passed) else None
        return replace(self, statistic=float(s[-1]), count=count, alarmed_at=alarmed_at, rising_since=since)

    def statistics(self, y_hat: AnyArray) -> Float[Tensor, "n"]:
        """The statistic s (n,) after each of further messages, of which `update` keeps the last; takes and raises as `update`."""
        return cusum(self.standardised(y_hat), self.allowance, self.statistic)

    def restarted(self) -> "Watch":
        """The watch as it was calibrated, after whatever raised the alarm has been mended."""
        return replace(self, statistic=0.0, count=0, alarmed_at=None, rising_since=1)

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
        z = self.standardised(shift, "shift")
        return Walks.of(z, Dependence.of(z).block, self.allowance, self.false_alarms).mean_time(self.threshold)

    def standardised(self, y_hat: AnyArray, name: str = "y_hat") -> Float[Tensor, "n"]:
        """By how many deviations (n,) the entropy of each decision is above its mean while all is well; takes and raises as `update`."""
        return (_entropies(self.head, y_hat, name) - self.mean) / self.deviation

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and facts of the saved file.

        Raises:
            ValueError: the head is none that can be saved.
        """
        tensors, facts = _head_to_tensors(self.head)
        low, high = self.between
        numbers = {name: getattr(self, name) for name in (*_NUMBERS, "count", "alarmed_at", "rising_since")}
        between = [low, high if math.isfinite(high) else None]
        return {"calibrating": self.calibrating, **tensors}, {**facts, **numbers, "between": between}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "Watch":
        """The watch of a saved file; a ValueError names what cannot be."""
        numbers: dict[str, Any] = {name: real(name, manifest[name], **limits) for name, limits in _NUMBERS.items()}
        count, alarmed_at = integer("count", manifest["count"], 0), manifest["alarmed_at"]
        since = integer("rising_since", manifest["rising_since"], 1, count + 1)
        low, high = manifest["between"]
        between = real("between", low, least=1.0), math.inf if high is None else real("between", high, least=low)
        alarmed_at = None if alarmed_at is None else integer("alarmed_at", alarmed_at, 1, count)
        state: dict[str, Any] = {"count": count, "alarmed_at": alarmed_at, "rising_since": since, "calibrating": tensors["calibrating"]}
        return cls(head=_head_from_tensors(tensors, manifest), between=between, **state, **numbers)


def _head_to_tensors(head: nn.Module) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The head's tensors and facts; none of one that gives back what it is given."""
    if isinstance(head, nn.Identity):
        return {}, {"latent_dim": None, "classes": None}
    if not is_affine(head):
        raise ValueError(
            f"head must be linear to be saved with its watch, got {type(head).__name__}: watch its outputs, "
            "Watch.calibrated(torch.nn.Identity(), head(y_hat))"
        )
    named = {"class_names": list(head.classes)} if isinstance(head, SoftmaxHead) and head.classes is not None else {}
    bias = head.weight.new_zeros(head.out_features) if head.bias is None else head.bias
    return {"weight": head.weight, "bias": bias}, {"latent_dim": head.in_features, "classes": head.out_features, **named}


def _head_from_tensors(tensors: dict[str, Tensor], manifest: dict[str, Any]) -> nn.Module:
    if "weight" not in tensors:
        return nn.Identity()
    return SoftmaxHead.from_tensors({name: tensors[name] for name in ("weight", "bias")}, manifest)


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
