"""The codec, or the transmitter's decision where that did better on held-out pilots, as a method of studies."""

from functools import partial
from typing import Literal

from pydantic import Field

from latentlink.baselines.decision_link import DecisionLink
from latentlink.baselines.gated import Designer, Gated
from latentlink.channels.channel import Channel
from latentlink.links.solution import Solution
from latentlink.neural.codec.examples import split
from latentlink.studies.knowledge import PilotKnowledge
from latentlink.studies.methods.codec import CodecMethod
from latentlink.studies.methods.method import Run
from latentlink.studies.section import Positive
from latentlink.tasks.heads import SoftmaxHead, fit_head


class CodecOrDecisionMethod(CodecMethod):
    """The codec of the same parameters behind a gate, which sends the decision over kinds of channels where that did better.

    The decision is fitted to the pilots that the codec was trained on, and the gate chosen on those that its training held back.
    """

    name: Literal["codec-or-decision"] = "codec-or-decision"  # type: ignore[assignment]
    classifier: Literal["pairs", "labels"] = Field(
        "pairs",
        description="by what the transmitter decides: the receiver's head on aligned latents (pairs), or its own, of the pilots' labels",
    )
    gate_channels: Positive = Field(512, description="channels that the gate is chosen by, drawn as those to train on")

    def describe(self) -> str:
        return super().describe().replace("codec", "codec or decision", 1) + (", own labels" if self.classifier == "labels" else "")

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        """The design behind the gate, which is chosen once for all cells that share pilots and seed.

        Raises:
            ValueError: the receiver's head is no classifier, or the pilots have no labels where the transmitter fits its own.
        """
        gate = known.shared((self.model_dump_json(exclude={"label"}), run.seed), lambda: self._gate(known, run))
        return gate.design(channel)

    def _gate(self, known: PilotKnowledge, run: Run) -> Gated:
        head, settings = known.head, self.training(run.seed)
        if not isinstance(head, SoftmaxHead):
            raise ValueError(f"{self.name} needs a receiver's head that is a classifier, got a {type(head).__name__}: take method codec")
        rest, held = (known.pilots[rows] for rows in split(len(known.pilots), settings.validation, settings.seed))
        own = fit_head(rest.x, rest.require_labels()) if self.classifier == "labels" else None
        decision = DecisionLink(head, own).fitted(rest)
        designs: dict[str, Designer] = {"codec": self.codec(known, run).design, "decision": partial(decision.design, rest)}
        seed = run.design_seed(self.name)
        return Gated.choose(designs, held, head, settings.draws, channels=self.gate_channels, seed=seed)
