"""The figures that an evaluation gives: of the latent and the power always, of a task where there is one."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from latentlink.numerics.reprs import Summarised, counted, spread


@dataclass(frozen=True, eq=False)
class RegressionFigures(Summarised):
    """How well a head's real outputs come through, for each channel of a batch `...`; q outputs.

    Attributes:
        output_nmse: E||head(y) − head(ŷ)||² over the variance of head(y) (…): what agreement is to a classifier.
        mse: E||t − head(ŷ)||² (…) against the targets t, summed over outputs; None without targets.
        r2: coefficient of determination of each output (…, q), 1 − E(t − head(ŷ))² / var t; None without targets. A constant target gives
            1 − E(t − head(ŷ))².
    """

    output_nmse: Float[Tensor, "*batch"]
    mse: Float[Tensor, "*batch"] | None = None
    r2: Float[Tensor, "*batch q"] | None = None


@dataclass(frozen=True, eq=False)
class RetrievalFigures(Summarised):
    """How often the right latent of a gallery is among the nearest to ŷ by cosine, for each channel of a batch `...`.

    Where several are as near as the right one, the share of their orders in which it is among the first k is counted.

    Attributes:
        recall_at_1: share (…) of messages whose own latent is the nearest.
        recall_at_10: share (…) of messages whose own latent is among the ten nearest.
        gallery: number g of latents that are searched; a guess has the recall k / g.
    """

    recall_at_1: Float[Tensor, "*batch"]
    recall_at_10: Float[Tensor, "*batch"]
    gallery: int


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Summarised):
    """The figures that were measured for each channel of a batch `...`, over n messages each.

    Attributes:
        mse: total squared error E||y − ŷ||² (…).
        nmse: the same over the variance of y.
        cosine: mean cosine similarity of ŷ and y (…).
        power: mean transmit power per channel use (…), as measured.
        power_error: standard error of that mean (…) over messages.
        peak_power: highest power of a message, per use (…).
        antenna_power: mean power per channel use of each transmit antenna (…, n_tx).
        messages: n.
        accuracy: share (…) of messages whose class a classifier finds in ŷ; None without labels or without a classifier.
        per_class: the same for each class that occurs, by its name where the head knows it, else by its number (…).
        agreement: share (…) on which a classifier decides on ŷ as on y; None without one.
        regression: of a head with real outputs; None where there is none.
        retrieval: None without a gallery.
    """

    mse: Float[Tensor, "*batch"]
    nmse: Float[Tensor, "*batch"]
    cosine: Float[Tensor, "*batch"]
    power: Float[Tensor, "*batch"]
    power_error: Float[Tensor, "*batch"]
    peak_power: Float[Tensor, "*batch"]
    antenna_power: Float[Tensor, "*batch t"]
    messages: int
    accuracy: Float[Tensor, "*batch"] | None
    per_class: dict[int | str, Float[Tensor, "*batch"]]
    agreement: Float[Tensor, "*batch"] | None
    regression: RegressionFigures | None
    retrieval: RetrievalFigures | None

    def figures(self) -> dict[str, Float[Tensor, "*batch"]]:
        """The figures of each channel (…) by name, without those of single classes, outputs and antennas."""
        found = {name: getattr(self, name) for name in ("accuracy", "agreement")}
        if self.regression is not None:
            r2 = None if self.regression.r2 is None else self.regression.r2.mean(-1)
            found |= {"r2": r2, "task_mse": self.regression.mse, "output_nmse": self.regression.output_nmse}
        if self.retrieval is not None:
            found |= {name: getattr(self.retrieval, name) for name in ("recall_at_1", "recall_at_10")}
        found |= {name: getattr(self, name) for name in ("mse", "nmse", "cosine", "power", "power_error", "peak_power")}
        return {name: value for name, value in found.items() if value is not None}

    def _shown(self) -> dict[str, Tensor]:
        """The figures that fit a line."""
        return {name: value for name, value in self.figures().items() if name not in ("mse", "task_mse", "power_error", "peak_power")}

    def _facts(self) -> dict[str, str]:
        sizes = {"channels": str(self.mse.numel()), "messages": str(self.messages)}
        return sizes | {name: spread(value) for name, value in self._shown().items()}

    def _line(self) -> list[str]:
        means = [f"{name} {float(value.mean()):.4g}" for name, value in self._shown().items()]
        return [counted(self.mse.numel(), "channel"), counted(self.messages, "message"), *means]
