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

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> head, modes = ll.nn.RegressionHead.fit(y, y[:, :2]), ll.semantic_modes(ll.Moments.from_pairs(x, y))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(4, 4, generator=0), snr_db=20.0)
        >>> link = ll.ClosedForm().design(modes, channel)
        >>> seen = ll.evaluate(link, x, y, channel=channel, head=head, targets=y[:, :2], generator=0)
        >>> seen.regression.r2.round(decimals=1)
        tensor([0.9000, 0.9000], dtype=torch.float64)
    """

    output_nmse: Float[Tensor, "*batch"]
    mse: Float[Tensor, "*batch"] | None = None
    r2: Float[Tensor, "*batch q"] | None = None

    def means(self) -> dict[str, Float[Tensor, "*batch"]]:
        """The figures of each channel (…) by name, R² as its mean over outputs, without those that were not measured."""
        found = {"r2": None if self.r2 is None else self.r2.mean(-1), "task_mse": self.mse, "output_nmse": self.output_nmse}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, eq=False)
class RetrievalFigures(Summarised):
    """How often the right latent of a gallery is among the nearest to ŷ by cosine, for each channel of a batch `...`.

    Where several are as near as the right one, the share of their orders in which it is among the first k is counted.

    Attributes:
        recall_at_1: share (…) of messages whose own latent is the nearest.
        recall_at_10: share (…) of messages whose own latent is among the ten nearest.
        gallery: number g of latents that are searched; a guess has the recall k / g.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> channel = ll.Channel.from_snr(ll.rayleigh(4, 4, generator=0), snr_db=20.0)
        >>> link = ll.ClosedForm().design(ll.semantic_modes(ll.Moments.from_pairs(x, y)), channel)
        >>> seen = ll.evaluate(link, x, y, channel=channel, gallery=y, generator=0)
        >>> round(float(seen.retrieval.recall_at_10), 1), seen.retrieval.gallery
        (1.0, 500)
    """

    recall_at_1: Float[Tensor, "*batch"]
    recall_at_10: Float[Tensor, "*batch"]
    gallery: int

    def means(self) -> dict[str, Float[Tensor, "*batch"]]:
        """The figures of each channel (…) by name."""
        return {"recall_at_1": self.recall_at_1, "recall_at_10": self.recall_at_10}


@dataclass(frozen=True, eq=False)
class ClusteringFigures(Summarised):
    """How well clusters of decoded latents agree with those of the receiver's own, for each channel of a batch `...`.

    Attributes:
        adjusted_rand: adjusted Rand index (…): 1 for the same clusters, 0 in the mean for unrelated ones.
        mutual_information: normalised mutual information (…) in [0, 1], which is above 0 for unrelated ones too.
        clusters: number of clusters at both ends.

    Example:
        >>> import torch, latentlink as ll
        >>> y = torch.randn(500, 6, generator=torch.Generator().manual_seed(0))
        >>> ll.metrics.clustering(y, y, clusters=5)
        ClusteringFigures(adjusted_rand=1, mutual_information=1, clusters=5)
    """

    adjusted_rand: Float[Tensor, "*batch"]
    mutual_information: Float[Tensor, "*batch"]
    clusters: int

    def means(self) -> dict[str, Float[Tensor, "*batch"]]:
        """The figures of each channel (…) by name."""
        return {"adjusted_rand": self.adjusted_rand, "mutual_information": self.mutual_information}


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
        clustering: None where no number of clusters is given.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(10,), generator=0), snr_db=20.0)
        >>> link = ll.ClosedForm().design(ll.semantic_modes(ll.Moments.from_pairs(x, y)), channel)
        >>> seen = ll.evaluate(link, x, y, channel=channel, generator=0)
        >>> list(seen.figures()), seen.antenna_power.shape
        (['mse', 'nmse', 'cosine', 'power', 'power_error', 'peak_power'], torch.Size([10, 2]))
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
    clustering: ClusteringFigures | None = None

    def figures(self) -> dict[str, Float[Tensor, "*batch"]]:
        """The figures of each channel (…) by name, without those of single classes, outputs and antennas."""
        found = {name: getattr(self, name) for name in ("accuracy", "agreement")}
        for task in (self.regression, self.retrieval, self.clustering):
            found |= {} if task is None else task.means()
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
