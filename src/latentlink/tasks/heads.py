"""Task heads, which make decisions of the receiver's latents. A softmax head is fitted here; any torch module serves in its place."""

import warnings
from collections.abc import Sequence
from typing import Any, TypeGuard, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentlink.latents.labels import AnyLabels, as_named_labels, checked_names
from latentlink.latents.rows import as_latents
from latentlink.numerics.doors import AnyArray, as_tensor, device_named, integer, real
from latentlink.numerics.gradients import with_gradients
from latentlink.numerics.minimise import minimise
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call
from latentlink.storage.artifacts import Saved, artifact

_TOLERANCE = 3e-5  # on the gradient in coordinates where no curvature is above 1
_UNUSED = 1000  # logits of classes that do not occur, beside two for each that does: a few classes may keep the numbers of ImageNet
_FAR = 20  # numbers of classes that are left out between the largest and the others, beyond which it is told
_CURVATURE = 0.5  # Böhning's bound on that of the cross-entropy along a feature of unit variance


H = TypeVar("H", bound="LinearHead")


class LinearHead(Summarised, nn.Linear, Saved):
    """A frozen head with outputs (…, q) = y Wᵀ + b of latents y (…, m), of any real dtype; the base of the heads that are fitted here."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if device is not None and device != "meta":  # on which `skip_init` makes it
            device = device_named(device)
        super().__init__(integer("in_features", in_features), integer("out_features", out_features), bias, device, dtype)

    def forward(self, y: AnyArray) -> Tensor:
        """Outputs of latents y (…, m); computed in the head's own dtype.

        Raises:
            ValueError: y is no array of real numbers, or its last dimension is not m.
        """
        y = as_tensor("y", y)
        if y.is_complex() or y.ndim == 0 or y.shape[-1] != self.in_features:
            raise ValueError(f"y must have shape (..., {self.in_features}) and be real, got {y.dtype} {tuple(y.shape)}")
        return super().forward(y.to(self.weight.dtype))

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {"weight": self.weight, "bias": self.bias}, {"latent_dim": self.in_features, "outputs": self.out_features}

    @classmethod
    def from_tensors(cls: type[H], tensors: dict[str, Tensor], manifest: dict[str, Any]) -> H:
        """The head of a saved file."""
        weight = tensors["weight"]
        if weight.ndim != 2 or tensors["bias"].shape != weight.shape[:1]:
            raise ValueError(
                f"weight must have shape (outputs, m) and bias (outputs,), got {tuple(weight.shape)} and {tuple(tensors['bias'].shape)}"
            )
        head: H = nn.utils.skip_init(cls, weight.shape[1], weight.shape[0], dtype=weight.dtype)  # draws no numbers
        head.load_state_dict(tensors)
        return head.requires_grad_(False).eval()


@artifact("head")
class SoftmaxHead(LinearHead):
    """Multinomial logistic regression: logits (…, classes) = y Wᵀ + b of latents y (…, m), of any real dtype.

    Attributes:
        classes: the name of each class, in the order of the logits, as they were in training; None where classes have numbers alone.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> head = ll.fit_head(y, (y[:, 0] > 0).long(), names=["low", "high"])
        >>> head(y[:4]).shape, head.classes
        (torch.Size([4, 2]), ('low', 'high'))
    """

    classes: tuple[str, ...] | None = None

    def _facts(self) -> dict[str, str]:
        return {"latents": f"{self.in_features} dimensions", "classes": f"{self.out_features} classes"}

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        named = {} if self.classes is None else {"class_names": list(self.classes)}
        return super().to_tensors()[0], {"latent_dim": self.in_features, "classes": self.out_features, **named}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "SoftmaxHead":
        """The head of a saved file."""
        names = manifest.get("class_names")
        if not isinstance(names, list | None):
            raise ValueError(f"class_names must be a list of names, got {names!r}")
        return super().from_tensors(tensors, manifest).named(names)

    def named(self, classes: Sequence[str] | None) -> "SoftmaxHead":
        """Give the classes these names, and return the head itself.

        Raises:
            ValueError: they are not one different name for each logit.
        """
        names = None if classes is None else checked_names(classes)
        if names is not None and len(names) != self.out_features:
            raise ValueError(f"classes must be {self.out_features} names, one for each logit, got {len(names)}")
        self.classes = names
        return self


@validate_call
@with_gradients
def fit_head(
    y: AnyArray, labels: AnyLabels, weight_decay: float = 1e-2, max_iterations: int = 300, *, names: Sequence[str] | None = None
) -> SoftmaxHead:
    """Fit the receiver's classifier on its own latents: softmax regression on standardised features, by L-BFGS.

    min over W, b of  mean cross-entropy + weight_decay / 2 · ||W||²  (convex: the result does not depend on a start), after which the
    standardisation is folded into W and b.

    Args:
        y: latents (n, m), real.
        labels: (n,) class numbers 0 … C − 1, for max(labels) + 1 logits; or the names of the classes, which the head keeps as `classes`.
        weight_decay: on weights of standardised features.
        max_iterations: of L-BFGS.
        names: the name of each class, in the order of their numbers, for as many logits; without it names are numbered as they sort.

    Returns:
        A frozen float64 head on y's device; `head(y)` gives logits (n, C).

    Raises:
        ValueError: y, labels or names are malformed, only one class is present, or numbers of classes are far apart.

    Warns:
        UserWarning: one number is far above all others, as 255 for rows that are to be ignored.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> head = ll.fit_head(y, (y[:, 0] > 0).long())
        >>> head(y).shape
        torch.Size([500, 2])
        >>> ll.fit_head(y[:4], ["dog", "cat", "dog", "cat"]).classes
        ('cat', 'dog')
    """
    y = as_latents("y", y).double()
    numbers, known = as_named_labels(labels, len(y), names)
    labels = numbers.to(y.device)
    classes = _count_logits(labels) if known is None else len(known)
    if labels.unique().numel() < 2:
        raise ValueError(f"labels must show at least two classes, got only class {labels[0].item()}")
    weight_decay, max_iterations = real("weight_decay", weight_decay, above=0), integer("max_iterations", max_iterations)
    mean, scale = y.mean(0), y.std(0, correction=0)
    scale = torch.where(scale > 1e-9 * scale.max().clamp(min=1e-300), scale, torch.inf)  # a constant feature gets no weight
    features = (y - mean) / scale
    values, vectors = torch.linalg.eigh((features.float().T @ features.float()).double() / len(y))
    scales = (_CURVATURE * values.clamp(min=0) + weight_decay).rsqrt()
    inputs = features @ vectors * scales  # in these coordinates no direction is curved by more than 1
    V, b = y.new_zeros(classes, y.shape[1]), y.new_zeros(classes)
    for dtype in (torch.float32, torch.float64):  # nearly all of the way at half the cost
        z, penalty = inputs.to(dtype), (weight_decay * scales.square()).to(dtype)

        def loss(V: Tensor, b: Tensor, z: Tensor = z, penalty: Tensor = penalty) -> Tensor:
            return nn.functional.cross_entropy(z @ V.T + b, labels) + (penalty * V.square()).sum() / 2

        V, b = minimise([V.to(dtype), b.to(dtype)], loss, max_iterations, _TOLERANCE)
    weight = (V * scales) @ vectors.T / scale
    return SoftmaxHead.from_tensors({"weight": weight, "bias": b - weight @ mean}, {}).named(known).to(y.device)


def _count_logits(labels: Int[Tensor, "n"]) -> int:
    """The largest number of a class, plus 1; a ValueError where nearly all of so many logits would be of classes that do not occur."""
    classes, present = int(labels.max()) + 1, labels.unique().numel()
    if classes - present > 2 * present + _UNUSED:
        raise ValueError(
            f"labels must be numbered 0, 1, 2, … with few gaps, got {present} classes numbered up to {classes - 1}, which makes {classes} "
            "logits: number them anew, names, labels = np.unique(labels, return_inverse=True), or name them all, names=…"
        )
    _warn_of_ignored(labels)
    return classes


def _warn_of_ignored(labels: Int[Tensor, "n"]) -> None:
    """Tell of a number far above all others, which count nearly without gaps: such as 255 of rows that are to be ignored."""
    *others, last = labels.unique().tolist()
    if len(others) > 1 and last - others[-1] > max(_FAR, others[-1]) and 2 * len(others) > others[-1]:
        warnings.warn(
            f"labels are {others[0]} to {others[-1]} and {last}, which makes {last + 1} logits: if the rows of {last} "
            f"({int((labels == last).sum())}) are to be ignored, keep the others, rows = labels != {last}, in labels and "
            "all latents; else number the classes anew",
            UserWarning,
            stacklevel=6,
        )


def apply_head(head: nn.Module, y: Float[Tensor, "*batch m"]) -> Float[Tensor, "*batch outputs"]:
    """Outputs (…, q) of a head on latents (…, m), in evaluation mode, in the head's dtype and on its device; a scalar output gets an axis.

    Raises:
        ValueError: the head cannot read latents of this dimension, or does not give one vector (or number) per latent.
    """
    parameter = next(iter(head.parameters()), None)
    rows = y.flatten(0, -2) if parameter is None else y.flatten(0, -2).to(parameter)
    training = [module for module in head.modules() if module.training]
    try:
        outputs = head.eval()(rows)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"head cannot read latents of shape (n, {y.shape[-1]}): {error}") from error
    finally:
        for module in training:
            module.training = True
    if not isinstance(outputs, Tensor) or outputs.is_complex():
        got = "complex outputs" if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ValueError(f"head must return a real tensor of outputs (n, q), got {got}: wrap it in a module that does")
    if outputs.ndim == 1 and len(outputs) == len(rows):
        outputs = outputs.unsqueeze(-1)
    if outputs.ndim != 2 or len(outputs) != len(rows):
        raise ValueError(f"head must map latents (n, {y.shape[-1]}) to outputs (n, q), got {tuple(outputs.shape)} for n = {len(rows)}")
    return outputs.reshape(*y.shape[:-1], outputs.shape[-1])


def decisions(head: nn.Module, y: Float[Tensor, "*batch m"]) -> Int[Tensor, "*batch"]:
    """The class (…) that a head decides for; raises as `apply_head`, and for a head with one output, which decides nothing."""
    outputs = apply_head(head, y)
    if outputs.shape[-1] < 2:
        raise ValueError("head must be a classifier with at least two outputs to be asked for decisions, got one output")
    return outputs.argmax(-1)


def class_name(head: nn.Module, number: int) -> int | str:
    """The name of a class where the head knows it, else its number."""
    names = getattr(head, "classes", None)
    return names[number] if isinstance(names, tuple) and number < len(names) else number


def is_affine(head: nn.Module) -> TypeGuard[nn.Linear]:
    """True if the head is y Wᵀ + b and nothing else, so that it can be folded into what comes before it."""
    return type(head) is nn.Linear or (isinstance(head, LinearHead) and type(head).forward is LinearHead.forward)
