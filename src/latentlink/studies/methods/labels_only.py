"""The exact linear design from labels alone, as a method of studies: two ends that never saw the same observation."""

from typing import Any, ClassVar, Literal

from pydantic import model_validator

from latentlink.latents.concepts import Concepts
from latentlink.latents.moments import Moments
from latentlink.linear.goal import Goal
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.studies.knowledge import PilotKnowledge
from latentlink.studies.methods.linear import ClosedFormMethod
from latentlink.tasks.heads import SoftmaxHead


class LabelsOnlyMethod(ClosedFormMethod):
    """The exact linear design from class means, which each end adds up over observations of its own: no pair is used.

    Of the pilots, the transmitter sees those of even numbers and the receiver those of odd ones.
    """

    takes_estimators: ClassVar[bool] = False
    name: Literal["labels-only"] = "labels-only"  # type: ignore[assignment]

    @model_validator(mode="after")
    def _has_its_own_estimator(self) -> "LabelsOnlyMethod":
        if self.silent != {"estimator", "answers", "repair"}:
            raise ValueError(
                "estimator, answers and repair must be left out of labels-only: closed-form with estimator concepts takes them"
            )
        return self

    def describe(self) -> str:
        return f"labels only, {super().describe().removeprefix('exact, ')}"

    def modes(self, known: PilotKnowledge) -> SemanticModes:
        """The modes of these estimated moments, made once for all cells that share pilots.

        Raises:
            ValueError: the pilots have no labels, or one end lacks a class.
        """
        key = (self.name, *self.model_dump(include={"goal", "temperature", "fidelity", "widely_linear", "shrinkage"}).values())
        return known.shared(key, lambda: self._modes(known))

    def _modes(self, known: PilotKnowledge) -> SemanticModes:
        pilots, labels = known.pilots, known.pilots.require_labels()
        tx = Concepts.from_labels(pilots.x[::2], labels[::2])
        y = pilots.y[1::2]
        goal = self._goal(known.head, y)
        shrinkage: Any = self.shrinkage
        moments = Moments.from_concepts(tx, Concepts.from_labels(y, labels[1::2]), goal=goal, shrinkage=shrinkage)
        return semantic_modes(moments, goal, widely_linear=self.widely_linear)

    def _goal(self, head: Any, y: Any) -> Goal | None:
        """The goal of the receiver's head, by the latents that the receiver saw."""
        if self.goal == "fisher" and isinstance(head, SoftmaxHead):
            return Goal.fisher(head, y, self.temperature, self.fidelity)
        return Goal.logits(head, y, self.fidelity) if self.goal == "logits" else None
