"""The transmitter that decides and sends its decision, as a method of studies: the competitor wherever one task is known."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from latentlink.baselines.decision_link import DecisionLink, aligned_classifier
from latentlink.channels.channel import Channel
from latentlink.links.solution import Solution
from latentlink.studies.knowledge import PilotKnowledge
from latentlink.studies.methods.method import Method, Run
from latentlink.studies.shared import fit_stored_head
from latentlink.tasks.heads import SoftmaxHead


class DecisionMethod(Method):
    """One point for each class over all uses of a message; of the latent, nothing but the class arrives."""

    family: ClassVar[str] = "decision"
    name: Literal["decision"] = "decision"
    classifier: Literal["pairs", "labels"] = Field(
        "pairs",
        description="by what the transmitter decides: the receiver's head on aligned latents (pairs), or its own, of the pilots' labels",
    )
    averages: bool = Field(False, description="the receiver averages class means by their probability, which errs less in the latent")

    def describe(self) -> str:
        own = ", own labels" if self.classifier == "labels" else ""
        return f"decision sent{own}" + (", averaged" if self.averages else "")

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        """The link whose classifier is made once for all cells that share pilots.

        Raises:
            ValueError: the receiver's head is no classifier, or the pilots have no labels where the transmitter fits its own.
        """
        head = known.head
        if not isinstance(head, SoftmaxHead):
            raise ValueError(f"decision needs a receiver's head that is a classifier, got a {type(head).__name__}: leave the method out")
        made = known.shared(("decision", self.classifier), lambda: self._classifier(known, head))
        return DecisionLink(head, made, self.averages).design(known.pilots, channel)

    def _classifier(self, known: PilotKnowledge, head: SoftmaxHead) -> nn.Module:
        if self.classifier == "pairs":
            return aligned_classifier(head, known.moments)
        return fit_stored_head(known.pilots.x, known.pilots.require_labels(), known.pilots.names)
