"""Studies as data: what one cell of an experiment is, and the study file that sweeps over many of them.

A cell is one design measured at one point: a method, a pair of encoders, pilots, a channel, an SNR, a seed. All of it is frozen and plain,
so its JSON identifies it: its id is the SHA-256 of that JSON and of RESULTS_VERSION, which is raised whenever the code changes what a cell
gives. A study file has the same sections; wherever a cell has a value the study may have a list, and its cells are the product.
"""

import difflib
import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, create_model, model_validator

from latentlink.data.encoders.catalogue import ENCODERS, is_encoder_name
from latentlink.studies.channels import elements_of, ignored, standard_model
from latentlink.studies.methods.linear import AnyMethod
from latentlink.studies.sections import ChannelAt, CsiAt, Data, Encoders, OfdmAt, PilotsAt, Section, Seed, Snr, files_digest
from latentlink.studies.spec.overrides import overridden, put

RESULTS_VERSION = 3  # of what a cell's row means: raise it and every cell is run anew

Against = Literal["compression", "antennas", "snr", "flops", "uses", "pilot-snr", "delay", "speed", "feedback", "clipping", "outage"]
Metric = Literal["accuracy", "mse", "limits", "power", "papr", "flops", "latency"]


class Cell(Section):
    """One design measured at one point."""

    data: Data
    encoders: Encoders
    pilots: PilotsAt
    channel: ChannelAt
    ofdm: OfdmAt
    csi: CsiAt
    snr: Snr
    method: AnyMethod
    seed: Seed
    metrics: tuple[Metric, ...]

    @model_validator(mode="after")
    def _known_encoders(self) -> "Cell":
        for end in ("transmitter", "receiver"):
            name = getattr(self.encoders, end)
            if self.data.encoded and not is_encoder_name(name):
                near = difflib.get_close_matches(name, ENCODERS, 1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise ValueError(f"encoders.{end} must be one of {', '.join(ENCODERS)}, or timm:NAME, got {name!r}{hint}")
        return self

    @model_validator(mode="after")
    def _possible_channel(self) -> "Cell":
        if self.channel.standard:
            standard_model(self.channel, self.ofdm)
            elements_of(self.channel, self.ofdm)
            if self.ofdm.normalisation == "path-loss" and self.snr.snr_reference != "transmit":
                raise ValueError("snr.snr_reference must be transmit where ofdm.normalisation is path-loss: each user hears another SNR")
        if self.csi.known != "perfect":
            self._check_csi()
        return self

    @property
    def csi_ignored(self) -> tuple[str, ...]:
        """Settings of `csi` that make no difference here."""
        spacing = () if self.channel.standard else ("pilot_spacing",)
        if self.csi.known in ("perfect", "none"):
            return ("estimator", "pilot_snr_db", "pilot_spacing", "delay_ms", "feedback_bits")
        if self.csi.known == "receiver-only":  # its pilots come with the message
            return (*spacing, "delay_ms", "feedback_bits")
        return spacing

    @property
    def age_s(self) -> float:
        """How old an estimate is when it is used."""
        return 0.0 if "delay_ms" in self.csi_ignored else 1e-3 * self.csi.delay_ms

    def _check_csi(self) -> None:
        """Which cells may have imperfect CSI."""
        if self.channel.knowledge == "unaware":
            raise ValueError("channel.knowledge must be aware where csi.known says what is known; csi.known: none is the unaware design")
        if self.channel.standard and self.ofdm.normalisation == "path-loss":
            raise ValueError("csi.known must be perfect where ofdm.normalisation is path-loss: estimates suppose one mean gain")
        known = self.csi.known
        if self.csi.feedback_bits is not None and known in ("both-ends", "transmitter-only"):
            raise ValueError(f"csi.feedback_bits must be null where csi.known is {known}: what is fed back is a precoder, not a channel")
        if known != "none" and self.channel.model in ("rician", "kronecker"):
            raise ValueError(f"csi.known must be perfect or none for {self.channel.model} fading, whose entries have no common statistics")
        if self.method.name == "digital":
            raise ValueError("csi.known must be perfect for digital, whose rates and demappers allow for no error of the channel")
        if self.channel.standard and self.csi.pilot_spacing > self.ofdm.subcarriers:
            raise ValueError(f"csi.pilot_spacing must be at most ofdm.subcarriers, {self.ofdm.subcarriers}, got {self.csi.pilot_spacing}")
        if self.method.name == "closed-form":
            if self.method.power_limit != "mean":
                raise ValueError(f"power_limit must be mean where csi.known is {self.csi.known}, got {self.method.power_limit}")
        elif self.csi.known not in ("both-ends", "none"):
            got = self.method.name
            raise ValueError(f"csi.known {self.csi.known} needs closed-form, whose decoder is matched to what is received, got {got}")

    @cached_property
    def id(self) -> str:
        """Names the cell's result file."""
        facts = self.model_dump(mode="json", exclude={"method": {"label"}})
        channel = facts["channel"]
        channel["antennas"], channel["n_rx"], channel["n_tx"] = None, *self.channel.shape  # however it was said
        channel["k_factor"] = self.channel.k_factor if self.channel.model == "rician" else None
        if self.channel.model != "kronecker":
            del channel["correlation"]
        if self.channel.clipping_db is None:
            del channel["clipping_db"]
        for name in self.csi_ignored:
            del facts["csi"][name]
        if self.csi.known not in ("both-ends", "transmitter"):
            facts["method"].pop("robust", None)
        if self.csi.known == "perfect":
            del facts["csi"]
        for name in ignored(self.channel, self.ofdm):
            del facts["ofdm"][name]
        if not self.channel.standard:
            radio = facts.pop("ofdm")
            if self.age_s > 0:  # what an estimate's age means
                facts["ofdm"] = {name: radio[name] for name in ("carrier_ghz", "speed_kmh")}
        facts["snr"]["snr_db"] += 0.0  # −0 dB is 0 dB
        facts["metrics"] = sorted(set(self.metrics))
        facts["encoders"] = facts["encoders"] if self.data.encoded else None  # what is ignored makes no difference
        if self.data.dataset == "files":
            facts["data"]["folder"] = files_digest(self.data.folder)  # what it is, not where
        text = json.dumps({"results_version": RESULTS_VERSION, **facts}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def group(self) -> tuple[Data, Encoders, PilotsAt, int]:
        """Cells that agree in this share latents, pilots, moments and modes."""
        return self.data, self.encoders, self.pilots, self.seed


def swept(model: type[BaseModel], **more: Any) -> Any:
    """The section of a study: every value may also be a list, to be swept over."""
    fields: dict[str, Any] = dict(more)
    for name, field in model.model_fields.items():
        one: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        many: Any = Annotated[list[one], Field(min_length=1)]
        kept = name in ("name", "label")
        fields[name] = (one if kept else one | many, Field(field.default, description=field.description))
    return create_model(model.__name__ + "Sweep", __base__=Section, __doc__=model.__doc__, **fields)


_AT: Any = (dict[str, Any], Field(default_factory=dict, description="values of the study that are others for this method, by dotted name"))
_METHODS = get_args(get_args(AnyMethod)[0])
NAMES = tuple(method.model_fields["name"].default for method in _METHODS)
_Data, _Encoders, _Pilots, _Channel, _Ofdm, _Csi, _Snr = (
    swept(section) for section in (Data, Encoders, PilotsAt, ChannelAt, OfdmAt, CsiAt, Snr)
)
_Method: Any = Annotated[Union[tuple(swept(method, at=_AT) for method in _METHODS)], Field(discriminator="name")]  # noqa: UP007


def _several(value: Any) -> Any:
    """One value where a list is expected is a list of one."""
    return (value,) if isinstance(value, int | float | str) else value


class Study(Section):
    """An experiment: every list is swept over, and every combination is a cell."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="names the folder of its results")
    title: str = ""
    description: str = ""
    axis: Against = Field("compression", description="what the report draws accuracy against; outage: how many channels are how bad")
    data: _Data = _Data()  # type: ignore[valid-type]
    encoders: _Encoders = _Encoders()  # type: ignore[valid-type]
    pilots: _Pilots = _Pilots()  # type: ignore[valid-type]
    channel: _Channel = _Channel()  # type: ignore[valid-type]
    ofdm: _Ofdm = _Ofdm()  # type: ignore[valid-type]
    csi: _Csi = _Csi()  # type: ignore[valid-type]
    snr: _Snr = _Snr()  # type: ignore[valid-type]
    methods: Annotated[list[_Method], Field(min_length=1)]
    references: bool = Field(True, description="also measure the ceilings (own latents, aligned without a channel) and the floor")
    seeds: Annotated[tuple[Seed, ...], BeforeValidator(_several), Field(min_length=1)] = (27, 42, 100, 123, 144, 200)
    metrics: Annotated[tuple[Metric, ...], BeforeValidator(_several)] = ("accuracy", "mse", "limits", "power", "flops", "latency")
    quick: dict[str, Any] = Field(default_factory=dict, description="values that --quick puts in their place, by dotted name")


def read_study(path: Path, overrides: tuple[str, ...] = (), quick: bool = False) -> Study:
    """The study of a YAML file, with `a.b=value` overrides in the grammar of Hydra (`channel.antennas=1,2,4`).

    An override holds for all methods, also for those that have another value in `at`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not YAML, or not a study; the message names the file, the key, what came and what was expected.
    """
    try:
        content = _unshared(yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a YAML file ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: a study must be a mapping with name, methods, …; got {type(content).__name__}")
    try:
        _change(content, overrides, quick)
        return Study.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{path}: {explained(error)}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _change(content: dict[str, Any], overrides: tuple[str, ...], quick: bool) -> None:
    """Put the values of `quick` and of the overrides in place."""
    small = content.get("quick") or {}
    if not isinstance(small, dict) or not all(isinstance(key, str) for key in small):
        raise ValueError(f"quick must be a mapping of dotted names to values, got {small!r}")
    if quick and not small:
        raise ValueError("has no `quick` section, so --quick means nothing here")
    for key, value in small.items() if quick else ():
        put(content, key, value)
    for override in overrides:
        key = overridden(content, override)
        for method in content.get("methods") or ():
            if isinstance(method, dict) and isinstance(method.get("at"), dict):
                method["at"].pop(key, None)


def _unshared(value: Any) -> Any:
    """A copy in which YAML's aliases are values of their own, so that changing one changes no other."""
    if isinstance(value, dict):
        return {key: _unshared(inner) for key, inner in value.items()}
    return [_unshared(inner) for inner in value] if isinstance(value, list) else value


class _UniqueKeys(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML in which a key that comes twice in one mapping is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge"]
        if twice := [key for key in dict.fromkeys(keys) if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} comes twice", node.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def explained(error: ValidationError) -> str:
    """What is wrong: where, what was expected, what came; one phrase for each place."""
    seen: dict[str, str] = {}
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"] if not _is_type(str(part)))
        if problem["type"] == "value_error":  # one of ours: it says all
            seen.setdefault(place, f"{place}: {problem['ctx']['error']}" if place else str(problem["ctx"]["error"]))
        elif problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(problem["loc"][-1]), _KEYS, 1)
            seen.setdefault(place, f"{place}: unknown key" + (f", did you mean {near[0]}?" if near else ""))
        else:
            came = "" if problem["type"] == "missing" else f", got {problem['input']!r}"
            seen.setdefault(place, f"{place}: {problem['msg']}{came}")
    return "; ".join(seen.values())


def _is_type(part: str) -> bool:
    """Whether a step of a location is pydantic's name for a member of a union, not a key of the file."""
    return "[" in part or part.startswith("constrained-") or part in ("int", "float", "str", "bool", "none", *NAMES)


_KEYS = sorted(
    {name for section in (Study, Data, Encoders, PilotsAt, ChannelAt, OfdmAt, CsiAt, Snr, *_METHODS) for name in section.model_fields}
    | {"at"}
)
