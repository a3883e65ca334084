"""The section `pilots` of a study: how many observations both devices know, which, and what each end has beside them."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from latentlink.studies.section import Positive, Section

Unpaired = Literal["all", "halves"]
Count = Annotated[int, Field(ge=0, strict=True)]


class PilotsAt(Section):
    """Semantic pilots: observations whose latents both devices know."""

    per_class: Positive | None = Field(None, description="pilots of each class (or cluster); null takes the whole training set")
    method: Literal["random", "centroid", "medoid", "herding"] = Field(
        "random",
        description="which members of a group: any, or those nearest to its mean; of a `count` also medoids of clusters, or by herding",
    )
    grouping: Literal["label", "cluster"] = Field("label", description="groups are classes, or clusters of the transmitter's latents")
    count: Count | None = Field(None, description="pilots in all, whatever their classes, in place of per_class; 0 is none")
    unpaired: Unpaired | None = Field(
        None,
        description="latents that each end has without partners: all, of the training set; halves, of its first half at the transmitter, "
        "from which pilots are chosen, and of its second half at the receiver; null, none but those of the pilots",
    )

    @model_validator(mode="after")
    def _is_one_choice(self) -> "PilotsAt":
        if self.count is None:
            if self.method in ("medoid", "herding"):
                raise ValueError(f"method {self.method} needs a count, the number of pilots in all: it knows no classes")
            return self
        if self.per_class is not None:
            raise ValueError(f"per_class must be null where count says how many pilots there are, got {self.per_class} and {self.count}")
        if self.method == "centroid" or self.grouping == "cluster":
            got = "method centroid" if self.method == "centroid" else "grouping cluster"
            raise ValueError(f"{got} goes with per_class, got a count of {self.count}: take method random, medoid or herding")
        if self.count == 0 and self.unpaired is None:
            raise ValueError("unpaired must be all or halves where count is 0: without pairs, each end needs latents of its own")
        return self

    @property
    def columns(self) -> dict[str, Any]:
        """Columns of a result row."""
        values = self.model_dump()
        names = {"per_class": "pilots_per_class", "method": "selection", "count": "pilot_count"}
        return {names.get(name, name): value for name, value in values.items()}

    def canonical(self, point: Any) -> dict[str, Any]:
        """All values that make a difference; nothing is chosen where there are no pilots."""
        values = self.model_dump(mode="json")
        values = {name: value for name, value in values.items() if name not in ("count", "unpaired") or value is not None}
        return values | ({"method": "random"} if self.count == 0 else {})
