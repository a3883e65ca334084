"""Studies as data: a study file has the sections of a cell, and wherever a cell has a value it may have a list, to be swept over."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, create_model

from latentlink.studies.methods.catalogue import METHODS, union_of
from latentlink.studies.section import Section, Seed
from latentlink.studies.sections import SECTIONS
from latentlink.studies.spec.cell import MetricName

Against = Literal[
    "compression",
    "antennas",
    "snr",
    "flops",
    "pairs",
    "new",
    "alarms",
    "uses",
    "pilot-snr",
    "delay",
    "speed",
    "feedback",
    "clipping",
    "users",
    "inr",
    "phase-error",
    "elements",
    "bits",
    "iterations",
    "outage",
]
_NAME, _NAME_WORDS = r"^[a-z0-9][a-z0-9-]*$", "lower-case letters, digits and hyphens"
_AT: Any = (dict[str, Any], Field(default_factory=dict, description="other values of the study for this method, by dotted name"))


class _OpenSection(Section):
    model_config = ConfigDict(extra="allow")


def make_sweep(model: type[BaseModel], **more: Any) -> Any:
    """The section of a study: every value may also be a list, to be swept over."""
    fields: dict[str, Any] = dict(more)
    for name, field in model.model_fields.items():
        one: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        many: Any = Annotated[list[one], Field(min_length=1)]
        default = ... if field.is_required() else field.default
        fields[name] = (one if name in ("name", "label") else one | many, Field(default, description=field.description))
    base = _OpenSection if model.model_config.get("extra") == "allow" else Section
    return create_model(model.__name__ + "Sweep", __base__=base, __doc__=model.__doc__, **fields)


def _as_tuple(value: Any) -> Any:
    """One value where a list is expected is a list of one."""
    return (value,) if isinstance(value, int | float | str) else value


_Data, _Encoders, _Pilots, _Channel, _Ofdm, _Csi, _Snr, _Drift, _Network = (make_sweep(section) for section in SECTIONS.values())
_Method: Any = union_of({name: make_sweep(method, at=_AT) for name, method in METHODS.items()})


class Docs(Section):
    """The part of the results that `latentlink study keep` puts into the documentation."""

    overrides: tuple[str, ...] = Field((), description="overrides of the form that the documentation shows, as on the command line")
    figures: tuple[str, ...] = Field((), description="names of the figures that are copied, with * and ?")


class Study(Section):
    """An experiment: every list is swept over, and every combination is a cell.

    Example:
        >>> import latentlink as ll
        >>> study = {"name": "mine", "channel": {"antennas": [1, 2, 4]}, "methods": [{"name": "closed-form"}], "seeds": 1}
        >>> ll.studies.make_study(study).seeds
        (1,)
    """

    name: str = Field(pattern=_NAME, description=f"names the folder of its results: {_NAME_WORDS}")
    title: str = Field("", description="heading of the report")
    description: str = Field("", description="what the study shows, in a sentence or two")
    axis: Against = Field("compression", description="what the report draws accuracy against; outage: how many channels are how bad")
    data: _Data = _Data()  # type: ignore[valid-type]
    encoders: _Encoders = _Encoders()  # type: ignore[valid-type]
    pilots: _Pilots = _Pilots()  # type: ignore[valid-type]
    channel: _Channel = _Channel()  # type: ignore[valid-type]
    ofdm: _Ofdm = _Ofdm()  # type: ignore[valid-type]
    csi: _Csi = _Csi()  # type: ignore[valid-type]
    snr: _Snr = _Snr()  # type: ignore[valid-type]
    drift: _Drift = _Drift()  # type: ignore[valid-type]
    network: _Network = _Network()  # type: ignore[valid-type]
    methods: Annotated[list[_Method], Field(min_length=1)]
    references: bool = Field(True, description="also measure the ceilings (own latents, aligned without a channel) and the floor")
    seeds: Annotated[tuple[Seed, ...], BeforeValidator(_as_tuple), Field(min_length=1)] = (27, 42, 100, 123, 144, 200)
    metrics: Annotated[tuple[MetricName, ...], BeforeValidator(_as_tuple)] = ("accuracy", "mse", "limits", "power", "flops", "latency")
    quick: dict[str, Any] = Field(default_factory=dict, description="values that --quick puts in place, by dotted name")
    docs: Docs = Field(Docs.model_validate({}), description="the part of the results that goes into the documentation")
    _folder: Path | None = PrivateAttr(None)

    @property
    def beside(self) -> Path | None:
        """The folder of the study file, in which files and modules that it names are looked for first; None for no file."""
        return self._folder

    def model_post_init(self, context: Any) -> None:
        """Keep the folder that the context of the validation names."""
        self._folder = (context or {}).get("folder")


_OTHER_FORMS = ("list_type", "tuple_type", "none_required", "string_pattern_mismatch", "string_type")  # said of a value that is none
_TYPES = ("int", "float", "str", "bool", "none", *METHODS)


def explain(error: ValidationError) -> str:
    """Explain each place of a file that is wrong: the place, the expected value, and the given one."""
    phrases: dict[str, str] = {}
    options: dict[str, list[str]] = {}  # what the members of a union expect
    ours: set[str] = set()
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"] if not _is_type(str(part)))
        if problem["type"] == "value_error":  # raised by this package: it says all, more than the other members of a union do
            reason = str(problem["ctx"]["error"])
            ours.add(place)
            phrases[place] = f"{place}: {reason}" if place else reason
        elif problem["type"] == "extra_forbidden":
            phrases.setdefault(place, f"{place}: unknown key{_suggest(problem['loc'])}")
        elif place not in ours:
            given = "" if problem["type"] == "missing" else f", got {problem['input']!r}"
            expected = options.setdefault(place, [])
            if not expected or problem["type"] not in _OTHER_FORMS:
                said = f"must be {_NAME_WORDS}" if problem.get("ctx", {}).get("pattern") == _NAME else problem["msg"]
                expected.append(said.removeprefix("Input should be " if expected else ""))
                phrases[place] = f"{place}: {' or '.join(expected)}{given}"
    return "; ".join(phrases.values())


def _suggest(place: tuple[str | int, ...]) -> str:
    """Suggest what an unknown key may stand for: a key of its section, the section that has it, or all that there are."""
    key, within = str(place[-1]), [str(part) for part in place[:-1]]
    sections: dict[str, type[BaseModel]] = {**SECTIONS, "docs": Docs}
    known = Study if not within else sections.get(within[0]) or METHODS.get(within[-1])
    if known is None:
        return " in this section"
    keys = [*known.model_fields, *["at"] * (known in METHODS.values())]
    if near := difflib.get_close_matches(key, keys, 1):
        return f", did you mean {near[0]}?"
    homes = [name for name, section in (sections if known not in METHODS.values() else METHODS).items() if key in section.model_fields]
    return f" ({key} belongs to {' and '.join(homes)})" if homes else f", expected one of {', '.join(keys)}"


def _is_type(part: str) -> bool:
    """True where a step of a location is pydantic's name for a member of a union, not a key of the file."""
    return "[" in part or part.startswith("constrained-") or part in _TYPES
