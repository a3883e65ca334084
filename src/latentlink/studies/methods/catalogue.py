"""All methods that a study file can name."""

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Discriminator, Tag

from latentlink.studies.methods.baselines import DisjointMethod, EigenKMethod, FirstKMethod, ReferenceMethod, TopKMethod
from latentlink.studies.methods.codec import CodecMethod
from latentlink.studies.methods.codec_or_decision import CodecOrDecisionMethod
from latentlink.studies.methods.decision import DecisionMethod
from latentlink.studies.methods.digital import DigitalMethod
from latentlink.studies.methods.linear import AdmmMethod, ClosedFormMethod
from latentlink.studies.methods.method import Method
from latentlink.studies.methods.networks import (
    AloneMethod,
    BlockDiagonalMethod,
    BroadcastMethod,
    CooperativeMethod,
    FairMethod,
    FederatedAdmmMethod,
    GameMethod,
    MultipleAccessMethod,
    OwnDesignsMethod,
    ReusedDesignMethod,
    SlnrMethod,
    TimeDivisionMethod,
)
from latentlink.studies.methods.neural import NeuralMethod
from latentlink.studies.methods.own import OwnMethod
from latentlink.studies.spec.plug_in import is_plug_in

OWN = "module:attribute"
_LEARNT: tuple[type[Method], ...] = (ClosedFormMethod, AdmmMethod, NeuralMethod, CodecMethod, CodecOrDecisionMethod)
_OTHERS: tuple[type[Method], ...] = (
    FirstKMethod,
    TopKMethod,
    EigenKMethod,
    DisjointMethod,
    DecisionMethod,
    DigitalMethod,
    ReferenceMethod,
)
_NETWORKS: tuple[type[Method], ...] = (
    BroadcastMethod,
    MultipleAccessMethod,
    GameMethod,
    CooperativeMethod,
    FairMethod,
    TimeDivisionMethod,
    BlockDiagonalMethod,
    SlnrMethod,
    FederatedAdmmMethod,
    ReusedDesignMethod,
    OwnDesignsMethod,
    AloneMethod,
)
METHODS: dict[str, type[Method]] = {method.model_fields["name"].default: method for method in (*_LEARNT, *_OTHERS, *_NETWORKS)} | {
    OWN: OwnMethod
}


def kind_of(method: Any) -> str | None:
    """The key of METHODS that a method's name stands for; None where it has no name."""
    name = method.get("name") if isinstance(method, dict) else getattr(method, "name", None)
    if not isinstance(name, str):
        return None
    return OWN if is_plug_in(name) else name


def union_of(sections: dict[str, type[Any]]) -> Any:
    """The type of a section that is one of several, as its `name` says."""
    tagged = [Annotated[section, Tag(tag)] for tag, section in sections.items()]
    chosen = Discriminator(
        kind_of,
        custom_error_type="unknown_method",
        custom_error_message=f"name must be one of {', '.join(sections)}",
    )
    return Annotated[Union[tuple(tagged)], chosen]  # noqa: UP007


if TYPE_CHECKING:
    AnyMethod = Method
else:
    AnyMethod = union_of(METHODS)
