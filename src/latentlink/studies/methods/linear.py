"""Methods by name: the one place where what a study file says becomes a design.

Each section holds a method's parameters and designs from what is known of the latents (`Known`) for the channel it is given.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from latentlink.budget import Weights
from latentlink.channels.channel import Channel
from latentlink.linear.admm.constraints import ActiveAntennas, ConstantModulus, SparsePrecoder
from latentlink.linear.admm.design import Admm
from latentlink.linear.closed_form import ClosedForm
from latentlink.links.solution import Solution
from latentlink.neural.paper.design import Neural
from latentlink.neural.paper.pruning import HardThreshold, Pruning, SoftThreshold
from latentlink.power import Equal, Mean, OneUseAtATime, PerAntenna, PerMessage, PerUse, PowerLimit
from latentlink.studies.methods.baselines import DisjointMethod, EigenKMethod, FirstKMethod, TopKMethod
from latentlink.studies.methods.codec import CodecMethod
from latentlink.studies.methods.digital import DigitalMethod
from latentlink.studies.methods.method import Method, OnModes, Run
from latentlink.studies.sections import AboveZero, NotNegative, Positive
from latentlink.studies.shared import Known


class ClosedFormMethod(OnModes):
    """The exact linear design."""

    name: Literal["closed-form"] = "closed-form"
    power_limit: Literal["mean", "per-use", "per-message", "equal", "one-use-at-a-time"] = Field(
        "mean", description="what the power limits; equal: the same for each use, one-use-at-a-time: and modes in turn"
    )

    robust: bool = Field(True, description="where csi is imperfect: take the estimate's error into account, or take it for the channel")

    def described(self) -> str:
        return self._described() + ("" if self.robust else ", naive")

    def _described(self) -> str:
        if self.power_limit in ("equal", "one-use-at-a-time"):
            how = "equal power per use" if self.power_limit == "equal" else "one use at a time"
            return f"linear, {self.kind()}, {how}"
        limit = "" if self.power_limit == "mean" else f", power {self.power_limit}"
        return f"exact, {self.kind()}{limit}"

    def design(self, known: Known, channel: Channel, run: Run) -> Solution:
        limits: dict[str, Callable[[], PowerLimit]] = {
            "mean": Mean,
            "per-use": PerUse,
            "per-message": lambda: PerMessage(x=known.pilots.x, y=known.pilots.y),
            "equal": Equal,
            "one-use-at-a-time": OneUseAtATime,
        }
        return ClosedForm(power=limits[self.power_limit]()).design(self.modes(known), channel)


class AdmmMethod(OnModes):
    """The paper's biconvex ADMM."""

    family: ClassVar[str] = "admm"
    name: Literal["admm"] = "admm"
    constraint: Literal["total", "use", "antenna", "active-antennas", "sparse", "constant-modulus"] = Field(
        "total", description="set of precoders"
    )
    active: Positive | None = Field(None, description="active antennas (active-antennas) or nonzero entries (sparse)")
    rho: AboveZero = Field(1.0, description="penalty, in units of the price of power")
    adaptive: bool = Field(False, description="balance the residuals by changing rho")
    max_iterations: Positive = Field(100, description="the paper takes 20")
    tolerance: NotNegative = Field(1e-4, description="of the residuals")
    warm_start: bool = Field(False, description="start at the exact design instead of at random")

    @model_validator(mode="after")
    def _active_where_it_counts(self) -> "AdmmMethod":
        counted = self.constraint in ("active-antennas", "sparse")
        if counted and self.active is None:
            raise ValueError(f"active must be a number from 1 where constraint is {self.constraint}, got null")
        if not counted and self.active is not None:
            raise ValueError(f"active must be left out where constraint is {self.constraint}, which counts nothing, got {self.active}")
        return self

    def described(self) -> str:
        kept = "" if self.active is None else f" {self.active}"
        constraint = "" if self.constraint == "total" else f", {self.constraint}{kept}"
        return f"ADMM, {self.kind()}{constraint}"

    def design(self, known: Known, channel: Channel, run: Run) -> Solution:
        powers: dict[str, PowerLimit] = {"use": PerUse(), "antenna": PerAntenna()}
        sets: dict[str, Callable[[], Any]] = {
            "active-antennas": lambda: ActiveAntennas(self.active),  # type: ignore[arg-type]
            "sparse": lambda: SparsePrecoder(known.moments, self.active),  # type: ignore[arg-type]
            "constant-modulus": lambda: ConstantModulus(known.moments),
        }
        solver = Admm(
            power=powers.get(self.constraint, Mean()),
            constraint=sets[self.constraint]() if self.constraint in sets else None,
            rho=self.rho,
            adaptive=self.adaptive,
            max_iterations=self.max_iterations,
            tolerance=self.tolerance,
            warm_start=self.warm_start,
            seed=run.seed,
        )
        return solver.design(self.modes(known), channel)


class NeuralMethod(Method):
    """The paper's complex networks, trained for each channel matrix."""

    family: ClassVar[str] = "neural"
    name: Literal["neural"] = "neural"
    hidden_tx: Positive | None = Field(
        None, description="complex units of the precoder's hidden layers; null: as many as the latent has numbers"
    )
    hidden_rx: Positive | None = Field(None, description="of the decoder's")
    layers: Positive = Field(1, description="hidden layers of each network")
    epochs: Positive = Field(50, description="at most")
    batch_size: Positive = 512
    learning_rate: AboveZero = 1e-3
    patience: Positive = Field(10, description="epochs without a better validation error before it stops")
    validation: AboveZero = Field(0.1, description="share of the pilots to stop by", lt=1)
    pruning: Literal["none", "hard", "soft", "budget"] = Field("none", description="threshold after each epoch, or a share of weights kept")
    strength: NotNegative = Field(0.0, description="λ: weights of modulus up to learning_rate · λ are pruned")
    share: AboveZero = Field(1.0, description="of complex weights that a budget leaves", le=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @property
    def gain_controlled(self) -> bool:
        """No: each message is scaled to the budget."""
        return False

    def described(self) -> str:
        names = {"none": "neural", "hard": "neural, hard thresholds", "soft": "neural, soft thresholds", "budget": "neural, budget"}
        return names[self.pruning]

    @property
    def threshold(self) -> float | None:
        """λ, where thresholds prune."""
        return self.strength if self.pruning in ("hard", "soft") else None

    def network(self, seed: int) -> Neural:
        """The design object."""
        pruning: dict[str, Callable[[], Pruning | Weights | None]] = {
            "none": lambda: None,
            "hard": lambda: HardThreshold(self.strength),
            "soft": lambda: SoftThreshold(self.strength),
            "budget": lambda: Weights(self.share),
        }
        return Neural(
            hidden_tx=self.hidden_tx,
            hidden_rx=self.hidden_rx,
            layers=self.layers,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            patience=self.patience,
            validation=self.validation,
            pruning=pruning[self.pruning](),
            precision=self.precision,
            seed=seed,
        )

    def design(self, known: Known, channel: Channel, run: Run) -> Solution:
        return self.network(run.seed).design(known.pilots, channel, checkpoint=run.checkpoint, progress=run.progress)


class ReferenceMethod(Method):
    """Ceilings and floor: no channel at all."""

    family: ClassVar[str] = "reference"
    name: Literal["reference"] = "reference"
    kind: Literal["own", "aligned", "unaligned"] = Field("own", description="receiver's latents, aligned without a channel, unaligned")

    @property
    def gain_controlled(self) -> bool:
        """No: nothing is sent."""
        return False

    def described(self) -> str:
        return {"own": "receiver's latents", "aligned": "aligned, no channel", "unaligned": "unaligned"}[self.kind]


AnyMethod = Annotated[
    ClosedFormMethod
    | AdmmMethod
    | NeuralMethod
    | CodecMethod
    | FirstKMethod
    | TopKMethod
    | EigenKMethod
    | DisjointMethod
    | DigitalMethod
    | ReferenceMethod,
    Field(discriminator="name"),
]
