"""The honest competitor where a message serves one known task: the transmitter decides, and sends nothing but its decision.

It takes one of c points for one of c classes, over all uses of a message; the receiver takes the point that is most probable, and the mean
of y for that decision, on which its own head then decides. Nothing of y but the class arrives.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from latentlink.baselines.constellation import constellation_for
from latentlink.baselines.decision_transceiver import DecisionTransceiver
from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.links.shapes import check_channel
from latentlink.links.solution import Solution
from latentlink.links.status import Status
from latentlink.numerics.doors import check_instance, flag
from latentlink.numerics.reprs import Summarised
from latentlink.tasks.heads import LinearHead, apply_head, fit_head, is_affine


@dataclass(frozen=True)
class DecisionLink(Summarised):
    """A transmitter that decides: by the receiver's head on aligned latents, or by a classifier of its own.

    Attributes:
        head: the receiver's classifier, W y + b; None fits one on the labels of the pilots.
        classifier: the transmitter's own, of x, with as many classes; None takes the head, behind the linear regression of y on x.
        averages: True for a receiver that averages class means by their probability, which errs less in y where noise is strong; False for
            one that decides.

    Raises:
        ValueError: head or classifier is not one linear layer, or averages is no truth value.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> pilots = ll.Pilots(x, x[:, :6].tanh(), (x[:, 0] > 0).long())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(1, 1, batch=(3,), generator=0), snr_db=20.0)
        >>> ll.baselines.DecisionLink().design(pilots, channel)
        Solution(3 channels, 1×1, 1 use, baseline)
    """

    head: nn.Module | None = None
    classifier: nn.Module | None = None
    averages: bool = False

    def __post_init__(self) -> None:
        for name, made in (("head", self.head), ("classifier", self.classifier)):
            if made is not None and not is_affine(made):
                raise ValueError(f"{name} must be one linear layer, such as fit_head(y, labels) makes, got {type(made).__name__}")
        flag("averages", self.averages)

    def fitted(self, pilots: Pilots) -> "DecisionLink":
        """The same with its classifier, made once from pilots for many designs, which takes most of their time; raises as `design`."""
        check_instance("pilots", pilots, Pilots, "Pilots(x, y, labels)")
        weight, bias = self._classifier(pilots)
        return replace(self, classifier=LinearHead.from_tensors({"weight": weight, "bias": bias}, {}))

    def design(self, pilots: Pilots, channel: Channel) -> Solution[DecisionTransceiver]:
        """Design classifier, points and class means for every channel of the batch.

        Args:
            pilots: pairs, with labels where there is no head.
            channel: batch of channels (…, u, n_rx, n_tx); an error of theirs counts as noise.

        Returns:
            Solution with `trace` holding `shares` (c,) of the decisions. Its error is not known: how often points are confused is a bound.

        Raises:
            ValueError: pilots or channel are of another type, on different devices, or do not fit head and classifier.
        """
        check_instance("pilots", pilots, Pilots, "Pilots(x, y, labels)")
        check_channel(channel, pilots.x)
        weight, bias = self._classifier(pilots)
        chosen = (pilots.x.double() @ weight.mT + bias).argmax(-1)
        counts = torch.bincount(chosen, minlength=len(bias)).double()
        sums = torch.zeros(len(bias), pilots.y.shape[1], dtype=torch.float64, device=weight.device).index_add_(0, chosen, pilots.y.double())
        mean = pilots.y.double().mean(0)
        means = torch.where(counts.unsqueeze(-1) > 0, sums / counts.clamp(min=1).unsqueeze(-1), mean)
        probability = counts / counts.sum()
        channel = channel.to(torch.float64)
        points = constellation_for(channel, probability)
        link = DecisionTransceiver(weight, bias, probability, means, points, channel, bool(self.averages))
        power = (points.abs().square().sum((-2, -1)) * probability).sum(-1) / channel.uses
        return Solution(link, Status.BASELINE.where(power > 0), None, power, {"shares": probability})

    def _classifier(self, pilots: Pilots) -> tuple[Tensor, Tensor]:
        """Weight (c, d) and bias (c,) of the transmitter's decision."""
        if self.classifier is not None:
            weight, bias = _layer(self.classifier, pilots.x, "classifier")
            if self.head is not None and len(_layer(self.head, pilots.y, "head")[1]) != len(bias):
                raise ValueError(f"classifier must have as many outputs as the head, got {len(bias)}")
            return weight, bias
        if self.head is None and pilots.labels is None:
            raise ValueError("pilots must have labels where no head is given: Pilots(x, y, labels), or DecisionLink(head)")
        head = self.head if self.head is not None else fit_head(pilots.y, pilots.labels)  # type: ignore[arg-type]
        return _layer(aligned_classifier(head, Moments.from_pairs(pilots.x, pilots.y)), pilots.x, "head")


def aligned_classifier(head: nn.Module, moments: Moments) -> LinearHead:
    """The head of y behind the linear regression of y on x: W T x + W (μy − T μx) + b, as one layer of x in float64."""
    weight, bias = _layer(head, moments.mean_y.unsqueeze(0), "head")
    aligned = weight @ moments.regression()
    return LinearHead.from_tensors({"weight": aligned, "bias": weight @ moments.mean_y + bias - aligned @ moments.mean_x}, {})


def _layer(made: nn.Module, latents: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear classifier in float64; a ValueError if it does not read these latents, has one output or odd weights."""
    assert is_affine(made)
    for part, value in made.named_parameters():
        if value.is_complex() or not bool(value.isfinite().all()):
            raise ValueError(f"{name} must have finite real weights, got others in its {part}: fit it anew")
    if apply_head(made, latents[:1]).shape[-1] < 2:
        raise ValueError(f"{name} must have at least two outputs to decide, got one")
    weight = made.weight.detach().to(latents.device).double()
    bias = made.bias.detach().to(weight) if made.bias is not None else weight.new_zeros(len(weight))
    return weight, bias
