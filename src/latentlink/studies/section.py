"""The base of all sections of a study file, and the numbers that their keys may have."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(ge=1, strict=True)]  # strict: true is no number
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
NotNegative = Annotated[float, Field(ge=0)]
AboveZero = Annotated[float, Field(gt=0)]


def _leave_out_example(schema: dict[str, Any]) -> None:
    """Describe a section in an editor by its docstring without the example in Python."""
    if "description" in schema:
        schema["description"] = schema["description"].split("\n\nExample:")[0]


class Section(BaseModel):
    """The base of all sections: unknown keys, later changes, NaN and infinity are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, json_schema_extra=_leave_out_example)

    def canonical(self, point: Any) -> Any:
        """The values that make a difference at a point (`sections.Point`), as JSON holds them; None where none does."""
        return self.model_dump(mode="json")
