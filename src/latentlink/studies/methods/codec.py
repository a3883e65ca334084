"""The codec as a method of studies: one training on this machine for all cells that share pilots and seed, whatever their channels."""

from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from pydantic import Field, model_validator
from torch import Tensor

from latentlink.budget import named
from latentlink.channels.channel import Channel
from latentlink.channels.draws import ChannelDraws, ChannelSource
from latentlink.channels.tr38901.training_channels import StandardDraws
from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes
from latentlink.links.solution import Solution
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.examples import Augmentation
from latentlink.neural.codec.training import CodecTraining
from latentlink.neural.codec.words import codec_training, named_objective
from latentlink.numerics.doors import check_instance
from latentlink.power import MessageWord
from latentlink.storage.artifacts import load_if_there
from latentlink.storage.folders import cache_folder
from latentlink.studies.channels import standard_model
from latentlink.studies.knowledge import PilotKnowledge
from latentlink.studies.methods.method import Method, Run, Training
from latentlink.studies.pilots_at import PilotsAt
from latentlink.studies.section import AboveZero, NotNegative, Positive, Section
from latentlink.studies.sections import ChannelAt, Fading, KFactor, OfdmAt, Point, Standard, identify
from latentlink.studies.seeding import Draw
from latentlink.studies.shared import ScenarioData
from latentlink.studies.spec.plug_in import PlugIn, accepts, blame, is_plug_in, load_attribute, source_digest
from latentlink.tasks.objectives import Objective

_TRAINING_VERSION = 4  # of what a training gives: raise it when that changes
_SETTINGS = {
    *("power", "flops", "microseconds", "modes", "width", "layers", "max_symbols"),
    *("rounds", "learning_rate", "dropout", "folds", "validation"),
}


class Draws(Section):
    """The channels that a codec is trained on."""

    antennas: tuple[Positive, ...] = Field((1, 2, 3, 4, 6, 8, 12, 16), description="n_tx = n_rx, each in proportion to 1/√n")
    uses: tuple[Positive, ...] = Field((1, 1, 2), description="channel uses, each as likely as the next")
    snr_db: tuple[float, float] = Field((-10.0, 30.0), description="lowest and highest SNR in dB")
    model: Fading = Field(
        "rayleigh", description="fading; 3GPP models with 300 ns of delay spread, uses spread over 624 subcarriers of 30 kHz"
    )
    gain: AboveZero = Field(1.0, description="mean squared coefficient")
    k_factor: KFactor = Field(1.0, description="K-factor of rician fading, linear and not in dB")
    correlation: float = Field(0.7, ge=0, lt=1, description="correlation of neighbouring antennas, of kronecker fading")

    def source(self, seed: int) -> ChannelSource:
        """The source of the channels in cells of a seed; no study measures on those of 3GPP models."""
        if self.model not in get_args(Standard):
            return ChannelDraws(**dict(self))
        at, ofdm = ChannelAt.model_validate({"model": self.model, "gain": self.gain}), OfdmAt.model_validate({"delay_spread_ns": 300.0})
        model, bank = standard_model(at, ofdm), Draw.TRAINING_CHANNELS.seed(seed)
        return StandardDraws(model=model, antennas=self.antennas, uses=self.uses, snr_db=self.snr_db, seed=bank)


class CodecMethod(Method):
    """One network for every channel, trained once for the pilots and the seed of a cell."""

    family: ClassVar[str] = "codec"
    is_trained: ClassVar[bool] = True
    name: Literal["codec"] = "codec"
    objective: Literal["head", "mse", "cosine", "retrieval"] | PlugIn = Field(
        "head", description="what it is trained for; module:attribute of an objective's class, which may take the receiver's `head`"
    )
    fidelity: NotNegative = Field(0.05, description="weight of plain MSE beside the divergence of the head")
    power: MessageWord = Field("mean", description="what the power limits")
    peak: float | None = Field(None, ge=1, description="largest energy of a message over its budget")
    modes: Positive = Field(128, description="semantic modes that the networks work in")
    width: Positive = Field(256, description="hidden units of a layer")
    layers: Positive = Field(2, description="hidden layers of each network")
    max_symbols: Positive = Field(16, description="complex symbols that a message may take")
    rounds: Positive = Field(30, description="rounds of 100 steps")
    learning_rate: AboveZero = Field(2e-3, description="largest learning rate of AdamW")
    dropout: NotNegative = Field(0.0, lt=1, description="share of hidden units dropped in training")
    noise: NotNegative = Field(0.1, description="augmentation: noise on the transmitter's coordinates, in units of their own")
    moved: NotNegative = Field(0.7, description="augmentation: largest shift of a pilot at both ends")
    mixed: NotNegative = Field(0.0, le=1, description="augmentation: share of examples between two pilots")
    folds: Positive = Field(1, description="folds of cross-fitting: above 1, coordinates of a pilot are by modes made without it")
    validation: AboveZero = Field(0.1, lt=1, description="share of the pilots held back")
    flops: Positive | None = Field(None, description="complexity budget: operations per message")
    microseconds: AboveZero | None = Field(None, description="complexity budget: time per message, on one thread of this machine")
    unpaired: bool = Field(False, description="also train on the transmitter's latents of observations that are no pilots")
    draws: Draws = Field(Draws.model_validate({}), description="channels to train on")

    @model_validator(mode="after")
    def _one_budget(self) -> "CodecMethod":
        named(flops=self.flops, microseconds=self.microseconds)
        return self

    @property
    def gain_controlled(self) -> bool:  # type: ignore[override]
        """False where single messages are limited: more power for all would break the limit."""
        return self.power == "mean" and self.peak is None

    @property
    def own(self) -> str:
        return self.objective if is_plug_in(self.objective) else ""

    def describe(self) -> str:
        words = {"head": "", "mse": ", MSE"}
        goal = words.get(self.objective, f", {self.objective.rpartition(':')[2]}")
        limit = ", power per message" if self.power == "per-message" else f", peak {self.peak:g}" if self.peak else ""
        return f"codec{goal}{limit}" + (", unpaired latents" if self.unpaired else "")

    def canonical(self, point: Point) -> dict[str, Any]:
        """The parameters, with the digest of an objective of one's own, and the version of training."""
        return super().canonical(point) | {"objective": identify(self.objective), "training": _TRAINING_VERSION}

    def trained_by(self) -> str:
        """The parameters of the training, by which methods share it."""
        return self.model_dump_json(include=set(CodecMethod.model_fields) - {"label", "name"})

    def training(self, seed: int) -> CodecTraining:
        """The settings of the training in a cell of this seed."""
        return codec_training(
            **self.model_dump(include=_SETTINGS),
            peak=self.peak if self.power == "mean" else None,
            draws=self.draws.source(seed),
            patience=self.rounds,
            augmentation=Augmentation(noise=self.noise, moved=self.moved, mixed=self.mixed),
            seed=Draw.DESIGN.seed(seed, "codec"),
        )

    def inputs(self, known: PilotKnowledge) -> tuple[SemanticModes, Pilots, Objective]:
        """Modes for the linear part, pilots, and the objective of the networks."""
        modes = known.modes("fisher" if self.objective == "head" else "none")
        return modes, known.pilots, self._objective(known)

    def _objective(self, known: PilotKnowledge) -> Objective:
        if self.own:
            make = load_attribute(self.own)
            with blame(self.own):
                made: Objective = make(**({"head": known.head} if accepts(make, "head") else {}))
                check_instance("objective", made, Objective, "an object with wanted(y, synthesis, mean_y)")
            return made
        return named_objective(self.objective, known.classifier, self.fidelity)

    def stored(self, known: PilotKnowledge, seed: int) -> Path:
        """The file of this codec, named by the digest of all that its training depends on; the training's state lies beside it."""
        own = f"-{source_digest(self.own)[:16]}" if self.own else ""
        identity = self.training(seed).identity(*self.inputs(known), self._unpaired(known))
        return cache_folder() / "codecs" / f"{identity}{own}-{_TRAINING_VERSION}.safetensors"

    def training_for(self, scenario: ScenarioData, at: PilotsAt, seed: int, channel: Channel) -> Training:
        known = scenario.known(at, seed)
        settings, inputs = self.training(seed), self.inputs(known)
        return Training(
            key=(at, seed, self.trained_by()),
            estimated_seconds=lambda: settings.estimated_seconds(*inputs),
            untrained_link=lambda: settings.untrained(*inputs[:2]).design(channel).transceiver,
            serves_all_channels=True,
            is_done=self.stored(known, seed).is_file(),
        )

    def codec(self, known: PilotKnowledge, run: Run) -> Codec:
        """The codec, trained by the first cell that needs it, unless it is stored; an interrupted training is resumed."""

        def train() -> Codec:
            path = self.stored(known, run.seed)
            if (before := load_if_there(path, Codec)) is not None:
                return before.to(known.pilots.x.device)
            state, unpaired = path.with_suffix(".training"), self._unpaired(known)
            fit = self.training(run.seed).fit(*self.inputs(known), unpaired=unpaired, checkpoint=state, progress=run.progress)
            fit.codec.save(path)
            return fit.codec

        return known.shared((self.trained_by(), run.seed), train)

    def _unpaired(self, known: PilotKnowledge) -> Tensor | None:
        return known.others if self.unpaired else None

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        return self.codec(known, run).design(channel)
