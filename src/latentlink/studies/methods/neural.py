"""The paper's complex networks as a method of studies."""

from dataclasses import fields, replace
from functools import partial
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from latentlink.budget import Budget, named
from latentlink.channels.channel import Channel
from latentlink.links.solution import Solution
from latentlink.neural.paper.design import Neural, NeuralJob
from latentlink.neural.paper.pruning import HardThreshold, SoftThreshold
from latentlink.studies.knowledge import PilotKnowledge
from latentlink.studies.methods.method import Method, Run, Training
from latentlink.studies.pilots_at import PilotsAt
from latentlink.studies.section import AboveZero, NotNegative, Positive
from latentlink.studies.shared import ScenarioData

_SETTINGS = {each.name for each in fields(Neural)} - {"pruning", "budget", "seed"}
_THRESHOLDS = {"hard": HardThreshold, "soft": SoftThreshold}


class NeuralMethod(Method):
    """Complex networks that are trained for each channel matrix; each message is scaled to the budget."""

    family: ClassVar[str] = "neural"
    gain_controlled: ClassVar[bool] = False
    one_channel_at_a_time: ClassVar[bool] = True
    is_trained: ClassVar[bool] = True
    name: Literal["neural"] = "neural"
    hidden_tx: Positive | None = Field(None, description="complex units of the precoder's hidden layers; null takes the latent's dimension")
    hidden_rx: Positive | None = Field(None, description="complex units of the decoder's hidden layers")
    layers: Positive = Field(1, description="hidden layers of each network")
    epochs: Positive = Field(50, description="most epochs")
    batch_size: Positive = Field(512, description="pilots of a step")
    learning_rate: AboveZero = Field(1e-3, description="learning rate of Adam")
    patience: Positive = Field(10, description="epochs without a better validation error before it stops")
    validation: AboveZero = Field(0.1, description="share of the pilots held back to stop by", lt=1)
    pruning: Literal["none", "hard", "soft"] = Field("none", description="a threshold that prunes after each epoch")
    strength: NotNegative = Field(0.0, description="λ: weights of modulus up to learning_rate · λ are pruned")
    weights: AboveZero | None = Field(None, description="complexity budget: share of the complex weights that is left", le=1)
    flops: Positive | None = Field(None, description="complexity budget: operations per message")
    microseconds: AboveZero | None = Field(None, description="complexity budget: time per message, which only codecs can meet")
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="precision of the matrix products")

    @model_validator(mode="after")
    def _one_way_to_prune(self) -> "NeuralMethod":
        self.network(0)
        return self

    @property
    def budget(self) -> Budget | None:
        """The complexity budget, or None."""
        return named(weights=self.weights, flops=self.flops, microseconds=self.microseconds)

    def describe(self) -> str:
        names = {"none": "neural", "hard": "neural, hard thresholds", "soft": "neural, soft thresholds"}
        return "neural, budget" if self.budget is not None else names[self.pruning]

    @property
    def threshold(self) -> float | None:
        """λ, where thresholds prune."""
        return self.strength if self.pruning in ("hard", "soft") else None

    def network(self, seed: int) -> Neural:
        """The design object."""
        pruning = _THRESHOLDS[self.pruning](self.strength) if self.pruning in _THRESHOLDS else None
        return Neural(**self.model_dump(include=_SETTINGS), pruning=pruning, budget=self.budget, seed=seed)

    def training_for(self, scenario: ScenarioData, at: PilotsAt, seed: int, channel: Channel) -> Training:
        count = None if at.per_class is None else at.per_class * (int(scenario.candidates.require_labels().max()) + 1)
        pilots = scenario.candidates[:count]
        network = replace(self.network(0), pruning=None, budget=None)
        estimate = partial(network.estimated_seconds, pilots, channel)
        return Training((network, len(pilots)), estimate, partial(network.untrained, pilots, channel))

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        network, pilots, _, checkpoint = self.job(known, channel, run)
        return network.design(pilots, channel, checkpoint=checkpoint, progress=run.progress)

    def job(self, known: PilotKnowledge, channel: Channel, run: Run) -> NeuralJob:
        """The design for one channel before it is made, by which it may be trained together with others."""
        return NeuralJob(self.network(run.design_seed(self.name)), known.pilots, channel, run.checkpoint)
